"""The rates of the seed, read and carried forward independently of the warehouse."""

import csv
from bisect import bisect_right
from collections import defaultdict
from datetime import date
from decimal import Decimal

from funnel import settings


class Rates:
    """The rates of the seed, read and carried forward independently of the warehouse."""

    def __init__(self) -> None:
        self.quoted: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
        path = settings.REPOSITORY / "dbt_project/seeds/currency_rates.csv"
        with open(path) as file:
            for row in csv.DictReader(file):
                self.quoted[row["currency_code"]].append(
                    (date.fromisoformat(row["rate_date"]), Decimal(row["rate_to_usd"]))
                )
        for series in self.quoted.values():
            series.sort()

    def convert(self, amount: Decimal, currency: str, day: date) -> Decimal:
        if currency == "USD":
            return amount
        series = self.quoted[currency]
        return amount * series[bisect_right(series, (day, Decimal("Infinity"))) - 1][1]
