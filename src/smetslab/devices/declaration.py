"""Reading a declaration of a person, a TOML file: bounded, strict, and one clear line when it is wrong.

Device profiles and lab files are both read here. The value is checked in its JSON form, so what is accepted
is what the published JSON schema says.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from enum import IntEnum
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema

from smetslab.errors import UsageError
from smetslab.ids import Eui64

MAX_OCTETS: Final = 1024 * 1024
"""A longer file is no declaration that a person has written."""

_HEX = "^[0-9A-Fa-f]{{{}}}$"
_ModelT = TypeVar("_ModelT", bound=BaseModel)


class Declaration(BaseModel):
    """Base of everything that is declared in TOML: unknown keys are refused, values are never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


def _read_eui64(value: object) -> Eui64:
    if isinstance(value, Eui64):
        return value
    if not isinstance(value, str):
        raise ValueError(f"not an EUI-64: {value!r} (expected text of 16 hex digits)")  # noqa: TRY004 - for pydantic
    return Eui64.parse(value)


Eui64Text: TypeAlias = Annotated[
    Eui64,
    BeforeValidator(_read_eui64),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": "^([0-9A-Fa-f]{16}|([0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2})$"},
        mode="validation",
    ),
]
"""An EUI-64, written as 16 hex digits or as pairs joined by dashes or colons."""


def named(values: Mapping[str, IntEnum]) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    """Annotations for a field that is written by name: `Annotated[DeviceType, *named({...})]`."""
    names = {value: name for name, value in values.items()}

    def read(value: object) -> object:
        if isinstance(value, IntEnum):
            return value
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"{value!r} is not one of {', '.join(values)}")
        return values[value]

    return (
        BeforeValidator(read),
        PlainSerializer(lambda value: names[value], return_type=str),
        WithJsonSchema({"enum": list(values)}, mode="validation"),
    )


def hex_pattern(digits: int) -> str:
    """The pattern of a field of so many hex digits."""
    return _HEX.format(digits)


def read_octets(source: Traversable, name: str) -> bytes:
    """The octets of a declaration; UsageError when it cannot be read or is too big to be one."""
    try:
        with source.open("rb") as stream:
            octets: bytes = stream.read(MAX_OCTETS + 1)
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}") from error
    if len(octets) > MAX_OCTETS:
        raise UsageError(f"{name}: longer than {MAX_OCTETS} octets, so not a file of this kind")
    return octets


def parse(model: type[_ModelT], octets: bytes, name: str, *, hint: str = "") -> _ModelT:
    """A declaration as its model; UsageError names the file, the key and what is wrong with it."""
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}", hint=hint) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: not TOML: {error}", hint=hint) from error
    except RecursionError as error:
        raise UsageError(f"{name}: nested too deeply", hint=hint) from error
    try:
        place = _not_finite(table)
        if place is not None:
            raise UsageError(f"{name}: {place}: not a finite number", hint=hint)
        return model.model_validate_json(json.dumps(table, default=_plain))
    except ValidationError as error:
        raise UsageError(f"{name}: {_first_problem(error)}", hint=hint) from error
    except RecursionError as error:
        raise UsageError(f"{name}: nested too deeply", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{name}: {error}", hint=hint) from error


def _not_finite(value: object, location: tuple[int | str, ...] = ()) -> str | None:
    """Where a declaration holds `nan` or `inf`, which JSON does not know."""
    members: Iterable[tuple[int | str, object]] = ()
    if isinstance(value, float) and not math.isfinite(value):
        return _place(location)
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    return next(filter(None, (_not_finite(member, (*location, key)) for key, member in members)), None)


def _plain(value: object) -> str:
    """Dates and times of TOML in their JSON form."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    raise ValueError(f"{type(value).__name__} has no JSON form")


def _first_problem(error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    place = _place(first["loc"])
    text = f"{place}: {_words(first['type'], first['msg'], first.get('input'))}" if place else first["msg"]
    if len(problems) > 1:
        text += f" (and {len(problems) - 1} more problem{'s' if len(problems) > 2 else ''})"
    return text.replace("Value error, ", "")


def _place(location: tuple[int | str, ...]) -> str:
    """`premises[0].hub.eui64`"""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _words(kind: str, message: str, found: Any) -> str:
    if kind == "missing":
        return "missing"
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "value_error" or isinstance(found, (dict, list)):
        return message
    return f"{message[:1].lower()}{message[1:]}, found {json.dumps(found, default=str)}"
