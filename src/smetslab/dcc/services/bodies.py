"""Reads the body of a request without trusting its sender: type, size and time are bounded."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.requests import ClientDisconnect, Request

XML: Final = "application/xml"
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024
"""Longer bodies are cut off. A choice."""

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
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isascii() and declared.isdecimal() and len(declared) <= 15 else None
    refused = _refusal(request, declared, length, limit)
    if refused is not None:
        await _discard(request, length, timeout_s)
        raise refused
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


def _refusal(request: Request, declared: str, length: int | None, limit: int) -> BodyRefusedError | None:
    """Why a body is not even begun to be read."""
    reason = _wrong_type(request.headers.get("content-type", ""))
    if reason is None and request.headers.get("content-encoding", "identity").lower() != "identity":
        reason = "content encoding not accepted"
    if reason is not None:
        return BodyRefusedError(415, reason)
    if (length is None and declared) or (length or 0) > limit:
        return BodyRefusedError(413, f"body of {declared[:20]} octets, at most {limit} are taken")
    return None


async def _discard(request: Request, length: int | None, timeout_s: float) -> None:
    """Let a body of bounded length go by: who is still sending when the connection ends misses the answer."""
    if length is None or length > MAX_DISCARDED_BYTES:
        return
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(timeout_s):
            async for _ in request.stream():
                pass


def _wrong_type(text: str) -> str | None:
    media, *parameters = text.split(";")
    if media.strip().lower() not in _XML_TYPES:
        return f"content type {media.strip()[:60] or 'missing'}"
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in _CHARSETS:
            return "charset not accepted"
    return None
