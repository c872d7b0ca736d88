"""A message document as text: JSON or TOML, read with every fault told by its place.

Spec: RFC 8259 (JSON), TOML 1.0.
"""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime, time
from typing import TypeAlias

from pydantic import ValidationError

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.named import MessageDocument
from smetslab.gbcs.values import utc_text

MAX_DOCUMENT_CHARACTERS = 32 * 1024 * 1024
"""The most that is read as one document. The longest published message makes one of some 100,000."""
MAX_DEPTH = 64
"""Deepest nesting of a document. Generic content of the deepest published message nests to 30."""

DIAGNOSTICS = ("length", "title", "checks", "error", "tree")
"""What `gbcs decode --json` says besides the message itself; it makes no octet."""

Tree: TypeAlias = "bool | int | float | str | datetime | date | time | list[Tree] | dict[str, Tree] | None"


def read_document(text: str) -> MessageDocument:
    """The document in `text`: JSON when it starts with a brace, else TOML. Raises GbcsEncodeError."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise GbcsEncodeError(
            "too long",
            path="document",
            expected=f"at most {MAX_DOCUMENT_CHARACTERS} characters",
            found=f"{len(text)} characters",
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise GbcsEncodeError("nothing to encode", path="document", expected="a JSON or TOML document")
    given = _json(text) if text.lstrip().startswith("{") else _toml(text)
    _refuse_depth(given)
    fault = given.get("error")
    if given.get("header") is None and isinstance(fault, dict):
        raise GbcsEncodeError(
            "there is no message in it", path="document", found=f"what was decoded: {fault.get('what')}"
        )
    try:
        return MessageDocument.model_validate(
            {name: _plain(value) for name, value in given.items() if name not in DIAGNOSTICS}
        )
    except ValidationError as error:
        raise _first(error) from error


def _json(text: str) -> dict[str, Tree]:
    try:
        given = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise GbcsEncodeError(
            f"no JSON: {error.msg}", path=f"document line {error.lineno} column {error.colno}"
        ) from error
    except ValueError as error:  # a number of thousands of digits
        raise GbcsEncodeError(f"no JSON: {error}", path="document") from error
    except RecursionError:
        raise _too_deep() from None
    return given if isinstance(given, dict) else {}


def _members(pairs: list[tuple[str, Tree]]) -> dict[str, Tree]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GbcsEncodeError("stands there twice", path=twice[:60])
    return members


def _no_number(text: str) -> Tree:
    raise GbcsEncodeError("no number", path="document", expected="whole numbers", found=text)


def _toml(text: str) -> dict[str, Tree]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise GbcsEncodeError(f"neither JSON nor TOML: {error}", path="document") from error
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> GbcsEncodeError:
    return GbcsEncodeError("nested too deeply", path="document", expected=f"at most {MAX_DEPTH} levels")


def _refuse_depth(given: Tree) -> None:
    level: list[Tree] = [given]
    for _ in range(MAX_DEPTH):
        inside: list[Tree] = []
        for value in level:
            if isinstance(value, dict):
                inside += value.values()
            elif isinstance(value, list):
                inside += value
        if not inside:
            return
        level = inside
    raise _too_deep()


def _plain(value: Tree) -> Tree:
    """TOML writes dates and times without quotes: the texts that named values have for them."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else utc_text(value)
    return value.isoformat() if isinstance(value, (date, time)) else value


def _first(error: ValidationError) -> GbcsEncodeError:
    """The first thing that pydantic found."""
    details = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in details["loc"]) or "document"
    what = details["msg"][:1].lower() + details["msg"][1:]
    return GbcsEncodeError(what, path=path, found=repr(details["input"])[:40])
