"""A home with electricity and gas that pays in advance, behind a DCC: what suppliers and consumer do with it.

What is used is made here, written to the files that the meters are given, and kept for whoever reconciles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from household_ledger import COLUMN, COLUMNS, DAY, EPOCH, HalfHours, Switches

from smetslab.crypto import SharedSecrets
from smetslab.dcc.acb import AccessControlBroker
from smetslab.dcc.service_user import ServiceUser
from smetslab.devices.esme import Esme
from smetslab.devices.gpf import GasProxy
from smetslab.devices.gsme import Gsme
from smetslab.devices.type1 import Ppmid
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import parse_response
from smetslab.firmware import decode_file, manufacturer_image_hash
from smetslab.gbcs.codes import CellUsage, CounterFamily, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import encode_message
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import LabConfig, load_lab
from smetslab.pki import KeyRing
from smetslab.resources import firmware_images
from smetslab.trace import Observation
from smetslab.wan.service import WanMessage

ESME, GSME, HUB, GPF, PPMID = (Eui64.parse(f"00DB1234567890A{last}") for last in "01234")
BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
FLOOR, TOP_UP_FLOOR = 5_000, 7
"""From where a new supplier counts its commands, and its top-ups."""
_USES = {
    "DigitalSigningCertificate": (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
    "KeyAgreementCertificate": (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
    "KeyAgreementTopUpCertificate": (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
}
_NO_THRESHOLD = 4_294_967_295
_WEEKDAYS = range(1, 8)
_WORKING_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

HOME = """
[[premises]]
name = "home"
hub = {{ eui64 = "00-DB-12-34-56-78-90-A2" }}

[[premises.devices]]
name = "esme"
profile = "esme-reference-a"
eui64 = "00-DB-12-34-56-78-90-A0"
supplier = "supplier"

[premises.devices.state]
payment_mode = "credit"
history_days = 0
generation_peak_w = 0
load_file = "{folder}/electricity.csv"
suspend_debt_emergency = true
import_active_wh = 0
export_active_wh = 0
meter_balance_millipence = 0
accumulated_debt_millipence = 0
payment_debt_millipence = 0
time_debt_1_millipence = 0
time_debt_2_millipence = 0
load_limit_power_threshold_w = 0

[[premises.devices]]
name = "gas-meter"
profile = "gsme-prepayment"
eui64 = "00-DB-12-34-56-78-90-A1"
supplier = "supplier"

[premises.devices.state]
payment_mode = "credit"
meter_balance_millipence = 0
import_l = 4321
volumes_file = "{folder}/gas.csv"

[[premises.devices]]
name = "gas-proxy"
profile = "gpf-reference"
eui64 = "00-DB-12-34-56-78-90-A3"
handed_over = false

