"""Faster Great Expectations for tables of a few rows; its results are the same.

Most of such an evaluation is its own work on each of 400 expectations. It writes out an expectation as a configuration
for every key that it reads of it, about 80 times, and hashes the same settings of metrics again and again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from funnel.gate import runner


def quicken_when_used() -> None:
    """Importing Great Expectations takes seconds: only tests that evaluate suites pay for it."""
    new_context = runner.new_context

    def quick_context() -> Any:
        quicken()
        return new_context()

    if new_context.__module__ == runner.__name__:
        runner.new_context = quick_context


def quicken() -> None:
    """Write out an expectation once for all keys that are read together."""
    from great_expectations.core.id_dict import IDDict
    from great_expectations.expectations.expectation import Expectation, parse_result_format
    from sqlalchemy.engine import Inspector

    if Expectation._get_domain_kwargs.__module__ == __name__:
        return

    def chosen(expectation: Any, given: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
        return {key: given[key] if key in given else expectation._get_default_value(key) for key in keys}

    def domain_kwargs(expectation: Any) -> dict[str, Any]:
        return chosen(expectation, expectation.configuration.kwargs, expectation.domain_keys)

    def success_kwargs(expectation: Any) -> dict[str, Any]:
        keys = (*expectation.success_keys, *expectation.domain_keys)
        return chosen(expectation, expectation.configuration.kwargs, keys)

    def runtime_kwargs(expectation: Any, runtime_configuration: Any = None) -> dict[str, Any]:
        keys = (*expectation.runtime_keys, *expectation.success_keys, *expectation.domain_keys)
        found = chosen(expectation, expectation.configuration.kwargs, keys)
        asked = runtime_configuration or {}
        own = {*expectation.success_keys, *expectation.domain_keys}
        found |= {key: asked[key] for key in expectation.runtime_keys if key in asked and key not in own}
        return found | {"result_format": parse_result_format(found["result_format"])}

    def pk_constraint(inspector: Any, table_name: str, schema: str | None = None, **more: Any) -> Any:
        """The rows in scope are a temporary table without a key."""
        if table_name.startswith("gx_temp"):
            return {"constrained_columns": []}
        return read_constraint(inspector, table_name, schema, **more)

    def to_id(settings: Any, id_keys: Any = None, id_ignore_keys: Any = None) -> Any:
        """Equal settings have the same text, without a look at the type of each value and a hash of the whole."""
        ignored = settings._id_ignore_keys if id_ignore_keys is None else id_ignore_keys
        read = {key: settings[key] for key in (settings if id_keys is None else id_keys) if key not in ignored}
        if len(read) > 1 and all(isinstance(value, str | int | float | None) for value in read.values()):
            return repr(sorted(read.items()))
        return to_long_id(settings, id_keys, id_ignore_keys)

    to_long_id, IDDict.to_id = IDDict.to_id, to_id
    read_constraint, Inspector.get_pk_constraint = Inspector.get_pk_constraint, pk_constraint
    Expectation._get_domain_kwargs = domain_kwargs
    Expectation._get_success_kwargs = success_kwargs
    Expectation._get_runtime_kwargs = runtime_kwargs
