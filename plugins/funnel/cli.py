"""The commands behind `make`: one word each, errors as text without a traceback.

Every command is one call into the module that does the work.
"""

import argparse
import getpass
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from funnel import settings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except KeyboardInterrupt:
        print("\ninterrupted; background processes keep running, `make down` stops them", file=sys.stderr)
        return 130
    except Exception as error:
        from funnel.reporting.sentences import sentence_of

        text = None if os.environ.get("DEBUG") else sentence_of(error)
        if text is None:
            raise
        from funnel.inbox.printable import printable

        print(f"\n{printable(text)}", file=sys.stderr)
        return 1


def _demo(_: argparse.Namespace) -> None:
    from installation import demo

    demo.run()


def _up(_: argparse.Namespace) -> None:
    from installation import environments, services

    services.up()
    if environments.has_dashboards():
        services.start_dashboards()
        print(f"dashboards are at {environments.superset_url()}")
    print(f"everything is running; Airflow is at {environments.airflow_url()}, `make status` shows details")


def _prepare(_: argparse.Namespace) -> None:
    from installation import services

    services.prepare()


def _serve(chosen: argparse.Namespace) -> None:
    from installation import services

    services.serve(chosen.name)


def _healthy(chosen: argparse.Namespace) -> int:
    from installation import services

    return 0 if services.is_healthy(chosen.name) else 1


def _dashboards(_: argparse.Namespace) -> None:
    from installation import demo

    demo.load_dashboards()


def _down(_: argparse.Namespace) -> None:
    from installation import services

    services.down()


def _status(_: argparse.Namespace) -> None:
    from installation import services

    services.print_status()


def _service(_: argparse.Namespace) -> None:
    from installation import boot

    print("\n".join(boot.write_unit()))


def _backup(chosen: argparse.Namespace) -> None:
    from installation import backup

    backup.back_up(Path(chosen.destination))


def _restore(chosen: argparse.Namespace) -> None:
    from installation import backup

    backup.restore(Path(chosen.folder))


def _upgrade(chosen: argparse.Namespace) -> int:
    from installation import upgrade

    return upgrade.command(chosen.destination, only_plan=chosen.plan, is_confirmed=chosen.yes)


def _secrets_of(chosen: argparse.Namespace) -> None:
    from installation import backup

    backup.print_secrets(Path(chosen.folder))


def _dsn(chosen: argparse.Namespace) -> None:
    print(settings.dsn(chosen.role))


def _ingest(chosen: argparse.Namespace) -> None:
    from funnel.ingest import forecast
    from installation import airflow_api

    do = forecast.show if chosen.plan else airflow_api.load_days
    do(chosen.source, chosen.first, chosen.last or chosen.first)


def _inbox_check(chosen: argparse.Namespace) -> int:
    from funnel.inbox import report
    from funnel.sources import files

    return 0 if report.check(chosen.folder, files.VENDORS) else 1


def _new_manifest(chosen: argparse.Namespace) -> None:
    from funnel.inbox import new_manifest
    from funnel.sources import files

    new_manifest.make(chosen.folder, files.VENDORS, settings.read().reporting_currency)


def _files(chosen: argparse.Namespace) -> int:
    from installation import exports

    return exports.run(chosen.folder)


def _withdraw(chosen: argparse.Namespace) -> int:
    from installation import exports

    return exports.withdraw(chosen.source, is_confirmed=chosen.yes)


def _build(chosen: argparse.Namespace) -> None:
    from funnel.build import dbt_run
    from funnel.gate import marts
    from funnel.gate.report import require

    result = dbt_run.build(full=chosen.full)
    print(result)
    report = marts.check_marts(result.build_id)
    print(report.text())
    require(report)


def _publish(chosen: argparse.Namespace) -> None:
    from funnel import ledger
    from funnel.publication import publication

    print(publication.publish(chosen.build or ledger.newest_build(), published_by=_person()))


