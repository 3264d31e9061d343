"""Any file is either read or refused: never a crash, never a lost row."""

import gzip
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inbox.conftest import Read, read_file

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.sampled_from(["a.csv", "a.tsv", "a.xlsx", "a.parquet", "a.jsonl", "a.x12", "a.csv.gz"])
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "W", "L", "2026-01-02", "03/04/2026", "1.234,5", "1,234.5", "R$ 1", '"', '""', "#REF!", "Total"]
    ),
    st.decimals(allow_nan=True).map(str),
    st.dates().map(str),
)


@cache
def whole_files() -> tuple[tuple[bytes, str], ...]:
    """Correct files, made once: a workbook contains the time at which it was made."""
    from tests.inbox.torture.samples import interchange, workbook

    return (
        (interchange().encode(), "a.x12"),
        (workbook([["id", "stage", "amount", "created"], [1, "W", 1.5, "2026-01-02"]]), "a.xlsx"),
        (b'{"id": 1, "stage": "W", "amount": 2, "created": "2026-01-02"}\n' * 3, "a.jsonl"),
        (b"id,stage,amount,created\n" + b'1,W,"1\n",2026-01-02\n' * 5, "a.csv"),
    )


def accounts_for_every_row(read: Read) -> None:
    outcome = read.outcome
    if read.refusal:
        assert (outcome.status, outcome.rows_loaded, read.rows) == ("refused", 0, [])
        assert len(outcome.reasons) <= 10
    else:
        assert outcome.rows_read == outcome.rows_loaded + outcome.rows_quarantined + outcome.rows_merged
        assert (outcome.rows_loaded, outcome.rows_quarantined) == (len(read.rows), len(read.bad))


@QUIET
@given(st.binary(max_size=400), NAMES)
def test_any_bytes(content: bytes, name: str) -> None:
    entity = {"entity": "sell_through", "columns": None} if name.endswith("x12") else {}
    accounts_for_every_row(read_file(content, name=name, bad_rows=1, **entity))


@QUIET
@given(st.lists(st.lists(CELLS, max_size=6), max_size=12), st.sampled_from([",", ";", "\t"]), st.sampled_from("\n\r"))
def test_any_cells_below_a_header(rows: list[list[str]], delimiter: str, ending: str) -> None:
    lines = ["id,stage,amount,created".replace(",", delimiter), *(delimiter.join(row) for row in rows)]
    content = ending.join(lines).encode("utf-8", errors="surrogatepass")
    accounts_for_every_row(read_file(content, bad_rows=1))
    accounts_for_every_row(read_file(gzip.compress(content), bad_rows=1))


@QUIET
@given(st.data())
def test_any_file_that_was_cut_or_bent(data: st.DataObject) -> None:
    whole, name = data.draw(st.sampled_from(whole_files()))
    cut = data.draw(st.integers(0, len(whole)))
    bent = bytearray(whole[:cut])
    for place in data.draw(st.lists(st.integers(0, max(cut - 1, 0)), max_size=4)):
        if place < len(bent):
            bent[place] = data.draw(st.integers(0, 255))
    entity = {"entity": "sell_through", "columns": None} if name == "a.x12" else {}
    accounts_for_every_row(read_file(bytes(bent), name=name, bad_rows=1, **entity))
