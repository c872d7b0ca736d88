"""Reads the body of a request without trusting its sender: type, size and time are bounded."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

XML: Final = "application/xml"
_XML_TYPES: Final = frozenset({XML, "text/xml"})
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii"})


class BodyRefusedError(Exception):
    """The body will not be read, or not any further; `status` is the HTTP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


async def read_xml_body(request: Request, *, limit: int, timeout_s: float) -> bytes:
    """The octets of an XML body of at most `limit` octets. Raises BodyRefusedError."""
    _check_type(request.headers.get("content-type", ""))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise BodyRefusedError(415, "content encoding not accepted")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and (len(declared) > 15 or int(declared) > limit):
        raise BodyRefusedError(413, f"body of {declared[:20]} octets, at most {limit} are taken")
    body = bytearray()
    try:
        # A slow sender costs one waiting task, and that not for ever.
        async with asyncio.timeout(timeout_s):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise BodyRefusedError(413, f"body of more than {limit} octets")
    except TimeoutError as error:
        raise BodyRefusedError(408, f"body not complete within {timeout_s:g} s") from error
    except ClientDisconnect as error:
        raise BodyRefusedError(400, "connection closed within the body") from error
    return bytes(body)


def _check_type(text: str) -> None:
    media, *parameters = text.split(";")
    if media.strip().lower() not in _XML_TYPES:
        raise BodyRefusedError(415, f"content type {media.strip()[:60] or 'missing'}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in _CHARSETS:
            raise BodyRefusedError(415, "charset not accepted")
