"""One test item for each message of the Reference Test Data Set, by its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smetslab.gbcs.notation import message_octets
from smetslab.pki import load_pem_folder
from smetslab.rtds import MessageKeys


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" not in metafunc.fixturenames:
        return
    folder = os.environ.get("SMETSLAB_RTDS")
    if not folder:
        skip = pytest.mark.skip(reason="SMETSLAB_RTDS is not set; point it at the Reference Test Data Set")
        metafunc.parametrize("vector", [pytest.param(None, marks=skip, id="none")])
        return
    files = sorted(Path(folder).rglob("*.HEX"))
    metafunc.parametrize("vector", files, ids=[file.stem for file in files], indirect=True)


@pytest.fixture
def vector(request: pytest.FixtureRequest) -> bytes:
    """The octets of one published message."""
    return message_octets(request.param.read_bytes())


@pytest.fixture(scope="session")
def keys(rtds: Path) -> MessageKeys:
    """The keys that are published with the messages."""
    return MessageKeys(load_pem_folder(rtds / "keystore"))
