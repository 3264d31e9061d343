"""`make new-manifest`: proposes a manifest for a folder of exports, and shows the first rows as they would load.

The proposal is used at once to read the files, with the functions of every load, so that a wrong guess is visible.
Nothing is overwritten and nothing is loaded. Cells are shown only on the terminal of the files' owner.
"""

import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from funnel.inbox import exploration, intake, manifest, manifest_text, proposal
from funnel.inbox import folder as inbox
from funnel.inbox.errors import ManifestError, Refused
from funnel.inbox.folder import Folder
from funnel.inbox.printable import safely
from funnel.inbox.proposed_columns import Noted

FIRST_ROWS = 3
# Footers of a file are fewer than its records.
LARGEST_SHARE = 0.4
FIRST_BAD_ROWS = 3
LONGEST_CELL = 40
Say = Callable[[str], None]


def make(directory: str, reserved: frozenset[str], reporting_currency: str, say: Say = print) -> bool:
    """Write a manifest for the files of a folder that no manifest describes yet; returns true if all of them would
    load.

    Raises ManifestError if there is nothing to describe.
    """
    say = safely(say)
    path = Path(directory).expanduser()
    folder = inbox.open_folder(str(path))
    found, wrong = inbox.find_manifests(folder, reserved)
    for error in wrong:
        say(f"This manifest cannot be used: {error}")
    described = {info.path for one in found for spec in one.streams for info in inbox.files_of(folder, one, spec)}
    every = [info for info in inbox.listed(folder) if not info.path.endswith((".yml", ".yaml"))]
    infos = [info for info in every if info.path not in described]
    if not infos:
        raise ManifestError(_nothing(directory, bool(every), [one.path for one in found]))
    seen = exploration.explore(folder, infos)
    proposed = proposal.propose(seen.tables, reporting_currency, [info.path for info in every])
    _leave_out(proposed)
    for name, reason in seen.unread.items():
        say(f"not read: {name}: {reason}")
    for name, headers in proposed.unknown.items():
        say(f"not recognised: {name}: {headers}")
    if not proposed.streams:
        raise ManifestError(
            f"No file of {directory} was recognised, so no manifest was written. docs/files.md lists the entities with "
            "their columns, and shows a manifest to write by hand."
        )
    source = _source_name(path, reserved | {one.source for one in found})
    target = path / f"{source}.yml"
    while target.exists():
        source = f"{source}_2"
        target = path / f"{source}.yml"
    _allow_footers(folder, proposed, source)
    text = manifest_text.written(proposed, source)
    made = manifest.parse(text.encode(), target.name)
    with target.open("x", encoding="utf-8") as file:
        file.write(text)
    say(f"\n{text}")
    fine = _show(folder, made, say)
    _next(target, text.count("# unsure:"), fine, say)
    if proposed.currency and proposed.currency.value != reporting_currency:
        code = proposed.currency.value
        say(f"\nmarts are in {reporting_currency}: with REPORTING_CURRENCY={code} nothing is converted")
    return fine and not seen.unread and not proposed.unknown


def _leave_out(proposed: proposal.Proposal) -> None:
    """Remove the streams that are not valid in a manifest, so that one of them does not hide the others."""
    for stream in list(proposed.streams):
        try:
            manifest.parse(manifest_text.written(replace(proposed, streams=[stream]), "one").encode(), stream.path)
        except ManifestError as error:
            proposed.streams.remove(stream)
            proposed.unknown |= {table.path: f"looks like {stream.entity}, but {error}" for table in stream.tables}


def _allow_footers(folder: Folder, proposed: proposal.Proposal, source: str) -> None:
    """State a larger share of bad rows if all bad rows of a file are lines below its records."""
    made = manifest.parse(manifest_text.written(proposed, source).encode(), source)
    for stream, spec in zip(proposed.streams, made.streams, strict=True):
        needed, below = 0.0, 0
        for info in inbox.files_of(folder, made, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, info.modified_at)
            with inbox.fetched(folder, info) as file, suppress(Refused):
                with intake.take(file, replace(spec, bad_share=1.0), outcome) as taken:
                    bad = [row.line for row in taken.bad]
                if not bad or outcome.rows_quarantined <= spec.bad_share * outcome.rows_read:
                    continue
                needed = max(needed, outcome.rows_quarantined / outcome.rows_read)
                below += len(bad) if min(bad) > outcome.rows_loaded else -len(bad)
        if 0 < needed < LARGEST_SHARE and below > 0:
            share = math.ceil(needed * 110) / 100
            note = f"{below} lines below the records are quarantined; a share of 0.05 would refuse the file"
            stream.settings["bad_rows"] = Noted(share, note)


