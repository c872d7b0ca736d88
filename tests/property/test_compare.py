"""Comparing messages with long lists: what differs is found, and soon."""

from __future__ import annotations

import time

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataNotification
from smetslab.gbcs.dlms.axdr import Data
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.triage import compare
from smetslab.ids import Eui64

TIME_LIMIT_S = 2.0
"""CPU time. Each comparison takes some hundredths of it."""


def alert(items: list[Data]) -> bytes:
    """An alert of no declared use case with a list of `items`."""
    return encode_message(
        Message(
            cra=Cra.ALERT,
            originator_counter=1000,
            business_originator_id=Eui64(b"\x22" * 8),
            business_target_id=Eui64(b"\x11" * 8),
            other_information=OtherInformation(message_code=0x7FFF),
            content=DataNotification(0x200003E8, axdr.array(*items)).encode(),
        )
    )


def entries(left: list[Data], right: list[Data]) -> list[tuple[str | None, str | None]]:
    """The members of the lists that differ."""
    start = time.process_time()
    found = compare(alert(left), alert(right))
    assert time.process_time() - start < TIME_LIMIT_S
    return [(one.left, one.right) for one in found if "[" in one.path]


def test_one_entry_more_is_one_difference_wherever_it_is() -> None:
    many: list[Data] = [axdr.double_long_unsigned(number % 7) for number in range(2000)]
    for place in (0, 1000, 2000):
        longer = [*many[:place], axdr.unsigned(200), *many[place:]]
        assert [left for left, _ in entries(many, longer)] == [None]
        assert [right for _, right in entries(longer, many)] == [None]


def test_one_entry_that_differs_is_one_difference() -> None:
    many: list[Data] = [axdr.double_long_unsigned(0)] * 2000
    other = [*many[:700], axdr.double_long_unsigned(5), *many[701:]]
    assert len(entries(many, other)) == 1


def test_long_lists_that_differ_throughout_are_compared_by_place() -> None:
    """Few values, often repeated: the worst case for a search of the longest common runs."""
    left: list[Data] = [axdr.unsigned(number % 2) for number in range(3000)]
    right: list[Data] = [axdr.unsigned(number // 2 % 2) for number in range(3000)]
    differing = sum(1 for one, other in zip(left, right, strict=True) if one != other)
    assert len(entries(left, right)) == differing
