"""The server end of tunnels, sans-I/O: one `ServerEngine` for all clients of a device.

Spec: GBCS 10.2.2; ZSE 1.4 D.6
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from smetslab.errors import ZclDecodeError
from smetslab.han.tunnel_rules import Action, Deliver, Fail, Keep, Note, Opened, Send, TunnelRules
from smetslab.ids import Eui64
from smetslab.zigbee.zcl import SERVER_TO_CLIENT, Command, Record, ZclFrame, find_command
from smetslab.zigbee.zcl.clusters.tunnelling import TransferDataStatus, Tunnelling, TunnelStatus
from smetslab.zigbee.zcl.fields import FieldInput
from smetslab.zigbee.zcl.foundation import (
    DefaultResponse,
    GeneralCommand,
    ReadAttributes,
    Status,
    decode_general,
    general_frame,
    read_answer,
)

_NO_TUNNEL_ID = 0xFFFF
"""The id in an answer that grants none. Spec: ZSE 1.4 D.6 leaves it open; unverified."""


class _Client(NamedTuple):
    """The endpoint a frame comes from."""

    eui64: Eui64
    endpoint: int


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One open tunnel: what a device keeps over a power cut."""

    tunnel_id: int
    peer: Eui64
    endpoint: int
    peer_max_octets: int

    @property
    def client(self) -> tuple[Eui64, int]:
        """The endpoint at its other end."""
        return self.peer, self.endpoint


