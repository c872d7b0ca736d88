"""What responses and alerts say, and whom they are for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from smetslab.dcc.pending import FutureDated, Question
from smetslab.dcc.respond import (
    alert_code_of,
    alert_recipient,
    instructions_in,
    outcome_of,
)
from smetslab.duis.document import RequestId
from smetslab.errors import GbcsDecodeError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, decode_message
from smetslab.gbcs.usecases.engine import decode_content
from smetslab.gbcs.usecases.registry import USE_CASES, find
from smetslab.ids import Eui64

BROKER = Eui64.parse("90B3D51F30000002")
USER = Eui64.parse("90B3D51F30010000")
DEVICE = Eui64.parse("00DB1234567890A0")


def alert(content: bytes, target: Eui64 = USER, named: Eui64 | None = None) -> Message:
    return Message(
        cra=Cra.ALERT,
        originator_counter=2000,
        business_originator_id=DEVICE,
        business_target_id=target,
        other_information=OtherInformation(message_code=0x1000, supplementary_remote_party_id=named),
        content=content,
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("0F200007D000020212" + "8F3E" + "090C07EA0301FF000000008000FF", "8F3E"),
        ("0109008F0A1C374A80", "8F0A"),
        ("0109018F66388188900E006C00000000000003E9070501", "8F66"),
    ],
)
def test_the_alert_code_is_found_in_both_kinds_of_content(content: str, code: str) -> None:
    assert alert_code_of(alert(bytes.fromhex(content))) == code


@pytest.mark.parametrize("content", ["", "0109", "30030201", "0F200007D00002", "0F200007D000020116", "D920"])
def test_content_without_an_alert_code_is_refused(content: str) -> None:
    with pytest.raises(GbcsDecodeError):
        alert_code_of(alert(bytes.fromhex(content)))


def test_an_alert_is_for_its_addressee_or_whom_it_names_behind_the_broker() -> None:
    other = Eui64(bytes(8))
    assert alert_recipient(alert(b""), BROKER) == USER
    assert alert_recipient(alert(b"", BROKER), BROKER) == BROKER
    assert alert_recipient(alert(b"", BROKER, USER), BROKER) == USER
    assert alert_recipient(alert(b"", USER, other), BROKER) == USER


def published(rtds: Path) -> list[tuple[str, Message]]:
    paths = sorted((rtds / "gbcs").rglob("*.HEX"))
    return [
        (str(path.parent.name), decode_message(bytes.fromhex(path.read_text().strip()))) for path in paths
    ]


def test_every_published_outcome_names_an_instruction_of_its_command(rtds: Path) -> None:
    """COSEM attributes, commands of clusters, and commands of one instruction."""
    messages = published(rtds)
    dated: dict[tuple[str, int], set[str]] = {}
    for folder, message in messages:
        use_case = find(message)
        if message.cra is Cra.COMMAND and use_case is not None and use_case.payload.activations:
            names = instructions_in(use_case, decode_content(use_case, message))
            dated.setdefault((folder, message.message_code), set()).update(names)
            assert use_case.alerts
    kinds = Counter()
    for folder, message in messages:
        outcome = outcome_of(message) if message.cra is Cra.ALERT else None
        if outcome is None:
            continue
        commands = [
            names
            for (place, code), names in dated.items()
            if place == folder and outcome.command in {None, code}
        ]
        if not commands:
            continue  # its command is not among the published ones at hand
        assert any(outcome.name in names for names in commands), (folder, outcome)
        kinds[{0x00CC: "DLMS", 0x00CD: "GBZ"}.get(message.message_code, "ASN.1")] += 1
    assert kinds["DLMS"] >= 10
    assert kinds["GBZ"] >= 3
    assert kinds["ASN.1"] >= 1


def test_of_instructions_with_one_name_the_first_unheard_is_meant() -> None:
    question = Question(RequestId(USER, DEVICE, 1), "1.1", "1.1.1")
    future = FutureDated(
        question=question, use_case="GCS01a", number=1, counter=1, instructions=("a", "b", "a")
    )
    assert [future.place_of(name) for name in ("a", "b", "c")] == [1, 2, None]
    assert replace(future, reported=(1,)).place_of("a") == 3
    assert replace(future, reported=(1, 2, 3)).place_of("a") == 1


def test_every_published_alert_has_a_code(rtds: Path) -> None:
    codes = []
    for path in sorted((rtds / "gbcs").rglob("*.HEX")):
        message = decode_message(bytes.fromhex(path.read_text().strip()))
        if message.cra is Cra.ALERT:
            codes.append(alert_code_of(message))
            named = [part for part in path.stem.split("_") if len(part) == 4 and part[:2] in {"8F", "81"}]
            assert not named or codes[-1] in named, path.name
    assert codes
    assert all(len(code) == 4 for code in codes)


def test_instructions_are_the_activations_of_a_command() -> None:
    names = instructions_in(USE_CASES["ECS28a"], {})
    assert len(names) == 4
    assert names[1] == "9000/0-0:94.44.128.7/6"
    assert instructions_in(USE_CASES["ECS42"], {}) == ()
    assert instructions_in(USE_CASES["CS06"], {}) == ("",)
