"""Vendor records over time: the state of each at any moment.

A record holds its fields as created and every later change with its moment, so one object serves the current state, the
history that a vendor keeps and the state that an earlier read would have seen. It contains no wire format.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any


@dataclass(slots=True)
class Record:
    """One vendor record. `removed` is the moment of its deletion or archiving; `merged` that of its merge into another
    record.

    `touched` lists moments at which the vendor counted the record as modified although no listed field changed, `quiet`
    those of changes that the vendor does not report, such as associations. From `purged` on the record is in no answer.
    A record that is `born` later than created takes over the history of another one, as the survivor of a merge.
    """

    id: str
    created: int
    fields: dict[str, Any]
    changes: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    removed: int | None = None
    merged: int | None = None
    quiet: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    purged: int | None = None
    born: int | None = None

    def change(self, at: int, **fields: Any) -> None:
        self.changes.append((at, fields))

    def moments(self) -> Iterator[int]:
        """Every moment at which a reader could see something new."""
        yield self.created
        yield from (at for at in (self.born, self.purged) if at is not None)
        yield from (at for at, _ in self.quiet)
        for at, _ in self.changes:
            yield at
        yield from self.touched
        if self.removed is not None:
            yield self.removed
        if self.merged is not None:
            yield self.merged

    def at(self, now: int) -> State | None:
        """The record at a moment, or None if it did not exist yet or was deleted permanently."""
        if max(self.created, self.born or 0) > now or (self.purged is not None and self.purged <= now):
            return None
        fields = dict(self.fields)
        modified = self.created
        for at, changed in self.changes:
            if at > now:
                break
            fields.update(changed)
            modified = at
        for at, changed in self.quiet:
            if at <= now:
                fields.update(changed)
        modified = max(modified, self.born or 0)
        for at in self.touched:
            if modified < at <= now:
                modified = at
        removed = self.removed is not None and self.removed <= now
        merged = self.merged is not None and self.merged <= now
        if removed:
            modified = max(modified, self.removed or 0)
        if merged:
            modified = max(modified, self.merged or 0)
        return State(self, fields, modified, removed, merged, now)

    def known_at(self, now: int) -> State:
        """The record at a moment at which it must have existed. Raises LookupError."""
        state = self.at(now)
        if state is None:
            raise LookupError(f"Record {self.id} did not exist yet.")
        return state

    def history(self, name: str, now: int) -> list[tuple[int, Any]]:
        """(moment, value) of one field, oldest first, up to a moment; repeated values are left out."""
        entries: list[tuple[int, Any]] = []
        if self.fields.get(name) is not None:
            entries.append((self.created, self.fields[name]))
        for at, changed in self.changes:
            if at > now:
                break
            if name in changed and (not entries or entries[-1][1] != changed[name]):
                entries.append((at, changed[name]))
        return entries


@dataclass(slots=True, frozen=True)
class State:
    """A record as it stood at one moment."""

    record: Record
    fields: dict[str, Any]
    modified: int
    removed: bool
    merged: bool
    now: int

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def created(self) -> int:
        return self.record.created

    def history(self, name: str) -> list[tuple[int, Any]]:
        return self.record.history(name, self.now)


class Table:
    """All records of one kind. Snapshots are cached from one change of the table to its next."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._moments: list[int] | None = None
        self._snapshot: tuple[int, int, list[State], dict[str, State]] | None = None

    def add(self, record: Record) -> Record:
        self.records.append(record)
        self._moments = None
        return record

    def extend(self, records: Iterable[Record]) -> None:
        self.records.extend(records)
        self._moments = None

    def forget(self) -> None:
        """Drop the cached snapshots after records were changed in place."""
        self._moments = None

    def snapshot(self, now: int) -> list[State]:
        """Every record that existed at a moment, removed and merged ones included, in order of creation."""
        return self._at(now)[2]

    def find(self, record_id: str, now: int) -> State | None:
        return self._at(now)[3].get(record_id)

    def version(self, now: int) -> tuple[int, int]:
        """Two equal versions mean two equal snapshots."""
        known = self._at(now)
        return known[0], known[1]

    def _at(self, now: int) -> tuple[int, int, list[State], dict[str, State]]:
        if self._moments is None:
            self._snapshot = None
            for record in self.records:
                record.changes.sort(key=itemgetter(0))
                record.touched.sort()
            self._moments = sorted(at for record in self.records for at in record.moments())
        position = bisect_right(self._moments, now)
        known = self._snapshot
        if known is None or known[0] != position or known[1] != len(self.records):
            states = [state for record in self.records if (state := record.at(now)) is not None]
            states.sort(key=lambda state: (state.created, state.id))
            known = (position, len(self.records), states, {state.id: state for state in states})
            self._snapshot = known
        return known
