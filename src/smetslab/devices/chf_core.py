"""The Communications Hub Function as a GBCS device: its clock, its device log, its radio, its application.

Spec: CHTS 4; GBCS use cases CCS01 to CCS08, CS14, DBCH01 to DBCH11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from smetslab.devices import events
from smetslab.devices.application import Application, Station
from smetslab.devices.chf_objects import MODEL, RIGHTS
from smetslab.devices.clock import ClockStatus
from smetslab.devices.cosem.server import Bindings, BufferSource, ItemError
from smetslab.devices.cosem_engine import CosemEngine
from smetslab.devices.event_log import EventLog
from smetslab.devices.hub_log import HubDeviceLog, Listed, Refusal
from smetslab.devices.limits import CHANNEL_LOG_ENTRIES, HUB_CONTACT_CHECK
from smetslab.devices.payload_engine import Call
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.security.installed import Hooks, SecuritySettings, install_security
from smetslab.devices.sub_ghz import SubGhz
from smetslab.devices.work import Work, Workplace
from smetslab.errors import GbcsDecodeError, UsageError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.dlms.axdr import Data, Octets, Sequence
from smetslab.gbcs.dlms.forms import ChannelLogDetail
from smetslab.gbcs.dlms.shapes import Shape
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.hub import CHANNEL_LOG_ENTRIES as CHANNEL_LOG_SHAPE
from smetslab.gbcs.usecases.hub import COMMUNICATIONS_STORE, LOG_AS_READ
from smetslab.gbcs.usecases.logs import EVENT_LOG_ENTRIES, SECURITY_LOG_ENTRIES
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import EPOCH_2000, Parameters, Value, date_time_octets, utc_text
from smetslab.ids import Eui64
from smetslab.zigbee.security import INSTALL_CODE_SIZES

FIRST_ALERT_COUNTER: Final = 4000
"""Spec: RTDS 4.5.0; any start would do."""

_ALERTS: Final = {
    events.CHF_LOG_CHANGED: "CS14",
    events.LIMITED_DUTY_CYCLE: "DBCH06",
    events.CHANNEL_CHANGED: "DBCH07",
    events.SCAN_ASSESSED: "DBCH08",
    events.SUB_GHZ_CONFIGURED: "DBCH09",
    events.DISCARDED_FOR_DUTY_CYCLE: "DBCH10",
    events.NO_SUB_GHZ_CAPACITY: "DBCH11",
    events.NOT_DELIVERED_TO_ESME: "ALERT-8F84",
    events.FIRMWARE_TRANSFERRED: "CCS08",
    events.FIRMWARE_TRANSFER_FAILED: "CCS08",
}
"""Events that are told by a use case of their own."""

_TRANSFERS: Final = ("success", "imageDiscarded", "hardwareVersionMismatch", "fileTransferFailure")
_UNHEARD_RSSI_DBM, _UNHEARD_LQI = -60, 255
"""What is shown of a device where there is no air to hear it on."""
Reception = Callable[[Eui64], tuple[int, int] | None]
"""How a device is heard: signal strength in dBm, and link quality; None where there is no air."""
_STATUSES = tuple(status.name.lower() for status in ClockStatus)


@dataclass(frozen=True, slots=True)
class HubClock:
    """The hub's clock, which the WAN keeps right; `offset` is how wrong a laboratory wants it."""

    status: ClockStatus
    offset: timedelta

    @property
    def running(self) -> bool:
        return self.status is not ClockStatus.INVALID

    def time(self, now: datetime) -> datetime:
        return now + self.offset

    def moment(self, time: datetime) -> datetime:
        return time - self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """What the profile of a hub may set. `dual_band`: it has a sub-GHz radio besides the one at 2.4 GHz."""

    clock: HubClock
    attributes: Mapping[str, Value]
    dual_band: bool = True
    network: bytes = bytes(8)
    security: SecuritySettings = field(default_factory=SecuritySettings)


def known_state() -> frozenset[str]:
    """The names that the `state` of a hub's profile may use."""
    return frozenset({"clock_status", "clock_offset_s", "dual_band", "extended_pan_id"})


