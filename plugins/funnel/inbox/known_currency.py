"""Rows of a file with an amount and no currency: they go to quarantine, because any currency would be a guess."""

from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow.compute as pc

from funnel.inbox.entities import Entity, money_of

REASON = "has no currency: fill currency_code, or state currency in the manifest"
# Targets of other metrics are counts.
MONEY_METRICS = frozenset({"spend", "pipeline_amount", "won_amount", "order_amount"})
# Rows of these entities have the currency of their order or deal if they name none.
OF_ANOTHER = frozenset({"payments", "opportunity_lines"})


def unknown(columns: dict[str, Any], entity: Entity) -> list[tuple[int, str]]:
    """(row position, column of its first amount) of each row that holds an amount and no currency."""
    code = columns.get("currency_code")
    if code is None or entity.name in OF_ANOTHER:
        return []
    is_empty = pc.or_kleene(pc.is_null(code), pc.equal(code, ""))
    metrics = columns.get("metric")
    money = [name for name in money_of(entity) if name in columns]
    found = []
    for place in pc.indices_nonzero(is_empty).to_pylist():
        if metrics is not None and metrics[place].as_py() not in MONEY_METRICS:
            continue
        name = next((name for name in sorted(money) if _is_amount(columns[name][place].as_py())), None)
        if name:
            found.append((place, name))
    return found


def _is_amount(value: Any) -> bool:
    try:
        return value is not None and Decimal(str(value)) != 0
    except InvalidOperation:
        return False
