"""Exchange rates of the European Central Bank, as a stub answers them."""

from typing import Any

import pytest

from funnel.rest.errors import (
    Refused,
)
from funnel.sources import SOURCES
from tests.rest.test_rest import read

# Exchange rates ----------------------------------------------------------------------------------------------------


TABLE = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE\n"


def quotation(currency: str, day: str, value: str) -> str:
    return f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A,2026-11-{day},{value}\n"


def rates(connection: Any) -> list[dict[str, Any]]:
    source = SOURCES["exchange_rates"]
    return [
        row for body in read("exchange_rates", "rates", connection) for row in source.records(source.streams[0], body)
    ]


def test_rates_are_cut_to_the_window_and_a_holiday_without_a_value_is_left_out(vendor: Any) -> None:
    """The window is 1 to 8 November; ten more days are requested, since a 404 may mean a weekend or a mistake."""
    rows = [("USD", "02", "1.1"), ("USD", "03", ""), ("USD", "04", "NaN"), ("USD", "09", "1.2")]
    text = TABLE + "EXR.D.USD.EUR.SP00.A,D,USD,EUR,SP00,A,2026-10-30,1.0\n" + "".join(quotation(*row) for row in rows)
    vendor.answer = lambda asked: vendor.reply(text.encode(), Content_Type="text/csv")
    found = rates(vendor.connection(currencies="eur, usd"))
    assert [(row["TIME_PERIOD"], row["OBS_VALUE"]) for row in found] == [("2026-11-02", "1.1")]
    assert vendor.asked[0].path == "/service/data/EXR/D.USD.EUR.SP00.A"
    assert (vendor.asked[0].params["startPeriod"], vendor.asked[0].params["endPeriod"]) == ("2026-10-22", "2026-11-08")


def test_a_table_whose_last_series_ends_early_is_asked_for_again(vendor: Any, slept: list[float]) -> None:
    days = ("02", "03")
    whole = TABLE + "".join(quotation(each, day, "1.1") for each in ("GBP", "USD") for day in days)
    cut = whole[: whole.rindex("EXR.D")]
    bodies = [vendor.reply(text.encode(), Content_Type="text/csv") for text in (cut, whole)]
    vendor.reply_in_turn(*bodies)
    assert len(rates(vendor.connection(currencies=["GBP"]))) == 4
    assert len(vendor.asked) == 2


def test_an_invalid_currency_is_refused_before_any_request(vendor: Any) -> None:
    with pytest.raises(Refused, match="'DOLLAR' is not a currency"):
        rates(vendor.connection(currencies=["dollar"]))
    assert vendor.asked == []
