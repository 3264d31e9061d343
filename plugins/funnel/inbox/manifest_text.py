"""Writes a proposed manifest as YAML with comments: each uncertain value has a comment `# unsure:` with the reason."""

import json
import re
from typing import Any

from funnel.inbox.proposal import Proposal
from funnel.inbox.proposed_columns import Formula, Noted, Proposed

_PLAIN = re.compile(r"[A-Za-z_][\w ./()%+-]*[\w.)%]|[A-Za-z_]")
_COMMENT_AT = 58
# The order in which a stream's settings are written, before its columns.
_FIRST = ("sheet", "sheets", "header")


def written(proposal: Proposal, source: str) -> str:
    """The manifest's text."""
    lines = [
        "# Proposed by `make new-manifest` from the files of this folder: a guess to correct, not an answer.",
        "# Look at each `unsure`, then `make inbox-check DIR=…`, then `make files INBOX=…`. Settings: docs/files.md.",
        f"source: {source}",
        _line(0, "timezone", proposal.timezone),
    ]
    if proposal.currency:
        lines.append(_line(0, "currency", proposal.currency))
    lines.append("streams:")
    for stream in proposal.streams:
        lines += _stream(stream)
    for place, seen in proposal.unknown.items():
        lines.append(f"# unsure: not recognised: {_one_line(place)}; {_one_line(seen)}")
    return "\n".join(lines) + "\n"


def _stream(stream: Proposed) -> list[str]:
    lines = [f"  - entity: {stream.entity}"]
    lines += [f"    # {_one_line(note)}" for note in stream.notes]
    lines.append(_line(4, "path", Noted(stream.path)))
    lines += [_line(4, name, stream.settings[name]) for name in _FIRST if name in stream.settings]
    if stream.columns:
        lines.append("    columns:")
    lines += [_line(6, name, _literal(noted)) for name, noted in stream.columns.items()]
    maps = {name: words for name, words in stream.maps.items() if words}
    if maps:
        lines.append("    map:")
        for name, words in maps.items():
            lines.append(f"      {name}:")
            lines += [_line(8, word, noted) for word, noted in words.items()]
    for name, noted in stream.settings.items():
        if name in _FIRST:
            continue
        if isinstance(noted.value, dict) and all(value is None for value in noted.value.values()):
            lines.append(_line(4, name, Noted(list(noted.value), noted.note)))
        elif isinstance(noted.value, dict):
            lines.append(f"    {name}:")
            lines += [
                _line(6, key, value if isinstance(value, Noted) else Noted(value)) for key, value in noted.value.items()
            ]
        else:
            lines.append(_line(4, name, noted))
    if stream.left:
        lines.append(f"    # not taken: {_one_line(', '.join(stream.left[:40]))}")
    return lines


def _literal(noted: Noted) -> Noted:
    """A header that contains braces, escaped so that it is not read as arithmetic."""
    is_odd = isinstance(noted.value, str) and not isinstance(noted.value, Formula) and set(noted.value) & set("{}")
    return Noted({"column": noted.value}, noted.note) if is_odd else noted


def _line(indent: int, name: str, noted: Noted) -> str:
    text = f"{' ' * indent}{_scalar(name)}: {_value(noted.value)}"
    return f"{text.ljust(_COMMENT_AT)}  # unsure: {_one_line(noted.note)}" if noted.note else text


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    """A text quoted so that YAML reads it back unchanged."""
    is_word = _PLAIN.fullmatch(text) and "  " not in text and text.lower() not in ("null", "nan", "inf")
    return text if is_word else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e\u00a0-\uffff]+", " ", text)[:400]
