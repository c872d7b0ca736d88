"""What a meter publishes by itself: changes, to displays alone, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from smetslab.clock import StandingClock
from smetslab.devices.display_publisher import DisplayPublisher
from smetslab.devices.display_server import DisplayServer
from smetslab.devices.han_frames import HanOutbox
from smetslab.devices.security.device_log import DeviceLog
from smetslab.devices.work import Workplace
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.zigbee.zcl import find_command
from smetslab.zigbee.zcl.clusters.messaging import Messaging

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
METER, IHD, CAD, PPMID = (Eui64(name) for name in (b"A METER ", b"DISPLAY1", b"ACCESS 1", b"PREPAY 1"))


def test_a_change_is_published_to_every_display_once(store) -> None:
    clock = StandingClock(NOW)
    place = Workplace(METER, store.nvm("meter"), Trace(clock))
    log = DeviceLog(place.nvm, first=(), changed=lambda _work: None)
    text = "one"

    def message(now, asked):
        assert asked is not None
        return Messaging.display_message.record(
            message_id=len(text),
            message_control=0,
            start_time=0,
            duration_in_minutes=0xFFFF,
            message=text.encode(),
        )

    outbox = HanOutbox()
    server = DisplayServer({}, {Messaging.get_last_message: message})
    publisher = DisplayPublisher(lambda: server, log, outbox)

    def published(after_s: int) -> list[Eui64]:
        publisher.refresh(NOW + timedelta(seconds=after_s))
        frames = outbox.take()
        assert all(find_command(one.cluster, one.frame) is Messaging.display_message for one in frames)
        return [one.peer for one in frames]

    text = "two"
    assert published(0) == []  # nobody is there
    with place.work(NOW) as work:
        for device, kind in (
            (IHD, DeviceType.TYPE_2),
            (PPMID, DeviceType.PPMID),
            (CAD, DeviceType.TYPE_2),
        ):
            log.add(work, device, kind)
    assert published(1) == []  # what it knew before is not news
    assert published(2) == []  # nor is another moment
    text = "three"
    assert published(3) == [IHD, PPMID, CAD]
    assert published(4) == []
