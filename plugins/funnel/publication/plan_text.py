"""A plan in words: its sections as rows of text, for the terminal, a task's log and the page."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from funnel.publication.plan import Movement, Plan


@dataclass(frozen=True)
class Section:
    """One part of a plan: a title, the heads of its columns, and its rows."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def headline(plan: Plan) -> str:
    """One sentence: what publishing the build would change."""
    against = f"publication {plan.publication_id}, which readers see" if plan.publication_id else "an empty bi"
    if plan.is_empty:
        return f"Plan of build {plan.build_id} against {against}: readers would see no difference."
    moved = [rows for rows in plan.marts.values() if rows.added or rows.removed or rows.changed]
    added, removed, changed = (sum(getattr(rows, kind) for rows in moved) for kind in ("added", "removed", "changed"))
    return (
        f"Plan of build {plan.build_id} against {against}: {added:,} rows new, {removed:,} out, {changed:,} changed in "
        f"{len(moved)} of {len(plan.marts)} marts. Nothing is written."
    )


def sections(plan: Plan) -> Iterator[Section]:
    """The sections of a plan that have rows, causes first."""
    marts = (
        (name, f"{rows.added:,}", f"{rows.removed:,}", f"{rows.changed:,}", f"{rows.shown_now:,}")
        for name, rows in plan.marts.items()
        if rows.added or rows.removed or rows.changed
    )
    told = (
        Section("Known causes", ("cause",), tuple((reason,) for reason in plan.reasons)),
        Section("Tables that change", ("table",), tuple((each,) for each in plan.tables)),
        Section("Months that move", ("measure", "month", "before", "after", "change"), _moved(plan.months)),
        Section("Largest movements", ("measure", "key", "before", "after", "change"), _moved(plan.largest)),
        Section("Targets, commissions and verdicts", ("what", "key", "before", "after"), tuple(_decided(plan))),
        Section("Rows by mart", ("mart", "new", "out", "changed", "shown now"), tuple(marts)),
    )
    yield from (section for section in told if section.rows)


def text(plan: Plan) -> str:
    """The whole plan as lines, columns aligned."""
    lines = [headline(plan)]
    for section in sections(plan):
        lines.append(f"\n{section.title}")
        widths = [max(len(row[place]) for row in (section.heads, *section.rows)) for place in range(len(section.heads))]
        for row in (section.heads, *section.rows):
            lines.append(
                "  "
                + "  ".join(
                    cell.rjust(width) if is_number(section.rows[0][place]) else cell.ljust(width)
                    for place, (cell, width) in enumerate(zip(row, widths, strict=True))
                ).rstrip()
            )
    return "\n".join(lines)


def number(value: Any) -> str:
    """A value for people: amounts with two decimals, counts with none, a dash for null."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _moved(movements: tuple[Movement, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (each.subject, each.key, number(each.before), number(each.after), _signed(each.change)) for each in movements
    )


def _signed(change: Decimal) -> str:
    return f"+{number(change)}" if change > 0 else number(change)


def _decided(plan: Plan) -> Iterator[tuple[str, ...]]:
    for subject, moved in plan.decisions_moved.items():
        found = [each for each in plan.decisions if each.subject == subject]
        yield from ((subject, each.key, number(each.before), number(each.after)) for each in found)
        if moved > len(found):
            yield (subject, f"… and {moved - len(found):,} more", "", "")


def is_number(cell: str) -> bool:
    """True for a cell that `number` wrote, which is aligned at its end."""
    return cell.strip("+-").replace(",", "").replace(".", "", 1).isdigit() or cell == "-"
