"""The text of a question, such as `leads by month, channel where region = EMEA from 2026-01 to 2026-03`, in its parts.

No name is looked up here, and nothing is read. The clauses may come in any order:

    <metric>, <metric> … [by <dimension>, …] [where <dimension> = <value> and …] [from <day>] [to <day>] [in <period>]
    [last <n> days|weeks|months|quarters|years] [order by <column> [desc]] [top <n>|limit <n>]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from funnel.questions.errors import QuestionError
from funnel.questions.periods import UNITS, Period, period_of

Operator = Literal["=", "!=", "<", "<=", ">", ">="]

TOKEN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(<=|>=|!=|<>|==|[=<>(),])|([^\s"'=<>!(),]+|!))""")
CLAUSES = {
    **dict.fromkeys(("by", "per"), "by"),
    **dict.fromkeys(("where", "for"), "where"),
    **dict.fromkeys(("from", "since"), "from"),
    **dict.fromkeys(("to", "until", "through"), "to"),
    **dict.fromkeys(("order", "sort", "sorted", "ordered"), "order"),
    **dict.fromkeys(("limit", "top", "first"), "limit"),
    "last": "last",
    "in": "in",
}
OPERATORS: dict[str, Operator] = {
    **{sign: sign for sign in ("=", "!=", "<", "<=", ">", ">=")},  # type: ignore[misc]
    "==": "=",
    "<>": "!=",
    "is": "=",
    "in": "=",
    "not": "!=",
}
EXAMPLE = 'For example: make ask METRIC="leads by month, channel where region = EMEA from 2026-01 to 2026-03"'


@dataclass(frozen=True)
class Token:
    """A word, a sign or a quoted text; a quoted text is never a keyword."""

    text: str
    is_quoted: bool = False

    @property
    def word(self) -> str:
        """The word in lower case; empty if it is quoted."""
        return "" if self.is_quoted else self.text.lower()


