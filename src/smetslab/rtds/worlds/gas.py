"""The gas meter and its proxy of the published scenarios: a base state, overlays, and causes of alerts.

Both show the same: the proxy mirrors the meter.

Spec: RTDS 4.5.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import Final, TypeAlias

from smetslab.devices.application import Station
from smetslab.devices.clock import ClockStatus
from smetslab.devices.credentials import CELLS, Cell, TrustAnchorStore
from smetslab.devices.gas_flow import GasProfile
from smetslab.devices.gas_records import (
    BALANCES,
    CHANGE_OF_SUPPLIER,
    CHANGE_OF_TARIFF,
    END_OF_BILLING_PERIOD,
    GENERAL,
    REGISTERS,
    TIERS_AND_BLOCKS,
    NetworkLog,
)
from smetslab.devices.gas_settings import GpfSettings, GsmeSettings, read_gsme_settings
from smetslab.devices.gpf_core import GpfCore, GpfPlant
from smetslab.devices.gsme_core import GsmeCore, GsmePlant
from smetslab.devices.prepay.state import EmergencyState
from smetslab.devices.profile import load_profile
from smetslab.devices.quirks import Quirks
from smetslab.devices.security.installed import SecuritySettings, settings_of
from smetslab.devices.work import Work
from smetslab.devices.zcl.calendar_table import NON_DISABLEMENT, TARIFF, CalendarTable
from smetslab.devices.zcl.logs import Snapshot, SnapshotLog
from smetslab.gbcs.codes import DeviceType, KeyUsage, RemotePartyRole
from smetslab.gbcs.values import Value, seconds_since_2000
from smetslab.ids import Eui64
from smetslab.rng import RootSeed
from smetslab.rtds.rules import Rule
from smetslab.rtds.worlds import security
from smetslab.rtds.worlds.gas_causes import CAUSES
from smetslab.rtds.worlds.model import Site, World
from smetslab.rtds.worlds.numbers import DAY, HALF_HOUR, A, moment
from smetslab.zigbee.zcl.clusters.price import Price
from smetslab.zigbee.zcl.named import ZclDate

GSME_PROFILE, GPF_PROFILE = "gsme-rtds", "gpf-rtds"

PARTIES: Final = {
    RemotePartyRole.RECOVERY: Eui64.parse("90B3D51F30000001"),
    RemotePartyRole.ACCESS_CONTROL_BROKER: Eui64.parse("90B3D51F30000002"),
    RemotePartyRole.TRANSITIONAL_COS: Eui64.parse("90B3D51F30000004"),
    RemotePartyRole.SUPPLIER: Eui64.parse("90B3D51F30010000"),
    RemotePartyRole.NETWORK_OPERATOR: Eui64.parse("90B3D51F30020000"),
}

CALENDAR: Final = seconds_since_2000(moment("2014-12-02"))
"""The identifier of both calendars."""

HUB_TIME: Final = moment("2014-12-31 23:30")
"""What the hub's clock shows when the meter's is set: the start of the interval."""

RULES: Final = (
    *security.RULES,
    Rule(scenarios="_UNRELIABLE", overlays=("unreliable",)),
    Rule(scenarios=r"_RELIABLE_GSME", overlays=("time-of-meter",)),
    Rule(scenarios=r"_CS01b/", overlays=("top-up",)),
    Rule(scenarios=r"_CS01b/.*ERROR", no_fault=True),
    Rule(scenarios=r"_PCS01/", overlays=("debt-free", "paired-ppmid")),
    Rule(scenarios=r"_PCS02/", overlays=("paired-ppmid",)),
    Rule(scenarios=r"_GCS21d/", overlays=("monthly-billing",)),
    Rule(scenarios=r"_GCS21e/", overlays=("full-identity",)),
    Rule(scenarios=r"_GCS18/.*NOT_FOUND", overlays=("no-network-log",)),
    # What is not found where several things are read is unverified: calendars are lists as logs are.
    Rule(scenarios=r"_GCS21[bf]/.*NOT_FOUND", overlays=("no-calendars",)),
    Rule(scenarios=r"_URP_", alert_counter=2000),
    Rule(scenarios=r"_FDRA-ZigBee/", overlays=("firmware-distribution",)),
    Rule(scenarios=r"_GNCA-ZigBee/", overlays=("debt-free",)),
    Rule(scenarios=r"_CS02b\w+Handover/", overlays=("before-handover",)),
    # Where a fault strikes that is not the last item but one. An attribute is an item of its own.
    Rule(scenarios=r"_(GCS13a|GCS14|GCS21e|GCS21m|GCS60a?)/.*ERROR", fault_item=0),
    Rule(scenarios=r"_GCS13c/.*ERROR", fault_item=1),
    Rule(scenarios=r"_(GCS23|GCS24a?|GCS25a?|GCS33)/.*ERROR", fault_item=-1),
    Rule(scenarios=r"_(GCS20|GCS16b)/.*ERROR", fault_item=1),
    Rule(scenarios=r"_GCS15[bc]/.*ERROR", fault_item=13),
    # Alerts count on from those of earlier scenarios of the same group.
    Rule(scenarios=r"_GCS01a/.*8F66.*BLOCK", alert_counter=3009),
    Rule(scenarios=r"_GCS01b/.*8F66.*BLOCK", alert_counter=3002),
)

GasCore: TypeAlias = "GsmeCore | GpfCore"

_TIERS = (1, 2, 3, 4)
_FRIENDLY_MINUTES = ((480, 1080), (420, 1020), (480, 840), (420, 780))
_EVENT_CODES = (
    0x8F1F, 0x8145, 0x8154, 0x8155, 0x8161, 0x8162, 0x8F66, 0x8F67, 0x8183, 0x8184, 0x81A1,
    *range(0x81A4, 0x81B7), 0x81B9, 0x81BA,
)  # fmt: skip
_DAILY_LITRES = (48714, 17550, 49289, 2911, 58750, 13734, 49214, 11786, 42749, 46370, 5360)
"""Of the days that end from 2014-12-22 on."""
_NETWORK_LITRES = "20110210332310020023301133101013020001101"
_DAILY_READS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("2014-12-29 09:00", (187, 199, 2, 207, 18, 101, 13, 223, 104)),
    ("2014-12-30 09:00", (32, 227, 189, 205, 3, 47, 238, 10, 68)),
    ("2014-12-31 09:00", (57, 15, 105, 253, 209, 19, 27, 207, 194)),
)
"""Total, tiers and blocks."""
_EVENT_EXTRA = {0x8154: "009B", 0x8155: "0090", 0x8161: "0002", 0x8162: "0005"}
_EVENT_TIMES = (
    "00:00:00 00:34:41 01:11:45 02:04:34 02:41:46 03:25:06 04:09:03 04:47:06 05:27:54 06:26:35 07:19:17 "
    "07:59:53 08:55:42 09:46:48 10:44:43 11:29:18 12:23:42 13:13:13 13:57:33 14:51:01 15:37:02 16:27:23 "
    "17:04:02 17:51:54 18:37:33 19:12:28 20:07:16 20:46:36 21:36:04 22:30:59 23:16:38 23:50:13"
)
"""Of the entries of the event log, on the last day of 2014."""
_SECURITY_CODES = (
    0x8F0C, 0x8F1C, 0x8F1E, 0x8F3E, 0x8F3F, 0x8F43, *range(0x8F47, 0x8F50), 0x8F51, 0x8F52, 0x8F53,
    0x8F5B, 0x8F60, 0x8F63, 0x8F64, 0x8F70, 0x8F72,
)  # fmt: skip


# ------------------------------------------------------------------------------------ building


def build_gsme(site: Site) -> GsmeCore:
    """The gas meter."""
    profile = load_profile(GSME_PROFILE)
    settings = _overlaid(read_gsme_settings(profile), site.overlays, site.eui64)
    counter = settings.first_alert_counter if site.alert_counter is None else site.alert_counter
    plant = GsmePlant(
        station=_station(site, DeviceType.GSME, counter),
        settings=settings,
        volumes=GasProfile(RootSeed(1).octets("gas", 16), settings.size_permille),
        hub_time=lambda: HUB_TIME,
        security=_security(site, profile.identity.firmware_version_octets),
    )
    core = GsmeCore(plant, site.workplace, site.now, None)
    with site.workplace.work(site.now) as work:
        _fill(work, core, site.overlays)
        if "paired-ppmid" in site.overlays:
            ppmid = Eui64.parse("00DB1234567890A4")
            certificate = site.ring.find(ppmid, KeyUsage.KEY_AGREEMENT).certificate
            core.security.log.add(work, ppmid, DeviceType.PPMID, certificate)
    site.workplace.outbox.clear()
    return core


def _security(site: Site, version: bytes) -> SecuritySettings:
    """Credentials and log of the meter, and whose images it takes."""
    found = security.settings(site, DeviceType.GSME, version)
    if "firmware-distribution" not in site.overlays:
        return found
    return replace(found, firmware=settings_of(load_profile("gsme-reference"), site.eui64).firmware)


def build_gpf(site: Site) -> GpfCore:
    """The proxy: what the meter shows, it shows."""
    profile = load_profile(GPF_PROFILE)
    meter = read_gsme_settings(load_profile(GSME_PROFILE))
    shown: dict[str, Value] = {
        name: value for name, value in meter.attributes.items() if not name.startswith("basic.")
    }
    shown |= _measured(meter, profile.identity.firmware_version_octets)
    counter = GpfSettings().first_alert_counter if site.alert_counter is None else site.alert_counter
    plant = GpfPlant(
        station=_station(site, DeviceType.GPF, counter),
        settings=GpfSettings(first_alert_counter=counter, attributes=shown),
        hub_time=lambda: site.now,
        lab_time=lambda: site.now,
        clock_status=0x04 if "time-of-meter" in site.overlays else 0x00,
        security=security.settings(site, DeviceType.GPF, profile.identity.firmware_version_octets),
    )
    core = GpfCore(plant, site.workplace, site.now, None)
    with site.workplace.work(site.now) as work:
        _fill(work, core, site.overlays)
    site.workplace.outbox.clear()
    return core


def _station(site: Site, device_type: DeviceType, counter: int) -> Station:
    anchors = TrustAnchorStore.for_device(device_type, site.ring, PARTIES)
    if "before-handover" in site.overlays:
        anchors = _before_handover(site, device_type)
    return Station(
        eui64=site.eui64,
        device_type=device_type,
        keys=security.keys(site),
        trust_anchors=anchors,
        secrets=site.secrets,
        quirks=Quirks(two_octet_lengths=True),
        supported=lambda _use_case: True,
        answers_to=RemotePartyRole.SUPPLIER,
        first_alert_counter=counter,
    )


def _before_handover(site: Site, device_type: DeviceType) -> TrustAnchorStore:
    """A proxy begins with the access control broker in the cells of supplier and network operator."""
    broker = PARTIES[RemotePartyRole.ACCESS_CONTROL_BROKER]
    handed_over = {RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR}
    cells = [
        Cell.of(
            role,
            cell_usage,
            site.ring.find(broker, usage).certificate
            if role in handed_over
            else site.ring.find(PARTIES[role], usage, cell_usage).certificate,
        )
        for role, usage, cell_usage in CELLS[device_type]
        if role in PARTIES
    ]
    return TrustAnchorStore(cells)


def _overlaid(settings: GsmeSettings, overlays: tuple[str, ...], eui64: Eui64) -> GsmeSettings:
    """The settings with the named changes of single groups."""
    account, attributes = replace(settings.account), dict(settings.attributes)
    changes: dict[str, object] = {}
    if "top-up" in overlays or "debt-free" in overlays:
        account = replace(
            account,
            accumulated_debt=0,
            payment_debt=0,
            time_debt_1=0,
            time_debt_2=0,
            emergency=EmergencyState.UNAVAILABLE,
        )
    if "top-up" in overlays:
        account = replace(account, meter_balance=23894000)
        attributes["prepayment.max_credit_limit"] = 30000000
    if "unreliable" in overlays:
        changes |= {"clock_status": ClockStatus.UNRELIABLE, "clock_offset": timedelta(hours=9)}
    if "full-identity" in overlays:
        attributes["basic.manufacturer_name"] = "Critical Software"
        attributes["basic.model_identifier"] = "hex:" + (b"GFI     " + eui64.raw).hex()
    return replace(settings, account=account, attributes=attributes, **changes)  # type: ignore[arg-type]


def _measured(meter: GsmeSettings, version: bytes) -> dict[str, Value]:
    """What the meter computes, as its proxy has been told."""
    registers, account = meter.registers, meter.account
    shown: dict[str, Value] = {
        "metering.current_summation_delivered": registers.total // 1000,
        "metering.bill_to_date_delivered": account.cost_to_date,
        "metering.supply_status": int(meter.valve),
        "metering.remaining_battery_life_in_days": meter.battery_days,
        "metering.current_meter_id": version.hex().upper(),
        "prepayment.credit_remaining": account.meter_balance,
        "prepayment.emergency_credit_remaining": account.emergency_balance,
        "prepayment.accumulated_debt": account.accumulated_debt,
        "prepayment.debt_amount_1": account.time_debt_1,
        "prepayment.debt_amount_2": account.time_debt_2,
        "prepayment.debt_amount_3": account.payment_debt,
    }
    for number in _TIERS:
        shown[f"metering.current_tier_{number}_summation_delivered"] = registers.tiers[number - 1] // 1000
        shown[f"metering.current_no_tier_block_{number}_summation_delivered"] = (
            registers.blocks[number - 1] // 1000
        )
    return shown


# ------------------------------------------------------------------------------------ calendars and logs


def _fill(work: Work, core: GasCore, overlays: tuple[str, ...]) -> None:
    if "no-calendars" not in overlays:
        _fill_calendars(work, core)
    _fill_billing(work, core, months=1 if "monthly-billing" in overlays else 6)
    _fill_snapshots(work, core)
    _fill_samples(work, core, network="no-network-log" not in overlays)
    _fill_payments(work, core)
    for code, time in zip(_EVENT_CODES, _EVENT_TIMES.split(), strict=True):
        at = moment(f"2014-12-31 {time}")
        core.application.event_log.append(work, code, at, bytes.fromhex(_EVENT_EXTRA.get(code, "")))
    for code, time in zip(cycle(_SECURITY_CODES), _EVENT_TIMES.split(), strict=False):
        core.application.security_log.append(work, code, moment(f"2014-12-31 {time}"))


def _fill_calendars(work: Work, core: GasCore) -> None:
    core.calendars.fill(
        work,
        TARIFF,
        CalendarTable(
            identifier=CALENDAR,
            expected=(2, 2, 4),
            seasons=_dates(("2014-09-23", 1), ("2015-03-20", 2)),
            weeks={1: (1, 1, 1, 1, 1, 2, 2), 2: (3, 3, 3, 3, 3, 4, 4)},
            days={tier: ((0, tier),) for tier in _TIERS},
        ),
        _dates(("2014-12-25", 2), ("2014-12-26", 2), ("2015-04-03", 4)),
    )
    core.calendars.fill(
        work,
        NON_DISABLEMENT,
        CalendarTable(
            identifier=CALENDAR,
            expected=(2, 2, 4),
            seasons=_dates(("*-03-29", 2), ("*-10-26", 1)),
            weeks={1: (1, 1, 1, 1, 1, 3, 3), 2: (2, 2, 2, 2, 2, 4, 4)},
            days={
                number: ((0, 1), (off, 0), (on, 1)) for number, (off, on) in enumerate(_FRIENDLY_MINUTES, 1)
            },
        ),
        _dates(("2015-04-05", 4), ("2015-08-31", 4), ("*-12-25", 3), ("*-12-26", 3)),
    )


def _dates(*dates: tuple[str, int]) -> tuple[tuple[int, int], ...]:
    return tuple((_number(ZclDate.from_json(text)), reference) for text, reference in dates)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value


def _fill_billing(work: Work, core: GasCore, *, months: int) -> None:
    command = Price.publish_billing_period
    record = command.record(
        provider_id=0,
        issuer_event_id=seconds_since_2000(moment("2014-01-01")),
        billing_period_start_time=seconds_since_2000(moment("2014-01-01")),
        billing_period_duration=months,
        billing_period_duration_type=0x23,
        tariff_type=0,
    )
    kept = command.to_json(record)
    core.engine.memory.keep(work, "billing_period", {**kept})  # type: ignore[dict-item]


def _snapshot(
    log: SnapshotLog, work: Work, at: str, cause: int, values: Mapping[str, int | list[int]]
) -> None:
    log.append(work, Snapshot(seconds_since_2000(moment(at)), cause, dict(values)))


def _registers(order: str, first: int) -> dict[str, int | list[int]]:
    """Nine numbers of the sequence: `t` the total, `r` the tiers, `b` the blocks, in this order."""
    values: dict[str, int | list[int]] = {"t": 0, "r": [], "b": []}
    place = first
    for name in order:
        count = 1 if name == "t" else len(_TIERS)
        drawn = list(A[place : place + count])
        values[name] = drawn[0] if name == "t" else drawn
        place += count
    return dict(zip(REGISTERS, (values["t"], values["r"], TIERS_AND_BLOCKS, values["b"]), strict=True))


def _balances(first: int) -> dict[str, int | list[int]]:
    """Nine numbers of the sequence: signed balances are differences of two."""
    a = A[first : first + 9]
    accumulated, debts, emergency, balance = a[7] - a[8], (a[6], a[5], a[4]), a[2] - a[3], a[0] - a[1]
    return dict(zip(BALANCES, (accumulated, *debts, emergency, balance), strict=True))


def _fill_snapshots(work: Work, core: GasCore) -> None:
    records = core.records
    changes = (("2014-12-01", CHANGE_OF_TARIFF), ("2015-01-01", CHANGE_OF_SUPPLIER))
    for place, (at, cause) in enumerate(changes):
        _snapshot(records.prepay_changes, work, at, cause, _balances(9 * place))
        _snapshot(records.changes, work, at, cause, _registers("rbt", 18 + 9 * place))
    for place, at in enumerate(("2015-02-01", "2015-03-01")):
        _snapshot(records.billing, work, at, END_OF_BILLING_PERIOD, _registers("rbt", 9 * place))
        _snapshot(records.prepay_billing, work, at, END_OF_BILLING_PERIOD, _balances(18 + 9 * place))
    for at, (total, *rest) in _DAILY_READS:
        values = (total, rest[:4], TIERS_AND_BLOCKS, rest[4:])
        _snapshot(records.daily, work, at, GENERAL, dict(zip(REGISTERS, values, strict=True)))
    for place, at in enumerate(("2014-12-30 09:00", "2014-12-31 09:00")):
        _snapshot(records.prepay_daily, work, at, GENERAL, _balances(9 * place))


def _fill_samples(work: Work, core: GasCore, *, network: bool) -> None:
    first, end = moment("2014-12-20"), moment("2015-01-01")
    at, place = first, 0
    while at <= end:
        core.records.profile.put(work, seconds_since_2000(at), A[place % len(A)])
        at, place = at + HALF_HOUR, place + 1
    for place, litres in enumerate(_DAILY_LITRES):
        at = moment("2014-12-22") + place * DAY
        core.records.daily_consumption.put(work, seconds_since_2000(at), litres)
    if network:
        start = seconds_since_2000(moment("2014-12-31 20:00"))
        values = tuple(int(digit) for digit in _NETWORK_LITRES)
        core.records.keep_network(work, NetworkLog(2, start, 360, 41, values))


def _fill_payments(work: Work, core: GasCore) -> None:
    for place in range(5):
        at = seconds_since_2000(moment("2014-12-24") + place * DAY)
        core.records.top_ups.append(
            work,
            {
                "top_up_code": f"739500678871051786{place:02}",
                "top_up_amount": 1000 * A[place],
                "top_up_time": at,
            },
        )
    for place in range(10):
        core.records.debt_payments.append(
            work,
            {
                "collection_time": seconds_since_2000(moment("2014-12-20") + place * DAY),
                "amount_collected": 1000 * A[place],
                "debt_type": 2,
                "outstanding_debt": 100000 - 1000 * place,
            },
        )


WORLDS: Final = (
    World(
        name="gsme",
        reach="fetch",
        entity=Eui64.parse("00DB1234567890A1"),
        build=build_gsme,
        rules=RULES,
        causes=CAUSES["gsme"],
    ),
    World(
        name="gpf",
        reach="hub",
        entity=Eui64.parse("00DB1234567890A3"),
        build=build_gpf,
        rules=RULES,
        causes=CAUSES["gpf"],
    ),
)
