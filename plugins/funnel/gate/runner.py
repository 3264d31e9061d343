"""Evaluates suites with Great Expectations, and keeps the results without values of the data.

Suites are first evaluated as booleans; only failed expectations are evaluated again for counts and keys. Keys are
hashed.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from funnel import settings
from funnel.gate.errors import SuiteError
from funnel.gate.report import Check, Severity
from funnel.gate.suites import Batch, columns_of, literal, notes_of
from funnel.ingest import privacy

if TYPE_CHECKING:
    from great_expectations.datasource.fluent import SQLDatasource
    from great_expectations.expectations.expectation import Expectation

log = logging.getLogger(__name__)
# Five samples are enough to recognise the fault of a hundred thousand bad rows.
SAMPLES = 5


def new_context() -> Any:
    """A context of Great Expectations without files, progress bars and usage statistics."""
    import great_expectations
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = great_expectations.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=stores, analytics_enabled=False, progress_bars={"globally": False}
        ),
    )
    # Each new asset and batch definition would write the whole configuration as YAML, to memory.
    context._save_project_config = lambda: None
    return context


@contextmanager
def data_source(role: settings.Role) -> Iterator["SQLDatasource"]:
    """The warehouse as a data source of Great Expectations: one connection; rows in scope are copied once into a
    temporary table.
    """
    from sqlalchemy.engine import make_url

    url = make_url(settings.dsn(role)).set(drivername="postgresql+psycopg")
    options = f"{url.query.get('options', '')} -c timezone=UTC".strip()
    data = new_context().data_sources.add_postgres(
        "warehouse",
        connection_string=url.update_query_dict({"options": options}).render_as_string(hide_password=False),
        create_temp_table=True,
        # Each engine would query for its type of key-value pairs again; no column has that type.
        kwargs={"pool_size": 1, "max_overflow": 0, "use_native_hstore": False},
    )
    try:
        yield data
    finally:
        data.get_engine().dispose()


Asker = Callable[[Sequence[int], Any], dict[int, Any]]


def _asker(data: "SQLDatasource", batch: Batch) -> Asker:
    """A function that evaluates the expectations at the given positions of the batch."""
    from great_expectations import ExpectationSuite
    from great_expectations.validator.v1_validator import Validator

    # Assets already checked are removed.
    data.assets.clear()
    asset = data.add_query_asset(f"{batch.suite}:{batch.table}", query=batch.query)
    # Batch.validate would copy the rows for every call; this validator keeps them for the second evaluation.
    validator = Validator(batch_definition=asset.add_batch_definition_whole_table("rows"))

    def ask(places: Sequence[int], result_format: Any) -> dict[int, Any]:
        validator.result_format = result_format
        asked = ExpectationSuite(
            name=batch.suite,
            expectations=[
                batch.expectations[place][1].copy(update={"id": None, "meta": {"place": place}}) for place in places
            ],
        )
        answered = validator.validate_expectation_suite(asked, dict(batch.parameters))
        return {result.expectation_config.meta["place"]: result for result in answered.results}

    return ask


def evaluate(data: "SQLDatasource", batch: Batch) -> Iterator[Check]:
    """Evaluate all expectations of a batch; returns one check per expectation, in their order, the skipped ones first.

    An expectation that cannot be evaluated counts as failed, and so does each expectation of a batch that cannot be
    read. Raises SuiteError if Great Expectations returns another number of results.
    """
    for severity, expectation in batch.skipped:
        yield _skipped(batch, severity, expectation)
    if not batch.expectations:
        return
    ask = _asker(data, batch)
    everything = range(len(batch.expectations))
    try:
        results = ask(everything, "BOOLEAN_ONLY")
    except Exception as error:
        log.exception("Suite %s could not be evaluated on %s", batch.suite, batch.table)
        yield from (_check(batch, place, {"raised": _reason(error)}) for place in everything)
        return
    if sorted(results) != list(everything):
        raise SuiteError(
            f"Suite {batch.suite} on {batch.table} states {len(everything)} expectations, but {len(results)} were "
            "evaluated. Two of them may be the same."
        )
    failed = [place for place in everything if not results[place].success]
    details: dict[int, Any] = {}
    if failed:
        try:
            details = ask(
                failed,
                {
                    "result_format": "SUMMARY",
                    "unexpected_index_column_names": list(batch.key),
                    "partial_unexpected_count": SAMPLES,
                    "return_unexpected_index_query": True,
                },
            )
        except Exception:
            log.exception("Details of suite %s on %s could not be read", batch.suite, batch.table)
    for place in everything:
        if place not in failed:
            yield _check(batch, place, {}, passed=True)
        elif reason := _raised(results[place]):
            yield _check(batch, place, {"raised": reason})
        else:
            yield _check(batch, place, details[place].result if place in details else {})


def _check(batch: Batch, place: int, result: Mapping[str, Any], *, passed: bool = False) -> Check:
    """A result as it is stored: counts, days and hashed keys, but no value of the data."""
    severity, expectation = batch.expectations[place]
    samples = [sample for sample in result.get("partial_unexpected_index_list") or () if isinstance(sample, Mapping)]
    keys = [[sample.get(name) for name in batch.key] for sample in samples]
    secret = privacy.person_key_secret() if keys else b""
    observed: dict[str, Any] = {"type": expectation.expectation_type}
    if "raised" in result:
        observed["raised"] = result["raised"]
    if isinstance(result.get("element_count"), int):
        observed["rows"] = result["element_count"]
    if isinstance(result.get("observed_value"), bool | int | float | Decimal):
        observed["value"] = result["observed_value"]
    if days := sorted({str(value) for key in keys for value in key if _is_day(value)}):
        observed["days"] = days
    rows_query = result.get("unexpected_index_query")
    return Check(
        suite=batch.suite,
        table=batch.table,
        column=", ".join(columns_of(expectation)[:2]) or None,
        expectation=expectation.description or expectation.expectation_type,
        severity=severity,
        passed=passed,
        observed=observed,
        unexpected_count=result.get("unexpected_count"),
        sample_keys=tuple(privacy.keyed_hash(secret, ":".join(map(str, key))) for key in keys),
        notes=notes_of(expectation),
        rows_query=_on_table(rows_query, batch, expectation) if isinstance(rows_query, str) else None,
    )


def _skipped(batch: Batch, severity: Severity, expectation: "Expectation") -> Check:
    return Check(
        suite=batch.suite,
        table=batch.table,
        column=", ".join(columns_of(expectation)[:2]) or None,
        expectation=expectation.description or expectation.expectation_type,
        severity=severity,
        passed=None,
        observed={"type": expectation.expectation_type, "skipped": "no file fills this column"},
    )


def _is_day(value: Any) -> bool:
    if isinstance(value, str) and len(value) == len("2026-01-05"):
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
        return True
    return isinstance(value, date)


def _on_table(query: str, batch: Batch, expectation: "Expectation") -> str | None:
    """The query for bad rows, on the real table instead of the temporary copy of the rows in scope."""
    if not {*batch.key, *columns_of(expectation)} <= batch.columns:
        return None
    query = re.sub(r"datetime\.date\((\d+), (\d+), (\d+)\)", lambda day: f"'{day[1]}-{day[2]:0>2}-{day[3]:0>2}'", query)
    words = [batch.table if word.startswith("gx_temp_") else word for word in query.rstrip(" ;").split()]
    text = " ".join(words)
    condition = expectation.row_condition if hasattr(expectation, "row_condition") else None
    # Great Expectations leaves the row condition out of the query it shows.
    return f"{text} AND {_condition_text(condition)};" if condition is not None else f"{text};"


def _condition_text(condition: Any) -> str:
    name = condition.column.name
    if hasattr(condition, "is_null"):
        return f"{name} IS {'' if condition.is_null else 'NOT '}NULL"
    value = literal(condition.parameter) if isinstance(condition.parameter, str) else condition.parameter
    return f"{name} {str(condition.operator).replace('==', '=')} {value}"


def _raised(result: Any) -> str | None:
    """The reason why an expectation could not be evaluated; None if it was."""
    information = result.exception_info or {}
    # One flat entry, or one per metric that could not be computed.
    entries = [information] if "raised_exception" in information else list(information.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return _shortened(entry.get("exception_message") or "no reason given")
    return None


def _reason(error: BaseException) -> str:
    return _shortened(f"{type(error).__name__}: {error}")


def _shortened(text: str) -> str:
    """The first line of an error, without addresses: the rest of a database error quotes statements and values."""
    first = text.strip().splitlines()[0][:300] if text.strip() else "no reason given"
    return re.sub(r"\S+@\S+", "(address)", first)
