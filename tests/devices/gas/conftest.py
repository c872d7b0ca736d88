"""A gas meter and its proxy on a bench: their cores without loop, HAN or WAN, and a head end for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from smetslab.clock import StandingClock
from smetslab.crypto import SharedSecrets
from smetslab.devices.application import Station
from smetslab.devices.credentials import DeviceKeys, TrustAnchorStore
from smetslab.devices.gas_flow import DailyVolumes
from smetslab.devices.gas_settings import GpfSettings, read_gsme_settings
from smetslab.devices.gpf_core import GpfCore, GpfPlant
from smetslab.devices.gsme_core import GsmeCore, GsmePlant
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.installed import SecuritySettings
from smetslab.devices.work import Outgoing, Workplace
from smetslab.gbcs.codes import CellUsage, Cra, DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.gbz.payload import decode_components, encode_components
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.registry import USE_CASES, find
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing
from smetslab.rng import RootSeed
from smetslab.store import Nvm, Store
from smetslab.trace import Trace

GSME = Eui64.parse("00DB1234567890A1")
GPF = Eui64.parse("00DB1234567890A3")
PPMID = Eui64.parse("00DB1234567890A4")
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

PARTIES = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90B3D51F30000004"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90B3D51F30020000"),
}
SUPPLIER = PARTIES[RemotePartyRole.SUPPLIER]
BROKER = PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
NETWORK_OPERATOR = PARTIES[RemotePartyRole.NETWORK_OPERATOR]

State = dict[str, int | bool | str]
_DS, _KA = KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT


class Even:
    """A household that burns the same in every half hour, in millilitres."""

    def __init__(self, half_hour_ml: int) -> None:
        self.half_hour_ml = half_hour_ml

    def day(self, number: int) -> tuple[int, ...]:
        del number
        return (self.half_hour_ml,) * 48


class GasHead:
    """Writes and protects commands for gas devices, reads and checks what comes back."""

    def __init__(self, keystore: KeyRing) -> None:
        self.keystore = keystore
        self.secrets = SharedSecrets()
        self.counter = 1000

    def command(
        self,
        name: str,
        components: list[Value],
        *,
        target: Eui64 = GSME,
        originator: Eui64 = SUPPLIER,
        counter: int | None = None,
        maced_by: Eui64 = BROKER,
        content: bytes | None = None,
    ) -> bytes:
        """A command, protected; without a counter of its own it gets the next one."""
        if counter is None:
            self.counter += 1
            counter = self.counter
        use_case = USE_CASES[name]
        message = Message(
            cra=Cra.COMMAND,
            originator_counter=counter,
            business_originator_id=originator,
            business_target_id=target,
            other_information=OtherInformation(message_code=use_case.code),
            content=b"",
        )
        if content is None:
            content = engine.encode_content(use_case, message, {"components": components})
        message = replace(message, content=content)
        if use_case.critical:
            message = with_signature(message, self.keystore.private_key(originator, _DS))
        return encode_message(with_mac(message, self.secret(maced_by, target)))

    def read(self, data: bytes) -> Parameters:
        """The parameters of an answer or alert, decrypted for whom it is for."""
        message = decode_message(data)
        use_case = find(message)
        assert use_case is not None
        secret = self.secret(message.business_target_id, message.business_originator_id)
        return engine.decode_content(use_case, message, secret)

    def secret(self, party: Eui64, device: Eui64) -> bytes:
        public = self.keystore.find(device, _KA).certificate.public_key
        return self.secrets.get(self.keystore.private_key(party, _KA), public)

    def token(self, pence: int, counter: int) -> str:
        """The digits of a UTRN of the supplier; `counter` counts tokens."""
        secret = self.secrets.get(
            self.keystore.private_key(SUPPLIER, _KA, CellUsage.PREPAYMENT_TOP_UP),
            self.keystore.find(GSME, _KA).certificate.public_key,
        )
        return build_utrn(
            counter=counter << 32,
            value_class=ValueClass.PENCE,
            value=pence,
            secret=secret,
            supplier=SUPPLIER,
            device=GSME,
        ).digits


class GasBench:
    """One gas meter, its time, and what it has sent."""

    network_operator = NETWORK_OPERATOR
    supplier = SUPPLIER

    def __init__(
        self,
        head: GasHead,
        nvm: Nvm,
        *,
        state: State,
        quirks: Quirks,
        volumes: DailyVolumes,
        at: datetime = NOW,
        security: SecuritySettings | None = None,
    ) -> None:
        self.head = head
        self.nvm = nvm
        self.quirks = quirks
        self.state = state
        self.volumes = volumes
        self.security = security or SecuritySettings()
        self.now = at
        self.hub_offset: timedelta | None = timedelta()
        self.off_since: datetime | None = None
        self.alerts: list[Outgoing] = []
        self.power_on()

    def power_on(self) -> None:
        settings = read_gsme_settings(profile_of(self.state))
        self.place = Workplace(GSME, self.nvm, Trace(StandingClock(self.now)))
        station = station_of(self.head.keystore, GSME, DeviceType.GSME, self.quirks)
        plant = GsmePlant(
            station=station,
            settings=settings,
            volumes=self.volumes,
            security=self.security,
            hub_time=lambda: None if self.hub_offset is None else self.now + self.hub_offset,
        )
        self.core = GsmeCore(plant, self.place, self.now, self.off_since)
        self.off_since = None

    def power_cut(self, duration: timedelta = timedelta(minutes=1)) -> None:
        """Off, and on again after a while."""
        self.off_since = self.now
        self.now += duration
        self.power_on()

    def pass_time(self, duration: timedelta) -> None:
        """Let time go by, doing what falls due at its moment."""
        end = self.now + duration
        while self.core.next_deadline() <= end:
            self.now = max(self.core.next_deadline(), self.now)
            self.core.tick(self.now)
        self.now = end
        self.core.tick(end)
        self.take()

    def send(self, data: bytes) -> list[Outgoing]:
        """What the meter sends because of `data`."""
        self.core.receive(data, self.now)
        return self.take()

    def take(self) -> list[Outgoing]:
        """What stands in the outbox; it is gone then. Alerts stay in `alerts` as well."""
        sent = list(self.place.outbox)
        for message in sent:
            if message.event == "AlertSent":
                self.alerts.append(message)
            self.place.sent(message)
        return sent

    def ask(self, name: str, *components: Value, **arguments: object) -> list[dict[str, Value]]:
        """The components of the one response to a command."""
        data = self.head.command(name, list(components), **arguments)  # type: ignore[arg-type]
        responses = [message for message in self.send(data) if message.event == "ResponseSent"]
        assert len(responses) == 1
        answered = self.head.read(responses[0].data)["components"]
        assert isinstance(answered, list)
        return [one for one in answered if isinstance(one, dict)]

    def swapped(self, name: str, components: list[Value]) -> bytes:
        """A command with its components the wrong way round, protected all the same."""
        content = decode_message(self.head.command(name, components)).content
        placed = [item.component for item in decode_components(content)]
        wrong = encode_components(tuple(reversed(placed)))
        return self.head.command(name, components, content=wrong)

    def alert_codes(self) -> list[str]:
        self.take()
        return [str(message.detail["code"]) for message in self.alerts]

    def log_codes(self) -> list[str]:
        return [f"{entry.code:04X}" for entry in self.core.application.event_log.entries]

    @property
    def balance(self) -> int:
        return self.core.account.state.meter_balance


def station_of(keystore: KeyRing, device: Eui64, device_type: DeviceType, quirks: Quirks) -> Station:
    return Station(
        eui64=device,
        device_type=device_type,
        keys=DeviceKeys.from_keystore(keystore, device),
        trust_anchors=TrustAnchorStore.for_device(device_type, keystore, PARTIES),
        secrets=SharedSecrets(),
        quirks=quirks,
        supported=lambda _use_case: True,
        answers_to=RemotePartyRole.SUPPLIER,
        first_alert_counter=3000,
    )


def profile_of(state: State) -> DeviceProfile:
    return DeviceProfile.model_validate(
        {
            "schema_version": 1,
            "name": "bench-gsme",
            "title": "Bench GSME",
            "device_type": "GSME",
            "gbcs_version": "4.1",
            "smets_version": "4.3",
            "identity": {
                "manufacturer_id": "FFF1",
                "manufacturer_name": "bench",
                "model_type": "4142434445464748",
                "hardware_version": "0001",
                "firmware_version": "0123ABCD",
            },
            "state": state,
        }
    )


KWH_PER_M3: State = {
    "price.calorific_value": 36,
    "price.calorific_value_trailing_digit": 0,
    "price.conversion_factor": 1,
    "price.conversion_factor_trailing_digit": 0,
}
"""A gas of which a cubic metre has ten kilowatt hours."""

PREPAYMENT: State = {
    **KWH_PER_M3,
    "payment_mode": "prepayment",
    "meter_balance_millipence": 1_000_000,
    "prepayment.emergency_credit_limit": 500_000,
    "prepayment.emergency_credit_threshold": 100_000,
    "prepayment.low_credit_warning_level": 200_000,
    "prepayment.max_credit_limit": 50_000_000,
    "prepayment.max_credit_per_top_up": 20_000_000,
    "price.tier_1_block_1_price": 10_000,
}
"""A home that pays ten pence a kilowatt hour in advance, with ten pounds."""


def gpf_core(keystore: KeyRing, nvm: Nvm, now: Callable[[], datetime]) -> tuple[GpfCore, Workplace]:
    """A proxy on the bench; its hub shows laboratory time."""
    place = Workplace(GPF, nvm, Trace(StandingClock(NOW)))
    plant = GpfPlant(
        station=station_of(keystore, GPF, DeviceType.GPF, Quirks()),
        settings=GpfSettings(),
        hub_time=now,
        lab_time=now,
    )
    return GpfCore(plant, place, now(), None), place


@pytest.fixture(scope="session")
def gas_keystore() -> KeyRing:
    return Authority(RootSeed(21)).keystore([GSME, GPF, PPMID])


@pytest.fixture
def gas_head(gas_keystore: KeyRing) -> GasHead:
    return GasHead(gas_keystore)


@pytest.fixture
def make_gpf(gas_keystore: KeyRing, gas_store: Store) -> Callable[..., tuple[GpfCore, Workplace]]:
    """Makes a proxy: `make_gpf(lambda: bench.now)`."""
    return lambda now, owner="gpf": gpf_core(gas_keystore, gas_store.nvm(owner), now)


@pytest.fixture
def gas_store() -> Iterator[Store]:
    with Store() as store:
        yield store


MakeGasBench = Callable[..., GasBench]


@pytest.fixture
def make_gas_bench(gas_head: GasHead, gas_store: Store) -> MakeGasBench:
    """Makes a bench: `make_gas_bench("prepayment", state={...}, half_hour_ml=...)`."""

    def make(
        mode: str = "credit",
        *,
        state: State | None = None,
        quirks: tuple[str, ...] = (),
        half_hour_ml: int = 0,
        volumes: DailyVolumes | None = None,
        security: SecuritySettings | None = None,
        at: datetime = NOW,
        owner: str = "gsme",
    ) -> GasBench:
        given = {**(PREPAYMENT if mode == "prepayment" else KWH_PER_M3), **(state or {})}
        return GasBench(
            gas_head,
            gas_store.nvm(owner),
            state=given,
            quirks=Quirks.of(quirks),
            volumes=volumes or Even(half_hour_ml),
            at=at,
            security=security,
        )

    return make
