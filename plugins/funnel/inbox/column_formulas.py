"""Columns that a manifest states without a header: constants, keys, sums, joined texts."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from typing import Any

from funnel.inbox.entities import Entity
from funnel.inbox.errors import Misstated
from funnel.inbox.moments import COUNTED

NUMBERS = ("number", "integer", "share")
ORIGINS = ("sheet", "file", "row", "hash")
SCALES = {"micros": "0.000001", "thousands": "1000", "millions": "1000000", "hundreds": "100", "cents": "0.01"}
_BRACES = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Template:
    """A text with headers in braces: arithmetic for a number, concatenation for a text."""

    text: str
    headers: tuple[str, ...]
    is_sum: bool

    def filled(self, cells: tuple[str | None, ...]) -> str | None:
        """The joined text; None if all parts are empty."""
        if not any(cells):
            return None
        given = dict(zip(self.headers, (cell or "" for cell in cells), strict=True))
        return _BRACES.sub(lambda found: given[found[1].strip()], self.text).strip() or None


def template(text: str, entity: Entity, name: str) -> Template | None:
    """A text with braces as a template; None for a header. Raises Misstated."""
    headers = tuple(dict.fromkeys(found.strip() for found in _BRACES.findall(text)))
    if not headers:
        return None
    kind = entity.field(name).kind
    if kind in NUMBERS:
        made = Template(text, headers, True)
        calculation(made)
        return made
    if kind not in ("text", "email", "person"):
        raise Misstated(f"{name} is {text!r}, but a {kind} can be neither computed nor joined; map a column")
    return Template(text, headers, False)


def calculation(made: Template) -> Callable[[dict[str, Decimal]], Decimal]:
    """The arithmetic of a template as a function of its columns. Raises Misstated.

    Only + - * / and brackets over columns and literals: no functions, no names, no powers. Literals are exact.
    """
    import ast

    import simpleeval  # type: ignore[import-untyped]

    names = {header: f"column_{place}" for place, header in enumerate(made.headers)}
    source = _BRACES.sub(lambda found: names[found[1].strip()], made.text)
    allowed = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Constant)
    operators = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.UAdd)
    try:
        tree = ast.parse(source, mode="eval") if len(source) <= 500 else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None or not all(isinstance(node, (*allowed, *operators)) for node in ast.walk(tree)):
        raise Misstated(
            f"{made.text!r} is not arithmetic; write + - * / over columns in braces and numbers, such as "
            '"{sales} * {price}"'
        )
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
                raise Misstated(f"{made.text!r} holds {node.value!r}, which is not a number")
            exact = Decimal(ast.get_source_segment(source, node) or str(node.value))
            node.value = exact  # type: ignore[assignment]
        if isinstance(node, ast.Name) and node.id not in names.values():
            raise Misstated(f"{made.text!r} names {node.id!r}; put the header of a column in braces")
    evaluator = simpleeval.SimpleEval(functions={})

    def computed(cells: dict[str, Decimal]) -> Decimal:
        evaluator.names = {names[header]: value for header, value in cells.items()}
        result: Decimal = evaluator.eval(source, previously_parsed=tree.body)
        return result

    try:
        computed(dict.fromkeys(made.headers, Decimal(1)))
    except DecimalException:
        pass
    except Exception as error:
        raise Misstated(f"{made.text!r} cannot be computed ({type(error).__name__})") from None
    return computed


def scale(stated: Any, entity: Entity) -> dict[str, str]:
    """A factor for each number in another unit. Raises Misstated."""
    numbers = [each.name for each in entity.fields if each.kind in ("number", "integer")]
    factors = stated if isinstance(stated, dict) else dict.fromkeys(numbers, stated) if stated is not None else {}
    made = {}
    for name, factor in factors.items():
        text = SCALES.get(str(factor), str(factor))
        try:
            value = Decimal(text)
        except DecimalException:
            value = Decimal(0)
        if name not in numbers:
            raise Misstated(f"{name} is not a number of {entity.name}; scale can be stated for {', '.join(numbers)}")
        if not value.is_finite() or value <= 0:
            raise Misstated(f"{name} is {factor!r}; write micros, thousands, millions or a factor such as 0.000001")
        made[name] = format(value, "f")
    return made


def date_formats(stated: Any, entity: Entity) -> dict[str, tuple[str, ...]]:
    """The formats of each date column. Raises Misstated."""
    dates = [each.name for each in entity.fields if each.kind in ("date", "moment", "month")]
    by_name = stated if isinstance(stated, dict) else dict.fromkeys(dates, stated) if stated is not None else {}
    made = {}
    for name, formats in by_name.items():
        if name not in dates:
            raise Misstated(f"date_format: {name} is not a date; the dates of {entity.name} are {', '.join(dates)}")
        made[name] = (formats,) if isinstance(formats, str) else tuple(formats)
        for one in made[name]:
            if "%" not in one and one not in COUNTED:
                raise Misstated(
                    f"date_format is {one!r}; write it as strptime does, such as %d/%m/%Y, or for numbers "
                    + ", ".join(f"{name} ({called})" for name, (_, _, called) in COUNTED.items())
                )
        if not made[name]:
            raise Misstated(f"date_format of {name} is empty; write at least one, such as %d/%m/%Y")
    return made
