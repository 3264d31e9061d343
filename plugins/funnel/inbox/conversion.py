"""Converts blocks of cells to batches of our columns, as text that PostgreSQL reads, and bad rows with reasons."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from funnel.inbox import amounts, cell_values, computed_columns, currencies, known_currency, row_filters, totals
from funnel.inbox.blocks import NO_VALUE, TYPED, BadRow, Block
from funnel.inbox.cell_bytes import ends_of, is_all_digits
from funnel.inbox.cell_readers import reader_of
from funnel.inbox.entities import Field, day_name, money_of
from funnel.inbox.errors import Refused
from funnel.inbox.headers import clean_headers
from funnel.inbox.manifest import StreamSpec
from funnel.inbox.mapping import used_of
from funnel.inbox.reading import DATES, NUMBERS, Reading


class Converter:
    """Converts the blocks of a file to batches of our columns, as text that PostgreSQL reads, and collects bad rows."""

    def __init__(
        self, spec: StreamSpec, mapping: dict[str, str], reading: Reading, has_types: bool, path: str = ""
    ) -> None:
        self.spec = spec
        self.path = path
        file = {name: path.rpartition("/")[2] for name, origin in spec.origins.items() if origin == "file"}
        held = {*mapping, *spec.templates, *spec.origins}
        # Values that all rows share: constants, and defaults of columns that the file lacks.
        self.stated = {
            **{name: text for name, text in spec.defaults.items() if name not in held},
            **spec.constants,
            **file,
        }
        self.above: dict[str, computed_columns.Above | None] = {}
        self.content_keys = computed_columns.ContentKeys()
        self.marks: dict[str, list[tuple[int, str]]] = {}
        self.has_types = has_types
        self.mapping = mapping
        self.used = used_of(spec, mapping)
        self.money = money_of(spec.entity)
        self.reading = reading
        self.zone = ZoneInfo(spec.timezone)
        # The last readable row: it may be a total.
        self.last: dict[str, Any] = {}
        self.first_day: str | None = None
        self.last_day: str | None = None
        # Values of columns that are equal in all rows of the file; null for a column without values.
        self.constants: dict[str, str] = {}
        self.readers = {name: self._reader(spec.entity.field(name)) for name in spec.entity.names}

    def __call__(self, block: Block) -> tuple[Any, list[BadRow]]:
        """The batch of a block (text columns by our names, with `row_key` and `_line`), and its bad rows."""
        length = len(block.lines)
        cells = {name: self._cells(name, block.columns[header]) for name, header in self.mapping.items()}
        if length:
            cells, block = row_filters.without_empty_rows(cells, block)
            length = len(block.lines)
        problems: dict[int, tuple[str | None, str]] = {}
        for place in row_filters.headers_again(cells, self.mapping, self.spec.maps, length):
            problems[place] = (None, "repeats the header")
        self.marks = {}
        self._supply(cells, block, problems)
        columns = self._columns(cells, problems, length, block.is_clean)
        self._check(columns, cells, block, problems)
        columns["row_key"] = self._row_keys(columns)
        if self.spec.channels and "channel" in self.spec.entity.names:
            columns["channel"] = computed_columns.channel(columns, self.spec.channels, length)
        columns["_line"] = block.lines
        batch = pa.record_batch(list(columns.values()), names=list(columns))
        bad = [*block.bad, *self._bad_rows(columns, cells, block, problems)]
        if problems:
            batch = batch.filter(pa.array([place not in problems for place in range(length)]))
        self._note_days(batch)
        batch = self._without_constants(batch)
        if batch.num_rows:
            (self.last,) = batch.slice(batch.num_rows - 1).to_pylist()
        return batch, bad

    def _columns(
        self, cells: dict[str, Any], problems: dict[int, tuple[str | None, str]], length: int, is_clean: bool
    ) -> dict[str, Any]:
        """The entity's columns: read from cells, stated for all rows, or copied from another column."""
        columns: dict[str, Any] = {}
        for each in self.spec.entity.fields:
            name = each.name
            if name in cells:
                read = self._read(each, cells[name], problems, is_clean)
                read = self._filled(each, read)
            elif name in self.stated:
                constant = pa.repeat(pa.scalar(self.stated[name], pa.string()), length)
                read = self._read(each, constant, problems, False)
            elif each.kind == "currency" and self.spec.currency:
                read = {name: pa.repeat(pa.scalar(self.spec.currency, pa.string()), length)}
            else:
                continue
            columns |= read
        for name, other in self.spec.entity.fallbacks:
            if name not in columns and other in columns:
                columns[name] = columns[other]
        for name in computed_columns.CAMPAIGNS if self.spec.campaigns else ():
            if name in columns:
                named = computed_columns.looked_up(columns[name], self.spec.campaigns)
                columns[name] = pc.coalesce(named, columns[name])
        if self.marks:
            self._settle_currencies(columns, problems, cells.get("currency_code"), length)
        return columns

    def _check(
        self, columns: dict[str, Any], cells: dict[str, Any], block: Block, problems: dict[int, tuple[str | None, str]]
    ) -> None:
        """Rules for the row as a whole: required values, lines of totals, amounts without a currency."""
        row_filters.require(self.spec.entity, columns, problems)
        if self.spec.totals == "drop":
            for place, name in totals.by_words(
                columns, self._labels(cells, block), self.spec.entity, self.spec.key, self.filled
            ):
                problems[place] = (name, totals.REASON)
        if not self.spec.currency:
            for place, name in known_currency.unknown(columns, self.spec.entity):
                problems.setdefault(place, (name, known_currency.REASON))

    def _row_keys(self, columns: dict[str, Any]) -> Any:
        key = [column for name in self.spec.key if (column := self._key_column(columns, name)) is not None]
        if len(key) == 1:
            return pc.fill_null(key[0], "")
        return pc.binary_join_element_wise(*key, "|", null_handling="replace", null_replacement="")

    def _bad_rows(
        self, columns: dict[str, Any], cells: dict[str, Any], block: Block, problems: dict[int, tuple[str | None, str]]
    ) -> Iterator[BadRow]:
        """The rows with problems, each with its original cells."""
        texts = {name: column.to_pylist() for name, column in block.columns.items()} if problems else {}
        for place, (column, reason) in sorted(problems.items()):
            payload = {header: (theirs[place] or "").replace(TYPED, "") for header, theirs in texts.items()}
            row_key = self._readable_key(place, cells, columns)
            yield BadRow(block.lines[place].as_py(), column, reason, payload, row_key)

    def _supply(self, cells: dict[str, Any], block: Block, problems: dict[int, tuple[str | None, str]]) -> None:
        """Add the columns to `cells` that the file does not contain as such."""
        length = len(block.lines)
        for name, within in self.spec.fill_down.items():
            if name in cells:
                same = cells.get(within) if within else None
                cells[name], self.above[name] = computed_columns.carried(cells[name], self.above.get(name), same)
        content = [cells[name] for name in sorted(cells)]
        for name, origin in self.spec.origins.items():
            if origin == "row":
                cells[name] = computed_columns.row_keys(self.path, block.lines)
            elif origin == "hash":
                cells[name] = self.content_keys(content, length)
        for name, made in self.spec.templates.items():
            parts = [
                self._cells(name if made.is_sum else None, block.columns[clean_headers([header])[0]])
                for header in made.headers
            ]
            if made.is_sum:
                cells[name], wrong = computed_columns.computed(made, parts, self._operand, is_money=name in self.money)
                for place, reason in wrong.items():
                    problems.setdefault(place, (name, reason))
                if self.reading.decimal == ",":
                    cells[name] = pc.replace_substring(cells[name], ".", ",")
            else:
                cells[name] = computed_columns.joined(made, parts)

    def _labels(self, cells: dict[str, Any], block: Block) -> dict[str, Any]:
        """The original cells of the columns in which a line of totals may have its word: columns of days, and unmapped
        columns.
        """
        days = {name: column for name, column in cells.items() if self.spec.entity.field(name).kind in DATES}
        others = {name: self._cells(None, block.columns[name]) for name in block.columns if name not in self.used}
        return {**days, **others}

    def _operand(self, text: str) -> amounts.Amount:
        return amounts.amount(text, self.reading.decimal, self.reading.thousands)

    def _filled(self, each: Field, read: dict[str, Any]) -> dict[str, Any]:
        """A column in our unit, with its empty cells filled as the manifest states."""
        name = each.name
        if name in self.spec.scales:
            read = {name: computed_columns.scaled(read[name], Decimal(self.spec.scales[name]))}
        default = self.spec.defaults.get(name)
        if default is None and each.kind == "currency":
            default = self.spec.currency
        if default is None:
            return read
        value, reason = self.readers[name](default)
        if reason is not None:
            raise Refused(f"the default of {name} is {default!r}, which {reason}")
        if each.kind == "moment":
            time, _, day = (value or "\0").partition("\0")
            is_empty = pc.and_(*(pc.is_null(column) for column in read.values()))
            texts = {name: time or None, day_name(name): day or None}
            return {
                column: pc.if_else(is_empty, pa.scalar(texts[column], pa.string()), read[column]) for column in read
            }
        return {name: pc.fill_null(read[name], (value or "").partition("\0")[0])}

    def _settle_currencies(
        self, columns: dict[str, Any], problems: dict[int, tuple[str | None, str]], written: Any, length: int
    ) -> None:
        """Amounts that name a currency: it becomes the row's currency; a row that contradicts goes to quarantine."""
        marked: dict[int, dict[str, str]] = {}
        for name, found in self.marks.items():
            for place, mark in found:
                marked.setdefault(place, {})[name] = mark
        # A cell of the currency column overrides a sign next to the amount; an empty one is ignored.
        stated = [None] * length if written is None else written.to_pylist()
        has_currency = "currency_code" in columns
        money = [name for name in columns if name in self.money]
        codes = columns["currency_code"].to_pylist() if has_currency else [self.spec.currency] * length
        for place, marks in marked.items():
            expected = codes[place]
            meant = {name: currencies.meant(mark, expected) for name, mark in marks.items()}
            unmarked = [name for name in money if name not in marks and columns[name][place].is_valid]
            name, mark = next(iter(marks.items()))
            said = set(meant.values()) | ({expected} if unmarked else set())
            if None in meant.values() and expected is not None:
                problems.setdefault(place, (name, f"names {mark}, but the amounts are in {expected}; state currency"))
            elif None in said - {expected} or len(said) > 1:
                problems.setdefault(
                    place, (name, f"names {mark}, but other amounts of the row are in another currency")
                )
            elif (
                said != {expected}
                and expected is not None
                and (stated[place] is not None or "currency_code" in self.stated or not has_currency)
            ):
                problems.setdefault(place, (name, f"names {mark}, but the amounts are in {expected}"))
            elif has_currency:
                codes[place] = meant[name]
        if has_currency:
            columns["currency_code"] = pa.array(codes, pa.string())

    def _cells(self, name: str | None, column: Any) -> Any:
        if self.has_types:
            is_number = pc.fill_null(pc.ends_with(column, TYPED), False)
            column = pc.replace_substring(column, TYPED, "")
            # A whole sheet may be formatted as a currency: for clicks and days that has no meaning.
            if name and name not in self.money and pc.any(pc.and_(is_number, pc.match_substring(column, " "))).as_py():
                column = pc.if_else(is_number, pc.replace_substring_regex(column, " [^ ]+$", ""), column)
            if self.reading.decimal == "," and name and self.spec.entity.field(name).kind in NUMBERS:
                column = pc.if_else(is_number, pc.replace_substring(column, ".", ","), column)
        ends = ends_of(column)
        if ends.may_have_space:
            column = pc.utf8_trim_whitespace(column)
        if self.spec.nulls or ends.may_have_space:
            nulls = pa.array(["", *self.spec.nulls], pa.string())
            column = pc.if_else(pc.is_in(column, value_set=nulls), pa.scalar(None, pa.string()), column)
        elif ends.has_empty:
            column = pc.if_else(pc.equal(pc.binary_length(column), 0), pa.scalar(None, pa.string()), column)
        corrections = self.spec.maps.get(name) if name else None
        if corrections:
            places = pc.index_in(column, value_set=pa.array(list(corrections), pa.string()))
            corrected = pa.array([ours or None for ours in corrections.values()], pa.string()).take(places)
            column = pc.if_else(pc.is_valid(places), corrected, column)
        return column

    def _read(
        self, each: Field, column: Any, problems: dict[int, tuple[str | None, str]], is_clean: bool
    ) -> dict[str, Any]:
        """The raw columns of one field; adds unreadable cells to `problems`."""
        if not is_clean:
            column = self._without_errors(each.name, column, problems)
        if each.kind in ("text", "email", "person"):
            return {each.name: column}
        if each.kind == "moment":
            return self._read_moments(each, column, problems)
        if each.kind in ("number", "integer", "share"):
            pattern = amounts.PLAIN_INTEGER if each.kind == "integer" else amounts.PLAIN_NUMBER
            if each.kind == "share" or (self.reading.decimal == "," and each.kind == "number"):
                pattern = amounts.PLAIN_INTEGER
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
        if each.kind == "number" and any(answer[0] and "\0" in answer[0] for answer in answers):
            texts = [(answer[0] or "").partition("\0") for answer in answers]
            read = pa.array([text[0] or None for text in texts], pa.string()).take(chosen.indices)
            numbers = zip(places.to_pylist(), chosen.indices.to_pylist(), strict=True)
            self.marks[each.name] = [(place, texts[number][2]) for place, number in numbers if texts[number][2]]
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

    @property
    def filled(self) -> set[str]:
        """Columns with one value for all rows, as the manifest states."""
        return {*self.stated, *self.spec.defaults, "currency_code"}

    def _key_column(self, columns: dict[str, Any], name: str) -> Any:
        column = columns.get(name)
        if self.spec.entity.field(name).kind == "moment" and column is not None:
            column = pc.coalesce(column, columns[day_name(name)])
        return column

    def _readable_key(self, place: int, cells: dict[str, Any], columns: dict[str, Any]) -> str | None:
        """The key of a bad row; None if a part of the key is unreadable."""
        for name in self.spec.key:
            part = self._key_column(columns, name)
            if name in cells and cells[name][place].is_valid and not part[place].is_valid:
                return None
        return columns["row_key"][place].as_py() or None

    def _note_days(self, batch: Any) -> None:
        """Record the range of days of the entity's main date."""
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
        """The batch without the columns that the manifest fills; their values are recorded once per file."""
        stated = set(self.stated) - ({"channel"} if self.spec.channels else set())
        held = {*self.mapping, *self.spec.templates}
        if self.spec.currency and "currency_code" not in held and not self.reading.has_marks:
            stated.add("currency_code")
        names = [each for name in stated for each in (name, day_name(name)) if each in batch.schema.names]
        if batch.num_rows:
            filled = {name: batch.column(name)[0].as_py() for name in names}
            self.constants = {name: value for name, value in filled.items() if value is not None}
        return batch.drop_columns(names)

    def _reader(self, each: Field) -> cell_values.Remembered:
        return reader_of(
            each,
            self.reading,
            self.zone,
            is_money=each.name in self.money,
            stated=each.name in self.spec.date_formats,
        )
