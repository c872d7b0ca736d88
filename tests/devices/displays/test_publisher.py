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
from smetslab.gbcs.values import seconds_since_2000
from smetslab.ids import Eui64
from smetslab.trace import Trace
from smetslab.zigbee.zcl import Command, find_command
from smetslab.zigbee.zcl.clusters.messaging import Messaging
from smetslab.zigbee.zcl.clusters.price import Price

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
METER, IHD, CAD, PPMID = (Eui64(name) for name in (b"A METER ", b"DISPLAY1", b"ACCESS 1", b"PREPAY 1"))


def meter_of(store) -> tuple[Workplace, DeviceLog]:
    place = Workplace(METER, store.nvm("meter"), Trace(StandingClock(NOW)))
    return place, DeviceLog(place.nvm, first=(), changed=lambda _work: None)


def join(place: Workplace, log: DeviceLog) -> None:
    with place.work(NOW) as work:
        for device, kind in (
            (IHD, DeviceType.TYPE_2),
            (PPMID, DeviceType.PPMID),
            (CAD, DeviceType.TYPE_2),
        ):
            log.add(work, device, kind)


def test_a_change_is_published_to_every_display_once(store) -> None:
    place, log = meter_of(store)
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
    join(place, log)
    assert published(1) == []  # what it knew before is not news
    assert published(2) == []
    text = "three"
    assert published(3) == [IHD, PPMID, CAD]
    assert published(4) == []


def test_that_an_answer_was_made_at_another_moment_is_no_change(store) -> None:
    """A price and a tariff say when they were told; of a tariff nothing is looked at but for its revision."""
    price, revision = 10_000, 1

    def moment(now: datetime) -> int:
        return seconds_since_2000(now)

    def current_price(now, _asked):
        return Price.publish_price.record(
            provider_id=0,
            rate_label=b"",
            issuer_event_id=moment(now),
            current_time=moment(now),
            unit_of_measure=0,
            currency=826,
            price_trailing_digit_and_price_tier=0x51,
            number_of_price_tiers_and_register_tier=0x11,
            start_time=0,
            duration_in_minutes=0xFFFF,
            price=price,
        )

    def calorific_value(now, _asked):
        return Price.publish_calorific_value.record(
            issuer_event_id=moment(now),
            start_time=0,
            calorific_value=price,
            calorific_value_unit=1,
            calorific_value_trailing_digit=0x10,
        )

    place, log = meter_of(store)
    join(place, log)
    outbox = HanOutbox()
    server = DisplayServer(
        {},
        {Price.get_current_price: current_price, Price.get_calorific_value: calorific_value},
        revision=lambda: revision,
    )
    publisher = DisplayPublisher(lambda: server, log, outbox)

    def published(after_s: int) -> list[Command | None]:
        publisher.refresh(NOW + timedelta(seconds=after_s))
        return [find_command(one.cluster, one.frame) for one in outbox.take()]

    assert [published(after_s) for after_s in (0, 1, 2)] == [[], [], []]
    price = 12_000
    assert published(3) == [Price.publish_price] * 3
    revision = 2
    assert published(4) == [Price.publish_calorific_value] * 3
    revision = 3
    assert published(5) == []


def test_a_message_that_stands_no_more_is_cancelled(store) -> None:
    place, log = meter_of(store)
    join(place, log)
    outbox = HanOutbox()
    numbers = [7]

    def message(_now, _asked):
        return [
            Messaging.display_message.record(
                message_id=number, message_control=0, start_time=0, duration_in_minutes=10, message=b"CALL"
            )
            for number in numbers
        ]

    server = DisplayServer({}, {Messaging.get_last_message: message})
    publisher = DisplayPublisher(lambda: server, log, outbox)
    publisher.refresh(NOW)
    numbers.clear()
    publisher.refresh(NOW)
    frames = outbox.take()
    assert [one.peer for one in frames] == [IHD, PPMID, CAD]
    for one in frames:
        command = find_command(one.cluster, one.frame)
        assert command is Messaging.cancel_message
        assert command.decode(one.frame.payload).integer("message_id") == 7
    publisher.refresh(NOW)
    assert outbox.take() == []
