"""Both ends of a tunnel as pure state machines: every rule at its exact second."""

from __future__ import annotations

import pytest

from smetslab.han import TunnelRules
from smetslab.han.tunnel_client import TRANSITIONS, ClientEngine, Event, State
from smetslab.han.tunnel_rules import Action, Deliver, Fail, Keep, Note, Opened, Send
from smetslab.han.tunnel_server import ServerEngine, Tunnel
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import ZclFrame, decode_frame
from smetslab.zigbee.zcl.clusters.tunnelling import TransferDataStatus, Tunnelling, TunnelStatus

HUB = Eui64.parse("00DB1234567890A2")
METER = Eui64.parse("00DB1234567890A0")
OTHER = Eui64.parse("00DB1234567890A4")
RULES = TunnelRules()
REQUEST = "01 06FFFF 00 DC05"


def wires(actions: list[Action]) -> list[str]:
    """Frames without their sequence numbers, as hex: control and command, then the payload."""
    frames = [action.frame for action in actions if isinstance(action, Send)]
    return [f"{frame.encode()[0]:02X} {frame.command:02X} {frame.payload.hex().upper()}" for frame in frames]


def events(actions: list[Action]) -> list[str]:
    return [action.event for action in actions if isinstance(action, Note)]


def failures(actions: list[Action]) -> list[tuple[int, str, bool]]:
    return [(action.token, action.what, action.transient) for action in actions if isinstance(action, Fail)]


def answer(status: TunnelStatus, *, sequence: int = 1, tunnel_id: int = 5, size: int = 1500) -> ZclFrame:
    command = Tunnelling.request_tunnel_response
    record = command.record(tunnel_id=tunnel_id, status=int(status), maximum_incoming_transfer_size=size)
    return command.frame(record, sequence=sequence)


def opened(known: tuple[int, ...] = ()) -> ClientEngine:
    engine = ClientEngine(METER, RULES, known)
    engine.start(0.0)
    engine.receive(answer(TunnelStatus.SUCCESS), 0.1)
    assert engine.state is State.OPEN
    return engine


def test_the_client_requests_a_tunnel_as_gbcs_says() -> None:
    engine = ClientEngine(METER, RULES)
    actions = engine.start(0.0)
    assert wires(actions) == ["11 00 06FFFF00DC05"]
    assert engine.state is State.REQUESTED
    actions = engine.receive(answer(TunnelStatus.SUCCESS), 0.1)
    assert [type(action) for action in actions] == [Keep, Note, Opened]
    assert engine.state is State.OPEN
    assert engine.known_ids == (5,)


def test_messages_wait_for_the_tunnel_and_leave_in_order() -> None:
    engine = ClientEngine(METER, RULES)
    assert wires(engine.submit(1, b"\xaa", 0.0)) == ["11 00 06FFFF00DC05"]
    assert engine.submit(2, b"\xbb", 0.0) == []
    actions = engine.receive(answer(TunnelStatus.SUCCESS), 0.1)
    assert wires(actions) == ["11 02 0500AA", "11 02 0500BB"]
    assert [action.token for action in actions if isinstance(action, Send)] == [1, 2]
    assert wires(engine.submit(3, b"\xcc", 1.0)) == ["11 02 0500CC"]


@pytest.mark.parametrize("moment", [65535.09, 65535.1])
def test_the_tunnel_is_renewed_65535_seconds_after_the_last_answer(moment: float) -> None:
    engine = opened()
    assert engine.next_deadline() == pytest.approx(65535.1)
    actions = engine.expire(moment)
    due = moment >= 65535.1
    assert wires(actions) == (["11 00 06FFFF00DC05"] if due else [])
    assert (engine.state is State.REQUESTED) == due


@pytest.mark.parametrize("moment", [180.0, 180.1])
def test_a_busy_device_is_asked_again_after_three_minutes(moment: float) -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, b"\xaa", 0.0)
    assert events(engine.receive(answer(TunnelStatus.BUSY), 0.1)) == ["TunnelRefused"]
    assert engine.submit(2, b"\xbb", 1.0) == []
    assert wires(engine.expire(moment)) == (["11 00 06FFFF00DC05"] if moment >= 180.1 else [])


def test_a_device_without_ids_has_all_known_tunnels_closed_first() -> None:
    engine = ClientEngine(METER, RULES, known_ids=(3, 4))
    engine.start(0.0)
    actions = engine.receive(answer(TunnelStatus.NO_MORE_TUNNEL_IDS, tunnel_id=0xFFFF), 0.1)
    assert wires(actions) == ["01 01 0300", "01 01 0400"]
    first, second = (action.frame for action in actions if isinstance(action, Send))
    assert wires(engine.receive(default_response(first, 0x00), 0.2)) == []
    assert engine.known_ids == (4,)
    assert wires(engine.receive(default_response(second, 0x8B), 0.3)) == ["11 00 06FFFF00DC05"]
    assert engine.known_ids == ()


