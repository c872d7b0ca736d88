"""One request from start to end, for people without a client of their own: sign, post, wait, check, open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from smetslab.dcc.service_user import ServiceResponse, ServiceUser
from smetslab.dcc.services.client import (
    REQUEST_TIMEOUT_S,
    CallbackListener,
    CheckedResponse,
    DuisClient,
    Observe,
    find_certificates,
)
from smetslab.dcc.services.listening import listen, running
from smetslab.dcc.services.settings import DEFAULT_CALLBACK, DUIS_PORT, SMKI_PORT, callback_url
from smetslab.duis.document import Request
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import KeyUsage
from smetslab.pki import KeyRing

DEFAULT_URL: Final = f"http://127.0.0.1:{DUIS_PORT}"
DEFAULT_SMKI_URL: Final = f"http://127.0.0.1:{SMKI_PORT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """Where the services are, where call-backs are awaited (`HOST:PORT/PATH`), how long, and who watches."""

    url: str = DEFAULT_URL
    smki_url: str | None = DEFAULT_SMKI_URL
    listen: str = DEFAULT_CALLBACK
    timeout_s: float = 120.0
    observe: Observe = lambda step, document: None
    unexpected: Callable[[CheckedResponse], None] = lambda received: None


async def ask(request: Request, keystore: KeyRing, dialogue: Dialogue) -> ServiceResponse:
    """Send a request in the name of its originator and return the last answer, checked and opened.

    A critical one is transformed, compared, signed and sent. `keystore` holds the originator's keys; the
    device's certificates are looked up in the SMKI repository where it does not have them. Raises what
    `DuisClient.submit` raises.
    """
    place = urlsplit(callback_url(dialogue.listen))
    with listen(place.hostname or "", place.port or 80) as listening:
        async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False) as http:
            keys = await _with_device(request, keystore, dialogue, http)
            listener = CallbackListener(place.path or "/", lambda: keys, dialogue.unexpected)
            async with running(listener.app, listening, stop_within_s=1):
                client = DuisClient(
                    dialogue.url,
                    http,
                    keys,
                    listener,
                    timeout_s=dialogue.timeout_s,
                    observe=dialogue.observe,
                )
                user = ServiceUser(request.header.request_id.originator, keystore=keys, dcc=client)
                return await user.send_request(request)


async def service_health(url: str) -> dict[str, object]:
    """What `GET /health` says. Raises TransportError, RemoteProtocolError."""
    async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, trust_env=False) as http:
        client = DuisClient(url, http, KeyRing([]), CallbackListener("/", lambda: KeyRing([])))
        return dict(await client.health())


async def _with_device(
    request: Request, keystore: KeyRing, dialogue: Dialogue, http: httpx.AsyncClient
) -> KeyRing:
    """The key store with the certificates of the device that is asked."""
    device = request.header.request_id.target
    if dialogue.smki_url is None:
        return keystore
    try:
        keystore.find(device, KeyUsage.KEY_AGREEMENT)
    except CertificateError:
        return keystore.merged(KeyRing(await find_certificates(dialogue.smki_url, http, device)))
    return keystore
