"""A meter on a bench: its core without loop, HAN or WAN, and a head end that protects commands for it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from smetslab.clock import LoopClock, timeout
from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Station
from smetslab.devices.chf import CommunicationsHub
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.esme import Esme
from smetslab.devices.esme_core import EsmeCore, EsmePlant
from smetslab.devices.esme_settings import read_settings
from smetslab.devices.load import LoadProfile
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.installed import SecuritySettings
from smetslab.devices.work import Outgoing, Workplace
from smetslab.gbcs.codes import CellUsage, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.gbt import BlockTransfer
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES, find
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import Parameters
from smetslab.han import DirectMedium
from smetslab.ids import Eui64
from smetslab.pki import KeyRing
from smetslab.rng import RootSeed
from smetslab.store import Nvm, Store
from smetslab.trace import Observation, Trace
from smetslab.wan import InProcessWan, Seen, WanMessage

ESME = Eui64.parse("00DB1234567890A0")
HUB = Eui64.parse("00DB1234567890A2")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

QUIET: dict[str, int | bool | str] = {"charging": False}
"""Time and energy cost nothing unless a test wants them to."""

PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90B3D51F30000004"),
    RemotePartyRole.WAN_PROVIDER: Eui64.parse("90B3D51F30000007"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90B3D51F30020000"),
    RemotePartyRole.LOAD_CONTROLLER: Eui64.parse("90B3D51F30010008"),
}
SUPPLIER = PARTIES[RemotePartyRole.SUPPLIER]
BROKER = PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
STRANGER = Eui64.parse("90B3D51F30030000")

_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


class HeadEnd:
    """Writes and protects commands, reads and checks what comes back."""

    def __init__(self, keystore: KeyRing, device: Eui64 = ESME) -> None:
        self.keystore = keystore
        self.device = device
        self.secrets = SharedSecrets()

    def message(
        self,
        name: str,
        parameters: Parameters | None = None,
        *,
        counter: int = 1000,
        originator: Eui64 = SUPPLIER,
        target: Eui64 | None = None,
        **other: object,
    ) -> Message:
        """The command of a use case, without protection."""
        use_case = USE_CASES[name]
        extra = OtherInformation(message_code=use_case.code, **other)  # type: ignore[arg-type]
        header = Message(
            cra=Cra.COMMAND,
            originator_counter=counter,
            business_originator_id=originator,
            business_target_id=target or self.device,
            other_information=extra,
            content=b"",
        )
        return replace(header, content=engine.encode_content(use_case, header, parameters or {}))

    def protect(self, message: Message, *, signed: bool | None = None, broker: Eui64 = BROKER) -> bytes:
        """Signed by its originator when it should be, MACed by the ACB."""
        use_case = find(message)
        if signed if signed is not None else bool(use_case and use_case.critical):
            key = self.keystore.private_key(message.business_originator_id, _DS)
            message = with_signature(message, key)
        return encode_message(with_mac(message, self.secret(broker)))

    def command(self, name: str, parameters: Parameters | None = None, **arguments: object) -> bytes:
        return self.protect(self.message(name, parameters, **arguments))  # type: ignore[arg-type]

    def top_up(
        self,
        value: int,
        counter: int,
        *,
        target: Eui64 | None = None,
        value_class: ValueClass = ValueClass.POUNDS,
    ) -> str:
        """The digits of a UTRN of the supplier."""
        device = target or self.device
        secret = self.secrets.get(
            self.keystore.private_key(SUPPLIER, _KA, CellUsage.PREPAYMENT_TOP_UP),
            self.keystore.find(self.device, _KA).certificate.public_key,
        )
        return build_utrn(
            counter=counter,
            value_class=value_class,
            value=value,
            secret=secret,
            supplier=SUPPLIER,
            device=device,
        ).digits

    def read(self, data: bytes) -> Parameters:
        """The parameters of an answer, decrypted for whom it is for."""
        message = decode_message(data)
        use_case = find(message)
        assert use_case is not None
        party = message.other_information.supplementary_remote_party_id or message.business_target_id
        return engine.decode_content(use_case, message, self.secret(party))

    def secret(self, party: Eui64) -> bytes:
        public = self.keystore.find(self.device, _KA).certificate.public_key
        return self.secrets.get(self.keystore.private_key(party, _KA), public)


class Premises:
    """A hub and a meter on a virtual loop, with the far end of the WAN."""

    def __init__(
        self,
        clock: LoopClock,
        head: HeadEnd,
        store: Store,
        profile: DeviceProfile,
        *,
        seed: int = 3,
        wan_options: dict[str, float] | None = None,
        han_options: dict[str, float] | None = None,
    ) -> None:
        self.clock = clock
        self.head = head
        self.trace = Trace(clock)
        root = RootSeed(seed)
        self.wan = InProcessWan(clock, self.trace, root, **(wan_options or {}))
        self.medium = DirectMedium(clock, self.trace, root, **(han_options or {}))
        self.arrived: asyncio.Queue[Message | bytes] = asyncio.Queue()
        """Messages, and blocks to send back."""
        self.messages: list[Message] = []
        self._seen = Seen()
        self._transfer = BlockTransfer()
        self._sent = 0
        secrets = SharedSecrets()
        self.hub = CommunicationsHub(
            profile=hub_profile(),
            eui64=HUB,
            keys=DeviceKeys.from_keystore(head.keystore, HUB),
            trust_anchors=TrustAnchorStore.for_device(DeviceType.CHF, head.keystore, PARTIES),
            nvm=store.nvm("hub"),
            han=self.medium.link(HUB),
            wan=self.wan,
            clock=clock,
            trace=self.trace,
            rng=root,
            secrets=secrets,
        )
        self.esme = Esme(
            profile=profile,
            eui64=ESME,
            keys=DeviceKeys.from_keystore(head.keystore, ESME),
            trust_anchors=TrustAnchorStore.for_device(DeviceType.ESME, head.keystore, PARTIES),
            nvm=store.nvm("esme"),
            han=self.medium.link(ESME),
            hub=HUB,
            clock=clock,
            trace=self.trace,
            rng=root,
            secrets=secrets,
        )
        self.hub.device_log.add(ESME, DeviceType.ESME)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Premises:
        await self._stack.enter_async_context(self.wan)
        self._stack.callback(self.wan.attach_head(self._receive))
        await self._stack.enter_async_context(self.hub)
        await self._stack.enter_async_context(self.esme)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.__aexit__(*error)  # type: ignore[arg-type]

    def _receive(self, message: WanMessage) -> None:
        if not self._seen.first(message.identity):
            return
        received = self._transfer.receive(message.payload, self.clock.time())
        for reply in received.replies:
            self.arrived.put_nowait(reply)
        if received.message is not None:
            decoded = decode_message(received.message)
            self.messages.append(decoded)
            self.arrived.put_nowait(decoded)

    async def send(self, data: bytes) -> None:
        self._sent += 1
        await self.wan.to_hub(WanMessage(f"head/{self._sent}", HUB, data))

    async def answer(self, counter: int, timeout_s: float = 60.0) -> Message | None:
        """The response with this counter, None when none comes in time."""
        try:
            async with timeout(self.clock, timeout_s):
                while True:
                    arrived = await self.arrived.get()
                    if isinstance(arrived, bytes):
                        await self.send(arrived)
                    elif arrived.cra is Cra.RESPONSE and arrived.originator_counter == counter:
                        return arrived
        except TimeoutError:
            return None

    async def ask(
        self, name: str, parameters: Parameters | None = None, *, counter: int = 1000, **arguments: object
    ) -> Parameters:
        """The parameters of the response to a command."""
        await self.send(self.head.command(name, parameters, counter=counter, **arguments))
        message = await self.answer(counter)
        assert message is not None, f"no answer to {name}"
        return self.head.read(encode_message(message))

    def alerts(self) -> list[Parameters]:
        """The alerts that have reached the head end, in order."""
        return [self.head.read(encode_message(m)) for m in self.messages if m.cra is Cra.ALERT]


class FixedClock:
    """A clock that the test moves; only a trace reads it."""

    def __init__(self, moment: datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def time(self) -> float:
        return (self.moment - NOW).total_seconds()


@dataclass
class Bench:
    """The core of one ESME, and the time, which the test moves."""

    head: HeadEnd
    nvm: Nvm
    profile: DeviceProfile
    clock: FixedClock = field(default_factory=FixedClock)
    hub_offset: timedelta | None = timedelta()
    off_since: datetime | None = None
    security: SecuritySettings = field(default_factory=SecuritySettings)

    def __post_init__(self) -> None:
        self.alerts: list[Outgoing] = []
        self.left: list[bytes] = []
        self.outages: list[Outgoing] = []
        self.trace = Trace(self.clock)  # type: ignore[arg-type]
        self.power_on()

    def power_on(self) -> None:
        settings = read_settings(self.profile)
        station = Station(
            eui64=ESME,
            device_type=DeviceType.ESME,
            keys=DeviceKeys.from_keystore(self.head.keystore, ESME),
            trust_anchors=TrustAnchorStore.for_device(DeviceType.ESME, self.head.keystore, PARTIES),
            secrets=SharedSecrets(),
            quirks=Quirks.of(quirk.name for quirk in self.profile.quirks),
            supported=lambda _use_case: True,
            answers_to=RemotePartyRole.SUPPLIER,
            first_alert_counter=settings.first_alert_counter,
        )
        plant = EsmePlant(
            station=station,
            settings=settings,
            load=LoadProfile(RootSeed(1).octets("load", 16), settings.generation_peak_w),
            hub_time=lambda: None if self.hub_offset is None else self.now + self.hub_offset,
            security=self.security,
        )
        self.place = Workplace(ESME, self.nvm, self.trace)
        self.core = EsmeCore(plant, self.place, self.now, self.off_since)

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def settled(self) -> EsmeCore:
        """The core, everything worked through up to now."""
        self.core.settle(self.now)
        return self.core

    def power_cut(self, duration: timedelta = timedelta(minutes=1)) -> None:
        """Off, and on again after a while."""
        self.off_since = self.now
        self.clock.moment += duration
        self.power_on()

    def pass_time(self, duration: timedelta) -> None:
        """Let time go by, doing what falls due at its moment."""
        end = self.now + duration
        while self.core.next_deadline() <= end:
            self.clock.moment = max(self.core.next_deadline(), self.now)
            self.core.tick(self.now)
        self.clock.moment = end

    def send(self, data: bytes) -> list[Outgoing]:
        """What the device sends because of `data`."""
        self.core.receive(data, self.now)
        return self.take()

    def take(self) -> list[Outgoing]:
        """What stands in the outbox; it is gone then. Alerts stay in `alerts` as well."""
        sent = list(self.place.outbox)
        for message in list(sent):
            if message.detail.get("code") in ("8F35", "8F36"):
                # What a power cut has to say to the network operator is nobody's business but its tests'.
                self.outages.append(message)
                self.place.sent(message)
                sent.remove(message)
                continue
            self.left.append(message.data)
            if message.event == "AlertSent":
                self.alerts.append(message)
            self.place.sent(message)
        return sent

    def ask(self, name: str, parameters: Parameters | None = None, **arguments: object) -> Parameters:
        """The parameters of the one response to a command."""
        sent = self.send(self.head.command(name, parameters, **arguments))
        responses = [message for message in sent if message.event == "ResponseSent"]
        assert len(responses) == 1, [message.detail for message in sent]
        return self.head.read(responses[0].data)

    def events(self, event: str, since: int = 0) -> list[Observation]:
        return self.trace.find(layer="device", event=event, since=since)


def profile_of(
    state: dict[str, int | bool | str] | None = None,
    quirks: tuple[str, ...] = (),
    conformance: dict[str, str] | None = None,
) -> DeviceProfile:
    return DeviceProfile.model_validate(
        {
            "schema_version": 1,
            "name": "bench-esme",
            "title": "Bench ESME",
            "device_type": "ESME",
            "variant": "A",
            "gbcs_version": "4.1",
            "smets_version": "5.1",
            "identity": {
                "manufacturer_id": "FFF1",
                "manufacturer_name": "bench",
                "model_type": "0000000000000000",
                "hardware_version": "0001",
                "firmware_version": "0123ABCD",
            },
            "conformance": {"use_cases": conformance or {}},
            "state": state or {},
            "quirks": tuple({"name": name, "reason": "test"} for name in quirks),
        }
    )


def hub_profile() -> DeviceProfile:
    return DeviceProfile.model_validate(
        {
            "schema_version": 1,
            "name": "bench-hub",
            "title": "Bench hub",
            "device_type": "CHF",
            "gbcs_version": "4.1",
            "smets_version": "1.4",
            "identity": {
                "manufacturer_id": "FFF1",
                "manufacturer_name": "bench",
                "model_type": "0000000000000000",
                "hardware_version": "0001",
                "firmware_version": "89ABCDEF",
            },
        }
    )