[[premises.devices]]
name = "ppmid"
profile = "ppmid-reference"
eui64 = "00-DB-12-34-56-78-90-A4"
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a household uses: thousandths of a watt hour, and millilitres."""

    drawn: HalfHours
    fed: HalfHours
    burnt: HalfHours

    @classmethod
    def by_chance(cls, chance: Random, days: int) -> Usage:
        """So many days from the beginning; more in winter, and a roof that feeds in around noon."""
        drawn, fed, burnt = {}, {}, {}
        first = (BEGIN - EPOCH) // DAY
        for number in range(first, first + days + 2):
            month = (EPOCH + number * DAY).month
            cold, sun = abs(month - 7), 6 - abs(month - 7)
            drawn[number] = tuple(
                1_000 * chance.randrange(30 + 5 * cold, 150 + 30 * cold + (400 if 32 <= slot < 44 else 0))
                for slot in range(48)
            )
            fed[number] = tuple(
                1_000 * chance.randrange(0, 1 + 80 * sun) if 18 <= slot < 30 else 0 for slot in range(48)
            )
            burnt[number] = tuple(
                chance.randrange(0, 1 + 40_000 * cold) if 12 <= slot < 44 else 0 for slot in range(48)
            )
        return cls(drawn, fed, burnt)

    def write(self, folder: Path) -> None:
        """As the files that meters read."""
        lines = ["time,import_wh,export_wh"]
        for number, day in self.drawn.items():
            for slot, drawn in enumerate(day):
                begin = EPOCH + number * DAY + slot * timedelta(minutes=30)
                lines.append(f"{begin:%Y-%m-%dT%H:%M:%SZ},{drawn // 1000},{self.fed[number][slot] // 1000}")
        (folder / "electricity.csv").write_text("\n".join(lines) + "\n")
        rows = [
            ",".join([f"{EPOCH + number * DAY:%Y-%m-%d}", *(f"{one / 1_000_000:.6f}" for one in day)])
            for number, day in self.burnt.items()
        ]
        (folder / "gas.csv").write_text("\n".join(rows) + "\n")


def home_config(folder: Path, usage: Usage) -> LabConfig:
    """The built-in laboratory with this home in it."""
    usage.write(folder)
    default = load_lab().source_text.decode()
    head = default[: default.index("[[premises]]")]
    head = head.replace("epoch = 2026-01-05T00:00:00Z", f"epoch = {BEGIN:%Y-%m-%dT%H:%M:%SZ}")
    head = head.replace('kind = "radio"', 'kind = "direct"')
    path = folder / "home.toml"
    path.write_text(head + HOME.format(folder=folder))
    return load_lab(path)


# What suppliers ask for -------------------------------------------------------------------------------------


def _week(name: int, working_day: int, weekend: int) -> dict[str, Any]:
    days = [{"@index": day, "value": working_day if day < 6 else weekend} for day in _WEEKDAYS]
    return {"WeekName": name, "ReferencedDayName": days}


def _gas_date() -> dict[str, Any]:
    return {
        "GasYearWithWildcards": {"NonSpecifiedYear": True},
        "GasMonthWithWildcards": {"SpecifiedMonth": 1},
        "GasDayOfMonthWithWildcards": {"SpecifiedDayOfMonth": 1},
        "GasDayOfWeekWithWildcards": {"NonSpecifiedDayOfWeek": True},
    }


Prices = tuple[int, ...]
BlockPrices = tuple[Prices, ...]


def _named(prices: Prices) -> list[dict[str, int]]:
    return [{"@index": number, "value": price} for number, price in enumerate(prices, 1)]


def electricity_prices(prices: Prices | BlockPrices, standing: int) -> dict[str, Any]:
    """Of 1.2.1, and the second part of 1.1.1: prices of the first registers, or of the blocks of the first
    columns, and a standing charge."""
    columns = [
        {"@index": column, "BlockPrice": _named(row)}
        for column, row in enumerate(prices, 1)
        if isinstance(row, tuple)
    ]
    plain = tuple(price for price in prices if isinstance(price, int))
    what = (
        {"BlockTariff": {"BlockPrices": columns}} if columns else {"TOUTariff": {"TOUPrice": _named(plain)}}
    )
    return {
        "PriceElements": {
            "ElectricityPriceElements": {
                "StandingCharge": standing,
                "StandingChargeScale": -5,
                "PriceScale": -5,
                **what,
            }
        }
    }


def electricity_tariff(
    working_days: Switches,
    weekends: Switches,
    prices: Prices | BlockPrices,
    standing: int,
    thresholds: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Of 1.1.1: two kinds of day all the year; `thresholds` in Wh, for each column of blocks alike."""

    def action(number: int) -> dict[str, int]:
        return {"BlockTariffAction": number - COLUMN} if number > COLUMN else {"TOUTariffAction": number}

    limits = [{"@index": place, "value": limit} for place, limit in enumerate(thresholds, 1)]
    none = [{"@index": 1, "value": _NO_THRESHOLD}]
    profiles = [
        {
            "DayName": name,
            "ProfileSchedule": [
                {"StartTime": f"{hour:02}:00:00", **action(number)} for hour, number in switches
            ],
        }
        for name, switches in enumerate((working_days, weekends), 1)
    ]
    begin = {
        "Year": {"SpecifiedYear": 2014},
        "Month": {"SpecifiedMonth": 1},
        "DayOfMonth": {"SpecifiedDayOfMonth": 1},
        "DayOfWeek": {"NonSpecifiedDayOfWeek": True},
    }
    season = {"SeasonName": "all", "SeasonStartDate": begin, "ReferencedWeekName": 1}
    return {
        "ElecTariffElements": {
            "CurrencyUnits": "GBP",
            "SwitchingTable": {
                "DayProfiles": {"DayProfile": profiles},
                "WeekProfiles": {"WeekProfile": [_week(1, 1, 2)]},
                "Seasons": {"Season": [season]},
            },
            "SpecialDays": {},
            "ThresholdMatrix": {
                "Thresholds": [
                    {"@index": column, "BlockThreshold": (limits or none) if column <= COLUMNS else none}
                    for column in range(1, 9)
                ]
            },
        },
        **electricity_prices(prices, standing),
    }


