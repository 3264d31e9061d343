"""Further folders of exports, written after `make new-manifest` worked on those of `exports`, without looking at its
vocabulary.

They show its result on headings that it was not made for.
"""

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.inbox.exports import Expected, american, days, european, money, text_of


def spanish_crm(folder: Path) -> Expected:
    """Deals of a Spanish CRM."""
    chance = random.Random(21)
    rows = []
    for number in range(50):
        created = date(2026, 1, 9) + timedelta(days=5 * number)
        stage = chance.choice(["Calificación", "Propuesta", "Cerrado ganado", "Cerrado perdido"])
        rows.append(
            (
                *(
                    f"zcrm_{88_000 + number}",
                    f"Negocio {number}",
                    f"Cuenta {number % 6}",
                    stage,
                    money(chance, 900_000),
                ),
                *(f"{created + timedelta(days=40):%d/%m/%Y}", f"{created:%d/%m/%Y}", "Lucía Pérez", "Feria", "Nuevo"),
            )
        )
    header = [
        *("ID de registro", "Nombre del negocio", "Nombre de la empresa", "Etapa", "Importe (€)", "Fecha de cierre"),
        *("Fecha de creación", "Propietario del negocio", "Origen del lead", "Tipo"),
    ]
    (folder / "negocios.csv").write_text(text_of(header, [(*r[:4], european(r[4]), *r[5:]) for r in rows], ";"))
    return {
        "opportunities": {
            "rows": 50,
            "amount": sum(row[4] for row in rows),
            "won": sum(row[3] == "Cerrado ganado" for row in rows),
            "currency": {"EUR"},
            "needs": {"created_at", "closed_at", "rep_name", "account_id", "lead_source"},
        }
    }


def microsoft_ads(folder: Path) -> Expected:
    """A report of Microsoft Advertising: ten lines above, a copyright line below."""
    chance = random.Random(22)
    rows = [
        (
            *(
                f"{day:%m/%d/%Y}",
                "Acme",
                "X000123",
                name,
                "4711",
                "USD",
                chance.randrange(9_000),
                chance.randrange(300),
            ),
            *(money(chance, 50_000), chance.randrange(20), money(chance, 90_000)),
        )
        for day in days(date(2026, 10, 1), 31)
        for name in ("Bing Brand", "Bing Generic")
    ]
    header = [
        *("Gregorian date", "Account name", "Account number", "Campaign name", "Campaign ID", "Currency code"),
        *("Impressions", "Clicks", "Spend", "Conversions", "Revenue"),
    ]
    above = (
        '"Report Name: Campaign performance"\n"Report Time: 10/1/2026,10/31/2026"\n"Time Zone: (GMT+01:00) Berlin"\n'
        '"Last Completed Available Day: 11/1/2026"\n"Last Completed Available Hour: 11/1/2026 10:00:00 AM"\n'
        '"Report Aggregation: Daily"\n"Report Filter: "\n"Potential Incomplete Data: true"\n"Rows: 62"\n\n'
    )
    lines = [(*row[:8], american(row[8]), row[9], american(row[10])) for row in rows]
    below = '\n"©2026 Microsoft Corporation. All rights reserved. "\n'
    (folder / "Campaign_performance_31.csv").write_text("\ufeff" + above + text_of(header, lines) + below)
    # Two names of one campaign id on a day are one row only if the key does not contain the name.
    return {
        "ad_stats": {
            "rows": 62,
            "spend": sum(row[8] for row in rows),
            "revenue": sum(row[10] for row in rows),
            "clicks": sum(row[7] for row in rows),
            "currency": {"USD"},
            "constants": {"platform": "microsoft_ads"},
            "needs": {"campaign_name", "platform_conversions"},
        }
    }


