"""What the services insist on and how long they wait. All numbers are choices of this laboratory, in real
seconds, where no source is named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from smetslab.duis.limits import MAX_DOCUMENT_BYTES, MAX_FIRMWARE_DOCUMENT_BYTES
from smetslab.errors import UsageError
from smetslab.ids import Eui64

DUIS_PORT: Final = 8079
SMKI_PORT: Final = 8083
"""Spec: published clients, whose defaults they are."""

DEFAULT_CALLBACK: Final = "127.0.0.1:1880/smartdcc/duis"
"""Port and path at which published clients listen by default."""

SMKI_API_KEY: Final = "u3bg9gt38htd0j2"
"""What published clients send; no secret."""

_HINT: Final = f"for example {DEFAULT_CALLBACK} or https://client.example:1880/duis"
_HOST_PORT: Final = re.compile(r"[^/\s]+(?::[0-9]{1,5})?(?:/\S*)?")


def callback_url(text: str) -> str:
    """The URL of `HOST:PORT/PATH`, with or without its scheme, else http. Raises UsageError."""
    url = text.strip()
    if "://" not in url:
        if not _HOST_PORT.fullmatch(url):
            raise UsageError(f"call-back {text!r} is not HOST:PORT/PATH", hint=_HINT)
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"call-back {text!r} is no HTTP address", hint=_HINT)
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """How requests are taken. `errors_in_duis` answers what is no valid or well signed request with a DUIS
    response instead of an HTTP status, as far as the document tells whom to answer.

    `check_validity` refuses signatures whose certificate has run out; published test certificates have.
    """

    verify_signatures: bool = True
    check_validity: bool = False
    errors_in_duis: bool = False
    sign_acknowledgements: bool = False
    document_limit: int = MAX_DOCUMENT_BYTES
    firmware_limit: int = MAX_FIRMWARE_DOCUMENT_BYTES
    body_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """How call-backs are made. `default` serves every user that `by_originator` does not name; None keeps
    their documents until there is an address.

    `first_delay_s` runs from the moment the acknowledgement was written: published clients remember a
    request only when they have checked its acknowledgement, which takes them up to a second.
    """

    default: str | None = DEFAULT_CALLBACK
    by_originator: Mapping[Eui64, str] = field(default_factory=dict)
    first_delay_s: float = 1.0
    attempt_timeout_s: float = 10.0
    retry_first_s: float = 1.0
    retry_most_s: float = 60.0
    give_up_after_s: float = 24 * 3600.0
    at_once: int = 16
    """How many deliveries to one address are under way at the same time."""

    def url_for(self, user: Eui64) -> str | None:
        """Where the documents of a user go."""
        return self.by_originator.get(user, self.default)
