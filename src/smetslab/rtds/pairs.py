"""Which request document belongs to which message: by the names of the files, else by what both say.

`STEM_REQUEST_DUIS` goes with `STEM_PRECOMMAND_GBCS` and `STEM_COMMAND_GBCS`. A document with another name
goes with the first command to its device that repeats its RequestID and may carry out its variant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from smetslab.duis.document import Request, RequestId, parse_request
from smetslab.duis.limits import MAX_DOCUMENT_BYTES
from smetslab.duis.srv import find
from smetslab.errors import CodecError, DuisError, UsageError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message
from smetslab.rtds.scenarios import MAX_FILES, find_scenarios, read_message

Kind = Literal["pre-command", "command"]

_TEMPLATE = re.compile(r"(?P<stem>.+?)_REQUEST_DUIS", re.IGNORECASE)


class Vector(NamedTuple):
    """A published message that a request becomes."""

    file: str
    kind: Kind
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A request document with the messages that it becomes; `error` when it is none."""

    file: str
    stem: str
    request: Request | None
    error: str
    vectors: tuple[Vector, ...]


def find_templates(documents: Path, messages: Path) -> Iterator[Template]:
    """Every document below `documents` with its messages below `messages`, in the order of the file names.

    Raises UsageError when there is no document or no message.
    """
    by_stem, by_request = _commands(messages)
    for path in _documents(documents):
        match = _TEMPLATE.fullmatch(path.stem)
        stem = path.stem if match is None else match["stem"]
        request, error = _request(path)
        vectors = by_stem.get(stem.upper(), ())
        if not vectors and request is not None:
            vectors = tuple(_with_its_id(request, by_request))
        yield Template(
            file=path.relative_to(documents).as_posix(),
            stem=stem,
            request=request,
            error=error,
            vectors=vectors,
        )


def _documents(root: Path) -> list[Path]:
    if not root.is_dir():
        raise UsageError(f"{root} is no folder", hint="give the folder of request documents: --duis DIR")
    found: list[Path] = []
    for count, path in enumerate(sorted(root.rglob("*"))):
        if count > MAX_FILES:
            raise UsageError(f"{root} holds more than {MAX_FILES} files", hint="--duis DIR")
        if path.suffix.lower() == ".xml" and path.is_file():
            found.append(path)
    if not found:
        raise UsageError(f"{root} holds no *.XML files", hint="--duis DIR")
    return found


_Requests = dict[RequestId, list[Vector]]
_KINDS: Final[tuple[tuple[str, Kind], ...]] = (("pre_command", "pre-command"), ("command", "command"))


def _commands(root: Path) -> tuple[dict[str, tuple[Vector, ...]], _Requests]:
    """The commands and pre-commands by the stem of their file, and by the request that they repeat."""
    stems: dict[str, tuple[Vector, ...]] = {}
    requests: _Requests = {}
    for scenario in find_scenarios(root).values():
        for slot, kind in _KINDS:
            path: Path | None = getattr(scenario, slot)
            if path is None:
                continue
            try:
                message = read_message(path)
            except (CodecError, UsageError):
                continue  # `rtds check` says what is wrong with it
            if message.cra is not Cra.COMMAND:
                continue
            vector = Vector(path.relative_to(root).as_posix(), kind, message)
            stems[scenario.stem.upper()] = (*stems.get(scenario.stem.upper(), ()), vector)
            requests.setdefault(_request_id(message), []).append(vector)
    return stems, requests


def _request_id(message: Message) -> RequestId:
    """The RequestID of the request that a command carries out."""
    more = message.other_information
    party, counter = more.supplementary_remote_party_id, more.supplementary_remote_party_counter
    if party is None or counter is None:
        party, counter = message.business_originator_id, message.originator_counter
    return RequestId(party, message.business_target_id, counter)


def _with_its_id(request: Request, requests: _Requests) -> Iterator[Vector]:
    row = find(request.header.variant)
    codes = {mapping.use_case.code for mapping in row.mappings} if row is not None else set()
    seen: set[Kind] = set()
    for vector in requests.get(request.header.request_id, ()):
        if vector.message.message_code in codes and vector.kind not in seen:
            seen.add(vector.kind)
            yield vector


def _request(path: Path) -> tuple[Request | None, str]:
    try:
        with path.open("rb") as stream:
            octets = stream.read(MAX_DOCUMENT_BYTES + 1)
        return parse_request(octets), ""
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    except DuisError as error:
        return None, str(error)
