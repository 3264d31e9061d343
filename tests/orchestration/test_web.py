"""The guard in front of Airflow's web server: pauses after failed logins, and headers."""

import asyncio
from typing import Any

import httpx
import pytest

from funnel.orchestration import web


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> web.Guard:
    """A guard before a server whose only password is `right`."""

    async def server(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        status = 201 if b"right" in message["body"] else 401
        headers = [(b"x-frame-options", b"SAMEORIGIN")] if scope["path"] == "/framed" else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": message["body"]})

    made = web.Guard(server)
    made.attempts = web.Attempts(clock)
    return made


def post(
    guard: web.Guard, path: str = "/auth/token", user: str = "admin", password: str = "wrong", **more: Any
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=guard, client=(more.pop("address", "10.0.0.1"), 5))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=more.pop("base_url", "http://airflow")) as client:
            body = more or {"json": {"username": user, "password": password}}
            return await client.post(path, **body)

    return asyncio.run(ask())


def test_each_failure_beyond_the_free_ones_doubles_the_pause(guard: web.Guard, clock: Clock) -> None:
    assert [post(guard).status_code for _ in range(5)] == [401] * 5
    pauses = []
    for _ in range(4):
        refused = post(guard, password="right")
        assert refused.status_code == 429
        pauses.append(int(refused.headers["retry-after"]))
        assert "Try again in" in refused.json()["detail"]
        clock.now += pauses[-1]
        assert post(guard).status_code == 401
    assert pauses == [2, 3, 5, 9]
    clock.now += 300
    assert post(guard, password="right").status_code == 201
    assert post(guard).status_code == 401


def test_another_user_and_another_address_do_not_wait(guard: web.Guard) -> None:
    for _ in range(5):
        post(guard)
    assert post(guard).status_code == 429
    assert post(guard, user="anna").status_code == 401
    assert post(guard, address="10.0.0.2").status_code == 401


def test_many_users_from_one_address_are_slowed(guard: web.Guard) -> None:
    answers = [post(guard, user=f"user{number}").status_code for number in range(40)]
    assert answers[:30] == [401] * 30
    assert answers[30:] == [429] * 10


def test_a_form_is_counted_too(guard: web.Guard) -> None:
    form = {"data": {"username": "Admin", "password": "wrong"}}
    answers = [post(guard, "/auth/login/", **form).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1]", b'{"username": {"a": 1}}', b"x" * 100_000])
def test_odd_bodies_reach_the_server_unchanged(guard: web.Guard, body: bytes) -> None:
    answer = post(guard, content=body)
    assert answer.status_code == 401
    assert answer.content == body


def test_every_response_has_the_headers_that_it_does_not_set_itself(guard: web.Guard) -> None:
    answer = post(guard, "/framed")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert "strict-transport-security" not in answer.headers
    assert "strict-transport-security" in post(guard, "/framed", base_url="https://airflow").headers


def test_the_memory_of_failures_is_bounded(clock: Clock) -> None:
    attempts = web.Attempts(clock)
    for number in range(web.MOST_KEPT + 50):
        attempts.fail({(str(number),): 5})
    assert len(attempts._failed) == web.MOST_KEPT
