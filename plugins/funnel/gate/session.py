"""Lets Great Expectations read inside an open transaction, so that it checks rows that no other session can see yet.

Great Expectations opens its connections through SQLAlchemy. Here SQLAlchemy gets the session that has loaded the rows,
and its commits and rollbacks become savepoints of that session: only its owner ends the transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from great_expectations.datasource.fluent import SQLDatasource

_SAVEPOINT = "gate"


class _Joined:
    """A psycopg connection for SQLAlchemy that cannot end the transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.__dict__["connection"] = connection
        connection.execute(f"savepoint {_SAVEPOINT}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.connection, name, value)

    def commit(self) -> None:
        self.connection.execute(f"release savepoint {_SAVEPOINT}")
        self.connection.execute(f"savepoint {_SAVEPOINT}")

    def rollback(self) -> None:
        self.connection.execute(f"rollback to savepoint {_SAVEPOINT}")

    def close(self) -> None:
        """Does nothing: the owner of the session closes it."""


@contextmanager
def joined(warehouse: "SQLDatasource", connection: psycopg.Connection[Any]) -> Iterator["SQLDatasource"]:
    """A data source of Great Expectations that reads through an open transaction until the block ends."""
    from sqlalchemy import event

    session = _Joined(connection)

    def connect(*_: Any) -> _Joined:
        return session

    # One engine counts and describes, the other evaluates expectations; both close what they opened.
    engines = [warehouse.get_engine(), warehouse.get_execution_engine().engine]
    for engine in engines:
        engine.dispose()
        event.listen(engine, "do_connect", connect)
    try:
        yield warehouse
    finally:
        for engine in engines:
            engine.dispose()
            event.remove(engine, "do_connect", connect)
