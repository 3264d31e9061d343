"""Reads docker-compose.yml as Compose does, as far as this file needs it: variables and profiles."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from funnel.settings import REPOSITORY

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
SETTINGS_FILE = REPOSITORY / ".env.example"
# $$ is a dollar; ${NAME:-default}, ${NAME-default} and ${NAME:?message} are all that the file uses.
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<colon>:?)(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class VariableMissing(Exception):
    """A variable without a default is not set: Compose refuses to start."""


def settings(path: Path = SETTINGS_FILE) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)  # type: ignore[misc]


def read(variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with these variables filled in; unchanged without any."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return found if variables is None else _filled(found, variables)


def _filled(part: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, variables) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, variables) for value in part]
    return VARIABLE.sub(lambda found: _value(found, variables), part) if isinstance(part, str) else part


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    # Without a colon a variable that is set to nothing stays so.
    value = variables.get(found["name"], "" if found["colon"] else None)
    if value or (value is not None and not found["colon"]):
        return value
    if found["kind"] == "-":
        return found["rest"]
    raise VariableMissing(f"{found['name']}: {found['rest']}")


def variables() -> dict[str, set[str]]:
    """The variables of the file, each with its forms: `-` with a default, `?` required."""
    lines = [line for line in COMPOSE_FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    ways: dict[str, set[str]] = {}
    for found in VARIABLE.finditer("\n".join(lines)):
        if found["name"]:
            ways.setdefault(found["name"], set()).add(found["kind"] or "")
    return ways
