"""Real-life exports: what a manifest decides."""

from tests.inbox.conftest import DEALS, STAGES, read_file


def test_a_column_that_went_missing_refuses_the_file_and_names_its_likely_new_name() -> None:
    read = read_file("id,stage,amounts,created\n1,W,1,2026-01-02\n")
    assert read.refusal == (
        "the header has no column 'amount' (perhaps 'amounts'?); line 1 reads id, stage, amounts, created"
    )


def test_a_new_column_is_reported_and_left_out() -> None:
    read = read_file("id,stage,amount,created,phone\n1,W,1,2026-01-02,555\n")
    assert read.outcome.unmapped == ["phone"]
    assert "555" not in str(read.rows)


def test_constants_nulls_and_corrections_are_applied() -> None:
    columns = {**DEALS, "region": {"value": "West"}, "product_id": "product"}
    read = read_file(
        "id,stage,amount,created,product\n1,W,1,n/a,GTXPro\n2,W,1,2026-01-02,GTX Pro\n",
        columns=columns,
        map={**STAGES, "product_id": {"GTXPro": "GTX Pro"}},
        nulls=["n/a"],
    )
    assert read.column("product_id") == ["GTX Pro", "GTX Pro"]
    assert read.column("region") == ["West", "West"]
    assert read.column("created_on") == [None, "2026-01-02"]
