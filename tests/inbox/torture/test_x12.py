"""Real-life exports: retailers' sales reports, X12 852."""

import pytest

from tests.inbox.conftest import Read, read_file
from tests.inbox.torture.samples import interchange


def test_an_852_gives_sales_and_stock_by_store() -> None:
    read = read_file(interchange(), name="pos.x12", entity="sell_through", columns=None)
    assert read.counts == (3, 3, 0)
    found = [
        (row["store_id"], row["product_id"], row["units_sold"], row["units_on_hand"], row["sales_amount"])
        for row in read.rows
    ]
    assert found == [
        ("0001", "012345678905", "5", "8", None),
        ("0002", "012345678905", "7", "12", None),
        (None, "012345678912", "5", None, "12.5"),
    ]
    assert {(row["week_start"], row["retailer"]) for row in read.rows} == {("2026-11-02", "Big Box Stores")}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (interchange(lines=3), "line items (CTT01): 3 stated, 2 found"),
        (interchange(hash_total=38), "sum of quantities (CTT02): 38 stated, 37 found"),
        (interchange().replace("SE*13", "SE*14"), "segments (SE01): 14 stated, 13 found"),
        (interchange().replace("GE*1*", "GE*2*"), "transactions (GE01): 2 stated, 1 found"),
    ],
)
def test_an_852_whose_control_totals_disagree_is_refused_whole(changed: str, reason: str) -> None:
    read = read_file(changed, name="pos.x12", entity="sell_through", columns=None)
    assert read.refusal == "control totals disagree; ask the retailer to send the file again"
    assert read.bad[0].endswith(reason)
    assert read.counts == (0, 0, 0)


def test_an_852_without_its_end_is_refused() -> None:
    whole = interchange()
    read = read_file(whole[: whole.index("GE*1")], name="pos.x12", entity="sell_through", columns=None)
    assert read.refusal == "the interchange is cut short: it does not end with an IEA segment"


def changed_interchange(old: str, new: str, **counts: int) -> Read:
    """The interchange with other segments and a correct count of segments."""
    text = interchange(**counts).replace(old, new)
    between = text[text.index("ST*") :].split("~")
    count = next(place for place, segment in enumerate(between, start=1) if segment.strip().startswith("SE*"))
    text = text.replace("SE*13*", f"SE*{count}*")
    return read_file(text, name="pos.x12", entity="sell_through", columns=None)


def test_a_product_that_stands_twice_in_a_store_is_added_up() -> None:
    second = (
        "LIN**UP*012345678905~ZA*QS*3.1*EA~SDQ*EA*92*0001*2.1*0001*1~ZA*QA*1*EA~SDQ*EA*92*0001*0.2~LIN**UP*012345678912"
    )
    read = changed_interchange("LIN**UP*012345678912", second, lines=3, hash_total=37)
    assert read.refusal == "control totals disagree; ask the retailer to send the file again"
    assert "37 stated, 41.1 found" in read.bad[0]
    whole = second.replace("3.1*EA", "3*EA")
    read = changed_interchange("LIN**UP*012345678912", whole, lines=3, hash_total=41)
    assert [(row["store_id"], row["units_sold"], row["units_on_hand"]) for row in read.rows] == [
        ("0001", "8.1", "8.2"),
        ("0002", "7", "12"),
        (None, "5", None),
    ]


def test_a_product_has_its_general_number_unless_the_manifest_chooses_another() -> None:
    text = interchange().replace("LIN**UP*012345678905*SK*44", "LIN**VN*V-1*UP*012345678905")
    read = read_file(text, name="pos.x12", entity="sell_through", columns=None)
    assert read.column("product_id")[0] == "012345678905"
    columns = {"week_start": "week_start", "retailer": "retailer", "store_id": "store_id", "product_id": "VN"}
    columns["units_sold"] = "units_sold"
    read = read_file(text, name="pos.x12", entity="sell_through", columns=columns)
    assert read.column("product_id")[:2] == ["V-1", "V-1"]


@pytest.mark.parametrize(
    ("named", "retailer"),
    [
        ("N1*RT*Big Box Stores*92*0007", "Big Box Stores"),
        ("N1*RT**92*0007", "0007"),
        ("N1*FR*Sender*92*1~N1*RT*Big Box*92*0007~N1*SU*Maker*92*2~N1*VN*Maker*92*2", "Big Box"),
        ("N1*FR*Big Box East*92*1~N1*SU*Maker*92*2", "Big Box East"),
        ("N1*SU*Maker*92*2", "9254110060"),
    ],
)
def test_a_retailer_is_named_by_its_n1(named: str, retailer: str) -> None:
    read = changed_interchange("N1*RT*Big Box Stores*92*0007", named)
    assert {row["retailer"] for row in read.rows} == {retailer}


def test_quantities_of_an_852_are_exact() -> None:
    read = changed_interchange("ZA*QS*5*EA", "ZA*QS*123456789012345678.1*EA", hash_total=0)
    assert "0 stated, 123456789012345710.1 found" in read.bad[0]
