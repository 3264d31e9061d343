"""Twelve folders of small, made-up exports in the formats of vendors and offices, with their totals.

Each function writes a folder and returns the expected result of its manifest: for each entity the number of its rows
and the totals of its measures, computed from what was written.
"""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.inbox.cells import Expected, american, days, european, money, text_of
from tests.inbox.crm_exports import hubspot, pipedrive, salesforce


def google_ads(folder: Path) -> Expected:
    """A campaign report of Google Ads: a title and a period above the header, totals below, `--` for missing values."""
    chance = random.Random(4)
    rows = [
        (
            day,
            name,
            "EUR",
            money(chance, 300_000),
            chance.randrange(20_000),
            chance.randrange(900),
            chance.randrange(40),
        )
        for day in days(date(2026, 11, 1), 28)
        for name in ("Brand | DE", "Generic | DE")
    ]
    spend, shown, clicks = sum(row[3] for row in rows), sum(row[4] for row in rows), sum(row[5] for row in rows)
    lines = [(*row[:3], american(row[3]), f"{row[4]:,}", f"{row[5]:,}", f"{row[6]}.00", " --") for row in rows]
    totals = [
        ("Total: Campaigns", " --", " --", american(spend), f"{shown:,}", f"{clicks:,}", "0.00", " --"),
        ("Total: Account", " --", " --", american(spend), f"{shown:,}", f"{clicks:,}", "0.00", " --"),
    ]
    header = ["Day", "Campaign", "Currency code", "Cost", "Impr.", "Clicks", "Conversions", "Avg. CPC"]
    text = text_of(header, [*lines, *totals])
    (folder / "Campaign report.csv").write_text(f'Campaign report\n"November 1, 2026 - November 28, 2026"\n{text}')
    return {
        "ad_stats": {
            "rows": 56,
            "spend": spend,
            "impressions": shown,
            "clicks": clicks,
            "currency": {"EUR"},
            "constants": {"platform": "google_ads"},
            "needs": {"platform_conversions", "campaign_name"},
        }
    }


def meta_ads(folder: Path) -> Expected:
    """Campaigns of Meta's Ads Manager by day, one file a month; the currency is in the header."""
    chance = random.Random(5)
    header = [
        *("Reporting starts", "Reporting ends", "Campaign name", "Campaign delivery", "Results", "Result indicator"),
        *("Reach", "Impressions", "Cost per results", "Amount spent (EUR)", "Link clicks"),
    ]
    spent, shown = Decimal(0), 0
    for month in (9, 10):
        rows = []
        for day in days(date(2026, month, 1), 30):
            for name in ("Prospecting", "Retargeting"):
                rows.append(
                    (
                        *(day, day, name, "active", chance.randrange(30), "actions:lead", chance.randrange(9_000)),
                        *(chance.randrange(20_000), money(chance, 9_000), money(chance, 90_000), chance.randrange(700)),
                    )
                )
        spent += sum(row[9] for row in rows)
        shown += sum(row[7] for row in rows)
        (folder / f"Acme-Campaigns-1.-{month:02}-2026.csv").write_text("\ufeff" + text_of(header, rows))
    return {
        "ad_stats": {
            "rows": 120,
            "spend": spent,
            "impressions": shown,
            "currency": {"EUR"},
            "constants": {"platform": "meta_ads"},
            "needs": {"clicks", "platform_conversions", "campaign_name"},
            "streams": 1,
        }
    }


def linkedin_ads(folder: Path) -> Expected:
    """A report of LinkedIn's Campaign Manager: UTF-16, tabs, five lines above the header, American dates."""
    chance = random.Random(6)
    rows = [
        (
            *(f"{day:%-m/%-d/%Y}", "Acme", "USD", "771", "Demand", f"88{number}", f"Campaign {number}"),
            *(money(chance, 90_000), chance.randrange(9_000), chance.randrange(90), chance.randrange(9)),
        )
        for day in days(date(2026, 11, 1), 20)
        for number in range(3)
    ]
    header = [
        *("Start Date (in UTC)", "Account Name", "Currency", "Campaign Group ID", "Campaign Group Name", "Campaign ID"),
        *("Campaign Name", "Total Spent", "Impressions", "Clicks", "Conversions"),
    ]
    above = "Campaign Performance Report (in UTC)\nReport Start: November 1, 2026, 12:00 AM\n"
    above += "Report End: November 20, 2026, 11:59 PM\nDate Generated: November 21, 2026, 9:12 AM\n\n"
    text = above + text_of(header, rows, "\t")
    (folder / "account_771_campaign_performance_report.csv").write_bytes(text.encode("utf-16"))
    return {
        "ad_stats": {
            "rows": 60,
            "spend": sum(row[7] for row in rows),
            "impressions": sum(row[8] for row in rows),
            "clicks": sum(row[9] for row in rows),
            "currency": {"USD"},
            "constants": {"platform": "linkedin_ads"},
            "needs": {"campaign_id", "campaign_name", "platform_conversions"},
        }
    }