def default_response(frame: ZclFrame, status: int) -> ZclFrame:
    return ZclFrame(
        cluster_specific=False,
        server_to_client=True,
        disable_default_response=True,
        sequence=frame.sequence,
        command=0x0B,
        payload=bytes((frame.command, status)),
    )


def test_answers_to_close_that_do_not_come_are_not_waited_for_for_ever() -> None:
    engine = ClientEngine(METER, RULES, known_ids=(3,))
    engine.start(0.0)
    engine.receive(answer(TunnelStatus.NO_MORE_TUNNEL_IDS), 0.0)
    assert engine.next_deadline() == 10.0
    assert wires(engine.expire(10.0)) == ["11 00 06FFFF00DC05"]


def test_no_ids_and_nothing_to_close_is_treated_as_busy() -> None:
    engine = ClientEngine(METER, RULES)
    engine.start(0.0)
    assert wires(engine.receive(answer(TunnelStatus.NO_MORE_TUNNEL_IDS), 0.0)) == []
    assert engine.next_deadline() == 180.0


@pytest.mark.parametrize(
    "status", [TunnelStatus.PROTOCOL_NOT_SUPPORTED, TunnelStatus.FLOW_CONTROL_NOT_SUPPORTED]
)
def test_a_refused_protocol_fails_what_waits_and_what_comes(status: TunnelStatus) -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, b"\xaa", 0.0)
    assert failures(engine.receive(answer(status), 0.0)) == [(1, "no tunnel with the device", True)]
    assert failures(engine.submit(2, b"\xbb", 1.0)) == [(2, "no tunnel with the device", True)]
    assert wires(engine.expire(65535.0)) == ["11 00 06FFFF00DC05"]


def test_an_unreachable_device_fails_what_waits_and_the_next_message_tries_at_once() -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, b"\xaa", 0.0)
    assert failures(engine.unreachable(6.4)) == [(1, "no tunnel with the device", True)]
    assert engine.next_deadline() == pytest.approx(186.4)
    assert wires(engine.submit(2, b"\xbb", 10.0)) == ["11 00 06FFFF00DC05"]


def test_no_answer_in_ten_seconds_is_tried_again_and_a_late_answer_still_counts() -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, b"\xaa", 0.0)
    assert engine.expire(9.9) == []
    assert wires(engine.expire(10.0)) == []
    assert engine.state is State.AWAY
    assert wires(engine.receive(answer(TunnelStatus.SUCCESS), 12.0)) == ["11 02 0500AA"]
    assert engine.state is State.OPEN


@pytest.mark.parametrize(("moment", "given_up"), [(599.9, False), (600.0, True)])
def test_a_message_that_finds_no_tunnel_in_time_is_given_up(moment: float, given_up: bool) -> None:
    engine = ClientEngine(METER, TunnelRules(busy_retry_s=10_000))
    engine.submit(1, b"\xaa", 0.0)
    engine.receive(answer(TunnelStatus.BUSY), 0.0)
    assert engine.next_deadline() == 600.0
    assert failures(engine.expire(moment)) == ([(1, "no tunnel in time", True)] if given_up else [])


def test_a_withdrawn_message_is_not_sent() -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, b"\xaa", 0.0)
    engine.submit(2, b"\xbb", 0.0)
    engine.withdraw(1)
    assert wires(engine.receive(answer(TunnelStatus.SUCCESS), 0.1)) == ["11 02 0500BB"]


def test_a_message_the_device_has_no_room_for_is_not_sent() -> None:
    engine = ClientEngine(METER, RULES)
    engine.submit(1, bytes(1000), 0.0)
    engine.submit(2, bytes(100), 0.0)
    actions = engine.receive(answer(TunnelStatus.SUCCESS, size=999), 0.1)
    assert failures(actions) == [(1, "1000 octets, the device takes 999 in one transfer", False)]
    assert len(wires(actions)) == 1


def transfer_error(frame: ZclFrame, status: TransferDataStatus, tunnel_id: int = 5) -> ZclFrame:
    command = Tunnelling.transfer_data_error_to_client
    return command.frame(command.record(tunnel_id=tunnel_id, status=int(status)), sequence=frame.sequence)