def gas_prices(prices: Prices, standing: int, *, blocks: bool = False) -> dict[str, Any]:
    """Of 1.2.1, and the second part of 1.1.1: the prices of four tiers or blocks, a standing charge."""
    in_blocks = {"BlockPrice": _named(prices), "NumberOfThresholds": 3}
    what = {"BlockTariff": in_blocks} if blocks else {"TOUTariff": {"TOUPrice": _named(prices)}}
    return {
        "PriceElements": {"GasPriceElements": {"CurrencyUnits": "GBP", "StandingCharge": standing, **what}}
    }


def gas_tariff(
    tiers: tuple[int, int], prices: Prices, standing: int, thresholds: tuple[int, ...] = ()
) -> dict[str, Any]:
    """Of 1.1.1: a tier for working days and one for weekends, or blocks; `thresholds` in Wh."""
    days: list[dict[str, int]] = [
        {"BlockTariff": True} if thresholds else {"TOUTariffAction": tier} for tier in tiers
    ]
    profiles = [{"DayName": name, **day} for name, day in enumerate(days, 1)]
    return {
        "GasTariffElements": {
            "SwitchingTable": {
                "DayProfiles": {"DayProfile": profiles},
                "WeekProfiles": {"WeekProfile": [_week(1, 1, 2)]},
                "Seasons": {"Season": [{"SeasonStartDate": _gas_date(), "ReferencedWeekName": 1}]},
            },
            "SpecialDays": {},
            "ThresholdMatrix": {"BlockThreshold": _named(thresholds or (1,))},
        },
        **gas_prices(prices, standing, blocks=bool(thresholds)),
    }


def gas_billing(start: datetime) -> dict[str, Any]:
    """Of 6.8: every month from then on."""
    calendar = {"BillingPeriodStart": f"{start:%Y-%m-%dT%H:%M:%SZ}", "Periodicity": "Monthly"}
    return {"GasBillingCalendar": calendar}


def electricity_rules(limit: int, threshold: int, low: int, cap: int) -> dict[str, Any]:
    """Of 2.1, with a supply that stays on from 20:00 to 09:00 and at weekends."""

    weekdays = {"DayOfWeekApplicability": [{"DayOfWeekID": day} for day in _WORKING_DAYS]}

    def schedule(script: str, time: str) -> dict[str, Any]:
        return {
            "NonDisablementScript": script,
            "SpecialDaysApplicability": {},
            "DaysOfWeekApplicability": weekdays,
            "ScheduleDatesAndTime": {
                "SwitchTime": time,
                "StartDate": "2026-01-01",
                "EndDate": "2030-01-01",
            },
        }

    calendar = {
        "ElectricitySpecialDays": {},
        "ElectricityNonDisablementSchedule": [
            schedule("START", "20:00:00"),
            schedule("STOP", "09:00:00"),
        ],
    }
    return {
        "UpdatePrepayConfigElectricity": {
            "DebtRecoveryRateCap": cap,
            "EmergencyCreditLimit": limit,
            "EmergencyCreditThreshold": threshold,
            "LowCreditThreshold": low,
            "ElectricityNonDisablementCalendar": calendar,
            "MaxMeterBalance": 200_000_000,
            "MaxCreditThreshold": 10_000_000,
        }
    }


def gas_rules(limit: int, threshold: int, low: int, cap: int) -> dict[str, Any]:
    """Of 2.1, with the same hours."""

    def actions(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"StartTime": time, "NonDisablementAction": action} for time, action in pairs]

    night = (("00:00:00", "START"), ("09:00:00", "STOP"), ("20:00:00", "START"))
    calendar = {
        "DayProfiles": {
            "GasNonDisablementDayProfile": [
                {"TimeStartAction": actions(*night), "GasDayName": 1},
                {"TimeStartAction": actions(night[0]), "GasDayName": 2},
            ]
        },
        "WeekProfiles": {"WeekProfile": [_week(1, 1, 2)]},
        "SeasonProfiles": {"Season": [{"SeasonStartDate": _gas_date(), "ReferencedWeekName": 1}]},
        "SpecialDays": {},
    }
    return {
        "UpdatePrepayConfigGas": {
            "DebtRecoveryRateCap": cap,
            "EmergencyCreditLimit": limit,
            "EmergencyCreditThreshold": threshold,
            "LowCreditThreshold": low,
            "GasNonDisablementCalendar": calendar,
            "MaxMeterBalance": 200_000_000,
            "MaxCreditThreshold": 10_000_000,
        }
    }


def spared(moment: datetime) -> bool:
    """The hours of those calendars."""
    return moment.weekday() >= 5 or not 9 <= moment.hour < 20


