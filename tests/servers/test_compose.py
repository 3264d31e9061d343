"""docker-compose.yml, Dockerfile and .env.example agree with the specification, with each other and the code.

The specification's schema is the copy in check-jsonschema; no container engine is needed.
"""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from funnel import cli, secret_store, settings
from funnel.settings import REPOSITORY
from installation import airflow_setup, errors, services
from tests.servers import compose

SCHEMA = get_builtin_schema("vendor.compose-spec")
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
# `tag` alone would be another image tomorrow.
PINNED = re.compile(r"[a-z/-]+:\d+\.\d+[\w.-]*")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|LANDING_KEY")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """.env as bin/server-env writes it."""
    path = tmp_path_factory.mktemp("env") / ".env"
    command = ["sh", str(REPOSITORY / "bin" / "server-env")]
    path.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return compose.settings(path)


@pytest.fixture(scope="module")
def declared(filled: dict[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose.read(filled)["services"]
    return found


def test_exactly_the_secrets_are_generated(filled: dict[str, str]) -> None:
    example = compose.settings(REPOSITORY / ".env.example")
    assert {name for name in filled if filled[name] != example[name]} == {
        name for name in example if SECRET.search(name)
    }


def test_the_file_is_what_the_compose_specification_allows(filled: dict[str, str]) -> None:
    jsonschema.validate(compose.read(), SCHEMA)
    jsonschema.validate(compose.read(filled), SCHEMA)
    broken = compose.read(filled)
    broken["services"]["postgres"]["healthcheck"]["tries"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, SCHEMA)


def test_every_service_is_watched_limited_and_no_root(declared: dict[str, dict[str, Any]]) -> None:
    for name, service in declared.items():
        user, _, group = service["user"].partition(":")
        assert int(user) > 0, name
        assert int(group) > 0, name
        assert PINNED.fullmatch(service["image"]), f"{name}: {service['image']}"
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        # A service that runs once is awaited by its end.
        assert (service["restart"], "healthcheck" in service) == (
            ("no", False) if name == "init" else ("unless-stopped", True)
        ), name


def test_services_start_after_what_they_need(declared: dict[str, dict[str, Any]]) -> None:
    awaited = {name: service.get("depends_on", {}) for name, service in declared.items()}
    for name, needs in awaited.items():
        for other, how in needs.items():
            expected = "service_completed_successfully" if other == "init" else "service_healthy"
            assert how == {"condition": expected}, name
            # Services outside a profile must not depend on one inside it: Compose would refuse the file.
            assert set(declared[other].get("profiles", [])) <= set(declared[name].get("profiles", [])), (name, other)
    assert set(awaited["init"]) == {"postgres"}
    assert {name for name, needs in awaited.items() if "init" not in needs} == {"postgres", "redis", "init"}
    assert {name for name, needs in awaited.items() if "redis" in needs} == {"celery-scheduler", "worker"}


def test_one_profile_gives_one_scheduler_and_workers_only_with_redis(declared: dict[str, dict[str, Any]]) -> None:
    def running(profile: str) -> set[str]:
        return {name for name, one in declared.items() if profile in one.get("profiles", [profile])}

    always = {"postgres", "init", "api-server", "dag-processor", "triggerer", "superset"}
    assert running("local") == {*always, "scheduler"}
    assert running("celery") == {*always, "celery-scheduler", "worker", "redis"}
    assert running("demo") == {*always, "sandbox"}
    assert "REDIS_URL" not in declared["scheduler"]["environment"]
    broker = {declared[name]["environment"]["REDIS_URL"] for name in ("worker", "celery-scheduler")}
    assert len(broker) == 1


def test_data_are_in_named_volumes(declared: dict[str, dict[str, Any]]) -> None:
    named = set(compose.read()["volumes"])
    mounted = {volume.partition(":")[0] for service in declared.values() for volume in service["volumes"]}
    assert mounted == named


def test_settings_file_and_compose_file_name_the_same_variables() -> None:
    # Compose reads this one itself.
    assert set(compose.variables()) | {"COMPOSE_PROFILES"} == set(compose.settings())


def test_no_secret_has_a_default_and_none_is_written_down(filled: dict[str, str]) -> None:
    ways = compose.variables()
    secret = {name for name in ways if SECRET.search(name)}
    assert {name.upper() for name in secret_store.SECRET_NAMES} | {"REDIS_PASSWORD"} == secret
    examples = compose.settings()
    for name in secret:
        assert ways[name] == {"?"}, name
        assert examples[name] == "", name
        assert len(filled[name]) >= 44, name
        with pytest.raises(compose.VariableMissing, match=name):
            compose.read(filled | {name: ""})
    assert len({filled[name] for name in secret}) == len(secret)
    for service in compose.read()["services"].values():
        for name, value in service.get("environment", {}).items():
            is_secret = (SECRET.search(name) and name != "SECRETS_FROM") or name.endswith("AUTH") or "@" in value
            assert not is_secret or ":?" in value, name


AIRFLOW = {"AIRFLOW_DATABASE_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET"}
TASKS = {"PIPELINE_PASSWORD", "PERSON_KEY_SECRET", "LANDING_KEY"}
SUPERSET = {"SUPERSET_DATABASE_PASSWORD", "SUPERSET_SECRET_KEY"}
HELD = {
    "postgres": {"ADMIN_PASSWORD"},
    "redis": {"REDIS_PASSWORD"},
    "init": {name.upper() for name in secret_store.SECRET_NAMES} - {"AIRFLOW_API_SECRET", "SANDBOX_CONTROL_TOKEN"},
    "api-server": AIRFLOW | {"AIRFLOW_API_SECRET", "AIRFLOW_ADMIN_PASSWORD"},
    "scheduler": AIRFLOW | TASKS,
    "celery-scheduler": AIRFLOW | {"REDIS_PASSWORD"},
    "worker": TASKS | {"AIRFLOW_DATABASE_PASSWORD", "AIRFLOW_FERNET_KEY", "REDIS_PASSWORD"},
    "dag-processor": AIRFLOW,
    "triggerer": AIRFLOW,
    "superset": SUPERSET,
    "sandbox": {"SANDBOX_CONTROL_TOKEN"},
}


def test_each_container_has_the_secrets_of_its_service_and_no_others(
    filled: dict[str, str], declared: dict[str, dict[str, Any]]
) -> None:
    secret = {name: value for name, value in filled.items() if SECRET.search(name)}
    found = {
        service: {name for name, value in secret.items() if value in str(one.get("environment"))}
        for service, one in declared.items()
    }
    assert found == HELD
    ours = [name for name, one in declared.items() if one["image"].startswith("funnel-warehouse:")]
    assert all(declared[name]["environment"]["SECRETS_FROM"] == "environment" for name in ours)
    assert {name for name in ours if "env_file" in declared[name]} == {"init", "scheduler", "worker"}


def test_a_container_says_which_secret_it_does_not_have(
    declared: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    for name, value in declared["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert settings.dsn("loader").endswith("@postgres:5432/warehouse")
    for role in ("admin", "bi_reader"):
        with pytest.raises(settings.ConfigurationError, match=rf"{role.upper()}_PASSWORD is not set in this process"):
            settings.dsn(role)  # type: ignore[arg-type]
    monkeypatch.setenv("SECRETS_FROM", "vault")
    with pytest.raises(settings.ConfigurationError, match="SECRETS_FROM is 'vault'"):
        secret_store.secrets()
    assert not (tmp_path / "secrets.json").exists()


def test_settings_without_secrets_have_the_defaults_of_the_settings_file() -> None:
    examples = compose.settings()
    for found in compose.VARIABLE.finditer(compose.COMPOSE_FILE.read_text()):
        if found["kind"] == "-":
            assert found["rest"] == examples[found["name"]], found["name"]


def test_the_secrets_of_the_settings_file_are_the_installations(
    filled: dict[str, str], declared: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    for name, value in declared["init"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert secret_store.secrets() == {name.lower(): filled[name] for name in HELD["init"]}
    assert settings.dsn("admin") == f"postgresql://postgres:{filled['ADMIN_PASSWORD']}@postgres:5432/warehouse"
    made = airflow_setup.airflow_environment()
    assert made["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://api-server:8080/execution/"
    assert made["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    monkeypatch.setenv("REDIS_URL", declared["worker"]["environment"]["REDIS_URL"])
    made = airflow_setup.airflow_environment()
    assert made["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert made["AIRFLOW__CELERY__BROKER_URL"] == f"redis://:{filled['REDIS_PASSWORD']}@redis:6379/0"


def test_every_command_of_a_container_is_one_that_the_code_knows(
    declared: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    monkeypatch.setenv("SANDBOX", "on")
    monkeypatch.setattr(services, "has_dashboards", lambda: True)
    known = {service.name for service in services._services()} | {"worker"}
    served = {}
    for name, service in declared.items():
        if not service["image"].startswith("funnel-warehouse:"):
            continue
        cli._parser().parse_args(service["command"])
        if service["command"] != ["prepare"]:
            served[name] = service["command"][1]
            assert service["healthcheck"]["test"][1:4] == ["python", "-m", "funnel.cli"]
            watched = cli._parser().parse_args(service["healthcheck"]["test"][4:])
            assert watched.name == served[name]
    assert set(served.values()) == known
    # Only this provider has the command of the worker; the image installs it by its group.
    assert find_spec("airflow.providers.celery")
    assert "--group servers" in DOCKERFILE


def test_serve_becomes_the_command_with_its_environment(
    declared: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in declared["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FUNNEL_HOME", str(tmp_path))
    monkeypatch.setenv("BIND_ADDRESS", "0.0.0.0")
    become: list[tuple[Any, ...]] = []
    monkeypatch.setattr("os.execve", lambda *arguments: become.append(arguments))
    monkeypatch.setattr("os.chdir", lambda folder: None)
    services.serve("worker")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "own"))
    for name, value in declared["api-server"]["environment"].items():
        monkeypatch.setenv(name, value)
    services.serve("api-server")
    [(_, worker, _), (_, api_server, environment)] = become
    # Where no other container reads it.
    assert (
        declared["api-server"]["environment"]["AIRFLOW_ADMIN_PASSWORD"] in (tmp_path / "own/passwords.json").read_text()
    )
    assert api_server[-1] == "api-server"
    assert environment["AIRFLOW__API__HOST"] == "0.0.0.0"
    assert worker[1:5] == ("-m", "funnel.orchestration", "celery", "worker")
    with pytest.raises(errors.ServiceError, match=r"no service 'sandbox' here, but api-server"):
        services.serve("sandbox")


def test_the_image_is_pinned_unprivileged_and_copies_what_there_is() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert bases
    assert all(PINNED.fullmatch(base) for base in bases)
    assert re.search(r"pip install --no-cache-dir uv==[\d.]+$", DOCKERFILE, re.M)
    user = re.findall(r"^USER (\S+)", DOCKERFILE, re.M)
    assert user == [compose.read()["x-funnel"]["user"]]
    let_through = (REPOSITORY / ".dockerignore").read_text().split()
    assert let_through[0] == "*"
    copied = [path for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M) for path in line.split()[:-1]]
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        assert f"!{path.split('/')[0]}" in let_through, path
    # Everything that the commands import or read is in one of these folders.
    assert {
        "dags/",
        "plugins/",
        "installation/",
        "authoring/",
        "dbt_project/",
        "expectations/",
        "sandbox/",
        "dashboards/",
    } <= set(copied)


def test_no_file_of_settings_with_secrets_can_be_committed() -> None:
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {".env", "connections.env"} <= set(ignored)
    assert yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["x-connections"] == [
        {"path": "connections.env", "required": False}
    ]
