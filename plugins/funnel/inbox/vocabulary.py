"""The meaning of words in headers and cells of exports: the data of `synonyms.yml`, prepared for look-ups.

A header becomes the set of its meanings: `Abschlussdatum`, `Date de clôture` and `Close Date` are all {close, date}.
Files are not read here; `recognition` combines several headers.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Meaning = frozenset[str]

_DATA = Path(__file__).with_name("synonyms.yml")
# Letters that German and Dutch insert between the parts of a compound.
_JOINTS = ("", "s", "n", "en", "es", "e")


@dataclass(frozen=True)
class EntityWords:
    """The words of one entity. `fields` holds the meanings of each field's headers, the best first."""

    noun: Meaning
    files: frozenset[str]
    typical: frozenset[str]
    fields: dict[str, tuple[Meaning, ...]]


@cache
def _data() -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
    return found


@cache
def _words() -> dict[str, str]:
    words = {word: meaning for meaning, text in _data()["words"].items() for word in str(text).split()}
    return (
        {word: word for word in _data()["other"].split()} | words | {meaning: meaning for meaning in _data()["words"]}
    )


@cache
def _ignored() -> frozenset[str]:
    return frozenset(_data()["ignored"].split())


@cache
def entities() -> dict[str, EntityWords]:
    """The words of each entity that can be recognised."""
    return {
        name: EntityWords(
            noun=frozenset(each.get("noun", "").split()),
            files=frozenset(each["files"].split()),
            typical=frozenset(each["typical"]),
            fields={field: tuple(map(meaning, headers)) for field, headers in each["fields"].items()},
        )
        for name, each in _data()["entities"].items()
    }


def plain(text: str) -> str:
    """Lower case without accents; words joined with capitals (CamelCase) are separated."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]{2,}\b)", " ", text)
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o").replace("œ", "oe"))
    kept = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return kept.lower().replace("#", " id ")


@cache
def meaning(header: str) -> Meaning:
    """The meanings of a header's words, without filler words. An unknown word is its own meaning."""
    text = " ".join(re.findall(r"[a-z0-9]+", plain(re.sub(r" \(column \d+\)$", "", header))))
    for phrase, means in _data()["phrases"].items():
        text = re.sub(rf"\b{phrase}\b", means, text)
    found: list[str] = []
    for word in text.split():
        if word in _words():
            found.append(_words()[word])
        elif word not in _ignored() and not word.isdigit():
            found += _parts(word) or _ending(word)
    return frozenset(found)


def is_known(word: str) -> bool:
    """True if a word of a meaning is in the vocabulary."""
    return word in _words()


@cache
def _parts(word: str) -> list[str] | None:
    """The meanings of a compound's parts; empty unless all of them are known words."""
    for end in range(len(word) - 3, 2, -1):
        head = _words().get(word[:end])
        if head is None:
            continue
        for joint in _JOINTS:
            rest = word[end:].removeprefix(joint)
            if joint and not word[end:].startswith(joint):
                continue
            tail = [_words()[rest]] if len(rest) > 2 and rest in _words() else (_parts(rest) if len(rest) > 5 else None)
            if tail:
                return [head, *tail]
    return None


def _ending(word: str) -> list[str]:
    """An unknown word split before a known ending (`Vorgangsnummer`), or the word unchanged."""
    for start in range(4, len(word) - 4):
        if word[start:] in _words():
            return [word[:start], _words()[word[start:]]]
    return [word]


@cache
def _codes() -> frozenset[str]:
    return frozenset(_data()["currencies"].split())


@cache
def names_nothing(word: str) -> bool:
    """True if a word is common in names of retailers' files, or has a meaning of its own in the vocabulary."""
    return word in _data()["names"].split() or is_known(word)


def currency_of(text: str) -> str | None:
    """The currency that a header (`Cost (EUR)`, `Betrag in €`) or a cell (`12,50 €`) names unambiguously."""
    for sign, code in _data()["signs"].items():
        if sign in text:
            return str(code)
    for code in re.findall(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", text):
        if code in _codes():
            return str(code)
    last = re.search(r"[_ (]([a-z]{3})\)?$", text)
    return last[1].upper() if last and last[1].upper() in _codes() else None


def platform_of(text: str) -> str | None:
    """The ad platform that a text names: a file's name, the lines above a header."""
    words = set(re.findall(r"[a-z]+", plain(text)))
    for platform, names in _data()["platforms"].items():
        if words & set(names.split()):
            return str(platform)
    return None


@cache
def _stages(kind: str) -> dict[str, str]:
    return {plain(word).strip(): ours for ours, text in _data()[kind].items() for word in str(text).split(",")}


def channel_of(campaign_type: str) -> str | None:
    """The channel of a platform's campaign type, if the type determines it."""
    return _stages("campaign_types").get(re.sub(r"\s+", " ", plain(campaign_type)).strip())


def stage_of(text: str, *, of_lead: bool) -> str | None:
    """Our word for a stage, or None if the vocabulary does not contain it."""
    known = _stages("lead_stages" if of_lead else "stages")
    clean = re.sub(r"\s+", " ", plain(text)).strip()
    bare = " ".join(re.findall(r"[a-z]+", clean))
    found = known.get(clean) or known.get(bare)
    if found is None:
        words = set(bare.split())
        ended = {ours for word, ours in known.items() if ours in ("won", "lost", "disqualified") and word in words}
        found = ended.pop() if len(ended) == 1 and not words & {"not", "non", "nicht", "no", "pas", "almost"} else None
    return found
