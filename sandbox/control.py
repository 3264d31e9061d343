"""The control endpoint: the clock, faults, settings, the request log. Never part of a vendor's answer."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from typing import Any

from sandbox.clock import moment
from sandbox.exchange import Answer, Call, World
from sandbox.faults import Fault, Faults, known_faults


def handle(world: World, faults: Faults, log: deque[dict[str, Any]], token: str | None, call: Call) -> Answer:
    """Answer a request under /_control."""
    action = call.path.removeprefix("/_control").strip("/")
    if action == "health":
        return Answer({"status": "ok", "scenario": world.scenario.name, "pid": os.getpid()})
    if token is not None and call.headers.get("x-control-token") != token:
        return Answer({"error": "The header X-Control-Token is missing or wrong."}, 403)
    try:
        body = call.json if call.body else {}
    except ValueError:
        return Answer({"error": "The body is not JSON."}, 400)
    try:
        return _act(world, faults, log, action, call.method, body)
    except (KeyError, TypeError, ValueError) as problem:
        return Answer({"error": f"{type(problem).__name__}: {problem}"}, 400)


def _act(
    world: World, faults: Faults, log: deque[dict[str, Any]], action: str, method: str, body: dict[str, Any]
) -> Answer:
    match method, action:
        case "GET", "now":
            return Answer({"now": world.describe_now(), "fixed": world.fixed_now is not None})
        case "POST", "now":
            world.fixed_now = None if body["now"] is None else moment(body["now"])
            return Answer({"now": world.describe_now(), "fixed": world.fixed_now is not None})
        case "GET", "faults":
            return Answer({"known": known_faults(), "active": [fault.describe() for fault in faults.active]})
        case "POST", "misbehave":
            fault = Fault.from_json(body)
            faults.active.append(fault)
            return Answer(fault.describe())
        case "POST", "settings":
            known = {field.name for field in dataclasses.fields(world.settings)}
            for name, value in body.items():
                if name not in known:
                    raise KeyError(f"There is no setting {name!r}; there are {', '.join(sorted(known))}.")
                setattr(world.settings, name, value)
            world.memory.clear()
            return Answer(dataclasses.asdict(world.settings))
        case "GET", "settings":
            return Answer(dataclasses.asdict(world.settings))
        case "POST", "reset":
            world.forget()
            world.fixed_now = None
            faults.active.clear()
            log.clear()
            return Answer({"status": "reset"})
        case "GET", "requests":
            return Answer({"requests": list(log)})
        case "DELETE", "requests":
            log.clear()
            return Answer({"requests": []})
    return Answer({"error": f"There is no {method} /_control/{action}."}, 404)
