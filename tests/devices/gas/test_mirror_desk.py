"""The proxy as the host of a mirror: who asks for one gets it, and is told what waits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smetslab.devices.han_frames import HanFrame, HanOutbox
from smetslab.devices.mirror import REPORTING_STATUS
from smetslab.devices.mirror_desk import MirrorDesk
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, find_command
from smetslab.zigbee.zcl.clusters.metering import SCHEME_B, TUNNEL_MESSAGE_PENDING, Metering
from smetslab.zigbee.zcl.foundation import (
    AttributeValue,
    DefaultResponse,
    ReadAttributes,
    ReadAttributesResponse,
    ReportAttributes,
    Status,
    general_frame,
)

METER = Eui64(b"GASMETER")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def outbox() -> HanOutbox:
    return HanOutbox()


@pytest.fixture
def desk(outbox: HanOutbox) -> MirrorDesk:
    return MirrorDesk(outbox, 11, lambda device: TUNNEL_MESSAGE_PENDING if device == METER else 0)


def asked(desk: MirrorDesk, outbox: HanOutbox, frame) -> HanFrame:
    desk.receive(HanFrame(METER, Metering.id, frame), NOW)
    (answer,) = outbox.take()
    return answer


def test_a_meter_gets_its_mirror_and_says_how_it_reports(desk, outbox) -> None:
    command = Metering.request_mirror
    given = asked(desk, outbox, command.frame(command.record(), sequence=7))
    assert find_command(given.cluster, given.frame) is Metering.request_mirror_response
    assert given.frame.sequence == 7
    assert Metering.request_mirror_response.decode(given.frame.payload).integer("endpoint_id") == 11
    for scheme, status in ((SCHEME_B, Status.SUCCESS), (9, Status.INVALID_FIELD)):
        record = Metering.configure_mirror.record(
            issuer_event_id=4,
            reporting_interval=1800,
            mirror_notification_reporting=True,
            notification_scheme=scheme,
        )
        answer = asked(desk, outbox, Metering.configure_mirror.frame(record, sequence=8))
        assert DefaultResponse.decode(answer.frame.payload).status == status


def test_the_last_report_is_answered_with_flags_and_no_other(desk, outbox) -> None:
    for status in (0, 1):
        report = ReportAttributes((AttributeValue(REPORTING_STATUS, 0x30, status),))
        desk.reported(METER, general_frame(report, direction=SERVER_TO_CLIENT, sequence=1))
    (answer,) = outbox.take()
    record = Metering.mirror_report_attribute_response.decode(answer.frame.payload)
    assert record["notification_flags"] == (TUNNEL_MESSAGE_PENDING, 0, 0, 0, 0)
    assert record.integer("notification_scheme") == SCHEME_B


def test_a_meter_may_read_its_flags(desk, outbox) -> None:
    question = general_frame(ReadAttributes((0, 1, 9)), direction=SERVER_TO_CLIENT, sequence=2)
    answer = asked(desk, outbox, question)
    results = ReadAttributesResponse.decode(answer.frame.payload).results
    assert [(one.status, one.value) for one in results] == [
        (Status.SUCCESS, TUNNEL_MESSAGE_PENDING),
        (Status.SUCCESS, 0),
        (Status.UNSUPPORTED_ATTRIBUTE, None),
    ]
    assert not answer.frame.server_to_client
