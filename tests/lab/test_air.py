"""A lab whose HAN is on the simulated air: the same lab to everybody above, and a capture of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from smetslab.clock import run_virtual
from smetslab.errors import UsageError
from smetslab.han.capture import CaptureWriter
from smetslab.harness.air import message_title, read_frames, summary, tunnelled
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab
from smetslab.zigbee.capture.keys import KEYS_SUFFIX, read_keys

RADIO = '[han]\nkind = "radio"\n'


@pytest.fixture
def radio_lab(tmp_path):
    """`radio_lab(more)`: the built-in lab on the air."""
    text = (Path(load_lab.__code__.co_filename).parent / "default.lab.toml").read_text()
    start = text.index("[han]")
    end = text.index("[tolerances]")

    def make(han: str = RADIO):
        path = tmp_path / "radio.lab.toml"
        path.write_text(text[:start] + han + "\n" + text[end:])
        return load_lab(path)

    return make


def read_and_capture(config, folder: Path) -> tuple[list, str]:
    """A read of the registers, captured; the frames as the file has them, and what the user got."""
    capture = folder / "home.pcapng"

    async def story() -> str:
        async with Lab(config) as lab:
            writer = CaptureWriter(
                lab.trace,
                capture,
                keys=lab.capture_keys,
                comment=lambda seen: message_title(int(seen.detail["cluster"] or 0), seen.data),
            )
            with writer:
                [meter] = lab.devices
                response = await lab.users["supplier"].request("4.1.1", meter)
                await lab.clock.sleep(5)
            return response.code

    code = run_virtual(story())
    keys = [key.key for key in read_keys((folder / f"home.pcapng{KEYS_SUFFIX}").read_text())]
    return list(read_frames(capture.read_bytes(), keys)), code


def test_a_read_crosses_the_air_sealed_and_the_capture_tells_it(radio_lab, tmp_path) -> None:
    frames, code = read_and_capture(radio_lab(), tmp_path)
    assert code == "I0"
    assert [frame.dissection.problem for frame in frames] == [""] * len(frames)
    titles = [summary(frame.dissection) for frame in frames]
    assert any("ECS17b command" in title for title in titles)
    assert any("ECS17b response" in title for title in titles)
    assert not any(b"\xdf\x09\x01" in frame.octets for frame in frames), "nothing is in the clear"
    whole = [
        tunnelled(found.aps.cluster, found.message)
        for found in (frame.dissection for frame in frames)
        if found.aps is not None and found.aps.cluster and found.message is not None
    ]
    assert sum(one is not None for one in whole) == 2
    # In the order in which they ended: two that overlap may have begun the other way round.
    ends = [frame.time_us + 32 * (len(frame.octets) + 6) for frame in frames]
    assert all(later - end >= -1 for end, later in pairwise(ends))


def test_without_its_keys_the_capture_keeps_its_secrets(radio_lab, tmp_path) -> None:
    read_and_capture(radio_lab(), tmp_path)
    frames = list(read_frames((tmp_path / "home.pcapng").read_bytes(), []))
    sealed = [frame for frame in frames if frame.dissection.problem]
    assert sealed
    assert {frame.dissection.problem for frame in sealed} == {"no key opens the network layer"}


def test_the_same_seed_gives_the_same_capture(radio_lab, tmp_path) -> None:
    captures = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        read_and_capture(radio_lab(), tmp_path / name)
        captures.append((tmp_path / name / "home.pcapng").read_bytes())
    assert captures[0] == captures[1]


def test_a_lossy_air_is_overcome(radio_lab, tmp_path) -> None:
    frames, code = read_and_capture(
        radio_lab(RADIO + "loss_probability = 0.2\nburst_frames = 2\nchannel = 25\n"), tmp_path
    )
    assert code == "I0"
    assert {frame.reception.channel for frame in frames} == {25}


@pytest.mark.parametrize(
    ("han", "match"),
    [
        (RADIO + "latency_s = 0.1\n", "latency_s does not go with kind 'radio'"),
        ('[han]\nkind = "direct"\nchannel = 11\n', "channel does not go with kind 'direct'"),
        (RADIO + "channel = 10\n", "channel"),
        (RADIO + "burst_frames = 0.5\n", "burst_frames"),
        ('[han]\nkind = "wire"\n', "kind"),
    ],
)
def test_a_han_that_contradicts_itself_is_refused(radio_lab, han: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        radio_lab(han)
