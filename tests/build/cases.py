"""The small inputs of `tests/cases` as one inbox: every case is a source of its own, read, built and published once."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from funnel import settings
from funnel.inbox.catalogue import ENTITIES
from tests.conftest import fresh_warehouse

CASES = settings.REPOSITORY / "tests" / "cases"
# The last complete day and the moment of the read: results do not depend on the clock of the machine.
LAST_DAY = date(2026, 11, 29)
READ_AT = datetime(2026, 11, 30, 3, tzinfo=UTC)


def sources(folder: Path) -> list[str]:
    """The names of the sources whose manifests are below a folder."""
    from funnel.sources import files

    found, refused = files.connections(str(folder))
    assert not refused
    return list(found)


def lay_out(inbox: Path, case: Path) -> None:
    """Copy a case into the inbox, with the obvious manifest if it has none: every file is the entity of its name."""
    target = inbox / case.name
    shutil.copytree(case, target)
    if not [*target.glob("*.yml")]:
        streams = [f"  - {{entity: {path.stem}, path: {path.name}}}" for path in sorted(target.glob("*.csv"))]
        assert {path.stem for path in target.glob("*.csv")} <= set(ENTITIES)
        header = [f"source: {case.name}_co", "timezone: UTC", "currency: USD", "streams:"]
        (target / "manifest.yml").write_text("\n".join([*header, *streams]) + "\n")


@contextmanager
def published(cluster_home: Path, folder: Path, cases: list[Path]) -> Iterator[str]:
    """A warehouse of its own with these cases read, built, audited and published; yields its administrator's URL."""
    from tests.end_to_end.pipeline import Pipeline

    inbox = folder / "inbox"
    inbox.mkdir()
    for case in cases:
        lay_out(inbox, case)
    with pytest.MonkeyPatch.context() as patch, fresh_warehouse(cluster_home, patch, folder) as dsn:
        pipeline = Pipeline(None)  # type: ignore[arg-type] # files need no vendor
        for source in sources(inbox):
            pipeline.take_in(source, inbox, LAST_DAY, READ_AT)
        pipeline.publish()
        yield dsn
