"""`python -m sandbox`: serve a scenario, print the Airflow Connections that lead to it, or fill its inbox."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import orjson

from sandbox import planning, retailing
from sandbox.clock import moment
from sandbox.credentials import connections
from sandbox.exchange import Settings, World
from sandbox.worlds import build


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "connections", "inbox"), default="serve")
    parser.add_argument("--scenario", choices=("company", "worked_example"), default="company")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--anchor", type=date.fromisoformat, default=None, help="the day that counts as today (default: today)"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--tls-port", type=int, default=None)
    parser.add_argument("--tls-dir", type=Path, default=Path(".local/sandbox_tls"))
    parser.add_argument(
        "--control-token",
        default=os.environ.get("SANDBOX_CONTROL_TOKEN"),
        help="secret of the control endpoint; without it every client may control. SANDBOX_CONTROL_TOKEN is better: no "
        "list of processes shows it",
    )
    parser.add_argument("--rate-limits", choices=("off", "real"), default="off")
    parser.add_argument(
        "--clock",
        choices=("days", "seconds"),
        default="days",
        help="real clock by whole days (today is served tomorrow) or by the second",
    )
    parser.add_argument(
        "--now", default=None, help="fix the clock from the start, ISO 8601; `connections`: list accounts as of then"
    )
    parser.add_argument(
        "--base-url", default="http://127.0.0.1:8090", help="for `connections`: where the sandbox answers"
    )
    parser.add_argument("--folder", type=Path, default=Path("inbox"), help="for `inbox`: where the files are written")
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    anchor = options.anchor or datetime.now(UTC).date()
    if options.command == "inbox":
        planning.write(options.folder, anchor)
        retailing.write(options.folder, anchor)
        return 0
    scenario = build(options.scenario, options.seed, anchor)
    now = moment(options.now) if options.now else None
    if options.command == "connections":
        made = connections(scenario, options.base_url, now)
        sys.stdout.write(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    from sandbox.server import PortTaken, serve

    world = World(scenario, Settings(rate_limits=options.rate_limits == "real"), ticks=options.clock == "seconds")
    world.fixed_now = now
    try:
        serve(world, options.host, options.port, options.control_token, options.tls_port, options.tls_dir)
    except PortTaken as taken:
        sys.stderr.write(f"{taken}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
