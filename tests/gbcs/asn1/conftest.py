"""The published messages with ASN.1 content, one test each, and a judge that does not share our code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import asn1tools
import pytest

from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases import UseCase, by_code
from smetslab.gbcs.usecases.asn1 import Asn1Payload


@dataclass(frozen=True)
class Vector:
    name: str
    use_case: UseCase
    message: Message


def _vectors(folder: Path) -> list[Vector]:
    found = []
    for file in sorted(folder.joinpath("gbcs").rglob("*.HEX")):
        message = decode_message(bytes.fromhex(file.read_text()))
        use_case = by_code(message.message_code)
        if use_case is not None and isinstance(use_case.payload, Asn1Payload):
            found.append(Vector(file.name.removesuffix("_GBCS.HEX"), use_case, message))
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that takes a `vector` runs once for each message, or is skipped without the data set."""
    if "vector" not in metafunc.fixturenames:
        return
    folder = os.environ.get("SMETSLAB_RTDS")
    if not folder:
        skip = pytest.mark.skip(reason="SMETSLAB_RTDS is not set")
        metafunc.parametrize("vector", [pytest.param(None, marks=skip)])
        return
    vectors = _vectors(Path(folder))
    if not vectors:
        pytest.fail(f"no message with ASN.1 content in {folder}", pytrace=False)
    metafunc.parametrize("vector", vectors, ids=[vector.name for vector in vectors])


class Judge:
    """The DER codec of asn1tools over the same schema text, and a reader of bare elements."""

    def __init__(self) -> None:
        modules = asn1tools.parse_string(files("smetslab.gbcs.asn1").joinpath("gbcs.asn").read_text("utf-8"))
        module: Any = modules["GBCS"]
        for names in module.pop("imports").values():
            for name in names:
                module["types"][name] = {"type": "SEQUENCE OF", "element": {"type": "ANY"}}
        module["imports"] = {}
        self._specification = asn1tools.compile_dict(modules, "der")

    def canonical(self, type_name: str, content: bytes) -> bytes:
        """What asn1tools writes for what it reads: other octets when `content` is BER and not DER."""
        value = self._specification.decode(type_name, content)
        return bytes(self._specification.encode(type_name, value))

    def leaves(self, data: bytes) -> list[tuple[int, bytes]]:
        """Tag and contents of every primitive element, in order."""
        found: list[tuple[int, bytes]] = []
        position = 0
        while position < len(data):
            tag, length, start = data[position], data[position + 1], position + 2
            if length & 0x80:
                start += length & 0x7F
                length = int.from_bytes(data[position + 2 : start], "big")
            contents = data[start : start + length]
            found += self.leaves(contents) if tag & 0x20 else [(tag, contents)]
            position = start + length
        return found


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()
