"""How long a supplier's message stands: from its start, for its duration, for the tenant whom it was for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from smetslab.clock import StandingClock
from smetslab.devices.display_reading import Reading, ShownMeter
from smetslab.devices.supplier_message import SupplierMessage
from smetslab.devices.work import Workplace
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.zigbee.zcl.clusters.messaging import Messaging

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GPF = Eui64(b"A PROXY ")


def sent(start_s: int = 0, minutes: int = 0xFFFF, control: int = 0):
    """A message; `start_s`: seconds after it comes, 0: at once."""
    return Messaging.display_message.record(
        message_id=seconds_since_2000(NOW),
        message_control=control,
        start_time=seconds_since_2000(NOW) + start_s if start_s else 0,
        duration_in_minutes=minutes,
        message=b"NO GAS TODAY",
    )


@pytest.mark.parametrize(
    ("start_s", "minutes", "shown"),
    [(0, 0xFFFF, (0, 10**7)), (0, 90, (0, 5_399)), (600, 10, (600, 1_199)), (600, 0xFFFF, (600, 10**7))],
)
def test_a_message_is_shown_from_its_start_for_its_duration_by_meter_and_display(
    store, start_s: int, minutes: int, shown: tuple[int, int]
) -> None:
    place = Workplace(GPF, store.nvm("proxy"), Trace(StandingClock(NOW)))
    message = SupplierMessage(place.nvm, lambda: sent(start_s, minutes), lambda now: now)
    with place.work(NOW) as work:
        message.came(work)
    display = Reading(ShownMeter(GPF, DeviceType.GPF))
    display.take(Messaging.display_message, message.standing(NOW))
    first, last = shown
    for after_s in (first - 1, first, last, last + 1):
        time = NOW + timedelta(seconds=after_s)
        expected = "NO GAS TODAY" if after_s >= 0 and first <= after_s <= last else ""
        if after_s > 10**7:
            expected = "NO GAS TODAY"  # it has no end
        if after_s >= 0:
            assert message.text(time) == expected
            assert display.message(time) == expected
    # It is known after a power cut when it came.
    again = SupplierMessage(place.nvm, lambda: sent(start_s, minutes), lambda now: now)
    later = NOW + timedelta(days=2)
    assert (again.standing(later) is None) == (minutes != 0xFFFF)


def test_a_message_to_the_tenant_before_is_not_told(store) -> None:
    place = Workplace(GPF, store.nvm("proxy"), Trace(StandingClock(NOW)))
    change = NOW + timedelta(hours=1)
    message = SupplierMessage(
        place.nvm, sent, lambda now: now, lambda time: change if time >= change else None
    )
    with place.work(NOW) as work:
        message.came(work)
    assert message.standing(change - timedelta(seconds=1)) is not None
    assert message.standing(change) is None
    with place.work(change) as work:
        message.came(work)
    assert message.standing(change) is not None


def test_a_cancelled_message_is_gone_and_another_one_is_not(store) -> None:
    display = Reading(ShownMeter(GPF, DeviceType.GPF))
    told = sent(start_s=60, control=0x80)
    display.take(Messaging.display_message, told)
    assert display.notice is not None
    assert display.notice.confirm
    cancel = Messaging.cancel_message
    display.take(cancel, cancel.record(message_id=told.integer("message_id") + 1, message_control=0))
    assert display.notice is not None
    display.take(cancel, cancel.record(message_id=told.integer("message_id"), message_control=0))
    assert display.notice is None
    display.take(Messaging.display_message, told)
    every = Messaging.cancel_all_messages
    display.take(every, every.record(implementation_date_time=0))
    assert display.notice is None
