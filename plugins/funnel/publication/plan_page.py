"""The plan of a build as one HTML page in FUNNEL_HOME/plans. It loads nothing and can be read on a phone."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from funnel import settings
from funnel.publication import plan_text
from funnel.publication.plan import Plan

# Older pages are removed.
KEPT = 100
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;padding:0 1rem;color:#222;max-width:70rem}"
    "h1{font-size:1.3rem}h2{font-size:1.1rem;margin-top:1.5rem}.wide{overflow-x:auto}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left}"
    "td.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}.waits{color:#b3261e}"
)


def write(plan: Plan, waits: Sequence[str] = ()) -> Path:
    """Write the page, with the limits that the plan passes; returns its path."""
    folder = settings.read().home / "plans"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"build_{plan.build_id:06d}.html"
    path.write_text(_page(plan, waits))
    for old in sorted(folder.glob("build_*.html"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _page(plan: Plan, waits: Sequence[str]) -> str:
    parts = [f"<h1>Plan of build {plan.build_id}</h1><p>{escape(plan_text.headline(plan))}</p>"]
    if waits:
        listed = "".join(f"<li>{escape(each)}</li>" for each in waits)
        parts.append(f'<h2 class="waits">Waits for approval</h2><ul>{listed}</ul>')
    for section in plan_text.sections(plan):
        heads = "".join(f"<th>{escape(head)}</th>" for head in section.heads)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in section.rows)
        parts.append(f'<h2>{escape(section.title)}</h2><div class="wide"><table><tr>{heads}</tr>{rows}</table></div>')
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Plan of build {plan.build_id}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _cell(text: str) -> str:
    kind = ' class="number"' if plan_text.is_number(text) else ""
    return f"<td{kind}>{escape(text)}</td>"
