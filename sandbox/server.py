"""The HTTP server of the vendors: one ASGI application for all of them, over HTTP and TLS, with a control endpoint."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import deque
from pathlib import Path
from types import ModuleType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox import (
    control,
    exchange_rates,
    ga4,
    google_ads,
    hubspot,
    linkedin_ads,
    meta_ads,
    microsoft_ads,
    salesforce,
    shopify,
)
from sandbox.exchange import Answer, Call, Handler, Refusal, World
from sandbox.faults import TOKEN_PATHS, Asked, Faults
from sandbox.hubspot import access as hubspot_access
from sandbox.linkedin_ads import access as linkedin_ads_access
from sandbox.meta_ads import access as meta_ads_access
from sandbox.salesforce import access as salesforce_access
from sandbox.shopify import access as shopify_access

VENDORS: tuple[ModuleType, ...] = (
    google_ads,
    hubspot,
    salesforce,
    meta_ads,
    linkedin_ads,
    microsoft_ads,
    ga4,
    shopify,
    exchange_rates,
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
SECRETS = re.compile(r"((?:access_token|appsecret_proof|client_secret|refresh_token|assertion)=)[^&]*")


class Cut(Response):
    """A body whose connection ends before its stated length."""

    def __init__(self, answer: Answer, promised: int) -> None:
        super().__init__(answer.body(), answer.status, answer.headers, answer.content_type)
        self.headers["content-length"] = str(promised)


def _compile() -> list[tuple[ModuleType, str, re.Pattern[str], Handler]]:
    return [
        (vendor, method, re.compile(pattern), handler)
        for vendor in VENDORS
        for method, pattern, handler in vendor.ROUTES
    ]


ROUTES = _compile()


def vendor_of(path: str) -> ModuleType | None:
    """The vendor of a path, whether its endpoint is known or not."""
    if path == "/token" or re.match(r"/v\d+/customers", path):
        return google_ads
    if path.startswith("/service/data/"):
        return exchange_rates
    if path.startswith("/services/"):
        return salesforce
    if path.startswith(("/rest/", "/oauth/v2/")):
        return linkedin_ads
    if path.startswith(("/Reporting/", "/ReportDownload/", "/common/oauth2/")):
        return microsoft_ads
    if path.startswith(("/crm/", "/events/", "/oauth/")):
        return hubspot
    if re.match(r"/v\d+\.\d+/", path):
        return meta_ads
    if path.startswith(("/admin/", "/shopify-bulk/")):
        return shopify
    if re.match(r"/oauth2/v4/|/v\d+\w*/properties/", path):
        return ga4
    return None


def route(world: World, call: Call) -> Answer:
    """The vendor's own answer, without faults."""
    wrong_method = False
    for _, method, pattern, handler in ROUTES:
        if found := pattern.fullmatch(call.path):
            if method != call.method:
                wrong_method = True
                continue
            try:
                return handler(
                    world, call, {name: value for name, value in found.groupdict().items() if value is not None}
                )
            except Refusal as refusal:
                return refusal.answer
    return _nowhere(call, wrong_method)


def _nowhere(call: Call, wrong_method: bool) -> Answer:
    vendor = vendor_of(call.path)
    status = 405 if wrong_method else 404
    if vendor is salesforce:
        code, message = (
            ("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed.")
            if wrong_method
            else ("NOT_FOUND", "The requested resource does not exist")
        )
        return salesforce_access.error(status, code, message)
    if vendor is hubspot:
        return hubspot_access.error(status, "Unable to find the requested resource", "OBJECT_NOT_FOUND")
    if vendor is meta_ads:
        return meta_ads_access.error(f"Unknown path components: {call.path}", 2500)
    if vendor is shopify:
        return shopify_access.plain_error(status, "Not Found" if status == 404 else "Method Not Allowed")
    if vendor is exchange_rates:
        return exchange_rates.error(status, "Could not find the requested dataflow")
    if vendor is linkedin_ads:
        return linkedin_ads_access.error(status, "RESOURCE_NOT_FOUND", f"No virtual resource found: {call.path}")
    if vendor is microsoft_ads:
        return Answer(status=status, text="", content_type="text/html")
    if vendor in (google_ads, ga4):
        return Answer(
            status=status, text="<html><title>Error 404 (Not Found)!!1</title></html>", content_type="text/html"
        )
    return Answer({"error": f"No vendor lives at {call.path}."}, 404)


class Sandbox:
    """The ASGI application with its world."""

    def __init__(self, world: World, control_token: str | None = None) -> None:
        self.world = world
        self.faults = Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=20_000)
        self.control_token = control_token
        self.app = Starlette(routes=[Route("/{path:path}", self.endpoint, methods=METHODS)])

    async def endpoint(self, request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        call = Call(
            method=request.method,
            path=request.url.path,
            query_string=request.url.query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=body,
            base_url=f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}",
            now=self.world.now(),
        )
        if call.path.startswith("/_control"):
            return _respond(control.handle(self.world, self.faults, self.log, self.control_token, call))
        return await self.serve(call)

    async def serve(self, call: Call) -> Response:
        started = time.perf_counter()
        vendor = vendor_of(call.path)
        name = vendor.VENDOR if vendor else None
        stream = _stream(vendor, self.world, call)
        asked = Asked(self.world, vendor, stream, call, route) if vendor else None
        fault = self.faults.strike(asked) if asked else None
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        answer = self.faults.answer(asked, fault) if asked else route(self.world, call)
        self.log.append(
            {
                "vendor": name,
                "stream": stream,
                "method": call.method,
                "path": call.path,
                "query": SECRETS.sub(r"\1…", call.query_string),
                "body": "" if TOKEN_PATHS.search(call.path) else call.body[:2_000].decode("utf-8", "replace"),
                "status": answer.status,
                "fault": fault.name if fault else None,
                "seconds": round(time.perf_counter() - started, 4),
            }
        )
        if fault is not None and fault.promised_more:
            return Cut(answer, len(answer.body()) + 500)
        return _respond(answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def _stream(vendor: ModuleType | None, world: World, call: Call) -> str | None:
    if vendor is None:
        return None
    try:
        stream: str | None = vendor.stream_of(world, call)
    except ValueError:
        return None
    return stream


def _respond(answer: Answer) -> Response:
    return Response(answer.body(), answer.status, answer.headers, answer.content_type)


class PortTaken(Exception):
    """Another program listens on the sandbox's port."""


def _listen(host: str, port: int) -> socket.socket:
    # asyncio disables Nagle's delay of 40 ms only if the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1_024)
    except OSError as problem:
        listener.close()
        raise PortTaken(f"Port {port} on {host} cannot be used ({problem.strerror}); choose another one.") from problem
    return listener


async def _run(servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))


def serve(
    world: World,
    host: str,
    port: int,
    control_token: str | None,
    tls_port: int | None = None,
    tls_dir: Path | None = None,
) -> None:
    """Serve until the process is stopped; HTTP always, and TLS if it has a port."""
    app = Sandbox(world, control_token)
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off"}
    servers = [(uvicorn.Server(uvicorn.Config(app, **options)), _listen(host, port))]
    if tls_port is not None:
        from sandbox.tls import certify

        certificate, key = certify(tls_dir or Path.cwd())
        config = uvicorn.Config(app, ssl_certfile=str(certificate), ssl_keyfile=str(key), **options)
        servers.append((uvicorn.Server(config), _listen(host, tls_port)))
    asyncio.run(_run(servers))
