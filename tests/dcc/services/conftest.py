"""A lab with its services, all in memory and on virtual time, and a service user that is an ASGI app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from smetslab.dcc.services.delivery import Postman
from smetslab.dcc.services.doorkeeper import DocumentSigner, Doorkeeper
from smetslab.dcc.services.duis_app import DuisServices
from smetslab.dcc.services.settings import CallbackSettings, DoorSettings
from smetslab.duis.codes import CommandVariant
from smetslab.duis.schema import DuisSchema
from smetslab.gbcs.values import Value
from smetslab.ids import Eui64
from smetslab.lab.build import Lab, lab_keystore
from smetslab.lab.config import LabConfig, load_lab
from smetslab.pki import Certificate, KeyRing

SUPPLIER = Eui64.parse("90B3D51F30010000")
BROKER = Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")
CALLBACK = "http://user.test:1880/smartdcc/duis"
XML_HEADERS = {"Content-Type": "application/xml"}

Respond = Callable[[int, bytes], int]
"""HTTP status for the call-back with a number, counted from 0."""


@dataclass
class User:
    """A service user's call-back service: remembers when what came, and answers as `respond` says."""

    respond: Respond = lambda number, body: 204
    received: list[tuple[float, bytes]] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0
    more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def documents(self) -> list[bytes]:
        return [body for _, body in self.received]

    async def wait_for(self, count: int) -> None:
        """Wait until so many call-backs have come."""
        async with asyncio.timeout(3600):
            while len(self.received) < count:
                self.more.clear()
                await self.more.wait()

    def app(self) -> Starlette:
        async def take(request: Request) -> Response:
            assert request.headers["content-type"].startswith("application/xml")
            body = await request.body()
            self.received.append((self.clock(), body))
            self.more.set()
            return Response(status_code=self.respond(len(self.received) - 1, body))

        return Starlette(routes=[Route("/smartdcc/duis", take, methods=["POST"])])


@dataclass
class House:
    """A lab, its services, and the ways into them."""

    lab: Lab
    http: httpx.AsyncClient
    postman: Postman
    user: User
    signer: DocumentSigner

    def request(
        self,
        variant: str = "4.1.1",
        elements: dict[str, Value] | None = None,
        command_variant: CommandVariant = CommandVariant.SEND,
        *,
        target: Eui64 = ESME,
        signed: bool = True,
    ) -> bytes:
        document = self.lab.users["supplier"].document(variant, target, elements, command_variant)
        return self.sign(document) if signed else document

    def sign(self, document: bytes, party: Eui64 = SUPPLIER) -> bytes:
        return DocumentSigner(self.lab.keystore.xml_signer(party)).sign(document)

    async def post(
        self, document: bytes, service: str = "serviceS", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.http.post(
            f"/api/v1/{service}", content=document, headers=XML_HEADERS if headers is None else headers
        )


@pytest.fixture(scope="session")
def keystore() -> KeyRing:
    return lab_keystore(load_lab())


@pytest.fixture(scope="session")
def open_house(keystore: KeyRing) -> Callable[..., AbstractAsyncContextManager[House]]:
    """`open_house(config=, door=, callbacks=, schema=, respond=)`: a running house on the running loop."""
    return partial(_open_house, keystore)


@asynccontextmanager
async def _open_house(
    keystore: KeyRing,
    *,
    config: LabConfig | None = None,
    door: DoorSettings | None = None,
    callbacks: CallbackSettings | None = None,
    schema: DuisSchema | None = None,
    respond: Respond = lambda number, body: 204,
    durable: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[House]:
    settings = DoorSettings() if door is None else door
    if config is not None:
        keystore = lab_keystore(config)
    listener = User(respond)

    def certificate(serial: int) -> Certificate | None:
        entry = keystore.by_serial(serial)
        return None if entry is None else entry.certificate

    def transport() -> httpx.AsyncBaseTransport:
        return httpx.ASGITransport(listener.app())

    async with Lab(load_lab() if config is None else config, keystore=keystore) as lab:
        listener.clock = lab.clock.time
        signer = DocumentSigner(keystore.xml_signer(BROKER))
        wanted = CallbackSettings(default=CALLBACK) if callbacks is None else callbacks
        async with Postman(
            lab.dcc, wanted, sign=signer.sign, transport=transport, durable=lab.store.durable
        ) as postman:
            services = DuisServices(
                lab.dcc,
                Doorkeeper(certificate, settings, schema),
                settings,
                clock=lab.clock,
                sign=signer.sign,
                acknowledgements=postman,
                health=lambda: {"status": "ok"},
                durable=lab.store.durable if durable is None else durable,
            )
            services_only = httpx.ASGITransport(services.app)
            async with httpx.AsyncClient(transport=services_only, base_url="http://dcc.test") as http:
                yield House(lab, http, postman, listener, signer)