def _nothing(directory: str, has_files: bool, manifests: list[str]) -> str:
    if has_files:
        return (
            f"Every file of {directory} is described already, by {', '.join(manifests)}; `make inbox-check` shows how "
            "they would load. To propose a new one, move that manifest away."
        )
    return f"There is no file in {directory}. Put the exports there: {', '.join(manifest.FORMATS)}, compressed or not."


def _source_name(path: Path, taken: frozenset[str]) -> str:
    from funnel.inbox import vocabulary

    name = re.sub(r"[^a-z0-9]+", "_", vocabulary.plain(path.resolve().name)).strip("_")[:38]
    name = name if re.match(r"[a-z]", name) else f"files_{name}".rstrip("_")
    while name in taken:
        name += "_files" if not name.endswith("_files") else "_2"
    return name


def _show(folder: Folder, made: manifest.Manifest, say: Say) -> bool:
    """Print the result of each file and its first rows as they would load; returns true if none would be refused."""
    fine = True
    say("The first rows as they would load")
    for spec in made.streams:
        is_first = True
        for info in inbox.files_of(folder, made, spec):
            outcome = intake.Outcome(info.path, spec.entity.name, "", info.size, info.modified_at)
            try:
                with inbox.fetched(folder, info) as source, intake.take(source, spec, outcome) as taken:
                    _show_file(outcome, taken, say, is_first)
            except Refused as refused:
                fine = False
                say(f"  {spec.entity.name}: {info.path} WOULD BE REFUSED: {refused.reason}")
                for reason in outcome.reasons[:FIRST_BAD_ROWS]:
                    say(f"      {reason}")
            is_first = False
    return fine


def _show_file(outcome: intake.Outcome, taken: intake.Taken, say: Say, with_rows: bool) -> None:
    days = f", days {outcome.first_day} to {outcome.last_day}" if outcome.first_day else ""
    quarantined = f", {outcome.rows_quarantined:,} quarantined" if outcome.rows_quarantined else ""
    quarantined += f", {outcome.rows_merged:,} merged" if outcome.rows_merged else ""
    say(f"  {outcome.entity}: {outcome.path}: {outcome.rows_loaded:,} of {outcome.rows_read:,} rows{quarantined}{days}")
    for row in _rows(taken) if with_rows else ():
        shown = {name: value for name, value in row.items() if value is not None and not name.startswith("_")}
        shown.pop("row_key", None)
        say("      " + " · ".join(f"{name} {str(value)[:LONGEST_CELL]}" for name, value in shown.items()))
    for bad in taken.bad[:FIRST_BAD_ROWS]:
        say(f"      quarantined: {intake.in_words(bad)}")


def _rows(taken: intake.Taken) -> list[dict[str, Any]]:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for table in taken.tables:
        with pa.ipc.open_stream(table) as batches:
            for batch in batches:
                rows += batch.slice(0, FIRST_ROWS).to_pylist()
        if len(rows) >= FIRST_ROWS:
            break
    return [{**row, **taken.constants} for row in rows[:FIRST_ROWS]]


def _next(target: Path, unsure: int, fine: bool, say: Say) -> None:
    say(f"\nwritten: {target}")
    if unsure:
        say(f"{unsure} {'place is' if unsure == 1 else 'places are'} marked `# unsure:`; look at each and correct it")
    folder = os.path.dirname(target) or "."
    if not fine:
        say("something would be refused, see above; correct the manifest first")
    say(f"then   make inbox-check DIR={folder}   shows all that would load")
    say(f"and    make files INBOX={folder}   loads, builds and publishes it")
