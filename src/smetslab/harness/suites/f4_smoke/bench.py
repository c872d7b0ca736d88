"""The bench of the smoke suite: one premises with its hub and ESME, the DCC, and the parties that use it.

Cases ask in two ways. `request` goes the way of a service user: a DUIS request through the DCC. `exchange`
puts GBCS octets on the WAN as they are, so that a case can send what no DCC would let pass; `command`
builds such a message, protected as it should be, and the case then spoils the one thing it is about.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smetslab.clock import Clock
from smetslab.crypto import PrivateKey
from smetslab.dcc.service_user import ServiceResponse, ServiceUser
from smetslab.errors import GbcsDecodeError, SecurityError, UsageError
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.gbt import is_block
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import verify_mac, verify_signature, with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content, find
from smetslab.gbcs.usecases.dlms import DlmsAccess
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.utrn import COUNTER_UNIT, Utrn, ValueClass, build_utrn
from smetslab.gbcs.values import Parameters, Value, dig, number_at, utc_text
from smetslab.harness.case import check
from smetslab.ids import Eui64, format_message_code
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig
from smetslab.pki import KeyRing
from smetslab.rng import RootSeed
from smetslab.trace import Observation, Trace, where
from smetslab.zigbee.capture.keys import CaptureKey

SILENCE_S = 60.0
"""How long a case listens before it calls a device silent."""

FIRST_COUNTER = 1000
UTRN_FIRST_COUNTER = 1


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what: the names of parties in the lab file."""

    supplier: str
    second_supplier: str
    network_operator: str

    @classmethod
    def of(cls, config: LabConfig) -> Cast:
        """The meter's supplier, another one, a network operator. Raises UsageError when one is missing."""
        premises = config.premises[0]
        if not premises.devices:
            raise UsageError(f"premises {premises.name}: no device to test", hint="give it an ESME")

        def party(role: RemotePartyRole, what: str, *, but: str = "", first: str | None = None) -> str:
            names = [p.name for p in config.parties if p.role is role and p.name != but]
            if first in names:
                return str(first)
            if not names:
                raise UsageError(
                    f"the suite needs {what}", hint=f"add a party of the role {role.name.lower()}"
                )
            return names[0]

        supplier = party(RemotePartyRole.SUPPLIER, "a supplier", first=premises.devices[0].supplier)
        return cls(
            supplier=supplier,
            second_supplier=party(
                RemotePartyRole.SUPPLIER, "a second supplier, unknown to the meter", but=supplier
            ),
            network_operator=party(RemotePartyRole.NETWORK_OPERATOR, "a network operator"),
        )


