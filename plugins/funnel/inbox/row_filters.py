"""Rows of a block that are not data: empty rows, repeated headers, and rows without required cells."""

from collections.abc import Container
from dataclasses import replace
from typing import Any

import pyarrow.compute as pc

from funnel.inbox.blocks import Block
from funnel.inbox.entities import Entity, day_name


def without_empty_rows(cells: dict[str, Any], block: Block) -> tuple[dict[str, Any], Block]:
    """Cells by column, and their block, without the rows in which all cells are empty."""
    filled = None
    for column in cells.values():
        mask = pc.is_valid(column)
        filled = mask if filled is None else pc.or_(filled, mask)
    if filled is None or pc.all(filled).as_py():
        return cells, block
    columns = {name: column.filter(filled) for name, column in block.columns.items()}
    block = replace(block, columns=columns, lines=block.lines.filter(filled))
    return {name: column.filter(filled) for name, column in cells.items()}, block


def headers_again(cells: dict[str, Any], mapping: dict[str, str], corrected: Container[str], length: int) -> list[int]:
    """Rows that repeat the header, for instance where exports were concatenated."""
    if not length or len(mapping) < 2:
        return []
    same = None
    for name, header in mapping.items():
        if name in corrected:
            continue
        is_header = pc.fill_null(pc.equal(cells[name], header), False)
        same = is_header if same is None else pc.and_(same, is_header)
        if not pc.any(same).as_py():
            return []
    return [] if same is None else pc.indices_nonzero(same).to_pylist()


def require(entity: Entity, columns: dict[str, Any], problems: dict[int, tuple[str | None, str]]) -> None:
    """Record the rows that lack a required value, or all values of a group that requires one."""
    for each in entity.fields:
        if each.required and each.name in columns:
            present = pc.is_valid(columns[each.name])
            if each.kind == "moment":
                present = pc.or_(present, pc.is_valid(columns[day_name(each.name)]))
            if not pc.all(present).as_py():
                for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                    problems.setdefault(place, (each.name, "is required, but empty"))
    for group in entity.any_of:
        present = None
        for name in (name for each in group for name in (each, day_name(each)) if name in columns):
            mask = pc.is_valid(columns[name])
            present = mask if present is None else pc.or_(present, mask)
        if present is not None and not pc.all(present).as_py():
            for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                problems.setdefault(place, (group[0], f"is empty, and so is all of {', '.join(group)}"))