def read_settings(profile: DeviceProfile) -> HubSettings:
    """The settings of a profile. Raises UsageError at the first that is unknown or has a wrong value."""
    for name in profile.state:
        if name not in known_state():
            known = ", ".join(sorted(known_state()))
            raise UsageError(f"unknown setting {name!r} of a Communications Hub", hint=f"known: {known}")
    status, offset_s = profile.state.get("clock_status", "reliable"), profile.state.get("clock_offset_s", 0)
    dual_band, network = profile.state.get("dual_band", True), profile.state.get("extended_pan_id", "00" * 8)
    if status not in _STATUSES:
        raise UsageError(f"setting clock_status: {status!r} is not one of {', '.join(_STATUSES)}")
    if type(offset_s) is not int:
        raise UsageError(f"setting clock_offset_s: {offset_s!r} is not of type int")
    if type(dual_band) is not bool:
        raise UsageError(f"setting dual_band: {dual_band!r} is not of type bool")
    return HubSettings(
        clock=HubClock(ClockStatus[str(status).upper()], timedelta(seconds=offset_s)),
        attributes={
            "firmware_version": profile.identity.firmware_version,
            "model_type": profile.identity.model_type_octets.decode("ascii", "replace"),
            "manufacturer_identifier": profile.identity.manufacturer_id,
        },
        dual_band=dual_band,
        network=_network(network),
    )


def _network(value: Value) -> bytes:
    try:
        octets = bytes.fromhex(str(value))
    except ValueError:
        octets = b""
    if len(octets) != 8:
        raise UsageError(f"setting extended_pan_id: {value!r} is not 16 hexadecimal digits")
    return octets


_Row = Callable[[int, int, bytes], Value]
"""An entry of a log as its shape has it, from time stamp, code and other information."""


def _plain(seconds: int, code: int, extra: bytes) -> Value:
    del extra
    return {"timestamp": utc_text(EPOCH_2000 + timedelta(seconds=seconds)), "log_code": f"{code:04X}"}


def _event(seconds: int, code: int, extra: bytes) -> Value:
    plain = _plain(seconds, code, extra)
    return {**(plain if isinstance(plain, dict) else {}), "other_information": extra.hex().upper()}


def _channel_event(seconds: int, code: int, extra: bytes) -> Value:
    plain = _plain(seconds, code, extra)
    detail = ChannelLogDetail().decode(axdr.octet_string(extra), "other information")
    return {**(plain if isinstance(plain, dict) else {}), "other_information": detail}


def _with_weekday(moment: datetime) -> str:
    """A date-time with its day of the week, which the communications store alone shows."""
    octets = date_time_octets(moment)
    return "hex:" + (octets[:4] + bytes((moment.isoweekday(),)) + octets[5:]).hex().upper()


def _restored(data: Data) -> tuple[bytes, list[tuple[Eui64, bytes]]]:
    """Network and devices of CCS03. Raises ItemError."""
    try:
        network, devices = _members_of(data)
        found: list[tuple[Eui64, bytes]] = []
        for item in _members_of(devices):
            device, hashed = _members_of(item)
            found.append((Eui64(_octets_of(device)), _octets_of(hashed)))
        return _octets_of(network), found
    except ValueError as error:
        raise ItemError(DataAccessResult.TYPE_UNMATCHED, "no device log") from error


def _members_of(data: Data) -> tuple[Data, ...]:
    if not isinstance(data, Sequence):
        raise ValueError("no structure or array")  # noqa: TRY004 - one error for every wrong form
    return data.items


def _octets_of(data: Data) -> bytes:
    if not isinstance(data, Octets):
        raise ValueError("no octets")  # noqa: TRY004 - one error for every wrong form
    return data.value


def message_head(payload: bytes) -> Parameters | None:
    """The start of the grouping header of a message, as alerts about it have it; None when it has none."""
    try:
        message: Message = decode_message(payload)
    except GbcsDecodeError:
        return None
    return {
        "business_originator_id": str(message.business_originator_id),
        "business_target_id": str(message.business_target_id),
        "cra_flag": int(message.cra),
        "originator_counter": message.originator_counter,
    }