@dataclass(frozen=True)
class Condition:
    """One condition: with `=` and `!=` any of the values counts, other operators have one."""

    name: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question in its parts, with the names as they were written. Both days of the period are included."""

    metrics: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    first: date | None = None
    last: date | None = None
    recent: tuple[int, str] | None = None
    order: tuple[str, bool] | None = None
    limit: int | None = None


def parse(text: str) -> Question:
    """The parts of a question. Raises QuestionError with the word that is not understood."""
    tokens = _tokens(text)
    clauses = _clauses(tokens)
    metrics = _names(clauses.pop("metrics"))
    if not metrics:
        raise QuestionError(f"The question names no metric. {EXAMPLE}; `make ask` lists all metrics.")
    period = _period(clauses)
    return Question(
        metrics=metrics,
        by=_names(clauses.get("by", [])),
        where=_conditions(clauses.get("where", [])),
        first=period.first,
        last=period.last,
        recent=_recent(clauses.get("last", [])),
        order=_order(clauses.get("order", [])),
        limit=_limit(clauses.get("limit", [])),
    )


def _tokens(text: str) -> list[Token]:
    found, position = [], 0
    text = text.strip().rstrip("?.;").rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise QuestionError(f"A quote is not closed in {text[position:]!r}. {EXAMPLE}")
        double, single, sign, word = match.groups()
        quoted = double if double is not None else single
        found.append(Token(quoted, is_quoted=True) if quoted is not None else Token(sign or word))
        position = match.end()
    return found


def _clauses(tokens: Sequence[Token]) -> dict[str, list[Token]]:
    """The words of each clause by its name."""
    found: dict[str, list[Token]] = {"metrics": []}
    current = "metrics"
    for number, token in enumerate(tokens):
        after = tokens[number + 1 : number + 3]
        clause = CLAUSES.get(token.word)
        if token.word == "by" and current == "limit":
            # `top 5 by leads`: the largest ones.
            current = "largest"
            found[current] = []
        elif clause and _begins(clause, token, found[current], current, after):
            if clause in found:
                raise QuestionError(f"`{token.text}` occurs twice: write one list after it, with commas. {EXAMPLE}")
            current = clause
            found[current] = []
        else:
            found[current].append(token)
    if "largest" in found:
        found.setdefault("order", [*found.pop("largest"), Token("desc")])
    return found


def _begins(clause: str, token: Token, before: Sequence[Token], current: str, after: Sequence[Token]) -> bool:
    """True if a keyword begins its clause here, and is not a part of a name or a condition."""
    following = after[0].word if after else ""
    if token.word == "per":
        # `leads per month`, but not `cost per lead`
        return following.rstrip("s") in UNITS
    if clause == "by":
        # `order by leads`
        return not (current == "order" and not before)
    if clause in ("in", "to"):
        return any(period_of(" ".join(each.text for each in after[:count])) for count in (1, 2))
    if clause in ("last", "limit"):
        return following.isdigit() or token.word == "limit" or (clause == "last" and following.rstrip("s") in UNITS)
    return True


def _names(tokens: Sequence[Token]) -> tuple[str, ...]:
    """The names of a list whose items are separated by commas or `and`."""
    items: list[list[str]] = [[]]
    for token in tokens:
        if token.word in (",", "and"):
            items.append([])
        else:
            items[-1].append(token.text)
    return tuple(" ".join(item) for item in items if item)


def _conditions(tokens: Sequence[Token]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for part in _parts(tokens):
        place = next((at for at, token in enumerate(part) if token.word in OPERATORS), None)
        if place is None and found and not any(token.word == "or" for token in part[1:]):
            # `region = EMEA and APAC`
            values = _values(part)
            found[-1] = Condition(found[-1].name, found[-1].operator, found[-1].values + values)
            continue
        written = " ".join(token.text for token in part)
        if not place:
            raise QuestionError(f"`{written}` is not a condition: write a dimension, `=` and a value. {EXAMPLE}")
        operator = OPERATORS[part[place].word]
        rest = place + 1
        while rest < len(part) and part[rest].word in ("not", "in", "any", "of", "to", "equal"):
            operator = "!=" if part[rest].word == "not" else operator
            rest += 1
        stated = part[rest:]
        if "in" in (each.word for each in part[place:rest]) and [each.text for each in stated[:1] + stated[-1:]] == [
            "(",
            ")",
        ]:
            stated = stated[1:-1]
        values = _values(stated)
        if not values:
            raise QuestionError(f"`{written}` has no value. {EXAMPLE}")
        if operator not in ("=", "!=") and len(values) > 1:
            raise QuestionError(f"`{written}` compares with several values: write one.")
        found.append(Condition(" ".join(token.text for token in part[:place]), operator, values))
    return tuple(found)


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """The conditions: separated by `and`, and by a comma if an operator follows before the next one."""
    parts: list[list[Token]] = [[]]
    for number, token in enumerate(tokens):
        rest = [each.word for each in tokens[number + 1 :]]
        until = next((at for at, word in enumerate(rest) if word in (",", "and")), len(rest))
        if token.word == "and" or (token.word == "," and any(word in OPERATORS for word in rest[:until])):
            parts.append([])
        elif token.word == "or" and any(word in OPERATORS for word in rest[:until]):
            raise QuestionError(
                "`or` joins values of one dimension only, as in `region = EMEA or APAC`: ask two questions instead."
            )
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _values(tokens: Sequence[Token]) -> tuple[str, ...]:
    items: list[list[str]] = [[]]
    for token in tokens:
        if token.word in (",", "or"):
            items.append([])
        else:
            items[-1].append(token.text)
    return tuple(value for item in items if (value := _value(item)))


def _value(words: Sequence[str]) -> str:
    """One value: brackets around a list are dropped, those of a member such as `(no campaign)` stay."""
    text = re.sub(r"\s*\)", ")", re.sub(r"\(\s*", "(", " ".join(words)))
    if text.startswith("(") != text.endswith(")"):
        text = text.strip("()")
    return text.strip()


def _period(clauses: dict[str, list[Token]]) -> Period:
    """The days of `from`, `to` and `in`."""
    stated: dict[str, Period] = {}
    for clause in ("from", "to", "in"):
        if clause in clauses:
            written = " ".join(token.text for token in clauses[clause])
            period = period_of(written)
            if period is None:
                raise QuestionError(
                    f"`{clause} {written}` is not a day or period: write 2026-03-31, 2026-03, 2026-Q1 or 2026."
                )
            stated[clause] = period
    if "in" in stated:
        if len(stated) > 1 or "last" in clauses:
            raise QuestionError("`in` states the whole period: leave out `from`, `to` and `last`, or `in`.")
        return stated["in"]
    if "last" in clauses and stated:
        raise QuestionError("`last` states the whole period: leave out `from` and `to`, or `last`.")
    first = stated["from"].first if "from" in stated else None
    last = stated["to"].last if "to" in stated else None
    if first and last and first > last:
        raise QuestionError(f"The period ends ({last}) before it begins ({first}).")
    return Period(first, last)


def _recent(tokens: Sequence[Token]) -> tuple[int, str] | None:
    if not tokens:
        return None
    number, rest = (int(tokens[0].text), tokens[1:]) if tokens[0].text.isdigit() else (1, tokens)
    unit = rest[0].word.rstrip("s") if len(rest) == 1 else ""
    if unit not in UNITS or not 0 < number <= 10_000:
        written = " ".join(token.text for token in tokens)
        raise QuestionError(f"`last {written}` is not a period: write `last 30 days`, `last 3 months` or similar.")
    return number, unit


def _order(tokens: Sequence[Token]) -> tuple[str, bool] | None:
    words = [token.text for token in tokens]
    if words and words[0].lower() == "by":
        words = words[1:]
    descending = bool(words) and words[-1].lower() in ("desc", "descending")
    if words and words[-1].lower() in ("asc", "ascending", "desc", "descending"):
        words = words[:-1]
    return (" ".join(words), descending) if words else None


def _limit(tokens: Sequence[Token]) -> int | None:
    if not tokens:
        return None
    if len(tokens) != 1 or not tokens[0].text.isdigit() or not 0 < int(tokens[0].text) <= 1_000_000:
        written = " ".join(token.text for token in tokens)
        raise QuestionError(f"`limit {written}` is not a number of rows: write `top 10` after the other parts.")
    return int(tokens[0].text)
