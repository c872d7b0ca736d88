"""What comes up from the hubs: responses, which end requests, and alerts, which go to their parties.

Everything that follows from a message is kept before the WAN forgets it. Spec: GBCS 7.2.7, 9.2.2, 16.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Final

from smetslab.clock import Clock
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.carry import HEAD, Carrier
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.effects import Effects
from smetslab.dcc.hub_firmware import HubFirmware
from smetslab.dcc.notices import Notices
from smetslab.dcc.pending import FutureDated, Pending
from smetslab.dcc.recovery import replacement_statuses
from smetslab.dcc.respond import (
    Responder,
    alert_code_of,
    alert_recipient,
    outcome_of,
)
from smetslab.dcc.rules import DccRules
from smetslab.dcc.throttle import AlertThrottle
from smetslab.dcc.waiting import AlertBox, RawExchanges
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import Response, write_response
from smetslab.errors import CodecError, GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.engine import FAILURES, decode_content
from smetslab.gbcs.usecases.registry import USE_CASES, find
from smetslab.gbcs.values import NEVER, Parameters, Value
from smetslab.ids import Eui64
from smetslab.registry import DeviceLogBackup, DeviceLogBackups, Inventory
from smetslab.store.nvm import Transaction
from smetslab.trace import Detail, Trace
from smetslab.wan import WanMessage

HUB_LOG: Final = "CS14"
GAS_PROXY_LOG: Final = "GCS62"
"""The use cases whose alerts bring a device log: a hub's has changed (8F12), a gas proxy's (8071)."""

CARRIED_OUT: Final = "8F66"
"""An item of a future-dated command was carried out. Spec: GBCS 9.2.2."""


class Inbound:
    """Takes messages from the WAN; synchronous."""

    def __init__(
        self,
        *,
        broker: AccessControlBroker,
        ledger: Ledger,
        carrier: Carrier,
        inventory: Inventory,
        effects: Effects,
        backups: DeviceLogBackups,
        notices: Notices,
        throttle: AlertThrottle,
        responder: Responder,
        alert_box: AlertBox,
        raw: RawExchanges,
        hub_firmware: HubFirmware,
        clock: Clock,
        trace: Trace,
        rules: DccRules,
    ) -> None:
        self._broker = broker
        self._ledger = ledger
        self._carrier = carrier
        self._inventory = inventory
        self._effects = effects
        self._backups = backups
        self._notices = notices
        self._throttle = throttle
        self._responder = responder
        self._alert_box = alert_box
        self._raw = raw
        self._hub_firmware = hub_firmware
        self._clock = clock
        self._trace = trace
        self._rules = rules

    def receive(self, arrived: WanMessage) -> None:
        """Called by the WAN."""
        if self._ledger.is_repeat(arrived.identity):
            self._drop(arrived, "repeated by the WAN")
            return
        if arrived.kind == "hub-firmware":
            self._hub_firmware.receive(arrived)
            return
        try:
            message = decode_message(arrived.payload)
        except GbcsDecodeError as error:
            self._drop(arrived, f"not a GBCS message: {error}")
            return
        try:
            match message.cra:
                case Cra.RESPONSE:
                    self._take_response(message, arrived)
                case Cra.ALERT:
                    self._take_alert(message, arrived)
                case _:
                    self._drop(arrived, "a command does not come from a hub")
        except (SecurityError, GbcsDecodeError) as error:
            self._drop(arrived, str(error))

    def _drop(self, arrived: WanMessage, reason: str) -> None:
        self._trace.record(
            "dcc", "MessageDropped", source=str(arrived.hub), target=HEAD, data=arrived.payload, reason=reason
        )

    # Responses ----------------------------------------------------------------------------------------------

    def _take_response(self, message: Message, arrived: WanMessage) -> None:
        if self._raw.answered_by(message):
            # A later exchange of the same octets must not be answered by a repeat of this response.
            self._ledger.note_seen(arrived.identity)
            self._note_response(message, arrived, raw=True)
            return
        reason = self.answer(message, arrived)
        if reason is not None:
            self._drop(arrived, reason)

    def bring_back(self, message: Message, octets: bytes) -> str | None:
        """Take a response that a user brings back from the premises. Raises SecurityError."""
        arrived = WanMessage(f"returned-{self._ledger.next_number()}", message.business_originator_id, octets)
        return self.answer(message, arrived)

    def expects(self, message: Message) -> bool:
        """Whether a request waits for this response."""
        entry = self._ledger.match(message)
        return entry is not None and message.message_code == USE_CASES[entry.use_case].code

    def answer(self, message: Message, arrived: WanMessage) -> str | None:
        """End the request that a response answers; says why where it answers none. Raises SecurityError."""
        entry = self._ledger.match(message)
        if entry is None:
            return "no request waits for this response"
        use_case = USE_CASES[entry.use_case]
        if message.message_code != use_case.code:
            return f"not a response to {use_case.name}"
        checked = self._rules.verify_devices and self._broker.check_from_device(
            message, critical=use_case.critical
        )
        self._note_response(message, arrived, request_id=entry.request_id.key, checked=checked)
        result = _result(entry, message)
        succeeded = result is not None
        if result is not None:
            # Before the response is kept: should the power go in between, it comes again, and once more is
            # as good as once.
            self._effects.succeeded(entry, result, self._clock.now())
        self._carrier.complete(
            entry,
            ResponseCode.SUCCESS,
            arrived.payload,
            succeeded=succeeded,
            identity=arrived.identity,
            forget_future=succeeded and entry.activation == NEVER,
        )
        return None

    def _note_response(self, message: Message, arrived: WanMessage, **detail: Detail) -> None:
        self._trace.record(
            "gbcs",
            "ResponseReceived",
            source=str(message.business_originator_id),
            target=HEAD,
            data=arrived.payload,
            **detail,
        )

    # Alerts -------------------------------------------------------------------------------------------------

    def _take_alert(self, message: Message, arrived: WanMessage) -> None:
        # A device that has not heard that its hub has an alert sends it again, and the hub carries it again:
        # it is known by its octets then, not by the name that the hub has given it.
        arrived = replace(arrived, identity=f"alert-{sha256(arrived.payload).hexdigest()[:32]}")
        if self._ledger.is_repeat(arrived.identity):
            self._drop(arrived, "an alert that has come before")
            return
        if self._rules.verify_devices:
            self._broker.check_from_device(message, critical=None)
        device, counter = message.business_originator_id, message.originator_counter
        code = alert_code_of(message)
        recipients = self._recipients(message)
        self._trace.record(
            "gbcs",
            "AlertReceived",
            source=str(device),
            target=HEAD,
            data=arrived.payload,
            code=code,
            recipient=" ".join(str(one) for one in recipients),
            counter=counter,
        )
        self._note_device_log(message)
        if not self._explain_outcome(message, arrived, code):
            self._pass_on(message, arrived, code, recipients)

    def _note_device_log(self, message: Message) -> None:
        """Keep a device log that an alert brings, and see who has joined: whoever has a link key with the
        hub.
        """
        use_case = find(message)
        if use_case is None or use_case.name not in {HUB_LOG, GAS_PROXY_LOG}:
            return
        owner, content = message.business_originator_id, decode_content(use_case, message)
        if use_case.name == GAS_PROXY_LOG:
            entries = content.get("device_log_entries")
            if isinstance(entries, list):
                self._backups.keep(owner, DeviceLogBackup(devices=entries))
            return
        log = content.get("device_log")
        devices = log.get("devices") if isinstance(log, dict) else None
        if isinstance(log, dict) and isinstance(devices, list):
            self._backups.keep(
                owner, DeviceLogBackup(devices=devices, network=str(log.get("han_identifier", "")))
            )
            self._effects.joined(owner, _joined(devices))

    def _recipients(self, message: Message) -> tuple[Eui64, ...]:
        """Whom an alert is for. What is for the broker alone goes to whoever is responsible for the device,
        or for what is behind the same hub.
        """
        named = alert_recipient(message, self._broker.identity)
        device = self._inventory.find(message.business_originator_id)
        if named != self._broker.identity or device is None:
            return (named,)
        return self._notices.concerned(device) or (named,)

    def _pass_on(
        self, message: Message, arrived: WanMessage, code: str, recipients: tuple[Eui64, ...]
    ) -> None:
        """Keep an alert for its users; where its device says the same too often, count it and no more."""
        device, now = message.business_originator_id, self._clock.now()
        throttle = self._throttle
        if throttle.full(device, code, now):

            def hold_back(transaction: Transaction) -> None:
                throttle.hold_back(transaction, device, code)

            self._ledger.keep_alerts((), device, identity=arrived.identity, also=(hold_back,))
            held = throttle.held_back(device, code)
            self._trace.record(
                "dcc",
                "AlertThrottled",
                source=str(device),
                target=HEAD,
                code=code,
                count=0 if held is None else held.count,
            )
            return

        def pass_on(transaction: Transaction) -> None:
            throttle.pass_on(transaction, device, code, now)

        throttled = throttle.held_back(device, code) if self._rules.alert_throttle_fields else None
        responses = [
            (user, self._responder.alert(message, user, code, arrived.payload, now, throttled=throttled))
            for user in recipients
        ]
        documents = [(user, write_response(response)) for user, response in responses]
        self._ledger.keep_alerts(documents, device, identity=arrived.identity, also=(pass_on,))
        for user, response in responses:
            self._offer(response, user, code)

    def _explain_outcome(self, message: Message, arrived: WanMessage, alert_code: str) -> bool:
        """Keep the outcome of one item of a future-dated command as an answer to its request; False when the
        alert is none.
        """
        outcome = outcome_of(message)
        if outcome is None:
            return False
        future = self._ledger.future_dated(
            message.business_originator_id, outcome.counter, message.message_code, outcome.command
        )
        place = None if future is None else future.place_of(outcome.name)
        if future is None or place is None:
            return False
        if alert_code == CARRIED_OUT:
            self._carried_out(future, place)
        where = (place, len(future.instructions))
        response = self._responder.outcome(future, alert_code, arrived.payload, where, self._clock.now())
        self._ledger.keep_outcome(write_response(response), arrived.identity, future, place)
        self._offer(response, future.question.request_id.originator, alert_code)
        return True

    def _carried_out(self, future: FutureDated, place: int) -> None:
        """Behind its last item a command has had its effect on the inventory."""
        if len({*future.reported, place}) == len(future.instructions):
            self._effects.carried_out(future.question, future.document, {}, self._clock.now())

    def _offer(self, response: Response, user: Eui64, code: str) -> None:
        self._trace.record(
            "duis", "AlertSent", source=HEAD, target=str(user), data=write_response(response), code=code
        )
        self._alert_box.offer(response)


def _result(entry: Pending, message: Message) -> Parameters | None:
    """What a response says, None when it says that its command was not carried out; what stays sealed for the
    user is no matter.
    """
    try:
        result = decode_content(USE_CASES[entry.use_case], message)
    except (CodecError, SecurityError):
        return None
    refused = FAILURES in result or any(one != "success" for one in replacement_statuses(result))
    return None if refused else result


def _joined(devices: list[Value]) -> tuple[Eui64, ...]:
    """Those on the device log of a hub that have a link key with it."""
    return tuple(
        Eui64.parse(str(one["device_identifier"]))
        for one in devices
        if isinstance(one, dict) and one.get("security_details")
    )