def debts(fuel: Eui64, added: tuple[int, int, int], rates: tuple[int, int], share: int) -> dict[str, Any]:
    """Of 2.3: what is added to three debts, and how they are recovered."""
    first, second, at_payment = added
    recovery: dict[str, Any]
    if fuel == ESME:
        recovery = {
            f"ElecDebtRecovery{number}": {
                "DebtRecoveryRate": rate,
                "DebtRecoveryRatePriceScale": -5,
                "DebtRecoveryRatePeriod": "DAILY",
            }
            for number, rate in enumerate(rates, 1)
        }
    else:
        recovery = {
            f"GasDebtRecovery{number}": {"DebtRecoveryRate": rate, "DebtRecoveryRatePeriod": period}
            for number, (rate, period) in enumerate(zip(rates, ("HOURLY", "DAILY"), strict=True), 1)
        }
    return {
        "TimeDebtRegister1": first,
        "TimeDebtRegister2": second,
        "PaymentDebtRegister": at_payment,
        "DebtRecoveryPerPayment": share,
        **recovery,
    }


def certificates(ring: KeyRing, party: Eui64) -> dict[str, str]:
    """The three of a supplier, by their DUIS names."""
    return {name: ring.find(party, *use).certificate.der.hex().upper() for name, use in _USES.items()}


# The home ---------------------------------------------------------------------------------------------------


