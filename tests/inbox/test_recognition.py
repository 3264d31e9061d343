"""How headers and cells of many exports are recognised: by entity, with the columns that must be found."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from funnel.inbox import new_manifest, vocabulary

EXPORTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "Kampagnen.csv": (
        "Auswertungsbeginn,Auswertungsende,Name der Kampagne,Ergebnisse,Reichweite,Impressionen,Kosten pro Ergebnis,"
        "Ausgegebener Betrag (EUR),Link-Klicks\n2026-10-01,2026-10-01,Herbst,3,900,1200,4.10,12.30,33\n",
        {
            "ad_stats": {
                "date_day": "Auswertungsbeginn",
                "platform": {"value": "meta_ads"},
                "campaign_name": "Name der Kampagne",
                "impressions": "Impressionen",
                "clicks": "Link-Klicks",
                "spend": "Ausgegebener Betrag (EUR)",
                "platform_conversions": "Ergebnisse",
            }
        },
    ),
    "affaires.csv": (
        "Référence;Opportunité;Société;Étape;Montant HT;Date de création;Date de clôture;Commercial;Origine\n"
        "A-001;Site web;Durand SA;Gagnée;12 500,00;03/02/2026;15/03/2026;Claire Petit;Salon\n"
        "A-002;Refonte;Martin SARL;En cours;8 000,50;04/02/2026;;Claire Petit;Web\n",
        {
            "opportunities": {
                "opportunity_id": "Référence",
                "stage": "Étape",
                "created_at": "Date de création",
                "closed_at": "Date de clôture",
                "amount": "Montant HT",
                "account_id": "Société",
                "rep_name": "Commercial",
                "lead_source": "Origine",
            }
        },
    ),
    "orders.csv": (
        "Order Number,Order Status,Order Date,Customer Note,Email (Billing),Order Total Amount,Order Currency\n"
        "1001,completed,2026-03-05 10:11,,a@x.com,120.50,EUR\n1002,refunded,2026-03-06 11:11,,b@x.com,20.00,EUR\n",
        {
            "orders": {
                "order_id": "Order Number",
                "ordered_at": "Order Date",
                "status": "Order Status",
                "email": "Email (Billing)",
                "currency_code": "Order Currency",
            },
            "order_lines": {"order_id": "Order Number", "order_line": {"value": "1"}, "amount": "Order Total Amount"},
        },
    ),
    "history.csv": (
        "Opportunity ID,Opportunity Name,From Stage,To Stage,Edit Date,Edited By\n"
        "0061,Alpha,Prospecting,Qualification,2026-03-01,Ada\n0061,Alpha,Qualification,Closed Won,2026-03-15,Ada\n",
        {
            "stage_events": {
                "opportunity_id": "Opportunity ID",
                "stage": "To Stage",
                "entered_at": "Edit Date",
                "owner": "Edited By",
            }
        },
    ),
    "tiktok.csv": (
        "By Day,Campaign ID,Campaign name,Cost,CPM,Impressions,Clicks (destination),Conversions,Currency\n"
        "2026-04-01,178,Launch,100.50,2,40000,200,3,USD\n",
        {
            "ad_stats": {
                "date_day": "By Day",
                "platform": {"value": "tiktok_ads"},
                "campaign_id": "Campaign ID",
                "campaign_name": "Campaign name",
                "impressions": "Impressions",
                "clicks": "Clicks (destination)",
                "spend": "Cost",
                "currency_code": "Currency",
                "platform_conversions": "Conversions",
            }
        },
    ),
    "quotas.csv": (
        "Quarter,Team,KPI,Goal\n2026-01-01,Marketing,leads,400\n2026-04-01,Marketing,leads,450\n",
        {"targets": {"period_start": "Quarter", "team": "Team", "metric": "KPI", "target": "Goal"}},
    ),
    "people.csv": (
        "Sales rep,Team,Region,Manager\nAda,Enterprise,North,Zoe\nBo,SMB,South,Zoe\n",
        {"reps": {"rep_name": "Sales rep", "team": "Team", "region": "Region", "manager_name": "Manager"}},
    ),
    "listino.csv": (
        "Codice articolo;Descrizione;Categoria;Prezzo di listino;Costo\n"
        "A1;Tazza;Casa;12,50;5,00\nA2;Tè;Casa;25,00;11,00\n",
        {
            "products": {
                "product_id": "Codice articolo",
                "product_name": "Descrizione",
                "product_group": "Categoria",
                "list_price": "Prezzo di listino",
                "unit_cost": "Costo",
            }
        },
    ),
    "leads.jsonl": (
        '{"lead_uuid":"u1","contact":{"email":"a@x.com"},"source":"webinar","created":"2026-02-01T10:00:00Z",'
        '"lead_status":"qualified"}\n',
        {
            "leads": {
                "lead_id": "lead_uuid",
                "created_at": "created",
                "email": "contact.email",
                "lead_source": "source",
                "status": "lead_status",
            }
        },
    ),
    "media.csv": (
        "Week,Channel,Media Spend\n2026-01-05,Paid Search,1000.50\n2026-01-05,Paid Social,800.25\n",
        {
            "ad_stats": {
                "date_day": "Week",
                "platform": {"value": "ads"},
                "channel": "Channel",
                "campaign_name": "Channel",
                "spend": "Media Spend",
            }
        },
    ),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognised(name: str, tmp_path: Path) -> None:
    text, expected = EXPORTS[name]
    (tmp_path / name).write_text(text)
    assert new_manifest.make(str(tmp_path), frozenset(), "USD", lambda line: None)
    (path,) = tmp_path.glob("*.yml")
    streams = yaml.safe_load(path.read_text())["streams"]
    assert {stream["entity"]: stream["columns"] for stream in streams} == expected


@pytest.mark.parametrize(
    "headers",
    [
        ("Close Date", "Abschlussdatum", "Date de clôture", "Fecha de cierre", "Data de fechamento", "Sluitdatum"),
        ("Cost", "Kosten", "Coût", "Gasto", "Custo", "Spesa", "Uitgaven"),
        (
            "Campaign name",
            "Kampagnenname",
            "Nom de la campagne",
            "Nombre de la campaña",
            "Nome da campanha",
            "campaignName",
        ),
        ("Order number", "Bestellnummer", "Numéro de commande", "Número de pedido", "Numero ordine", "Bestelnummer"),
        ("Quantity", "Menge", "Quantité", "Cantidad", "Quantidade", "Quantità", "Aantal"),
    ],
)
def test_a_header_means_the_same_in_every_language(headers: tuple[str, ...]) -> None:
    assert len({vocabulary.meaning(header) for header in headers}) == 1


def test_a_word_of_another_meaning_makes_another_column() -> None:
    for header in ("Cost per results", "Avg. CPC", "Last Activity Date", "Conv. rate", "Shipping Name"):
        meanings = vocabulary.meaning(header)
        for field in ("spend", "date_day", "platform_conversions", "campaign_name"):
            assert meanings not in vocabulary.entities()["ad_stats"].fields[field]


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("Closed Won", "won"),
        ("Gagnée", "won"),
        ("2 - Verloren (Preis)", "lost"),
        ("Fechado ganho", "won"),
        ("In Bearbeitung", "opportunity"),
        ("Not won yet", None),
        ("Zwischenstand", None),
    ],
)
def test_a_stage_is_read_in_its_own_words(word: str, ours: str | None) -> None:
    assert vocabulary.stage_of(word, of_lead=False) == ours