class HubCore:
    """One CHF between power on and power off."""

    def __init__(
        self, station: Station, settings: HubSettings, workplace: Workplace, log: HubDeviceLog, now: datetime
    ) -> None:
        """`log`: the hub's Device Log, which its relay stands on too."""
        self._clock = settings.clock
        self._place = workplace
        self._station = station
        self.log = log
        self._next_check = now + HUB_CONTACT_CHECK
        self.application = Application(station=station, workplace=workplace, clock=settings.clock)
        self.channel_log = EventLog(workplace.nvm, "channel", CHANNEL_LOG_ENTRIES)
        engine = CosemEngine(
            model=MODEL,
            rights=RIGHTS,
            bindings=self._bindings(),
            future_dated=self.application.future_dated,
            nvm=workplace.nvm,
            quirks=station.quirks,
            state={"entity_identifier": str(station.eui64), **settings.attributes},
        )
        self.server = self.application.install(engine).server
        self.reception: Reception = lambda _device: None
        self.radio = SubGhz(workplace.nvm, self.server, self.channel_log, self.tell)
        self.security = install_security(
            self.application,
            station=station,
            workplace=workplace,
            clock=settings.clock,
            settings=settings.security,
            hooks=Hooks(firmware_changed=self._show_firmware),
        )
        with workplace.work(now) as work:
            self.security.firmware.power_on(work)
            self._show_firmware(work, self.security.firmware.store.version)

    def _show_firmware(self, work: Work, version: bytes) -> None:
        self.server.put(work, "firmware_version", version.hex().upper())

    # ---------------------------------------------------------------------------- bindings

    def _bindings(self) -> Bindings:
        return Bindings(
            computed={"communications_store": self._communications},
            buffers={
                "event_log": self._buffer(self.application.event_log, EVENT_LOG_ENTRIES, _event),
                "security_log": self._buffer(self.application.security_log, SECURITY_LOG_ENTRIES, _plain),
                "sub_ghz_channel_log": self._buffer(self.channel_log, CHANNEL_LOG_SHAPE, _channel_event),
            },
            methods={
                "register_device": self._register,
                "unregister_device": self._unregister,
                "backup_device_log": lambda call, _: self._backup(call.work, self.log.entries),
                "backup_historic_device_log": lambda call, _: self._backup_historic(call.work),
                "restore_device_log": self._restore,
            },
            changed={
                "allows_devices_on_to_the_han": self._allow,
                "sub_ghz_configuration_settings": self._configured,
                "sub_ghz_channel_scan_request": lambda work: self.radio.scan(work, "RemotePartyCommand"),
            },
        )

    @staticmethod
    def _buffer(log: EventLog, shape: Shape, row: _Row) -> BufferSource:
        def read(now: datetime, first: datetime | None, last: datetime | None) -> Data:
            del now
            rows: Value = [row(entry.seconds, entry.code, entry.extra) for entry in log.between(first, last)]
            return shape.encode(rows, log.name)

        return read

    # ---------------------------------------------------------------------------- device log

    def _register(self, call: Call, data: Data) -> Data:
        """CCS01: a device that is on the log already stays as it is. Spec: GBCS use case CCS01."""
        items = data.items if isinstance(data, Sequence) else ()
        octets = [item.value for item in items if isinstance(item, Octets)]
        if len(octets) != 2 or len(octets[0]) != 8 or len(octets[1]) not in INSTALL_CODE_SIZES:
            raise ItemError(DataAccessResult.TYPE_UNMATCHED, "no device with an install code")
        device = Eui64(octets[0])
        if self.log.find(device) is None and self.log.full:
            raise ItemError(DataAccessResult.OTHER_REASON, "the Device Log is full")
        if self.log.enter(call.work, device, octets[1]):
            self._log_changed(call.work)
        return axdr.null()

    def _allow(self, work: Work) -> None:
        """Joining is allowed for the joining time period, or no longer."""
        allowed = self.server.value("allows_devices_on_to_the_han")
        self.log.open_window(work, self.server.number("joining_time_period") if allowed else 0)

    def _configured(self, work: Work) -> None:
        self.radio.configured(work)

    def _unregister(self, call: Call, data: Data) -> Data:
        if not isinstance(data, Octets) or len(data.value) != 8:
            raise ItemError(DataAccessResult.TYPE_UNMATCHED, "no device")
        if self.log.leave(call.work, Eui64(data.value)):
            self._log_changed(call.work)
        return axdr.null()

    def _restore(self, call: Call, data: Data) -> Data:
        network, devices = _restored(data)
        if len(devices) > self.log.capacity:
            raise ItemError(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED, "more devices than the log holds")
        self.log.restore(call.work, network, devices)
        self._log_changed(call.work)
        return axdr.null()

    def _backup(self, work: Work, entries: tuple[Listed, ...]) -> Data:
        """A log with the hashes of its keys."""
        time = utc_text(self._clock.time(work.now))
        return LOG_AS_READ.encode({"read_date_time": time, **self._shown(entries)}, "device log")

    def _backup_historic(self, work: Work) -> Data:
        """A hub that has lost no device has nothing to show."""
        return self._backup(work, self.log.historic) if self.log.historic else axdr.null()

    def _shown(self, entries: tuple[Listed, ...]) -> Parameters:
        return {
            "han_identifier": self.log.network.hex().upper(),
            "devices": [
                {"device_identifier": str(entry.device), "security_details": entry.key_hash.hex().upper()}
                for entry in entries
            ],
        }

    def _log_changed(self, work: Work) -> None:
        """Every change of the log is backed up to the ACB. Spec: GBCS use case CS14."""
        backup: Parameters = {
            "backup_date_time": utc_text(self._clock.time(work.now)),
            **self._shown(self.log.entries),
        }
        self.tell(work, events.CHF_LOG_CHANGED, {"device_log": backup})

    def _communications(self, now: datetime) -> Data:
        """The communications store: when each device was last heard, and how well. Spec: CHTS 4.6.2."""
        del now
        rows: Value = [self._communication(entry) for entry in self.log.entries]
        return COMMUNICATIONS_STORE.encode(rows, "communications store")

    def _communication(self, entry: Listed) -> Value:
        heard = self.log.last_contact(entry.device)
        joined = entry.presence == "joined"
        rssi_dbm, lqi = self.reception(entry.device) or (_UNHEARD_RSSI_DBM, _UNHEARD_LQI)
        time = "hex:" + "FF" * 12 if heard is None else _with_weekday(self._clock.time(heard))
        return {
            "entity_identifier": str(entry.device),
            "status": {
                "authorised_on_pan": entry.presence != "listed",
                "actively_reporting_on_pan": joined,
                "unauthorised_on_pan_but_has_reported": False,
                "authorised_after_swap_out": bool(entry.old_key) and joined,
                "sep_transmitting": joined,
            },
            **dict.fromkeys(("max_rssi", "average_rssi", "min_rssi"), rssi_dbm if joined else 0),
            **dict.fromkeys(("max_lqi", "average_lqi", "min_lqi"), lqi if joined else 0),
            "last_communications_date_time": time,
            "number_of_hops": 1,
            "transmission_failures": 0,
            "transmission_successes": 0 if heard is None else 1,
            "application_version": 1,
            "stack_version": 1,
        }

    # ---------------------------------------------------------------------------- the network

    def work(self, now: datetime) -> AbstractContextManager[Work]:
        """A piece of work of the hub's own."""
        return self._place.work(now)

    def device_knocks(
        self, now: datetime, device: Eui64, device_type: DeviceType, link_key: bytes
    ) -> Refusal | None:
        """A device wants to join with this link key; None when it is let in. Spec: GBCS use case CCS01."""
        entry = self.log.find(device)
        refusal = self.log.judge(now, device, link_key)
        with self._place.work(now) as work:
            if refusal == "wrong key":
                self.application.raise_event(work, events.NOT_JOINED)
            if refusal is None and entry is not None and entry.presence == "listed":
                self.log.joined(work, device, device_type, link_key)
                self._log_changed(work)
            if refusal is None and entry is not None and entry.presence == "lost":
                self.log.mark(work, device, "joined")
            work.note("JoinAttempt", device=str(device), outcome=refusal or "joined")
        return refusal

    def device_joined(self, now: datetime, device: Eui64, device_type: DeviceType, link_key: bytes) -> None:
        """A device that was let in with its install code has agreed a link key. Spec: GBCS use case CCS01."""
        if self.log.find(device) is None:
            return
        with self._place.work(now) as work:
            self.log.joined(work, device, device_type, link_key)
            self._log_changed(work)
            work.note("JoinAttempt", device=str(device), outcome="joined")

    def transferred(self, work: Work, device: Eui64, version: bytes, outcome: int) -> None:
        """What became of a firmware image that the hub was to hand to a device. Spec: GBCS use case CCS08."""
        code = events.FIRMWARE_TRANSFER_FAILED if outcome else events.FIRMWARE_TRANSFERRED
        self.tell(
            work,
            code,
            {
                "device_id": str(device),
                "firmware_version": version.hex().upper(),
                "transfer_response_code": _TRANSFERS[outcome],
            },
        )

    def undelivered(self, work: Work, payload: bytes) -> None:
        """A message to an ESME could not be handed over: tell whose it was. Spec: GBCS 16.2 (0x8F84)."""
        told = message_head(payload)
        if told is None:
            self.application.raise_event(work, events.NOT_DELIVERED_TO_ESME)
            return
        self.tell(work, events.NOT_DELIVERED_TO_ESME, {"undelivered_message": told})

    def tell(self, work: Work, code: int, parameters: Parameters | None) -> None:
        """Raise an event, and tell the ACB of it in the use case that is for it."""
        self.application.raise_event(work, code)
        use_case = _ALERTS.get(code)
        recipient = self.application.trust_anchors.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        if use_case is not None and parameters is not None and recipient is not None:
            self.application.send_alert(work, USE_CASES[use_case], code, recipient, parameters)

    # ---------------------------------------------------------------------------- events from outside

    def receive(self, data: bytes, now: datetime) -> None:
        """A message for the hub itself has come."""
        self.application.receive(data, now)

    def next_deadline(self) -> datetime:
        """When `tick` has something to do, in laboratory time."""
        waiting = self.application.next_deadline()
        return self._next_check if waiting is None else min(waiting, self._next_check)

    def tick(self, now: datetime) -> None:
        """Do what is due."""
        self.application.tick(now)
        if now < self._next_check:
            return
        self._next_check = now + HUB_CONTACT_CHECK
        silent, found = self.log.silent(now), self.log.found(now)
        if not silent and not found and self.radio.rests(now):
            return
        with self._place.work(now) as work:
            self.radio.review(work)
            for entry in found:
                self.log.mark(work, entry.device, "joined")
            for entry in silent:
                self.log.mark(work, entry.device, "lost")
                work.note("StateChanged", what=f"presence of {entry.device}", value="lost")
                if entry.device_type is DeviceType.GSME:
                    self.application.raise_event(work, events.GSME_NOT_FOUND)

    def inspect(self, now: datetime) -> dict[str, Value]:
        """The state of the hub, for diagnosis."""
        page, channel = self.radio.channel
        return {
            "clock": {"time": utc_text(self._clock.time(now)), "status": self._clock.status.name.lower()},
            "network": self.log.network.hex().upper(),
            "presence": [
                {"device": str(entry.device), "presence": entry.presence} for entry in self.log.entries
            ],
            "historic_log": [str(entry.device) for entry in self.log.historic],
            "sub_ghz": {"page": page, "channel": channel, "duty_cycle": self.radio.state.name.lower()},
            "security": self.security.inspect(),
            **self.application.inspect(),
        }
