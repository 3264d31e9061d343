"""Replay: loads landed reads that were never loaded, oldest first, without the vendors, and checks each run."""

from collections.abc import Callable

from funnel.gate import deliveries
from funnel.ingest import completeness, landing, load
from funnel.ingest.errors import LandingError, ListingRefused
from funnel.sources import SOURCES


def replay(tell: Callable[[str], None]) -> None:
    """Load what is landed and not loaded; runs without a damaged read are checked and count as complete.

    A read of a source or stream that this version does not know is left out and reported. Raises LandingError, at the
    end, if reads are damaged.
    """
    runs: dict[tuple[str, str], int] = {}
    damaged: dict[str, LandingError] = {}
    left_out = 0
    for read in landing.reads(damaged=damaged):
        if reason := _unknown(read):
            tell(f"{read.path}: left out. {reason}")
            left_out += 1
            continue
        try:
            result = load.load(read)
        except LandingError as error:
            damaged[read.path] = error
            continue
        except ListingRefused as error:
            # It was refused when it was landed, too.
            tell(f"{read.path}: left out. {error}")
            left_out += 1
            continue
        if result.is_new:
            tell(f"{read.path}: {result.rows_loaded:,} rows loaded, {result.rows_quarantined:,} quarantined")
            runs[read.source, read.run_id] = result.load_id
    failed = _check(runs, {landing.run_of(path) for path in damaged}, tell)
    tell(
        f"{len(runs):,} runs replayed: {len(runs) - failed:,} passed their checks, {failed:,} did not; "
        f"{left_out:,} reads left out, {len(damaged):,} damaged.\n"
        "Readers see no change yet: `make build` builds from them, or the next run of build_funnel."
    )
    if gone := landing.removed():
        tell(gone)
    if damaged:
        said = "\n".join(str(error) for error in damaged.values())
        raise LandingError(f"{len(damaged)} reads are damaged; their runs do not count as complete.\n{said}")


def _unknown(read: landing.LandedRead) -> str | None:
    """Why this version cannot load a read; None if it can."""
    source = SOURCES.get(read.source)
    if source is None:
        return f"This version has no source {read.source!r}."
    try:
        source.stream(read.stream)
    except KeyError:
        return (
            f"This version of {read.source} has no stream {read.stream!r}: the read is of a newer or an older one. "
            "It stays landed; the version that knows it can load it."
        )
    return None


def _check(runs: dict[tuple[str, str], int], incomplete: set[tuple[str, str]], tell: Callable[[str], None]) -> int:
    """Check runs in the original order of their reads; returns how many did not pass."""
    failed = 0
    for source_name, run_id in sorted(runs, key=lambda run: runs[run]):
        if (source_name, landing.safe(run_id)) in incomplete:
            failed += 1
            continue
        report = deliveries.check_raw(source_name, run_id)
        tell(report.text())
        if report.passed:
            completeness.complete(SOURCES[source_name], run_id)
        else:
            failed += 1
    return failed
