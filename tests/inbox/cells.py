"""Cells of made-up exports: texts of tables, amounts and days."""

import csv
import io
import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

Expected = dict[str, dict[str, Any]]


def text_of(header: list[str], rows: list[tuple[Any, ...]], delimiter: str = ",", **options: Any) -> str:
    """Lines of separated values."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator="\n", **options)
    writer.writerows([header, *rows])
    return file.getvalue()


def american(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def european(amount: Decimal, group: str = ".") -> str:
    return f"{amount:,.2f}".replace(",", "\0").replace(".", ",").replace("\0", group)


def money(chance: random.Random, most: int = 2_000_000) -> Decimal:
    return Decimal(chance.randrange(100, most)) / 100


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]
