"""What makes the gas meter and its proxy raise the alerts of the published scenarios.

Spec: RTDS 4.5.0; GBCS 16 (alerts), 9.2 (future dating)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from smetslab import resources
from smetslab.devices.gas_records import CHANGE_OF_TARIFF, END_OF_BILLING_PERIOD, REGISTERS, TIERS_AND_BLOCKS
from smetslab.devices.gpf_core import GpfCore
from smetslab.devices.gsme_core import GsmeCore
from smetslab.devices.payload_engine import Fault
from smetslab.devices.zcl.logs import Snapshot
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import encode_content
from smetslab.gbcs.usecases.registry import USE_CASES
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import Parameters, Value, seconds_since_2000
from smetslab.ids import Eui64
from smetslab.rtds.worlds.model import Cause, Stage
from smetslab.rtds.worlds.numbers import A

METER: Final = Eui64.parse("00DB1234567890A1")
SUPPLIER: Final = Eui64.parse("90B3D51F30010000")
NETWORK_OPERATOR: Final = Eui64.parse("90B3D51F30020000")

NOW: Final = "2015-01-01T00:00:00Z"
DATED: Final = "2030-01-15T09:00:00Z"
_NUMBER: Final = 473385600
"""The present time as a number, which commands have for identifiers."""
_COUNTERS: Final[Mapping[str, int]] = {
    "GCS01a": 1005,
    "GCS01b": 1002,
    "GCS02": 1001,
    "GCS03": 1005,
    "GCS05": 1001,
}
"""Originator counters of the commands whose activation alerts tell of."""

BILLING_CAUSES: Final = END_OF_BILLING_PERIOD | CHANGE_OF_TARIFF | 1 << 5 | 1 << 7
"""Why the snapshot was taken that GCS53 brings."""
BILLING_SNAPSHOT: Final = 71876166
"""Its number."""


# ------------------------------------------------------------------------------------ commands


def _message(name: str, originator: Eui64, counter: int, parameters: Parameters) -> Message:
    """A command that nobody has protected yet."""
    use_case = USE_CASES[name]
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=counter,
        business_originator_id=originator,
        business_target_id=METER,
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    content = encode_content(use_case, header, parameters)
    return Message(
        cra=Cra.COMMAND,
        originator_counter=counter,
        business_originator_id=originator,
        business_target_id=METER,
        other_information=header.other_information,
        content=content,
    )


def _calendar(kind: str, entries: list[Value]) -> list[Value]:
    """A calendar of one season, one week and one day."""
    head: dict[str, Value] = {
        "cluster": "calendar",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "issuer_calendar_id": _NUMBER,
    }
    week: dict[str, Value] = {
        f"day_id_ref_{day}": 1
        for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    }
    one_of_one: dict[str, Value] = {"command_index": 0, "number_of_commands": 1}
    return [
        {
            **head,
            "command": "publish_calendar",
            "start_time": DATED,
            "calendar_type": kind,
            "calendar_time_reference": "utc",
            "calendar_name": "",
            "number_of_seasons": 1,
            "number_of_week_profiles": 1,
            "number_of_day_profiles": 1,
        },
        {
            **head,
            "command": "publish_day_profile",
            "day_id": 1,
            "number_of_schedule_entries": len(entries),
            **one_of_one,
            "calendar_type": kind,
            "schedule_entries": entries,
        },
        {**head, "command": "publish_week_profile", "week_id": 1, **week},
        {
            **head,
            "command": "publish_seasons",
            **one_of_one,
            "season_entries": [{"season_start_date": "*-03-20", "season_week_id_ref": 1}],
        },
        {
            **head,
            "command": "publish_special_days",
            "start_time": DATED,
            "calendar_type": kind,
            "number_of_special_days": 0,
            **one_of_one,
            "special_day_entries": [],
        },
    ]


def _tariff(*, blocks: bool) -> list[Value]:
    head: dict[str, Value] = {"cluster": "price", "provider_id": 0, "issuer_event_id": NOW}
    return [
        {
            **head,
            "command": "publish_tariff_information",
            "issuer_tariff_id": 1,
            "start_time": DATED,
            "tariff_type_charging_scheme": {
                "tariff_type": "delivered",
                "charging_scheme": "block" if blocks else "tou",
            },
            "tariff_label": "",
            "number_of_price_tiers_in_use": 0 if blocks else 4,
            "number_of_block_thresholds_in_use": 3 if blocks else 0,
            "unit_of_measure": "kWh",
            "currency": "GBP",
            "price_trailing_digit": {"trailing_digit": 5},
            "standing_charge": 22465,
            "tier_block_mode": "not_used",
            "block_threshold_multiplier": 1,
            "block_threshold_divisor": 1000,
        }
    ]


def _thresholds() -> Value:
    return {
        "cluster": "price",
        "command": "publish_block_thresholds",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "start_time": DATED,
        "issuer_tariff_id": 1,
        "command_index": 0,
        "number_of_commands": 1,
        "sub_payload_control": "all_tiers",
        "threshold_entries": [
            {
                "tier_number_of_block_thresholds": {"number_of_block_thresholds": 3, "tier": 0},
                "block_thresholds": [1000000, 2000000, 3000000],
            }
        ],
    }


def _prices(*, blocks: bool) -> Value:
    first = 0 if blocks else 1
    return {
        "cluster": "price",
        "command": "publish_price_matrix",
        "provider_id": 0,
        "issuer_event_id": NOW,
        "start_time": DATED,
        "issuer_tariff_id": 1,
        "command_index": 0,
        "number_of_commands": 1,
        "sub_payload_control": "block" if blocks else "tou",
        "price_entries": [{"tier_block_id": first + place, "price": 10000} for place in range(4)],
    }


def _payment_mode(*, prepayment: bool) -> list[Value]:
    flags: list[Value] = ["credit_management_enabled", "credit_display_enabled", "contactor_fitted"]
    return [
        {
            "cluster": "prepayment",
            "command": "change_payment_mode",
            "provider_id": 0,
            "issuer_event_id": NOW,
            "implementation_date_time": DATED,
            "proposed_payment_control_configuration": ["prepayment_enabled", *flags] if prepayment else flags,
            "cut_off_value": 0 if prepayment else -1,
        }
    ]


def _prepayment_configuration() -> list[Value]:
    head: dict[str, Value] = {"cluster": "prepayment"}
    event: dict[str, Value] = {"issuer_event_id": NOW}
    dated: dict[str, Value] = {**head, "provider_id": 0, **event, "implementation_date_time": DATED}
    return [
        {
            **head,
            "command": "emergency_credit_setup",
            **event,
            "start_time": DATED,
            "emergency_credit_limit": 10000000,
            "emergency_credit_threshold": 100000,
        },
        {**dated, "command": "set_overall_debt_cap", "overall_debt_cap": 100000},
        {
            **head,
            "command": "set_low_credit_warning_level",
            "from_date_time": DATED,
            "low_credit_warning_level": 5000000,
        },
        {
            **dated,
            "command": "set_maximum_credit_limit",
            "maximum_credit_level": 25000000,
            "maximum_credit_per_top_up": 25000000,
        },
        *_calendar("friendly_credit", [{"start_time": 0, "friendly_credit_enable": "enabled"}]),
    ]


def _components(name: str, *, blocks: bool) -> list[Value]:
    """The content of a future-dated command of each use case that has such."""
    tariff = _tariff(blocks=blocks)
    thresholds = [_thresholds()] if blocks else []
    prices = [_prices(blocks=blocks)]
    match name:
        case "GCS01a":
            calendar = _calendar("delivered", [{"start_time": 0, "price_tier": 0 if blocks else 1}])
            return [*calendar, *tariff, *thresholds, *prices]
        case "GCS01b":
            return [*tariff, *prices]
        case "GCS02" | "GCS03":
            return _payment_mode(prepayment=name == "GCS03")
        case _:
            return _prepayment_configuration()


# ------------------------------------------------------------------------------------ causes


def _meter(stage: Stage) -> GsmeCore:
    if not isinstance(stage.device, GsmeCore):
        raise TypeError("not a gas meter")
    return stage.device


def _dated(name: str, stage: Stage, *, blocks: bool = False, fault: bool = False) -> None:
    """Send a command that is dated, and go on to its time."""
    core = _meter(stage)
    parameters: Parameters = {"components": _components(name, blocks=blocks)}
    stage.send(_message(name, SUPPLIER, _COUNTERS[name], parameters))
    if fault:
        core.application.activation_fault = Fault()
    moment = core.application.next_deadline()
    if moment is not None:
        core.application.tick(moment)


def _without_authority(stage: Stage) -> None:
    """The network operator asks for what only the supplier may ask for."""
    read: list[Value] = [
        {"cluster": "metering", "command": "read_attributes", "attributes": ["bill_to_date_delivered"]},
        {"cluster": "prepayment", "command": "read_attributes", "attributes": ["credit_remaining"]},
    ]
    stage.send(_message("GCS60", NETWORK_OPERATOR, 1200, {"components": read}))


def _top_up_by_hand(stage: Stage) -> None:
    core = _meter(stage)
    cell = core.application.trust_anchors.find(
        RemotePartyRole.SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP
    )
    if cell is None:
        raise TypeError("the meter has no supplier")
    utrn = build_utrn(
        counter=1 << 32,
        value_class=ValueClass.PENCE,
        value=100,
        secret=core.application.scribe.secret(cell.public_key),
        supplier=cell.entity_id,
        device=METER,
    )
    core.enter_code(utrn.digits, stage.now)


def _hardware_reset(stage: Stage) -> None:
    _meter(stage).warn("Error Unexpected Hardware Reset", stage.now)


def _billing_period_ends(stage: Stage) -> None:
    """A billing period ends now, and the supplier is told of the newest snapshot."""
    registers = (A[1], list(A[2:6]), TIERS_AND_BLOCKS, list(A[6:10]))
    seconds = seconds_since_2000(stage.now)
    values: dict[str, int | list[int]] = dict(zip(REGISTERS, registers, strict=True))
    snapshot = Snapshot(seconds, BILLING_CAUSES, values, identifier=BILLING_SNAPSHOT)
    core = _meter(stage)
    with stage.site.workplace.work(stage.now) as work:
        core.records.billing.append(work, snapshot)
        core.push_billing(work, snapshot)


def _image(stage: Stage) -> None:
    """A firmware image has come and is what it says."""
    data = (resources.firmware_images() / "gsme-sound.ota").read_bytes()
    with stage.site.workplace.work(stage.now) as work:
        _meter(stage).security.firmware.receive(work, data)


def _log_changes(stage: Stage) -> None:
    if not isinstance(stage.device, GpfCore):
        raise TypeError("not a gas proxy")
    with stage.site.workplace.work(stage.now) as work:
        stage.device.back_up_device_log(work)


def _dated_causes() -> dict[str, Cause]:
    causes: dict[str, Cause] = {}
    for name in _COUNTERS:
        for blocks in (True, False):
            kind = "BLOCK.*" if blocks else ""
            causes[rf"{name}_.*8F66.*{kind}"] = partial(_dated, name, blocks=blocks)
            causes[rf"{name}_.*8F67.*{kind}"] = partial(_dated, name, blocks=blocks, fault=True)
    return causes


CAUSES: Final[Mapping[str, Mapping[str, Cause]]] = {
    "gsme": {
        **_dated_causes(),
        r"GCA-ZigBee_.*8F30": _without_authority,
        r"GNCA-ZigBee_.*810E": _top_up_by_hand,
        r"MIIWA-ZigBee_": _hardware_reset,
        r"GCS53_": _billing_period_ends,
        r"FDRA-ZigBee_": _image,
    },
    "gpf": {r"GCS62_": _log_changes},
}
"""By device and pattern of the scenario."""