def shop(folder: Path) -> Expected:
    """Orders of Shopify: one row per line; values of the order are only in its first row."""
    chance = random.Random(7)
    header = [
        *("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at", "Accepts Marketing"),
        *("Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code", "Discount Amount", "Created at"),
        *("Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku", "Lineitem discount"),
        *("Billing Name", "Billing City", "Shipping Name", "Cancelled at", "Payment Method", "Id", "Source"),
    ]
    rows: list[tuple[Any, ...]] = []
    revenue, units, lines = Decimal(0), 0, 0
    for number in range(40):
        at = datetime(2026, 10, 1, 10, 0) + timedelta(hours=7 * number)
        when = f"{at:%Y-%m-%d %H:%M:%S} +0100"
        items = chance.sample(["Mug", "Tea", "Pot", "Cup"], chance.randrange(1, 4))
        sold = [(chance.randrange(1, 5), item, money(chance, 9_000)) for item in items]
        total = sum((quantity * price for quantity, _, price in sold), Decimal(0))
        revenue, units, lines = revenue + total, units + sum(line[0] for line in sold), lines + len(sold)
        for place, (quantity, item, price) in enumerate(sold):
            is_first = not place
            rows.append(
                (
                    *(f"#{1000 + number}", f"c{number % 11}@example.com", "paid" if is_first else ""),
                    *(when if is_first else "", "fulfilled" if is_first else "", when if is_first else ""),
                    *("no" if is_first else "", "EUR" if is_first else "", total if is_first else ""),
                    *("4.90" if is_first else "", "0.00" if is_first else "", total if is_first else "", ""),
                    *("0.00" if is_first else "", when, quantity, item, price, f"SKU-{item}", "0.00"),
                    *(
                        "Some Body" if is_first else "",
                        "Berlin" if is_first else "",
                        "",
                        "",
                        "Card" if is_first else "",
                    ),
                    *(77_000 + number if is_first else "", "web" if is_first else ""),
                )
            )
    (folder / "orders_export_1.csv").write_text(text_of(header, rows))
    return {
        "orders": {"rows": 40, "needs": {"email", "status", "currency_code"}, "paid": 40, "currency": {"EUR"}},
        "order_lines": {"rows": lines, "amount": revenue, "units": units, "needs": {"product_id"}},
    }


def retailer(folder: Path) -> Expected:
    """A retailer's weekly workbook: its name above the header, units and value by store and article."""
    from openpyxl import Workbook

    chance = random.Random(8)
    book = Workbook()
    sheet = book.active
    sheet.title = "Sell-out"
    sheet.append(["Weekly sell-out report"])
    sheet.append(["Retailer: Northmart"])
    sheet.append([])
    sheet.append(
        [
            "Week commencing",
            "Store No",
            "SKU",
            "Product description",
            "Units sold",
            "Sales value (GBP)",
            "Stock on hand",
        ]
    )
    units, sales, stock, count = 0, Decimal(0), 0, 0
    for week in range(6):
        for store in range(101, 106):
            for sku in ("TEA-1", "TEA-2"):
                sold, value, held = chance.randrange(40), money(chance, 30_000), chance.randrange(90)
                day = datetime(2026, 10, 5) + timedelta(weeks=week)
                sheet.append([day, store, sku, f"Tea {sku[-1]}", sold, float(value), held])
                units, sales, stock, count = units + sold, sales + value, stock + held, count + 1
    book.save(folder / "weekly_sales_2026-w46.xlsx")
    return {
        "sell_through": {
            "rows": count,
            "units_sold": units,
            "sales_amount": sales,
            "units_on_hand": stock,
            "currency": {"GBP"},
            "constants": {"retailer": "Northmart"},
            "needs": {"week_start", "store_id", "product_id"},
        },
        "products": {"rows": 2, "needs": {"product_name"}},
    }


def costs(folder: Path) -> Expected:
    """A workbook of costs by month and department."""
    from openpyxl import Workbook

    chance = random.Random(9)
    book = Workbook()
    sheet = book.active
    sheet.title = "Costs"
    sheet.append(["Month", "Department", "Cost type", "Amount (EUR)", "Comment"])
    total, count = Decimal(0), 0
    for month in range(1, 11):
        for team in ("Marketing", "Sales"):
            for kind in ("Salaries", "Tools", "Agency"):
                amount = money(chance, 5_000_000)
                sheet.append([datetime(2026, month, 1), team, kind, float(amount), None])
                total, count = total + amount, count + 1
    book.save(folder / "costs 2026.xlsx")
    return {
        "costs": {"rows": count, "amount": total, "currency": {"EUR"}, "needs": {"month", "team", "cost_type"}},
    }


