"""Blocks of cells become batches of our columns, all as the text that PostgreSQL reads, and bad rows with reasons."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import values
from funnel.inbox.blocks import NO_VALUE, TYPED, BadRow, Block
from funnel.inbox.cell_bytes import beginning_with, ends_of, is_all_digits
from funnel.inbox.entities import Field, day_name
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.reading import DATES, NUMBERS, Reading


class Converter:
    """Blocks of a file's cells → batches of our columns, all as the text that PostgreSQL reads, and the bad rows."""

    def __init__(self, spec: StreamSpec, mapping: dict[str, str], reading: Reading, has_types: bool) -> None:
        self.spec = spec
        self.has_types = has_types
        self.mapping = mapping
        self.reading = reading
        self.zone = ZoneInfo(spec.timezone)
        self.first_day: str | None = None
        self.last_day: str | None = None
        # Of columns that say the same in all rows of the file; null where they say nothing.
        self.constants: dict[str, str] = {}
        self.readers = {name: self._reader(spec.entity.field(name)) for name in (*mapping, *spec.constants)}

    def __call__(self, block: Block) -> tuple[Any, list[BadRow]]:
        length = len(block.lines)
        cells = {name: self._cells(name, block.columns[header]) for name, header in self.mapping.items()}
        if length:
            filled = None
            for column in cells.values():
                mask = pc.is_valid(column)
                filled = mask if filled is None else pc.or_(filled, mask)
            if filled is not None and not pc.all(filled).as_py():
                block = replace(
                    block,
                    columns={name: column.filter(filled) for name, column in block.columns.items()},
                    lines=block.lines.filter(filled),
                )
                cells = {name: column.filter(filled) for name, column in cells.items()}
                length = len(block.lines)
        problems: dict[int, tuple[str | None, str]] = {}
        columns: dict[str, Any] = {}
        for each in self.spec.entity.fields:
            name = each.name
            if name in cells:
                read = self._read(each, cells[name], problems, block.is_clean)
            elif name in self.spec.constants:
                constant = pa.repeat(pa.scalar(self.spec.constants[name], pa.string()), length)
                read = self._read(each, constant, problems, False)
            elif each.kind == "currency" and self.spec.currency:
                read = {name: pa.repeat(pa.scalar(self.spec.currency, pa.string()), length)}
            else:
                continue
            columns |= read
        for name, other in self.spec.entity.fallbacks:
            if name not in columns and other in columns:
                columns[name] = columns[other]
        self._require(columns, problems)
        key = [column for name in self.spec.key if (column := self._key_column(columns, name)) is not None]
        columns["row_key"] = (
            pc.fill_null(key[0], "")
            if len(key) == 1
            else pc.binary_join_element_wise(*key, "|", null_handling="replace", null_replacement="")
        )
        columns["_line"] = block.lines
        batch = pa.record_batch(list(columns.values()), names=list(columns))
        bad = list(block.bad)
        if problems:
            texts = {name: column.to_pylist() for name, column in block.columns.items()} if problems else {}
            for place, (column, reason) in sorted(problems.items()):
                payload = {header: (theirs[place] or "").replace(TYPED, "") for header, theirs in texts.items()}
                row_key = self._readable_key(place, cells, columns)
                bad.append(BadRow(block.lines[place].as_py(), column, reason, payload, row_key))
            good = [place not in problems for place in range(length)]
            batch = batch.filter(pa.array(good))
        self._note_days(batch)
        return self._without_constants(batch), bad

    def _cells(self, name: str, column: Any) -> Any:
        if self.has_types:
            is_number = pc.fill_null(pc.ends_with(column, TYPED), False)
            column = pc.replace_substring(column, TYPED, "")
            if self.reading.decimal == "," and self.spec.entity.field(name).kind in NUMBERS:
                column = pc.if_else(is_number, pc.replace_substring(column, ".", ","), column)
        ends = ends_of(column)
        if ends.may_have_space:
            column = pc.utf8_trim_whitespace(column)
        if self.spec.nulls or ends.may_have_space:
            nulls = pa.array(["", *self.spec.nulls], pa.string())
            column = pc.if_else(pc.is_in(column, value_set=nulls), pa.scalar(None, pa.string()), column)
        elif ends.has_empty:
            column = pc.if_else(pc.equal(pc.binary_length(column), 0), pa.scalar(None, pa.string()), column)
        corrections = self.spec.maps.get(name)
        if corrections:
            places = pc.index_in(column, value_set=pa.array(list(corrections), pa.string()))
            corrected = pa.array([ours or None for ours in corrections.values()], pa.string()).take(places)
            column = pc.if_else(pc.is_valid(places), corrected, column)
        return column

    def _read(
        self, each: Field, column: Any, problems: dict[int, tuple[str | None, str]], is_clean: bool
    ) -> dict[str, Any]:
        """The raw columns of one field; puts what cannot be read into `problems`."""
        if not is_clean:
            column = self._without_errors(each.name, column, problems)
        if each.kind in ("text", "email", "person"):
            return {each.name: column}
        if each.kind == "moment":
            return self._read_moments(each, column, problems)
        if each.kind in ("number", "integer", "share"):
            pattern = values.PLAIN_INTEGER if each.kind == "integer" else values.PLAIN_NUMBER
            if each.kind == "share" or (self.reading.decimal == "," and each.kind == "number"):
                pattern = values.PLAIN_INTEGER
            if each.kind == "share":
                odd = pc.is_valid(column)
            elif is_all_digits(column):
                return {each.name: column}
            else:
                odd = pc.invert(pc.match_substring_regex(column, pattern))
        else:
            odd = pc.is_valid(column)
        odd = pc.fill_null(odd, False)
        places = pc.indices_nonzero(odd)
        if not len(places):
            return {each.name: column}
        chosen = column.take(places).dictionary_encode()
        answers = [self.readers[each.name](text) for text in chosen.dictionary.to_pylist()]
        read = pa.array([answer[0] for answer in answers], pa.string()).take(chosen.indices)
        self._note(each.name, places, chosen, answers, problems)
        return {each.name: pc.replace_with_mask(column, odd, read)}

    def _note(
        self, name: str, places: Any, chosen: Any, answers: list[Any], problems: dict[int, tuple[str | None, str]]
    ) -> None:
        wrong = {number for number, answer in enumerate(answers) if answer[1] is not None}
        if wrong:
            for place, number in zip(places.to_pylist(), chosen.indices.to_pylist(), strict=True):
                if number in wrong:
                    problems.setdefault(place, (name, answers[number][1]))

    def _read_moments(self, each: Field, column: Any, problems: dict[int, tuple[str | None, str]]) -> dict[str, Any]:
        coded = column.dictionary_encode()
        answers = [self.readers[each.name](text) for text in coded.dictionary.to_pylist()]
        times, days = [], []
        for value, _ in answers:
            time, _, day = (value or "\0").partition("\0")
            times.append(time or None)
            days.append(day or None)
        places = pc.indices_nonzero(pc.fill_null(pc.is_valid(column), False))
        wrong = any(reason is not None for _, reason in answers)
        if wrong:
            chosen = column.take(places).dictionary_encode()
            again = [self.readers[each.name](text) for text in chosen.dictionary.to_pylist()]
            self._note(each.name, places, chosen, again, problems)
        return {
            each.name: pa.array(times, pa.string()).take(coded.indices),
            day_name(each.name): pa.array(days, pa.string()).take(coded.indices),
        }

    def _without_errors(self, name: str, column: Any, problems: dict[int, tuple[str | None, str]]) -> Any:
        for pattern, reason in (
            (
                r"^#(REF!|DIV/0!|N/A|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|FIELD!|BLOCKED!|GETTING_DATA)",
                "holds a spreadsheet's error",
            ),
            (f"^{NO_VALUE}$", "holds a formula without a stored value; open the workbook and save it again"),
            ("\ufffd", "holds characters that are not in the file's encoding"),
            ("\x00", "holds a NUL character"),
        ):
            wrong = pc.fill_null(pc.match_substring_regex(column, pattern), False)
            if pc.any(wrong).as_py():
                for place in pc.indices_nonzero(wrong).to_pylist():
                    problems.setdefault(place, (name, reason))
                column = pc.if_else(wrong, pa.scalar(None, pa.string()), column)
        return column

    def _require(self, columns: dict[str, Any], problems: dict[int, tuple[str | None, str]]) -> None:
        for each in self.spec.entity.fields:
            if each.required and each.name in columns:
                present = pc.is_valid(columns[each.name])
                if each.kind == "moment":
                    present = pc.or_(present, pc.is_valid(columns[day_name(each.name)]))
                if not pc.all(present).as_py():
                    for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                        problems.setdefault(place, (each.name, "is required, but empty"))
        for group in self.spec.entity.any_of:
            present = None
            for name in (name for each in group for name in (each, day_name(each)) if name in columns):
                mask = pc.is_valid(columns[name])
                present = mask if present is None else pc.or_(present, mask)
            if present is not None and not pc.all(present).as_py():
                for place in pc.indices_nonzero(pc.invert(present)).to_pylist():
                    problems.setdefault(place, (group[0], f"is empty, and so is all of {', '.join(group)}"))
        for name in self.spec.key:
            if self.spec.entity.field(name).kind == "text" and name in columns:
                places = pa.array(beginning_with(columns[name], b"gGsStT"))
                begun = columns[name].take(places)
                likely = pc.match_substring_regex(begun, r"(?i)^(grand|sub|total|sum|gesamt|totaal)")
                for place in places.filter(likely).to_pylist():
                    if values.TOTALS.fullmatch(columns[name][place].as_py().lower()):
                        problems[place] = (name, "is a total, not a record")

    def _key_column(self, columns: dict[str, Any], name: str) -> Any:
        column = columns.get(name)
        if self.spec.entity.field(name).kind == "moment" and column is not None:
            column = pc.coalesce(column, columns[day_name(name)])
        return column

    def _readable_key(self, place: int, cells: dict[str, Any], columns: dict[str, Any]) -> str | None:
        """The key of a bad row; None where one of its parts is what could not be read."""
        for name in self.spec.key:
            part = self._key_column(columns, name)
            if name in cells and cells[name][place].is_valid and not part[place].is_valid:
                return None
        return columns["row_key"][place].as_py() or None

    def _note_days(self, batch: Any) -> None:
        """The range of the dates that a person would ask about first."""
        for each in self.spec.entity.fields:
            if each.kind not in DATES or each.name == "expected_close_date":
                continue
            names = (each.name, day_name(each.name)) if each.kind == "moment" else (each.name,)
            for name in names if each.name in batch.schema.names else ():
                span = pc.min_max(batch.column(name))
                low, high = span["min"].as_py(), span["max"].as_py()
                if low:
                    self.first_day = min(self.first_day or low[:10], low[:10])
                    self.last_day = max(self.last_day or high[:10], high[:10])

    def _without_constants(self, batch: Any) -> Any:
        """The batch without the columns that the manifest fills; what it fills them with is noted once."""
        stated = set(self.spec.constants)
        if self.spec.currency and "currency_code" not in self.mapping:
            stated.add("currency_code")
        names = [each for name in stated for each in (name, day_name(name)) if each in batch.schema.names]
        if batch.num_rows:
            filled = {name: batch.column(name)[0].as_py() for name in names}
            self.constants = {name: value for name, value in filled.items() if value is not None}
        return batch.drop_columns(names)

    def _reader(self, each: Field) -> values.Remembered:
        decimal, thousands = self.reading.decimal, self.reading.thousands
        stated = self.reading.formats.get(each.name)
        is_percent = each.name in self.reading.percents

        def integer(text: str) -> str:
            plain = values.number(text, decimal, thousands)
            whole, _, fraction = plain.partition(".")
            if fraction.strip("0"):
                raise values.BadCell("is no whole number")
            if len(whole.lstrip("-")) > 18:
                raise values.BadCell("is outside the range of whole numbers")
            return whole

        def moment(text: str) -> str:
            time, day = values.moment(text, stated, self.zone)
            return f"{time or ''}\0{day or ''}"

        readers: dict[str, Callable[[str], str]] = {
            "number": lambda text: values.number(text, decimal, thousands),
            "integer": integer,
            "share": lambda text: values.share(text, decimal, thousands, is_percent),
            "date": lambda text: values.day(text, stated),
            "month": lambda text: values.month(text, stated),
            "moment": moment,
            "stage": lambda text: values.stage(text, each.values),
            "currency": values.currency,
        }
        return values.Remembered(readers.get(each.kind, lambda text: text))
