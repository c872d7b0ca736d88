"""One test item for each message of the Reference Test Data Set, by its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smetslab.gbcs.notation import message_octets
from smetslab.pki import load_pem_folder
from smetslab.rtds import MessageKeys


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    name = next((name for name in ("vector", "command") if name in metafunc.fixturenames), None)
    if name is None:
        return
    folder = os.environ.get("SMETSLAB_RTDS")
    if not folder:
        skip = pytest.mark.skip(reason="SMETSLAB_RTDS is not set; point it at the Reference Test Data Set")
        metafunc.parametrize(name, [pytest.param(None, marks=skip, id="none")])
        return
    files = [
        file for file in sorted(Path(folder).rglob("*.HEX")) if name == "vector" or "COMMAND" in file.stem
    ]
    metafunc.parametrize(name, files, ids=[file.stem for file in files], indirect=True)


@pytest.fixture
def vector(request: pytest.FixtureRequest) -> bytes:
    """The octets of one published message."""
    return message_octets(request.param.read_bytes())


@pytest.fixture
def command(request: pytest.FixtureRequest) -> bytes:
    """The octets of one published command or pre-command."""
    return message_octets(request.param.read_bytes())


@pytest.fixture(scope="session")
def keys(rtds: Path) -> MessageKeys:
    """The keys that are published with the messages."""
    return MessageKeys(load_pem_folder(rtds / "keystore"))