def german(folder: Path) -> Expected:
    """A German spreadsheet saved as CSV: semicolons, decimal commas, 31.12.2026, Windows-1252."""
    chance = random.Random(10)
    rows = []
    for number in range(60):
        created = date(2026, 2, 1) + timedelta(days=4 * number)
        stage = chance.choice(["Angebot", "Verhandlung", "Gewonnen", "Verloren"])
        ended = f"{created + timedelta(days=30):%d.%m.%Y}" if stage in ("Gewonnen", "Verloren") else ""
        rows.append(
            (
                *(f"VC-{number:04}", f"Müller & Söhne {number % 8}", "Anlagenbau", stage, money(chance, 9_000_000)),
                *(f"{created:%d.%m.%Y}", ended, "Jürgen Groß", f"{chance.randrange(1, 10) * 10} %", "Messe"),
            )
        )
    header = [
        *("Vorgangsnummer", "Kunde", "Branche", "Phase", "Auftragswert in €", "Angelegt am", "Abschlussdatum"),
        *("Vertriebsmitarbeiter", "Wahrscheinlichkeit", "Herkunft"),
    ]
    text = text_of(header, [(*row[:4], european(row[4]), *row[5:]) for row in rows], ";")
    (folder / "Verkaufschancen.csv").write_bytes(text.replace("\n", "\r\n").encode("cp1252"))
    return {
        "opportunities": {
            "rows": 60,
            "amount": sum(row[4] for row in rows),
            "won": sum(row[3] == "Gewonnen" for row in rows),
            "currency": {"EUR"},
            "needs": {"created_at", "closed_at", "rep_name", "account_id", "probability", "lead_source"},
        },
        "accounts": {"rows": 8, "needs": {"industry"}},
    }


def french(folder: Path) -> Expected:
    """Advertising of a French agency: thin spaces between thousands, a decimal comma, day before month."""
    chance = random.Random(11)
    rows = [
        (f"{day:%d/%m/%Y}", "Meta", name, chance.randrange(50_000), chance.randrange(900), money(chance, 400_000))
        for day in days(date(2026, 9, 1), 40)
        for name in ("Été | acquisition", "Rentrée")
    ]
    header = ["Date", "Plateforme", "Nom de la campagne", "Impressions", "Clics", "Dépenses (€)"]
    lines = [
        (*row[:3], f"{row[3]:,}".replace(",", "\u202f"), row[4], european(row[5], "\u202f") + " €") for row in rows
    ]
    (folder / "dépenses média.csv").write_text(text_of(header, lines, ";"), encoding="utf-8")
    return {
        "ad_stats": {
            "rows": 80,
            "impressions": sum(row[3] for row in rows),
            "clicks": sum(row[4] for row in rows),
            "spend": sum(row[5] for row in rows),
            "currency": {"EUR"},
            "needs": {"platform", "campaign_name"},
        }
    }


def two_tables(folder: Path) -> Expected:
    """A workbook with deals on one sheet, leads on the other, and a sheet of remarks."""
    from openpyxl import Workbook

    chance = random.Random(12)
    book = Workbook()
    sheet = book.active
    sheet.title = "Deals"
    sheet.append(["Deal ID", "Lead ID", "Company", "Status", "Value (CHF)", "Opened", "Closed", "Sales rep"])
    total, won = Decimal(0), 0
    for number in range(30):
        status, amount = chance.choice(["open", "won", "lost"]), money(chance)
        opened = datetime(2026, 4, 1) + timedelta(days=number)
        closed = opened + timedelta(days=30) if status != "open" else None
        sheet.append(
            [f"D{number}", f"L{number}", f"Company {number % 6}", status, float(amount), opened, closed, "Bo Lindqvist"]
        )
        total, won = total + amount, won + (status == "won")
    sheet = book.create_sheet("Leads")
    sheet.append(["Lead ID", "E-Mail", "Source", "Created", "Country"])
    for number in range(45):
        created = datetime(2026, 3, 1) + timedelta(days=number)
        sheet.append([f"L{number}", f"l{number}@example.net", chance.choice(["Trade fair", "Website"]), created, "CH"])
    book.create_sheet("Notes").append(["Ask Bo about the spring campaign"])
    book.save(folder / "pipeline.xlsx")
    return {
        "opportunities": {
            "rows": 30,
            "amount": total,
            "won": won,
            "currency": {"CHF"},
            "needs": {"lead_id", "account_id", "created_at", "closed_at", "rep_name"},
        },
        "leads": {"rows": 45, "needs": {"email", "lead_source", "created_at", "region"}},
    }


FOLDERS: dict[str, Callable[[Path], Expected]] = {
    make.__name__: make
    for make in (
        *(hubspot, salesforce, pipedrive, google_ads, meta_ads, linkedin_ads),
        *(shop, retailer, costs, german, french, two_tables),
    )
}
