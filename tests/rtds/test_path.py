"""The replay over the air gives the rows that it gives without: here for a sample, in `make soak` for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.ids import Eui64
from smetslab.pki import load_pem_folder
from smetslab.rtds.anchors import find_anchors
from smetslab.rtds.path import RadioPath, Reach
from smetslab.rtds.replay import Replayer
from smetslab.rtds.scenarios import find_scenarios
from smetslab.store import Store

DEVICE = Eui64.parse("00DB1234567890A0")
EVERY = 37
"""One scenario in so many."""


@pytest.mark.parametrize("upwards", [False, True])
@pytest.mark.parametrize("reach", ["tunnel", "fetch"])
@pytest.mark.parametrize("size", [1, 70, 1100, 4000])
def test_what_is_carried_arrives_octet_for_octet(reach: Reach, size: int, upwards: bool) -> None:
    message = encode_message(
        Message(
            cra=Cra.COMMAND,
            originator_counter=1,
            business_originator_id=Eui64.parse("90B3D51F30010000"),
            business_target_id=DEVICE,
            other_information=OtherInformation(message_code=0x0059),
            content=bytes(number * 7 & 0xFF for number in range(size)),
        )
    )
    path = RadioPath()
    carry = path.up if upwards else path.down
    assert carry(DEVICE, reach, message) == message
    assert path.messages == 1
    assert path.frames > 2 * size / 127


def test_a_message_of_the_hub_itself_does_not_cross_the_air() -> None:
    path = RadioPath()
    assert path.down(DEVICE, "hub", b"command") == b"command"
    assert (path.messages, path.frames) == (0, 0)


def rows(rtds: Path, every: int) -> tuple[list[object], list[object], RadioPath]:
    """The rows of some scenarios, without the air and over it."""
    scenarios = find_scenarios(rtds)
    published = load_pem_folder(rtds / "keystore")
    anchors = find_anchors(scenarios.values())
    path = RadioPath()
    chosen = list(scenarios.values())[::every]
    with Store() as store, Store() as other:
        plain = Replayer(published, store, anchors=anchors)
        on_air = Replayer(published, other, anchors=anchors, path=path)
        without: list[object] = [plain.run(one, scenarios) for one in chosen]
        over: list[object] = [on_air.run(one, scenarios) for one in chosen]
    return without, over, path


def test_a_sample_of_the_replay_is_the_same_over_the_air(rtds: Path) -> None:
    without, over, path = rows(rtds, EVERY)
    assert over == without
    assert path.messages >= len(without)
    assert path.frames > 10 * path.messages


@pytest.mark.soak
def test_the_whole_replay_is_the_same_over_the_air(rtds: Path) -> None:
    without, over, path = rows(rtds, 1)
    assert over == without
    assert path.messages > len(without)
