"""Files written by the torture tests."""

import io

HEADER = "id,stage,amount,created\n"


def rows_of(count: int, created: str = "2026-01-02") -> str:
    return "".join(f"{number},W,{number},{created}\n" for number in range(1, count + 1))


def workbook(rows: list[list[object]], title: str = "Deals") -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Read me"
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def interchange(lines: int = 2, hash_total: int = 37) -> str:
    isa = "ISA*00*          *00*          *08*9254110060     *ZZ*MAKER          *261109*1200*U*00401*000000001*0*P*>~"
    body = [
        "ST*852*0001",
        "XQ*H*20261102*20261108",
        "N1*RT*Big Box Stores*92*0007",
        "LIN**UP*012345678905*SK*44",
        "ZA*QS*12*EA",
        "SDQ*EA*92*0001*5*0002*7",
        "ZA*QA*20*EA",
        "SDQ*EA*92*0001*8*0002*12",
        "LIN**UP*012345678912",
        "CTP*RS*RTL*2.50",
        "ZA*QS*5*EA",
        f"CTT*{lines}*{hash_total}",
    ]
    body.append(f"SE*{len(body) + 1}*0001")
    segments = ["GS*PD*BIGBOX*MAKER*20261109*1200*1*X*004010", *body, "GE*1*1", "IEA*1*000000001"]
    return isa + "\n".join(f"{segment}~" for segment in segments)