@dataclass
class PrepayingHome:
    """One home in a running laboratory, the supplier it has, and when devices were last told something."""

    lab: Lab
    supplier: ServiceUser = field(init=False)
    received: dict[str, datetime] = field(default_factory=dict)
    woken: datetime = BEGIN
    alerts: dict[str, list[str]] = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    next_code: dict[Eui64, int] = field(default_factory=lambda: {ESME: 1, GSME: 1})
    late: int = 0

    def __post_init__(self) -> None:
        self.supplier = self.lab.users["supplier"]
        self.lab.trace.subscribe(self._seen, layers=("device",))

    def _seen(self, seen: Observation) -> None:
        if seen.event == "MessageReceived":
            self.received[seen.source] = seen.time
        elif seen.event == "Woken":
            self.woken = seen.time
        elif seen.event == "AlertSent":
            self.alerts.setdefault(seen.source, []).append(str(seen.detail["code"]))
        elif seen.event == "MessageDropped":
            self.dropped.append((seen.source, str(seen.detail["reason"])))

    @property
    def now(self) -> datetime:
        return self.lab.clock.now()

    @property
    def esme(self) -> Esme:
        return self.lab.esme(ESME)

    @property
    def gsme(self) -> Gsme:
        meter = self.lab.devices[GSME]
        assert isinstance(meter, Gsme)
        return meter

    @property
    def proxy(self) -> GasProxy:
        proxy = self.lab.devices[GPF]
        assert isinstance(proxy, GasProxy)
        return proxy

    @property
    def ppmid(self) -> Ppmid:
        device = self.lab.devices[PPMID]
        assert isinstance(device, Ppmid)
        return device

    def told_at(self, device: Eui64) -> datetime:
        """When a device has taken its last command."""
        return self.received[str(device)]

    async def ask(
        self,
        variant: str,
        target: Eui64,
        elements: dict[str, Any] | None = None,
        *,
        execution: str | None = None,
    ) -> dict[str, Any]:
        """A request of the present supplier that succeeds: the parameters of the response."""
        answer = await self.supplier.request(variant, target, elements, execution=execution)
        assert answer.ok, (variant, str(target), answer.code, answer.parameters)
        return answer.parameters

    def code(self, meter: Eui64, pence: int, supplier: ServiceUser | None = None) -> str:
        """The next top-up code that a supplier sells for a meter."""
        user = self.supplier if supplier is None else supplier
        number = self.next_code[meter]
        self.next_code[meter] += 1
        ring = self.lab.keystore
        secret = SharedSecrets().get(
            ring.private_key(user.party, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
            ring.find(meter, KeyUsage.KEY_AGREEMENT).certificate.public_key,
        )
        return build_utrn(
            counter=number << 32,
            value_class=ValueClass.PENCE,
            value=pence,
            secret=secret,
            supplier=user.party,
            device=meter,
        ).digits

    async def top_up(self, meter: Eui64, pence: int) -> None:
        """Service request 2.2."""
        counter = self.next_code[meter] << 32
        digits = self.code(meter, pence)
        answer = await self.supplier.request("2.2", meter, {"UTRN": digits}, counter=counter)
        assert answer.ok, (str(meter), answer.code, answer.parameters)

    async def handover(self) -> None:
        """Service request 6.21, for both parties that the broker stands in for."""
        ring = self.lab.keystore
        operator = self.lab.config.party(RemotePartyRole.NETWORK_OPERATOR)
        assert operator is not None
        theirs = {
            name: ring.find(operator.eui64, *use).certificate.der.hex().upper()
            for name, use in list(_USES.items())[:2]
        }
        parties = {"Supplier": certificates(ring, self.supplier.party), "NetworkOperator": theirs}
        for role, replacements in parties.items():
            floors = {"RemotePartyFloorSeqNumber": 0}
            if role == "Supplier":
                floors["RemotePartyPrepaymentTopUpFloorSeqNumber"] = 0
            told = await self.ask(
                "6.21",
                GPF,
                {"RemotePartyRole": role, **floors, "ReplacementCertificates": replacements, **self._path()},
            )
            assert _all_replaced(told, len(replacements))
            outcomes = told["execution_outcome"]["replacement_outcomes"]
            assert {one["existing_subject_unique_id"] for one in outcomes} == {str(self.broker)}

    async def change_supplier(self, new: ServiceUser, meter: Eui64, execution: str | None = None) -> None:
        """Service request 6.23, by the supplier that the consumer has chosen."""
        elements: dict[str, Any] = {
            "SupplierFloorSeqNumber": FLOOR,
            "SupplierPrepaymentTopUpFloorSeqNumber": (TOP_UP_FLOOR - 1) << 32,
            "SupplierReplacementCertificates": certificates(self.lab.keystore, new.party),
            **self._path(),
            "ImportMPxN": "1312345678333",
        }
        answer = await new.request("6.23", meter, elements, execution=execution)
        assert answer.ok, (answer.code, answer.parameters)
        if execution is None:
            assert _all_replaced(answer.parameters, 3)
        for family in CounterFamily:
            if family is not CounterFamily.UTRN:
                new.counters[meter, family] = FLOOR

    def _path(self) -> dict[str, Any]:
        issuers = [
            one for one in self.lab.keystore.authorities() if one.role is RemotePartyRole.ISSUING_AUTHORITY
        ]
        return {
            "CertificationPathCertificates": {"Certificate": [one.der.hex().upper() for one in issuers]},
            "ApplyTimeBasedCPVChecks": True,
        }

    @property
    def broker(self) -> Eui64:
        party = self.lab.config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
        assert party is not None
        return party.eui64

    async def signed(self, variant: str, target: Eui64, elements: dict[str, Any], counter: int) -> bytes:
        """A critical command of the present supplier as the meter would get it, not sent."""
        message = self.supplier.sign(
            await self.supplier.pre_command(variant, target, elements, counter=counter)
        )
        return encode_message(AccessControlBroker(self.broker, self.lab.keystore).protect(message))

    async def arrive(self, command: bytes) -> None:
        """A command comes to the hub, past all checks of the DCC."""
        self.late += 1
        await self.lab.wan.to_hub(WanMessage(f"late/{self.late}", HUB, command))

    async def pair_ppmid(self) -> None:
        """Both ends with both meters."""
        for meter in (ESME, GSME):
            for target, peer in ((PPMID, meter), (meter, PPMID)):
                variant = "8.7.2" if target == PPMID else "8.7.1"
                told = await self.ask(variant, target, {"OtherDeviceID": peer.dashed()})
                assert told["join_response_code"] == "success"

    async def new_firmware(self, meter: Eui64, name: str) -> str:
        """Service requests 11.1 and 11.3: the version that runs then."""
        data = (firmware_images() / f"{name}.ota").read_bytes()
        elements: dict[str, Any] = {
            "FirmwareImage": data.hex().upper(),
            "FirmwareVersion": "00010001",
            "DeviceIDList": meter.dashed(),
        }
        document = self.supplier.document("11.1", self.broker, elements, CommandVariant.NON_DEVICE)
        assert parse_response(await self.lab.dcc.receive(document)).code == "I0"
        while "8F72" not in self.alerts[str(meter)]:
            await self.lab.clock.sleep(600)
        digest = manufacturer_image_hash(decode_file(data).manufacturer_image)
        told = await self.ask("11.3", meter, {"FirmwareHash": digest.hex().upper()})
        outcome: dict[str, str] = told["execution_outcome"]
        assert outcome["activate_image_response_code"] == "success"
        return outcome["firmware_version"]


def _all_replaced(told: dict[str, Any], count: int) -> bool:
    outcomes = told["execution_outcome"]["replacement_outcomes"]
    return [one["status_code"] for one in outcomes] == ["success"] * count
