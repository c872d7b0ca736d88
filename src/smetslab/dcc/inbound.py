"""What comes up from the hubs: responses, which end requests, and alerts, which go to their parties.

Everything that follows from a message is kept before the WAN forgets it. Spec: GBCS 7.2.7, 9.2.2, 16.
"""

from __future__ import annotations

from smetslab.clock import Clock
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.carry import HEAD, Carrier
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.life_cycle import STATUS_AFTER
from smetslab.dcc.pending import Pending
from smetslab.dcc.respond import (
    Responder,
    alert_code_of,
    alert_recipient,
    instruction_of,
    instruction_place,
)
from smetslab.dcc.rules import DccRules
from smetslab.dcc.waiting import AlertBox, RawExchanges
from smetslab.duis.codes import ResponseCode
from smetslab.duis.document import Response, write_response
from smetslab.errors import CodecError, GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, decode_message
from smetslab.gbcs.usecases.engine import FAILURES, decode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.values import NEVER
from smetslab.ids import Eui64
from smetslab.registry import Inventory
from smetslab.trace import Detail, Trace
from smetslab.wan import WanMessage


class Inbound:
    """Takes messages from the WAN; synchronous."""

    def __init__(
        self,
        *,
        broker: AccessControlBroker,
        ledger: Ledger,
        carrier: Carrier,
        inventory: Inventory,
        responder: Responder,
        alert_box: AlertBox,
        raw: RawExchanges,
        clock: Clock,
        trace: Trace,
        rules: DccRules,
    ) -> None:
        self._broker = broker
        self._ledger = ledger
        self._carrier = carrier
        self._inventory = inventory
        self._responder = responder
        self._alert_box = alert_box
        self._raw = raw
        self._clock = clock
        self._trace = trace
        self._rules = rules

    def receive(self, arrived: WanMessage) -> None:
        """Called by the WAN."""
        if self._ledger.is_repeat(arrived.identity):
            self._drop(arrived, "repeated by the WAN")
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
        succeeded = _succeeded(entry, message)
        status = STATUS_AFTER.get(entry.question.variant)
        if succeeded and status is not None and self._inventory.find(entry.device) is not None:
            self._inventory.set_status(entry.device, status)
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
        if self._rules.verify_devices:
            self._broker.check_from_device(message, critical=None)
        device, counter = message.business_originator_id, message.originator_counter
        code, recipient = alert_code_of(message), alert_recipient(message, self._broker.identity)
        self._trace.record(
            "gbcs",
            "AlertReceived",
            source=str(device),
            target=HEAD,
            data=arrived.payload,
            code=code,
            recipient=str(recipient),
            counter=counter,
        )
        response = self._explain_alert(message, arrived, code, recipient)
        self._trace.record(
            "duis",
            "AlertSent",
            source=HEAD,
            target=str(recipient),
            data=write_response(response),
            code=code,
        )
        self._alert_box.offer(response)

    def _explain_alert(
        self, message: Message, arrived: WanMessage, alert_code: str, recipient: Eui64
    ) -> Response:
        """The document for an alert, kept: the outcome of a future-dated command where it is one."""
        moment, octets = self._clock.now(), arrived.payload
        device = message.business_originator_id
        instruction = instruction_of(message)
        counter = None if instruction is None else instruction.get("originator_counter")
        if instruction is not None and isinstance(counter, int):
            future = self._ledger.future_dated(recipient, device, counter)
            place = None if future is None else instruction_place(USE_CASES[future.use_case], instruction)
            if future is not None and place is not None:
                response = self._responder.outcome(future, alert_code, octets, place, moment)
                self._ledger.keep_outcome(write_response(response), arrived.identity, future, *place)
                return response
        response = self._responder.alert(message, recipient, alert_code, octets, moment)
        self._ledger.keep_alert(write_response(response), recipient, device, identity=arrived.identity)
        return response


def _succeeded(entry: Pending, message: Message) -> bool:
    """Whether a response says that its command was carried out; what stays sealed for the user is no
    matter.
    """
    try:
        return FAILURES not in decode_content(USE_CASES[entry.use_case], message)
    except (CodecError, SecurityError):
        return False