@pytest.mark.parametrize("status", [TransferDataStatus.NO_SUCH_TUNNEL, TransferDataStatus.WRONG_DEVICE])
def test_a_transfer_into_a_lost_tunnel_goes_again_through_a_new_one_but_once(
    status: TransferDataStatus,
) -> None:
    engine = opened()
    (sent,) = [action.frame for action in engine.submit(1, b"\xaa", 1.0) if isinstance(action, Send)]
    actions = engine.receive(transfer_error(sent, status), 1.1)
    assert wires(actions) == ["11 00 06FFFF00DC05"]
    assert engine.known_ids == ()
    request = next(action.frame for action in actions if isinstance(action, Send))
    actions = engine.receive(answer(TunnelStatus.SUCCESS, sequence=request.sequence, tunnel_id=6), 1.2)
    assert wires(actions) == ["11 02 0600AA"]
    (again,) = [action.frame for action in actions if isinstance(action, Send)]
    actions = engine.receive(transfer_error(again, status, tunnel_id=6), 1.3)
    assert failures(actions) == [(1, "refused again through a new tunnel", True)]


def test_only_the_refused_message_goes_again() -> None:
    engine = opened()
    frames = [
        action.frame
        for token in (1, 2, 3)
        for action in engine.submit(token, bytes([token]), 1.0)
        if isinstance(action, Send)
    ]
    actions = engine.receive(transfer_error(frames[1], TransferDataStatus.NO_SUCH_TUNNEL), 1.1)
    request = next(action.frame for action in actions if isinstance(action, Send))
    actions = engine.receive(answer(TunnelStatus.SUCCESS, sequence=request.sequence, tunnel_id=6), 1.2)
    assert wires(actions) == ["11 02 060002"]


def test_a_message_too_long_for_the_device_fails_and_the_tunnel_stays() -> None:
    engine = opened()
    (sent,) = [action.frame for action in engine.submit(1, b"\xaa", 1.0) if isinstance(action, Send)]
    actions = engine.receive(transfer_error(sent, TransferDataStatus.DATA_OVERFLOW), 1.1)
    assert failures(actions) == [(1, "the device has no room for it", False)]
    assert engine.state is State.OPEN


def test_a_closed_tunnel_is_opened_again() -> None:
    engine = opened()
    command = Tunnelling.tunnel_closure_notification
    other = command.frame(command.record(tunnel_id=9), sequence=1)
    assert wires(engine.receive(other, 5.0)) == []
    ours = command.frame(command.record(tunnel_id=5), sequence=2)
    assert wires(engine.receive(ours, 5.0)) == ["11 00 06FFFF00DC05"]
    assert engine.known_ids == ()


def test_data_is_delivered_from_known_tunnels_only() -> None:
    engine = opened()
    command = Tunnelling.transfer_data_to_client
    assert engine.receive(command.frame(command.record(tunnel_id=5, data=b"\xdd"), sequence=1), 1.0) == [
        Deliver(METER, b"\xdd")
    ]
    stray = engine.receive(command.frame(command.record(tunnel_id=6, data=b"\xdd"), sequence=2), 1.0)
    assert wires(stray) == ["11 03 060000"]
    long = engine.receive(command.frame(command.record(tunnel_id=5, data=bytes(1501)), sequence=3), 1.0)
    assert wires(long) == ["11 03 050002"]


def test_frames_that_make_no_sense_are_noted_and_change_nothing() -> None:
    engine = opened()
    state = engine.state
    for octets in (
        "0901 00",
        "0901 77",
        "0101 02 050000",
        "0801 0B",
        "0901 00 0500",
        "0801 0B 0100",
        "0901 05 0100",
    ):
        actions = engine.receive(decode_frame(bytes.fromhex(octets)), 1.0)
        assert all(event == "FrameRefused" for event in events(actions))
        assert wires(actions) == []
    assert events(engine.receive(answer(TunnelStatus.SUCCESS, sequence=200), 1.0)) == ["FrameRefused"]
    assert engine.state is state


def test_removing_a_device_closes_its_tunnel_and_gives_up_what_waits() -> None:
    engine = ClientEngine(METER, RULES, known_ids=(3,))
    engine.submit(1, b"\xaa", 0.0)
    actions = engine.close(1.0)
    assert failures(actions) == [(1, "the device was removed", True)]
    assert wires(actions) == ["01 01 0300"]
    assert (engine.known_ids, engine.next_deadline()) == ((), None)


