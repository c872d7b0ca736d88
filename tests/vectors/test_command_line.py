"""`smetslab gbcs decode --json FILE | smetslab gbcs encode -` gives a published file back, byte for byte."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import typer

from smetslab.cli import main as cli
from smetslab.gbcs.catalogue import payload_kind
from smetslab.gbcs.message import decode_message
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.usecases import find


def kind_of(file: Path) -> tuple[object, ...]:
    """What makes a message another kind of message: content, direction, protection, parts of the header."""
    message = decode_message(message_octets(file.read_bytes()))
    use_case = find(message)
    assert use_case is not None
    return (
        payload_kind(use_case),
        use_case.encrypts_response,
        message.cra,
        message.is_pre_command,
        bool(message.signature),
        message.date_time is not None,
        message.other_information.key_agreement_certificate is not None,
    )


COMMAND = typer.main.get_command(cli.app)
"""What `smetslab` runs, made once: that takes longer than a message does."""


def comes_back(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    COMMAND.main(["gbcs", "decode", "--json", str(file)], standalone_mode=False)
    shown = json.loads(capsys.readouterr().out)
    # The names and values alone: nothing of the octets that are shown beside them.
    document = {
        name: shown[name]
        for name in ("use_case", "kind", "header", "parameters", "signature", "mac")
        if name in shown
    }
    for text in (json.dumps(shown), json.dumps(document)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        COMMAND.main(["gbcs", "encode", "-"], standalone_mode=False)
        assert capsys.readouterr().out.encode() == file.read_bytes(), file.name


def test_one_file_of_each_kind_comes_back(
    rtds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {kind_of(file): file for file in sorted(rtds.rglob("*.HEX"))}
    assert len(files) > 15
    for file in files.values():
        comes_back(file, monkeypatch, capsys)


@pytest.mark.soak
def test_every_file_comes_back(
    rtds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(rtds.rglob("*.HEX"))
    assert files
    for file in files:
        comes_back(file, monkeypatch, capsys)
