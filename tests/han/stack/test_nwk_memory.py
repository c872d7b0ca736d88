"""What a network layer remembers for a few seconds."""

from __future__ import annotations

import pytest

from smetslab.han.stack.nwk_memory import BROADCAST_MEMORY_S, Broadcasts
from smetslab.zigbee.nwk import BROADCAST_ALL, NwkFrame, NwkFrameType


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


@pytest.mark.parametrize(("after_s", "known"), [(0.5, True), (BROADCAST_MEMORY_S, False)])
def test_a_sequence_number_that_comes_round_is_a_new_broadcast(after_s: float, known: bool) -> None:
    scheduler = _Time()
    broadcasts = Broadcasts(scheduler)
    frame = NwkFrame(NwkFrameType.DATA, BROADCAST_ALL, 1, 5, b"x")
    entry = broadcasts.remember(frame)
    scheduler.now = after_s
    assert broadcasts.find(frame) is (entry if known else None)