def test_the_table_of_states_has_a_way_out_of_every_state() -> None:
    for state in State:
        leaving = [
            event
            for (start, event), (target, _) in TRANSITIONS.items()
            if start is state and target is not state
        ]
        assert leaving, state
    for state in (State.REQUESTED, State.OPEN, State.BUSY, State.AWAY, State.CLEARING, State.REFUSED):
        assert TRANSITIONS[state, Event.DEADLINE][0] is not state
    assert {target for target, _ in TRANSITIONS.values()} == set(State) - {State.IDLE}


# The server ------------------------------------------------------------------------------------------------


def request(
    *, protocol: int = 6, manufacturer: int = 0xFFFF, flow: bool = False, size: int = 1500
) -> ZclFrame:
    command = Tunnelling.request_tunnel
    record = command.record(
        protocol_id=protocol,
        manufacturer_code=manufacturer,
        flow_control_support=flow,
        maximum_incoming_transfer_size=size,
    )
    return command.frame(record, sequence=40, disable_default_response=True)


def test_the_server_grants_a_tunnel_and_says_so() -> None:
    engine = ServerEngine(RULES)
    actions = engine.receive(HUB, 123, request(size=1200), 0.0)
    assert [type(action) for action in actions] == [Keep, Note, Send, Opened]
    assert wires(actions) == ["19 00 000000DC05"]
    assert engine.tunnels == (Tunnel(0, HUB, 123, 1200),)
    sent = next(action for action in actions if isinstance(action, Send))
    assert (sent.peer, sent.endpoint, sent.frame.sequence) == (HUB, 123, 40)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"protocol": 5}, 3),
        ({"manufacturer": 0x1234}, 3),
        ({"flow": True}, 4),
    ],
)
def test_what_the_server_does_not_support_is_refused_with_its_status(
    change: dict[str, int], status: int
) -> None:
    engine = ServerEngine(RULES)
    actions = engine.receive(HUB, 123, request(**change), 0.0)  # type: ignore[arg-type]
    assert wires(actions) == [f"19 00 FFFF{status:02X}DC05"]
    assert engine.tunnels == ()


def test_a_busy_server_and_one_without_ids_say_so() -> None:
    engine = ServerEngine(TunnelRules(server_max_tunnels=1))
    engine.busy = True
    assert wires(engine.receive(HUB, 1, request(), 0.0)) == ["19 00 FFFF01DC05"]
    engine.busy = False
    assert wires(engine.receive(HUB, 1, request(), 0.0)) == ["19 00 000000DC05"]
    assert wires(engine.receive(OTHER, 1, request(), 0.0)) == ["19 00 FFFF02DC05"]


def test_one_pair_of_endpoints_has_one_tunnel_and_a_renewal_keeps_its_id() -> None:
    engine = ServerEngine(RULES)
    engine.receive(HUB, 1, request(), 0.0)
    engine.receive(HUB, 2, request(), 0.0)
    assert wires(engine.receive(HUB, 1, request(size=1000), 100.0)) == ["19 00 000000DC05"]
    assert engine.tunnels == (Tunnel(0, HUB, 1, 1000), Tunnel(1, HUB, 2, 1500))


def transfer(tunnel_id: int, data: bytes) -> ZclFrame:
    command = Tunnelling.transfer_data_to_server
    return command.frame(
        command.record(tunnel_id=tunnel_id, data=data), sequence=41, disable_default_response=True
    )


def test_the_server_takes_data_from_the_device_of_a_tunnel_only() -> None:
    engine = ServerEngine(RULES)
    engine.receive(HUB, 123, request(), 0.0)
    assert engine.receive(HUB, 123, transfer(0, b"\xdf"), 1.0) == [Deliver(HUB, b"\xdf")]
    assert engine.receive(HUB, 123, transfer(0, bytes(1500)), 1.0) == [Deliver(HUB, bytes(1500))]
    assert wires(engine.receive(HUB, 123, transfer(7, b""), 1.0)) == ["19 02 070000"]
    assert wires(engine.receive(OTHER, 123, transfer(0, b""), 1.0)) == ["19 02 000001"]
    assert engine.receive(HUB, 9, transfer(0, b"\xdf"), 1.0) == [Deliver(HUB, b"\xdf")]
    assert wires(engine.receive(HUB, 123, transfer(0, bytes(1501)), 1.0)) == ["19 02 000002"]


