"""`make inbox-check`: prints what an inbox would load. Nothing is loaded or stored.

It uses the same functions as the source itself, so it shows exactly what a load would do. Cells are shown only here, on
the terminal of the user who has the files.
"""

from collections.abc import Callable
from typing import Any

from funnel.inbox import folder as inbox
from funnel.inbox import intake
from funnel.inbox.errors import ManifestError, Refused
from funnel.inbox.manifest import Manifest
from funnel.inbox.printable import safely

FIRST_BAD_ROWS = 10
Say = Callable[[str], None]


def check(url: str, reserved: frozenset[str], say: Say = print) -> bool:
    """Print what each manifest of an inbox would load; returns true if nothing would be refused. Raises ManifestError
    if there is no manifest.
    """
    say = safely(say)
    folder = inbox.open_folder(url)
    found, wrong = inbox.find_manifests(folder, reserved)
    for error in wrong:
        say(f"REFUSED  {error}")
    if not found and not wrong:
        raise ManifestError(
            f"There is no manifest in {url}: no .yml file with `source:` and `streams:`. docs/files.md shows one."
        )
    fine = not wrong
    for manifest in found:
        say(f"\n{manifest.path}: source {manifest.source}, days in {manifest.timezone}")
        fine = _check_manifest(folder, manifest, say) and fine
    say("")
    say("everything would load" if fine else "something would be refused, see above; nothing was loaded")
    return fine


def _check_manifest(folder: inbox.Folder, manifest: Manifest, say: Say) -> bool:
    fine = True
    rows: dict[str, int] = {}
    for spec in manifest.streams:
        files = inbox.files_of(folder, manifest, spec)
        if not files:
            say(f"  {spec.entity.name}: no file matches {spec.path} (nothing to load)")
        for info in files:
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, info.modified_at)
            try:
                with inbox.fetched(folder, info) as source, intake.take(source, spec, outcome) as taken:
                    rows[spec.entity.name] = rows.get(spec.entity.name, 0) + outcome.rows_loaded
                    _show_file(outcome, say)
                    _show_bad(taken.bad, say)
            except Refused as refused:
                fine = False
                say(f"  {spec.entity.name}: {info.path} REFUSED: {refused.reason}")
                for reason in outcome.reasons:
                    say(f"      {reason}")
    if rows:
        say("  rows: " + ", ".join(f"{entity} {count:,}" for entity, count in rows.items()))
    return fine


def _show_file(outcome: intake.Outcome, say: Say) -> None:
    counts = (
        f"{outcome.rows_read:,} read = {outcome.rows_loaded:,} to load + {outcome.rows_quarantined:,} to quarantine"
        + (f" + {outcome.rows_merged:,} merged" if outcome.rows_merged else "")
    )
    say(f"  {outcome.entity}: {outcome.path}: {counts}")
    if outcome.first_day:
        say(f"      days {outcome.first_day} to {outcome.last_day}")
    say(f"      {_settings(outcome.settings)}")
    for note in outcome.notes:
        say(f"      note: {note}")
    if outcome.unmapped:
        say(f"      not taken: {', '.join(outcome.unmapped)}")


def _settings(settings: dict[str, Any]) -> str:
    shown = []
    for name, value in settings.items():
        if isinstance(value, dict):
            shown += [f"{each} {stated}" for each, stated in value.items()]
        else:
            shown.append(f"{name} {value}")
    return ", ".join(shown)


def _show_bad(bad: list[Any], say: Say) -> None:
    for row in bad[:FIRST_BAD_ROWS]:
        say(f"      {intake.in_words(row)} · {str(row.payload)[:200]}")
    if len(bad) > FIRST_BAD_ROWS:
        say(f"      … and {len(bad) - FIRST_BAD_ROWS} more")