class SmokeBench:
    """What a case of the suite is given. The first device of the first premises is the one under test."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        premises = lab.config.premises[0]
        self.hub = premises.hub.eui64
        self.esme = premises.devices[0].eui64
        self.meter = lab.esme(self.esme)
        cast = Cast.of(lab.config)
        self.supplier = lab.users[cast.supplier]
        self.second_supplier = lab.users[cast.second_supplier]
        self.network_operator = lab.users[cast.network_operator]
        self.tolerances = lab.config.tolerances
        self._counter = FIRST_COUNTER
        self._utrn_counter = UTRN_FIRST_COUNTER

    @property
    def trace(self) -> Trace:
        return self.lab.trace

    @property
    def clock(self) -> Clock:
        return self.lab.clock

    @property
    def parties(self) -> Mapping[str, str]:
        return self.lab.parties

    def capture_keys(self) -> Sequence[CaptureKey]:
        return self.lab.capture_keys()

    def next_counter(self) -> int:
        """A counter that nobody has used yet; all parties share the one series, which does no harm."""
        self._counter += 1
        return self._counter

    def next_utrn_counter(self) -> int:
        self._utrn_counter += 1
        return self._utrn_counter * COUNTER_UNIT

    def now_text(self, delta: timedelta = timedelta()) -> str:
        """The present time plus `delta`, in whole seconds, as parameters and DUIS write it."""
        return utc_text(self.clock.now().replace(microsecond=0) + delta)

    async def wait(self, delta: timedelta) -> None:
        await self.clock.sleep(delta.total_seconds())

    async def request(
        self,
        srv: str,
        elements: Mapping[str, Value] | None = None,
        *,
        user: ServiceUser | None = None,
        target: Eui64 | None = None,
        execution: str | None = None,
        counter: int | None = None,
    ) -> ServiceResponse:
        """Ask as a service user does, and check everything of the answer that does not depend on the case."""
        mark = self.trace.next_sequence
        used = counter if counter is not None else self.next_counter()
        started = self.clock.now()
        try:
            response = await (user or self.supplier).request(
                srv, target or self.esme, elements or {}, counter=used, execution=execution
            )
        except (GbcsDecodeError, SecurityError) as error:
            check("the user can read the response", str(error), equals="", of=self.proof(mark))
            raise
        proof = self.proof(mark)
        check("the DCC answers that the request succeeded", response.code, equals="I0", of=proof)
        check(
            "the response arrives in time",
            (self.clock.now() - started).total_seconds(),
            at_most=self.tolerances.response_s,
            of=proof,
        )
        if response.message is not None:
            self.check_response(response.message, used, proof)
        return response

    def proof(self, since: int) -> list[Observation]:
        """The GBCS messages that crossed the WAN since `since`, for `check(of=...)`."""
        return [o for o in self.trace.observations if o.sequence >= since and o.layer == "wan" and o.data]

    def command(
        self,
        use_case: str,
        parameters: Parameters | None = None,
        *,
        user: ServiceUser | None = None,
        target: Eui64 | None = None,
        counter: int | None = None,
    ) -> Message:
        """A command that is right in every respect, protected as its use case asks."""
        row = USE_CASES[use_case]
        header = Message(
            cra=Cra.COMMAND,
            originator_counter=self.next_counter() if counter is None else counter,
            business_originator_id=(user or self.supplier).party,
            business_target_id=target or self.esme,
            other_information=OtherInformation(message_code=row.code),
            content=b"",
        )
        return self.protect(replace(header, content=encode_content(row, header, parameters or {})), row)

    def protect(self, message: Message, use_case: UseCase, *, keys_of: Eui64 | None = None) -> Message:
        """`message` with the signature and MAC that a command of `use_case` has."""
        bare = replace(message, signature=None, message_mac=None)
        if use_case.critical:
            bare = with_signature(bare, self.signing_key(message.business_originator_id))
        return self.maced(bare, keys_of=keys_of)

    def maced(self, message: Message, *, keys_of: Eui64 | None = None) -> Message:
        """`message` with the access control broker's MAC, for the keys of its target or of `keys_of`."""
        return with_mac(message, self.lab.dcc.broker.secret(keys_of or message.business_target_id))

    def deliver(self, data: bytes) -> None:
        """Put octets into the ESME's tunnel, past the hub's own reading of them."""
        self.lab.hubs[self.hub].deliver(self.esme, data)

    def signing_key(self, party: Eui64) -> PrivateKey:
        return self.lab.keystore.private_key(party, KeyUsage.DIGITAL_SIGNATURE)

    async def exchange(self, message: Message | bytes, *, silence_s: float = SILENCE_S) -> Message | None:
        """Send, and return the device's response; None when it stays silent."""
        data = message if isinstance(message, bytes) else encode_message(message)
        return await self.lab.dcc.exchange_raw(data, self.esme, silence_s)

    async def refused(
        self, message: Message | bytes, what: str, *, spec: str, events: tuple[str, ...] = ()
    ) -> None:
        """Send, and check that nothing comes back to the sender and nothing is executed; and, where `events`
        are given, that one of these security events is logged or alerted.
        """
        mark = self.trace.next_sequence
        response = await self.exchange(message)
        check(f"no response to {what}", response, equals=None, spec=spec, of=self.proof(mark))
        sent = self.upward(mark)
        answers = [m for m in sent if m.cra is not Cra.ALERT and m.business_originator_id == self.esme]
        check(f"no answer of another form to {what}", len(answers), equals=0, spec=spec, of=self.proof(mark))
        executed = self.trace.find(layer="device", event="CommandExecuted", source=str(self.esme), since=mark)
        check(f"nothing is executed for {what}", len(executed), equals=0, spec=spec, of=executed)
        originator = message.business_originator_id if isinstance(message, Message) else None
        if originator is not None and originator != self.supplier.party:
            # Security alerts go to the supplier; the sender must learn nothing.
            told = [m for m in sent if m.business_target_id == originator]
            check(f"no alert to the sender of {what}", len(told), equals=0, spec=spec, of=self.proof(mark))
        if events:
            self.check_security_event(events, since=mark)

    def check_security_event(self, codes: tuple[str, ...], *, since: int) -> None:
        """Which of several codes a meter uses for one breach differs between makers; one of them it must."""
        found = [
            seen
            for event in ("SecurityEventLogged", "AlertSent")
            for seen in self.trace.find(layer="device", event=event, source=str(self.esme), since=since)
            if seen.detail.get("code") in codes
        ]
        check(
            f"a security event is recorded ({' or '.join(codes)})",
            len(found),
            at_least=1,
            spec="SMETS2 5.7.5.31; GBCS 16.2",
            of=found,
        )

    async def answered(self, message: Message, parameters: Parameters | None = None) -> Parameters:
        """Send a right command, check its response, and return the named parameters of that."""
        mark = self.trace.next_sequence
        response = await self.exchange(message)
        check("the device responds", response is not None, equals=True, of=self.proof(mark))
        if response is None:
            return {}
        check(
            "the response has the message code of the command",
            format_message_code(response.message_code),
            equals=format_message_code(message.message_code),
            spec="GBCS 7.2.7",
            of=self.proof(mark),
        )
        found = self.check_response(response, message.originator_counter, self.proof(mark))
        if parameters is not None:
            check("the response says", found, equals=parameters, of=self.proof(mark))
        return found

    def upward(self, since: int) -> list[Message]:
        """The whole messages that left the premises since `since`; blocks of longer ones are left out."""
        sent = self.trace.find(layer="wan", source=str(self.hub), since=since)
        messages: list[Message] = []
        for seen in sent:
            if not seen.data or is_block(seen.data):
                continue
            try:
                messages.append(decode_message(seen.data))
            except GbcsDecodeError as error:
                check("what leaves the premises is a message", str(error), equals="", of=seen)
        return messages

    def check_response(self, message: Message, counter: int, proof: list[Observation]) -> Parameters:
        """Everything that holds for every response: header, protection, date-time, structure."""
        use_case = find(message)
        check("the response is of a known use case", use_case is not None, equals=True, of=proof)
        if use_case is None:
            return {}
        through_broker = message.other_information.supplementary_remote_party_counter
        check(
            "the response repeats the counter",
            message.originator_counter if through_broker is None else through_broker,
            equals=counter,
            spec="GBCS 7.2.7",
            of=proof,
        )
        check(
            "a date-time is in the response where the use case has one",
            message.date_time is not None,
            equals=use_case.date_time_in_response,
            spec="GBCS 7.2.7",
            of=proof,
        )
        check(
            "the response is protected as it should be",
            self.protection(message),
            equals="verified",
            spec="GBCS 6.2",
            of=proof,
        )
        return self.parameters(message, use_case)

    def parameters(self, message: Message, use_case: UseCase) -> Parameters:
        """The named parameters, protected content opened with the recipient's key."""
        recipient = message.other_information.supplementary_remote_party_id or message.business_target_id
        try:
            return decode_content(
                use_case, message, self.lab.secret(recipient, message.business_originator_id)
            )
        except (GbcsDecodeError, SecurityError) as error:
            check("the response has the structure of the use case", str(error), equals="", spec="GBCS 7.3")
            raise

    def can_open(self, message: Message, party: Eui64) -> bool:
        """Whether the keys of `party` open the protected content of a response."""
        use_case = find(message)
        if use_case is None:
            return False
        try:
            decode_content(use_case, message, self.lab.secret(party, message.business_originator_id))
        except (GbcsDecodeError, SecurityError):
            return False
        return True

    def protection(self, message: Message) -> str:
        """`verified`, or what is wrong with the protection of a response or alert."""
        use_case = find(message)
        device = message.business_originator_id
        if use_case is None:
            return "unknown use case"
        if use_case.critical:
            if message.message_mac is not None:
                return "a critical response has no MAC"
            key = self.lab.keystore.find(device, KeyUsage.DIGITAL_SIGNATURE).certificate.public_key
            return "verified" if verify_signature(message, key) else "signature does not verify"
        if message.signature:
            return "a non-critical response has no signature"
        secret = self.lab.secret(message.business_target_id, device)
        return "verified" if verify_mac(message, secret) else "MAC does not verify"

    async def alert(self, code: str, *, since: int, limit_s: float | None = None) -> Observation:
        """Wait for the next alert of the ESME with this code, as long as the lab file allows. Raises
        TimeoutError.
        """
        found = where(layer="device", event="AlertSent", source=str(self.esme), code=code)
        limit = self.tolerances.alert_s if limit_s is None else limit_s
        return await self.trace.wait_for(found, limit, since=since)

    def check_alert(self, observation: Observation) -> Parameters:
        """Protection and structure of an alert."""
        message = decode_message(observation.data)
        check(
            "the alert is protected as it should be",
            self.protection(message),
            equals="verified",
            of=observation,
        )
        use_case = find(message)
        return {} if use_case is None else self.parameters(message, use_case)

    def succeeded(self, response: Message | None) -> bool:
        """True when `response` says that every item succeeded."""
        use_case = None if response is None else find(response)
        if response is None or use_case is None:
            return False
        return FAILURES not in self.parameters(response, use_case)

    @staticmethod
    def failures(parameters: Parameters) -> dict[str, Value]:
        """The items of a response that failed, with their results."""
        failures = parameters.get(FAILURES)
        return failures if isinstance(failures, dict) else {}

    @staticmethod
    def decode(observation: Observation) -> Message:
        return decode_message(observation.data)

    @staticmethod
    def items(use_case: UseCase) -> int:
        """How many items the access list of `use_case` has."""
        payload = use_case.payload
        if not isinstance(payload, DlmsAccess):
            raise TypeError(f"{use_case.name} has no access list")
        return len(payload.items)

    async def supply_state(self) -> Value:
        """What the ESME says its supply is: Disabled, Enabled or Armed."""
        response = await self.request("7.4")
        return response.parameters.get("supply_state")

    async def import_wh(self) -> int:
        """The active import register in watt-hours, its scaler applied."""
        response = await self.request("4.1.1")
        registers = dig(response.parameters, "import_registers", "import_register_collection")
        unit = dig(registers, "active_scaler_unit", "unit")
        check("energy is in watt-hours", unit, equals="Wh", spec="IEC 62056-6-2")
        return int(
            number_at(registers, "active") * 10 ** number_at(registers, "active_scaler_unit", "scaler")
        )

    def utrn(self, counter: int, value: int = 10, value_class: ValueClass = ValueClass.POUNDS) -> Utrn:
        """A token of the supplier for this meter."""
        key = self.lab.keystore.private_key(
            self.supplier.party, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
        )
        device = self.lab.keystore.find(self.esme, KeyUsage.KEY_AGREEMENT).certificate.public_key
        return build_utrn(
            counter=counter,
            value_class=value_class,
            value=value,
            secret=self.lab.secrets.get(key, device),
            supplier=self.supplier.party,
            device=self.esme,
        )

    async def power_cycle(self, off: timedelta = timedelta(minutes=1)) -> None:
        """Cut the meter's power and restore it."""
        await self.meter.power_cut()
        await self.wait(off)
        await self.meter.power_restore()


@asynccontextmanager
async def smoke_bench(config: LabConfig, keystore: KeyRing, seed: RootSeed) -> AsyncIterator[SmokeBench]:
    """A bench that stands, for one case: new devices that remember nothing, whatever store the lab file
    names.
    """
    async with Lab(config, seed=seed, keystore=keystore, memory=f"case-{seed.value:x}") as lab:
        yield SmokeBench(lab)


def parse_time(text: Value) -> datetime:
    """A date-time of a response as a moment."""
    return datetime.fromisoformat(str(text))