def test_the_server_sends_to_the_endpoint_that_has_opened_the_tunnel() -> None:
    engine = ServerEngine(RULES)
    assert failures(engine.submit(HUB, 1, b"\xdd", 0.0)) == [(1, "it has no tunnel with this device", True)]
    engine.receive(HUB, 123, request(size=10), 0.0)
    (action,) = engine.submit(HUB, 2, b"\xdd", 1.0)
    assert isinstance(action, Send)
    assert (action.peer, action.endpoint, action.token) == (HUB, 123, 2)
    assert wires([action]) == ["19 01 0000DD"]
    assert failures(engine.submit(HUB, 3, bytes(11), 1.0)) == [
        (3, "11 octets, it takes 10 in one transfer", False)
    ]


def test_close_is_answered_and_forgets_the_tunnel() -> None:
    engine = ServerEngine(RULES)
    engine.receive(HUB, 123, request(), 0.0)
    command = Tunnelling.close_tunnel
    close = command.frame(command.record(tunnel_id=0), sequence=50)
    assert wires(engine.receive(OTHER, 123, close, 1.0)) == ["18 0B 018B"]
    assert wires(engine.receive(HUB, 123, close, 1.0)) == ["18 0B 0100"]
    assert engine.tunnels == ()
    assert wires(engine.receive(HUB, 123, close, 1.0)) == ["18 0B 018B"]


def test_a_tunnel_that_nobody_uses_is_closed_after_its_time() -> None:
    engine = ServerEngine(RULES)
    engine.receive(HUB, 123, request(), 0.0)
    engine.receive(HUB, 123, transfer(0, b""), 100.0)
    assert engine.next_deadline() == 65635.0
    assert engine.expire(65634.9) == []
    assert wires(engine.expire(65635.0)) == ["19 06 0000"]
    assert (engine.tunnels, engine.next_deadline()) == ((), None)


def test_an_error_of_the_client_about_a_tunnel_ends_that_tunnel() -> None:
    engine = ServerEngine(RULES)
    engine.receive(HUB, 123, request(), 0.0)
    command = Tunnelling.transfer_data_error_to_server
    for peer, status, left in ((OTHER, 0, 1), (HUB, 2, 1), (HUB, 0, 0)):
        frame = command.frame(command.record(tunnel_id=0, status=status), sequence=1)
        assert wires(engine.receive(peer, 123, frame, 1.0)) == []
        assert len(engine.tunnels) == left


def test_the_server_lists_its_protocol_and_reads_its_attribute() -> None:
    engine = ServerEngine(RULES)
    command = Tunnelling.get_supported_tunnel_protocols
    for offset, expected in ((0, "19 05 0101FFFF06"), (1, "19 05 0100")):
        frame = command.frame(command.record(protocol_offset=offset), sequence=1)
        assert wires(engine.receive(HUB, 1, frame, 0.0)) == [expected]
    read = decode_frame(bytes.fromhex("00 09 00 0000 0100"))
    assert wires(engine.receive(HUB, 1, read, 0.0)) == ["18 01 00000021FFFF010086"]


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        ("01 09 00 06FF", "80"),
        ("01 09 77", "81"),
        ("01 09 04 00000100", "81"),
        ("00 09 02 0000", "80"),
        ("00 09 77", "82"),
    ],
)
def test_what_the_server_cannot_act_on_is_answered_with_a_status(octets: str, status: str) -> None:
    frame = decode_frame(bytes.fromhex(octets))
    actions = ServerEngine(RULES).receive(HUB, 1, frame, 0.0)
    assert wires(actions) == [f"18 0B {frame.command:02X}{status}"]


def test_kept_tunnels_are_open_after_a_power_cut() -> None:
    engine = ServerEngine(RULES, [Tunnel(4, HUB, 123, 1500)], now=1000.0)
    assert engine.receive(HUB, 123, transfer(4, b"\xdf"), 1001.0) == [Deliver(HUB, b"\xdf")]
    assert wires(engine.receive(OTHER, 1, request(), 1002.0)) == ["19 00 000000DC05"]


def test_client_and_server_understand_each_other() -> None:
    client, server = ClientEngine(METER, RULES), ServerEngine(RULES)
    delivered: list[tuple[str, bytes]] = []
    pending = [("client", action) for action in client.submit(1, b"\xdfping", 0.0)]
    while pending:
        side, action = pending.pop(0)
        if isinstance(action, Deliver):
            delivered.append((side, action.data))
            if side == "server":
                pending += [("server", more) for more in server.submit(HUB, 9, b"\xddpong", 0.2)]
        elif isinstance(action, Send):
            frame = decode_frame(action.frame.encode())
            if side == "client":
                pending += [("server", more) for more in server.receive(HUB, 123, frame, 0.1)]
            else:
                pending += [("client", more) for more in client.receive(frame, 0.1)]
    assert delivered == [("server", b"\xdfping"), ("client", b"\xddpong")]