def _person() -> str:
    """The operating system's name of the user, for records of who did what."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user without a name.
        return f"user {os.getuid()}"


def _plan(chosen: argparse.Namespace) -> None:
    from funnel.publication import plan_page, plan_text, preview

    planned = preview.preview(chosen.build)
    print(plan_text.text(planned))
    print(f"\nAs a page: {plan_page.write(planned)}")


def _rollback(chosen: argparse.Namespace) -> None:
    from funnel.publication import undo
    from funnel.reporting import alerts

    done = undo.roll_back(_person(), chosen.reason)
    print(done)
    alerts.deliver("Publication held: make rollback", str(done), "warning")


def _resume(_: argparse.Namespace) -> None:
    from funnel.publication import undo

    print(undo.resume(_person()))


def _replay(_: argparse.Namespace) -> None:
    from funnel.gate import replay

    replay.replay(print)


def _forget(_: argparse.Namespace) -> None:
    from installation import forgetting

    forgetting.run()


def _rotate_person_key(_: argparse.Namespace) -> None:
    from installation import key_rotation

    key_rotation.run()


def _encrypt_landing(_: argparse.Namespace) -> None:
    from funnel.erasure import landed_reads

    print(landed_reads.encrypt())


def _docs(_: argparse.Namespace) -> None:
    from funnel.build import dbt_run
    from funnel.gate import pages
    from funnel.questions import dictionary

    others = {"checks": pages.build_pages(settings.read().home / "docs" / "expectations"), "models": dbt_run.docs()}
    print(f"dictionary: {dictionary.write(others)}")
    print("\n".join(f"{name}: {path}" for name, path in others.items()))


def _metrics(_: argparse.Namespace) -> None:
    from funnel.build import metrics

    print(metrics.Metrics().validate(with_warehouse=metrics.is_published()))


def _airflow(chosen: argparse.Namespace) -> None:
    from installation import airflow_setup

    # Airflow draws graphs with graphviz, which nothing here uses; its absence is not worth a warning.
    ignored = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:Could not import graphviz")))
    environment = {**airflow_setup.airflow_environment(), "PYTHONWARNINGS": ignored}
    os.execve(sys.executable, [*airflow_setup.AIRFLOW, *chosen.arguments], environment)


def _env(_: argparse.Namespace) -> None:
    from installation import airflow_setup

    for name, value in sorted(airflow_setup.airflow_environment().items()):
        if os.environ.get(name) != value:
            print(f"export {name}={shlex.quote(value)}")
    print(f'export PATH={shlex.quote(os.path.dirname(sys.executable))}":$PATH"')


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as {settings.now():%Y-%m-%d}") from None
    return day


def _new_source(chosen: argparse.Namespace) -> None:
    from authoring import scaffold

    made = scaffold.make(chosen.name)
    for title, lines in (("written", made.written), ("changed", made.changed), ("left to do", made.left)):
        print(f"{title}:\n  " + "\n  ".join(lines))


def _record(chosen: argparse.Namespace) -> None:
    from authoring import recording
    from funnel.contract import Window
    from funnel.ingest import kept_logins
    from funnel.sources import VENDORS
    from installation import airflow_setup

    source = VENDORS[chosen.source]
    last = chosen.last or chosen.first or settings.now().date() - timedelta(days=1)
    window = Window(chosen.first or last - timedelta(days=1), last + timedelta(days=1))
    os.environ |= airflow_setup.airflow_environment()
    connection = settings.connection(chosen.connection or settings.connection_ids(source.name)[0])
    connection = replace(connection, logins=kept_logins.store_for(connection))
    for path in recording.record(source, connection, window, Path(chosen.folder)):
        print(path)
    print("review them before you share them: no rule knows every field that can identify a person")


def _parser() -> argparse.ArgumentParser:
    from funnel.sources import SOURCES

    parser = argparse.ArgumentParser(prog="funnel", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        return command

    add("demo", _demo, "start everything, load 90 days, build, audit and publish the funnel, print it")
    add("up", _up, "start everything that does not run")
    add("prepare", _prepare, "create databases, roles, schemas and dashboards; starts nothing")
    serve = add("serve", _serve, "run one service in the foreground (the command of a container)")
    serve.add_argument("name", help="api-server, scheduler, dag-processor, triggerer, worker, superset or sandbox")
    healthy = add("healthy", _healthy, "exit with 0 if the service of this container is healthy")
    healthy.add_argument("name", help="the service's name")
    add("dashboards", _dashboards, "bring Superset in line with dashboards/ and start it")
    add("down", _down, "stop everything; data stays")
    add("status", _status, "what runs where")
    backup = add("backup", _backup, "back up databases, landed files and secrets into a new folder")
    backup.add_argument("destination", help="folder that gets the backup's folder")
    secrets = add("secrets-of", _secrets_of, "print the secrets of a backup as lines of .env")
    secrets.add_argument("folder", help="the backup's folder")
    restore = add("restore", _restore, "restore a backup into an empty home")
    restore.add_argument("folder", help="the backup's folder")
    add("service", _service, "start this installation with the machine: write a systemd user unit and enable it")
    dsn = add("dsn", _dsn, "print the warehouse's URL for a role")
    dsn.add_argument("role", choices=["admin", *settings.LOGINS, *settings.ACTIVITIES])
    ingest = add("ingest", _ingest, "load one source for some days, in one Airflow run")
    ingest.add_argument("source", choices=sorted(SOURCES))
    ingest.add_argument("first", type=_day, help="first day")
    ingest.add_argument("last", type=_day, nargs="?", help="last day, included (default: the first)")
    ingest.add_argument("--plan", action="store_true", help="only show the days, the requests, and what may move")
    inbox_check = add("inbox-check", _inbox_check, "show what the manifests of a folder would load, without loading it")
    inbox_check.add_argument("folder", help="local folder or URL")
    proposing = add(
        "new-manifest", _new_manifest, "propose a manifest for the exports of a folder, and show the first rows"
    )
    proposing.add_argument("folder", help="local folder")
    files = add("files", _files, "load all manifests of a folder through Airflow, build, publish and print the funnel")
    files.add_argument("folder", help="local folder or URL")
    withdraw = add("withdraw", _withdraw, "remove the rows of a source whose folder was taken out of the inbox")
    withdraw.add_argument("source", help="the manifest's `source`")
    withdraw.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    _add_verbs(add)
    _add_upgrade(add)
    return parser


def _add_verbs(add: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    """Add the commands that work with loaded data, and those for authors of sources."""
    from funnel.questions import commands
    from funnel.sources import VENDORS

    build = add("build", _build, "build and audit the marts, without publishing them")
    build.add_argument("--full", action="store_true", help="from all of raw, not only from what was loaded since")
    publish = add("publish", _publish, "publish an audited build")
    publish.add_argument("build", type=int, nargs="?", help="its id (default: the newest)")
    plan = add("plan", _plan, "show what publishing an audited build would change, without publishing it")
    plan.add_argument("build", type=int, nargs="?", help="its id (default: the newest)")
    rollback = add("rollback", _rollback, "return to the publication before, and hold publication until `resume`")
    rollback.add_argument("reason", nargs="?", help="why; readers see it")
    add("resume", _resume, "release publication, and publish the newest audited build if one waits")
    add("replay", _replay, "load landed reads that were never loaded, oldest first, without calling a vendor")
    add("forget", _forget, "forget the persons whose addresses or vendor ids come on standard input, one a line")
    add("rotate-person-key", _rotate_person_key, "replace the person key; stored hashes follow, history is kept")
    add("encrypt-landing", _encrypt_landing, "encrypt all landed files with the current LANDING_KEY")
    add("docs", _docs, "write the dictionary, the documentation of dbt and the pages of all checks")
    add("metrics", _metrics, "validate the metrics, and run them if a warehouse is running")
    commands.add_to(add)
    new_source = add("new-source", _new_source, "write the files of a source that does not exist yet")
    new_source.add_argument("name", help="lower-case letters and underscores, for example acme_ads")
    record = add("record", _record, "record a vendor's responses as scrubbed fixtures that can be replayed")
    record.add_argument("source", choices=list(VENDORS))
    record.add_argument(
        "first", type=_day, nargs="?", help="first day, as 2026-08-01 (default: the day before the last)"
    )
    record.add_argument("last", type=_day, nargs="?", help="last day, included (default: yesterday)")
    record.add_argument("--connection", help="another connection of the source")
    record.add_argument("--folder", default=str(settings.REPOSITORY / "tests" / "fixtures"))
    airflow = add("airflow", _airflow, "any command of Airflow's own, with this installation's settings")
    airflow.add_argument("arguments", nargs=argparse.REMAINDER)
    add("env", _env, "print the settings of this installation's Airflow, for a shell")


def _add_upgrade(add: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    upgrade = add("upgrade", _upgrade, "show what upgrading to this release does, and do it after a confirmation")
    upgrade.add_argument("destination", nargs="?", help="folder that gets the backup's folder")
    upgrade.add_argument("--plan", action="store_true", help="only show it")
    upgrade.add_argument("--yes", action="store_true", help="do not ask for confirmation")


if __name__ == "__main__":
    sys.exit(main())
