"""YAML for manifests: plain values as written, within limits.

Yes, no and dates stay texts, a duplicate key is an error, and a document cannot grow beyond its size in memory.
"""

from typing import Any

import yaml

from funnel.inbox.errors import YamlError

MOST_BYTES = 256 << 10
MOST_VALUES = 20_000
MOST_LEVELS = 20


class _Loader(yaml.SafeLoader):
    """A YAML loader that resolves only whole numbers, decimals, null and merged mappings; all else is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("int", "float", "null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """A mapping as PyYAML builds it, but a duplicate key is an error: its first value would be lost silently."""
    loader.flatten_mapping(node)
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key!r} stands twice in one mapping", node.value[place][0].start_mark
            )
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(text: bytes) -> Any:
    """The value of a document; keys are texts. Raises YamlError."""
    if len(text) > MOST_BYTES:
        raise YamlError(f"the file has {len(text):,} bytes, more than the {MOST_BYTES:,} that a manifest may have")
    try:
        _check_limits(text)
        return _plain(yaml.load(text, Loader=_Loader))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        raise YamlError(f"this is not valid YAML: {reason}", mark.line + 1 if mark else None) from None
    except UnicodeDecodeError:
        raise YamlError("this is not UTF-8 text") from None
    except RecursionError:
        raise YamlError("it is nested without end") from None
    except (ValueError, OverflowError, TypeError, AttributeError):
        raise YamlError("it has a number or a tag that cannot be read; put the value in quotes") from None


def _check_limits(text: bytes) -> None:
    """Raises YamlError for a document that would grow too large; each alias counts with the size of its target."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            if len(open_nodes) > MOST_LEVELS:
                raise YamlError(f"it is nested more than {MOST_LEVELS} levels deep", line)
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if total > MOST_VALUES:
            raise YamlError(f"its aliases make more than {MOST_VALUES:,} values of it", line)


def _plain(value: Any) -> Any:
    """The value with all keys as texts: keys of a map may be numbers in YAML."""
    if isinstance(value, dict):
        return {str(key) if key is not None else "": _plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
