"""The three DUIS services as an ASGI application: HTTP in, the DCC's synchronous answer out.

Whatever DUIS itself has to say travels as HTTP 200 with a response code, because published clients take
any other status for a broken server; an HTTP error means that there is no valid, rightly signed request to
answer. Which status stands for what is a choice of this laboratory.

Spec: DUIS web services (paths, media type) as published clients use them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from smetslab.clock import Clock
from smetslab.dcc.services.bodies import XML, BodyRefusedError, read_xml_body
from smetslab.dcc.services.doorkeeper import Doorkeeper, RefusedSignatureError
from smetslab.dcc.services.log import Field, log_event
from smetslab.dcc.services.settings import DoorSettings
from smetslab.duis import document as duis
from smetslab.duis.codes import ResponseCode, WebService
from smetslab.errors import DuisError, LocalProtocolError, StoreError

LONG_DOCUMENT_BYTES: Final = 128 * 1024
"""From this length on a document is looked at in a thread, so that it holds up nobody."""

_CODE: Final = re.compile(rb"<sr:ResponseCode>([A-Z0-9]{1,8})</sr:ResponseCode>")

Health = Callable[[], Mapping[str, object]]


class Door(Protocol):
    """What the application needs of a DCC: `MockDcc`."""

    async def receive(
        self, xml: bytes, service: WebService | None = None, *, request: duis.Request | None = None
    ) -> bytes:
        """The synchronous answer. Raises DuisError when the body does not fit the variant."""
        ...


class Acknowledgements(Protocol):
    """Who must know when an answer is on its way: `Postman`."""

    def hold(self, request_id: duis.RequestId) -> None:
        """An answer to this request is being made."""
        ...

    def release(self, request_id: duis.RequestId) -> None:
        """It was written."""
        ...


class DuisServices:
    """Handlers of the three services; `app` is the application."""

    def __init__(
        self,
        door: Door,
        doorkeeper: Doorkeeper,
        settings: DoorSettings,
        *,
        clock: Clock,
        sign: Callable[[bytes], bytes],
        acknowledgements: Acknowledgements,
        health: Health,
        durable: Callable[[], Awaitable[None]],
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        """`durable` returns when what the door has kept is safe, or raises StoreError: no answer leaves
        before.
        """
        self._door = door
        self._doorkeeper = doorkeeper
        self._settings = settings
        self._clock = clock
        self._sign = sign
        self._acknowledgements = acknowledgements
        self._health = health
        self._durable = durable
        self.app = Starlette(
            routes=[
                *(
                    Route(f"/api/v1/{service.value}", self._handler(service), methods=["POST"])
                    for service in WebService
                ),
                Route("/health", self._answer_health, methods=["GET"]),
                *routes,
            ],
            exception_handlers={
                HTTPException: empty_error,
                BodyRefusedError: refused_body,
                ClientDisconnect: refused_body,
                StoreError: unavailable,
                LocalProtocolError: unavailable,
            },
        )

    def _handler(self, service: WebService) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await self._take(request, service)

        return handle

    async def _take(self, request: Request, service: WebService) -> Response:
        settings = self._settings
        limit = settings.document_limit
        if service is WebService.NON_DEVICE:
            limit = max(limit, settings.firmware_limit)
        body = await read_xml_body(request, limit=limit, timeout_s=settings.body_timeout_s)
        now = self._clock.now()
        asked: duis.Request | None = None
        try:
            if len(body) >= LONG_DOCUMENT_BYTES:
                asked = await asyncio.to_thread(self._doorkeeper.admit, body, now)
            else:
                asked = self._doorkeeper.admit(body, now)
            self._acknowledgements.hold(asked.header.request_id)
            document = await self._door.receive(body, service, request=asked)
            await self._durable()
        except RefusedSignatureError as error:
            return self._refuse(service, 403, str(error), error.request)
        except DuisError as error:
            if asked is not None:
                self._acknowledgements.release(asked.header.request_id)
            return self._refuse(service, 400, str(error), asked or _read_again(body, len(body)))
        except BaseException:
            if asked is not None:
                self._acknowledgements.release(asked.header.request_id)
            raise
        return self._answer(service, asked, document)

    def _answer(self, service: WebService, asked: duis.Request, document: bytes) -> Response:
        found = _CODE.search(document)
        code = "" if found is None else found[1].decode()
        if code == ResponseCode.SUCCESS or self._settings.sign_acknowledgements:
            document = self._sign(document)
        header = asked.header
        log_event(
            logging.INFO,
            "request",
            service=service.value,
            status=200,
            code=code,
            request_id=header.request_id.key,
            variant=header.variant,
            command_variant=header.command_variant.value,
        )
        written = BackgroundTask(self._written, header.request_id)
        return Response(document, media_type=XML, background=written)

    async def _written(self, request_id: duis.RequestId) -> None:
        self._acknowledgements.release(request_id)

    def _refuse(self, service: WebService, status: int, reason: str, asked: duis.Request | None) -> Response:
        in_duis = asked is not None and self._settings.errors_in_duis
        fields: dict[str, Field] = {"service": service.value, "status": 200 if in_duis else status}
        if asked is not None:
            fields["request_id"] = asked.header.request_id.key
        log_event(logging.WARNING, "request refused", **fields, reason=reason[:500])
        if asked is None or not in_duis:
            return Response(status_code=status)
        moment = self._clock.now()
        answer = duis.Response(
            code=ResponseCode.UNASSIGNED,
            date_time=moment.replace(microsecond=moment.microsecond // 1000 * 1000),
            request_id=asked.header.request_id,
            body=duis.ResponseMessage(asked.header.service_reference, asked.header.variant),
        )
        document = duis.write_response(answer)
        if self._settings.sign_acknowledgements:
            document = self._sign(document)
        return Response(document, media_type=XML)

    async def _answer_health(self, request: Request) -> Response:
        del request
        return Response(json.dumps(self._health(), indent=2) + "\n", media_type="application/json")


def _read_again(body: bytes, limit: int) -> duis.Request | None:
    """What a document asks for that is no valid one: its header may be sound."""
    try:
        return duis.parse_request(body, limit=limit)
    except DuisError:
        return None


async def empty_error(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong verbs: the status and nothing else."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    log_event(logging.WARNING, "request refused", path=request.url.path[:200], status=status)
    return Response(status_code=status, headers=headers)


async def refused_body(request: Request, error: Exception) -> Response:
    """A body of the wrong type, too long, too slow, or cut off."""
    status = error.status if isinstance(error, BodyRefusedError) else 400
    path = request.url.path[:200]
    log_event(logging.WARNING, "request refused", path=path, status=status, reason=str(error)[:500])
    # What is left of the body is not worth reading: the connection ends here.
    return Response(status_code=status, headers={"Connection": "close"})


async def unavailable(request: Request, error: Exception) -> Response:
    """The DCC cannot keep a request, so it must not acknowledge it."""
    log_event(
        logging.ERROR, "service unavailable", path=request.url.path[:200], status=503, reason=str(error)[:500]
    )
    return Response(status_code=503)