def marketplace(folder: Path) -> Expected:
    """Orders of a marketplace: tabs, names with hyphens, a row for each item with an id of its own."""
    chance = random.Random(23)
    rows = []
    for number in range(45):
        at = datetime(2026, 8, 1, 6) + timedelta(hours=11 * number)
        for item in range(chance.randrange(1, 3)):
            rows.append(
                (
                    *(f"302-{number:07}-1", f"9{number:05}{item}", f"{at:%Y-%m-%dT%H:%M:%S}+00:00"),
                    *(f"b{number}@marketplace.example", f"SKU{item}", "A thing", chance.randrange(1, 4), "GBP"),
                    *(money(chance, 9_000), "1.20"),
                )
            )
    header = (
        "order-id order-item-id purchase-date buyer-email sku product-name quantity-purchased currency item-price tax"
    )
    (folder / "102938475.txt").write_text(text_of(header.split(), rows, "\t"))
    return {
        "products": {"rows": 2, "needs": {"product_name"}},
        "orders": {"rows": 45, "needs": {"email", "currency_code"}, "currency": {"GBP"}},
        "order_lines": {
            "rows": len(rows),
            "units": sum(row[6] for row in rows),
            # An item's price is that of all its pieces here; a reader cannot detect that.
            "needs": {"product_id"},
        },
    }


def dutch_costs(folder: Path) -> Expected:
    """Costs of a Dutch office."""
    chance = random.Random(24)
    rows = [
        (f"{month:02}-2026", team, kind, money(chance, 3_000_000))
        for month in range(1, 10)
        for team in ("Verkoop", "Marketing")
        for kind in ("Salarissen", "Software")
    ]
    lines = [(*row[:3], f"€ {european(row[3])}") for row in rows]
    (folder / "kosten 2026.csv").write_text(text_of(["Maand", "Afdeling", "Kostensoort", "Bedrag"], lines, ";"))
    return {
        "costs": {
            "rows": 36,
            "amount": sum(row[3] for row in rows),
            "currency": {"EUR"},
            "needs": {"month", "team", "cost_type"},
        }
    }


def portuguese_leads(folder: Path) -> Expected:
    """Leads of a Brazilian landing page tool, with days and months that cannot be distinguished."""
    chance = random.Random(25)
    rows = [
        (
            *(f"lead{number}@exemplo.com.br", f"Nome {number}", f"Empresa {number % 9}"),
            *(
                f"{(number % 12) + 1:02}/{(number % 9) + 1:02}/2026 14:0{number % 10}",
                chance.choice(["google", "facebook"]),
            ),
            *(chance.choice(["cpc", "social"]), "primavera", chance.choice(["Lead", "Cliente"]), "SP"),
        )
        for number in range(36)
    ]
    header = [
        *("E-mail", "Nome", "Empresa", "Data de criação", "utm_source", "utm_medium", "utm_campaign"),
        *("Estágio do lead", "Estado"),
    ]
    (folder / "contatos.csv").write_text(text_of(header, rows))
    return {"leads": {"rows": 36, "needs": {"email", "created_at", "utm_source", "utm_medium", "status"}}}


def american_retailer(folder: Path) -> Expected:
    """A big retailer's portal: short names, one row per day, two files of two weeks."""
    chance = random.Random(26)
    units, sales, count = 0, Decimal(0), 0
    header = ["Daily", "Store Nbr", "Item Nbr", "Item Desc 1", "POS Qty", "POS Sales", "Curr Str On Hand Qty"]
    for week in (1, 2):
        rows = []
        for day in days(date(2026, 11, 2) + timedelta(weeks=week), 7):
            for store in (11, 12, 13):
                sold, value = chance.randrange(20), money(chance, 20_000)
                rows.append((f"{day:%m/%d/%Y}", store, 552_001, "GREEN TEA 20CT", sold, f"${american(value)}", 9))
                units, sales, count = units + sold, sales + value, count + 1
        (folder / f"bigmart_pos_wk{44 + week}.csv").write_text(text_of(header, rows))
    return {
        "sell_through": {
            "rows": count,
            "units_sold": units,
            "sales_amount": sales,
            "currency": {"USD"},
            "needs": {"store_id", "product_id", "units_on_hand", "date_day"},
            "streams": 1,
        },
        "products": {"rows": 1, "needs": {"product_name"}},
    }


FOLDERS: dict[str, Callable[[Path], Expected]] = {
    make.__name__: make
    for make in (spanish_crm, microsoft_ads, marketplace, dutch_costs, portuguese_leads, american_retailer)
}
