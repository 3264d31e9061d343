"""Landed reads are written again: without forgotten persons, or with the current key."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from funnel import ledger, warehouse
from funnel.ingest import landing, privacy, reduced_bodies, rewriting, tombstones
from funnel.ingest.errors import LandingError
from funnel.ingest.landing import LandedRead
from funnel.ingest.reduced_bodies import Change
from funnel.ingest.tombstones import Tombstones
from funnel.sources import SOURCES


@dataclass
class Rewritten:
    """The result: reads looked at and rewritten, and the error of each that is damaged, by its path."""

    reads: int = 0
    rewritten: int = 0
    files: int = 0
    damaged: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.files} files of {self.rewritten} landed reads written again, of {self.reads} reads"
        return text + "".join(f"\nnot readable, unchanged: {error}" for error in self.damaged.values())


def rewrite(connection: psycopg.Connection[Any], change_of: Callable[[LandedRead], Change]) -> Rewritten:
    """Write each landed read again in which `change_of(read)` changes a body or that lacks the current key, and its
    hashes into the ledger. The connection must hold the build lock, so that no load reads the files meanwhile.
    """
    broken: dict[str, LandingError] = {}
    result = Rewritten()
    for read in list(landing.reads(damaged=broken)):
        result.reads += 1
        try:
            made = rewriting.rewrite(read, change_of(read))
        except LandingError as error:
            broken[read.path] = error
            continue
        except KeyError as error:
            broken[read.path] = LandingError(f"{read.path}: this release knows no such source or stream ({error}).")
            continue
        if made is not read:
            result.rewritten += 1
            result.files += len(set(made.files) - set(read.files))
    result.damaged = {path: str(error) for path, error in broken.items()}
    _note_hashes(connection, landing.reads(damaged=broken))
    return result


def _note_hashes(connection: psycopg.Connection[Any], reads: Iterable[LandedRead]) -> None:
    """Make the hashes in the ledger those of the files, also after a rewriting that was killed before this."""
    noted = dict(connection.execute("select landing, body_hashes from ops.loads").fetchall())
    for read in reads:
        if read.hashes is not None and read.path in noted and noted[read.path] != read.hashes:
            connection.execute("update ops.loads set body_hashes = %s where landing = %s", (read.hashes, read.path))


def encrypt() -> Rewritten:
    """Encrypt all landed files with the current key: those of earlier releases, and those of a replaced key."""
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (ledger.BUILD_LOCK,))
        tombstones.encrypt_keys(connection, privacy.person_key_secret())
        return rewrite(connection, lambda read: _unchanged)


def _unchanged(body: bytes) -> bytes:
    return body


def reduce() -> Rewritten:
    """Take forgotten persons out of landed reads that hold them still."""
    with warehouse.connect("loader", autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (ledger.BUILD_LOCK,))
        known = tombstones.read(connection, privacy.person_key_secret())
        if known.is_empty:
            return Rewritten()
        tombstones.write_landed(connection, known.secret)
        return rewrite(connection, without(known))


def without(known: Tombstones) -> Callable[[LandedRead], Change]:
    """What takes forgotten persons out of the bodies of a read."""
    return lambda read: reduced_bodies.of_read(SOURCES[read.source], read.connection_id, read.stream, known)