class ServerEngine:
    """Grants tunnels, one per client endpoint, and passes messages both ways; a renewal keeps the id."""

    def __init__(self, rules: TunnelRules, tunnels: Iterable[Tunnel] = (), now: float = 0.0) -> None:
        self.busy = False
        """True: answer every new request with BUSY."""
        self._rules = rules
        self._tunnels: dict[int, Tunnel] = {}
        self._used_at: dict[int, float] = {}
        for tunnel in tunnels:
            self._tunnels[tunnel.tunnel_id] = tunnel
            self._used_at[tunnel.tunnel_id] = now
        self._sequence = 0
        self._answers = {
            Tunnelling.request_tunnel.id: self._request,
            Tunnelling.close_tunnel.id: self._close,
            Tunnelling.transfer_data_to_server.id: self._transfer,
            Tunnelling.transfer_data_error_to_server.id: self._transfer_error,
            Tunnelling.get_supported_tunnel_protocols.id: self._list_protocols,
        }

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        """What is open; kept over a power cut."""
        return tuple(self._tunnels.values())

    def next_deadline(self) -> float | None:
        """When `expire` wants to be called, None for never."""
        return min(
            (used_at + self._rules.close_timeout_s for used_at in self._used_at.values()), default=None
        )

    def expire(self, now: float) -> list[Action]:
        """Close tunnels that nobody has used for the time of the CloseTunnelTimeout attribute."""
        actions: list[Action] = []
        for tunnel in self.tunnels:
            if self._used_at[tunnel.tunnel_id] + self._rules.close_timeout_s > now:
                continue
            self._forget(tunnel)
            actions += [
                Keep(),
                _note(tunnel.peer, "TunnelClosed", tunnel_id=tunnel.tunnel_id),
                self._own(tunnel, Tunnelling.tunnel_closure_notification, tunnel_id=tunnel.tunnel_id),
            ]
        return actions

    def submit(self, peer: Eui64, token: int, data: bytes, now: float) -> list[Action]:
        """Send a message to a client; the outcome carries `token`."""
        tunnel = next((tunnel for tunnel in self._tunnels.values() if tunnel.peer == peer), None)
        if tunnel is None:
            return [Fail(peer, token, data, "it has no tunnel with this device", transient=True)]
        if len(data) > tunnel.peer_max_octets:
            what = f"{len(data)} octets, it takes {tunnel.peer_max_octets} in one transfer"
            return [Fail(peer, token, data, what, transient=False)]
        self._used_at[tunnel.tunnel_id] = now
        return [
            self._own(
                tunnel,
                Tunnelling.transfer_data_to_client,
                token=token,
                tunnel_id=tunnel.tunnel_id,
                data=data,
            )
        ]

    def receive(self, peer: Eui64, endpoint: int, frame: ZclFrame, now: float) -> list[Action]:
        """A frame of the Tunnelling cluster has come from a client."""
        client = _Client(peer, endpoint)
        try:
            if not frame.cluster_specific:
                return self._receive_general(client, frame)
            command = find_command(Tunnelling.id, frame)
            if command is not None and not frame.server_to_client:
                record = command.decode(frame.payload, base=frame.header_length)
                return self._receive_command(client, frame, record, now)
        except ZclDecodeError as error:
            return [
                _note(peer, "FrameRefused", reason=str(error)),
                *_default_response(client, frame, Status.MALFORMED_COMMAND),
            ]
        return [
            _note(peer, "FrameRefused", reason=f"unexpected command {frame.command}"),
            *_default_response(client, frame, Status.UNSUP_CLUSTER_COMMAND),
        ]

    def _receive_command(self, client: _Client, frame: ZclFrame, record: Record, now: float) -> list[Action]:
        answer = self._answers.get(frame.command)
        # Ack Transfer Data and Ready Data belong to flow control, which GB devices do not use.
        if answer is None:
            return _default_response(client, frame, Status.UNSUP_CLUSTER_COMMAND)
        return answer(client, frame, record, now)

    def _close(self, client: _Client, frame: ZclFrame, record: Record, _now: float) -> list[Action]:
        tunnel = self._tunnels.get(record.integer("tunnel_id"))
        if tunnel is None or tunnel.peer != client.eui64:
            # Which status is right here is unverified.
            return _default_response(client, frame, Status.NOT_FOUND)
        self._forget(tunnel)
        return [
            Keep(),
            _note(client.eui64, "TunnelClosed", tunnel_id=tunnel.tunnel_id),
            *_default_response(client, frame, Status.SUCCESS),
        ]

    def _list_protocols(self, client: _Client, frame: ZclFrame, record: Record, _now: float) -> list[Action]:
        ours = [{"manufacturer_code": self._rules.manufacturer_code, "protocol_id": self._rules.protocol_id}]
        return [
            _reply(
                client,
                frame,
                Tunnelling.supported_tunnel_protocols_response,
                protocol_list_complete=True,
                protocols=ours[record.integer("protocol_offset") :],
            )
        ]

    def _request(self, client: _Client, frame: ZclFrame, record: Record, now: float) -> list[Action]:
        peer = client.eui64
        tunnel = next((tunnel for tunnel in self._tunnels.values() if tunnel.client == client), None)
        status = self._judge(record, renewal=tunnel is not None)
        if status is not TunnelStatus.SUCCESS:
            refusal = _reply(
                client,
                frame,
                Tunnelling.request_tunnel_response,
                tunnel_id=_NO_TUNNEL_ID,
                status=int(status),
                maximum_incoming_transfer_size=self._rules.max_transfer_octets,
            )
            return [_note(peer, "TunnelRefused", status=int(status)), refusal]
        tunnel_id = self._free_id() if tunnel is None else tunnel.tunnel_id
        peer_max_octets = record.integer("maximum_incoming_transfer_size")
        self._tunnels[tunnel_id] = Tunnel(tunnel_id, client.eui64, client.endpoint, peer_max_octets)
        self._used_at[tunnel_id] = now
        granted = _reply(
            client,
            frame,
            Tunnelling.request_tunnel_response,
            tunnel_id=tunnel_id,
            status=int(TunnelStatus.SUCCESS),
            maximum_incoming_transfer_size=self._rules.max_transfer_octets,
        )
        note = _note(peer, "TunnelGranted", tunnel_id=tunnel_id, max_transfer_octets=peer_max_octets)
        return [Keep(), note, granted, Opened(peer)]

    def _judge(self, record: Record, *, renewal: bool) -> TunnelStatus:
        if (record.integer("protocol_id"), record.integer("manufacturer_code")) != (
            self._rules.protocol_id,
            self._rules.manufacturer_code,
        ):
            return TunnelStatus.PROTOCOL_NOT_SUPPORTED
        if record["flow_control_support"] is not False:
            return TunnelStatus.FLOW_CONTROL_NOT_SUPPORTED
        if self.busy:
            return TunnelStatus.BUSY
        if not renewal and len(self._tunnels) >= self._rules.server_max_tunnels:
            return TunnelStatus.NO_MORE_TUNNEL_IDS
        return TunnelStatus.SUCCESS

    def _transfer(self, client: _Client, frame: ZclFrame, record: Record, now: float) -> list[Action]:
        peer = client.eui64
        tunnel_id, data = record.integer("tunnel_id"), record.octets("data")
        tunnel = self._tunnels.get(tunnel_id)
        status: TransferDataStatus
        if tunnel is None:
            status = TransferDataStatus.NO_SUCH_TUNNEL
        elif tunnel.peer != peer:
            status = TransferDataStatus.WRONG_DEVICE
        elif len(data) > self._rules.max_transfer_octets:
            status = TransferDataStatus.DATA_OVERFLOW
        else:
            self._used_at[tunnel_id] = now
            return [Deliver(peer, data)]
        error = _reply(
            client,
            frame,
            Tunnelling.transfer_data_error_to_client,
            tunnel_id=tunnel_id,
            status=int(status),
        )
        return [_note(peer, "TransferRefused", tunnel_id=tunnel_id, status=int(status)), error]

    def _transfer_error(self, client: _Client, _frame: ZclFrame, record: Record, _now: float) -> list[Action]:
        """A client did not take a transfer: a tunnel it does not know is none."""
        peer = client.eui64
        tunnel_id, status = record.integer("tunnel_id"), record.integer("status")
        actions: list[Action] = [_note(peer, "TransferRefused", tunnel_id=tunnel_id, status=status)]
        tunnel = self._tunnels.get(tunnel_id)
        if tunnel is not None and tunnel.peer == peer and status != TransferDataStatus.DATA_OVERFLOW:
            self._forget(tunnel)
            actions += [Keep(), _note(peer, "TunnelClosed", tunnel_id=tunnel_id)]
        return actions

    def _receive_general(self, client: _Client, frame: ZclFrame) -> list[Action]:
        command = decode_general(frame)
        if isinstance(command, ReadAttributes):
            values = {Tunnelling.close_tunnel_timeout: self._rules.close_timeout_s}
            answer = read_answer(frame, command.attributes, values)
            return [Send(client.eui64, client.endpoint, answer)]
        if isinstance(command, DefaultResponse):
            return []
        return _default_response(client, frame, Status.UNSUP_GENERAL_COMMAND)

    def _free_id(self) -> int:
        return next(number for number in range(_NO_TUNNEL_ID) if number not in self._tunnels)

    def _forget(self, tunnel: Tunnel) -> None:
        del self._tunnels[tunnel.tunnel_id]
        del self._used_at[tunnel.tunnel_id]

    def _own(self, tunnel: Tunnel, command: Command, token: int | None = None, **values: FieldInput) -> Send:
        """A command of our own accord, to the endpoint that has opened the tunnel."""
        self._sequence = (self._sequence + 1) & 0xFF
        frame = command.frame(
            command.record(**values), sequence=self._sequence, disable_default_response=True
        )
        return Send(tunnel.peer, tunnel.endpoint, frame, token)


def _note(peer: Eui64, event: str, **detail: str | int | bool | None) -> Note:
    return Note(peer, event, tuple(detail.items()))


def _reply(client: _Client, frame: ZclFrame, command: Command, **values: FieldInput) -> Send:
    """A command that answers `frame`, with its sequence number."""
    answer = command.frame(command.record(**values), sequence=frame.sequence, disable_default_response=True)
    return Send(client.eui64, client.endpoint, answer)


def _general(client: _Client, frame: ZclFrame, command: GeneralCommand) -> Send:
    return Send(
        client.eui64,
        client.endpoint,
        general_frame(
            command,
            direction=SERVER_TO_CLIENT,
            sequence=frame.sequence,
            manufacturer_code=frame.manufacturer_code,
        ),
    )


def _default_response(client: _Client, frame: ZclFrame, status: Status) -> list[Action]:
    """A Default Response, unless it is unwanted; errors are answered even then. Spec: ZCL 2.5.12.2"""
    if frame.disable_default_response and status is Status.SUCCESS:
        return []
    return [_general(client, frame, DefaultResponse(frame.command, int(status)))]
