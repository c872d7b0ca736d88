"""Use cases about the event logs of an ESME and a Communications Hub.

Spec: GBCS use cases ECS15a, ECS15c, ECS35a to ECS35g.
"""

from __future__ import annotations

from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.gbcs.dlms import shapes
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.forms import ControllerNumber
from smetslab.gbcs.dlms.shapes import Compact, Num, Shape, Struct
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.auxiliary import LOG_ACTIONS
from smetslab.gbcs.usecases.common import (
    ACCESS_CONTROL_BROKER,
    ANY_READER,
    CHF,
    ESME,
    INTEGER_ZERO,
    LOAD_CONTROLLER,
    SUPPLIER,
    SUPPLIER_OR_NETWORK_OPERATOR,
)
from smetslab.gbcs.usecases.dlms import DlmsAccess, action, get_period, unverified
from smetslab.gbcs.usecases.model import UseCase, newer

EVENT_LOG = "0-0:99.98.0.255"
SECURITY_LOG = "0-0:99.98.1.255"
POWER_EVENT_LOG = "0-0:99.98.4.255"
AUXILIARY_CONTROLLER_EVENT_LOG = "0-17:99.98.2.255"


def _log(columns: dict[str, Shape]) -> Compact:
    return Compact(Struct({known("timestamp", "Timestamp"): shapes.TIME_STAMP, **columns}))


EVENT_LOG_ENTRIES = _log(
    {known("log_code", "LogCode"): shapes.CODE, known("other_information", "OtherInformation"): shapes.OCTETS}
)
SECURITY_LOG_ENTRIES = _log({known("log_code", "LogCode"): shapes.CODE})
POWER_EVENT_LOG_ENTRIES = _log(
    {
        known("log_code", "LogCode"): shapes.CODE,
        known("other_information", "OtherInformation"): shapes.DOUBLE_LONG_UNSIGNED,
    }
)
AUXILIARY_CONTROLLER_EVENT_LOG_ENTRIES = _log(
    {
        "switch_number_and_action": ControllerNumber("log", LOG_ACTIONS),
        "outcome": Num(Tag.ENUM, {0: "Outcome not known", 1: "Success", 2: "Failure"}),
        "han_command_id": shapes.DOUBLE_LONG_UNSIGNED,
    }
)
"""The command id is the Unix time of a command to an HCALCS, 0 for a local switch."""


def _clear(name: str, code: int, title: str, log: str, obis: str) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("3.3",),
        payload=DlmsAccess((action(f"{log}_clear", 7, obis, 1, INTEGER_ZERO),)),
    )


def _read(
    name: str,
    code: int,
    title: str,
    log: tuple[str, str, Shape],
    roles: tuple[RemotePartyRole, ...],
    *,
    devices: tuple[DeviceType, ...] = ESME,
    unverified_fields: tuple[str, ...] = (),
) -> UseCase:
    """A row that reads the entries of one log from a period."""
    log_name, obis, entries = log
    item = get_period(log_name, 7, obis, 2, entries)
    # No vector has a log with levels of proportional controllers, nor does a text show their number.
    auxiliary = obis == AUXILIARY_CONTROLLER_EVENT_LOG
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=devices,
        critical=False,
        originator_roles=roles,
        service_requests=("6.13",),
        payload=DlmsAccess((unverified(item) if auxiliary else item,)),
        unverified=unverified_fields,
    )


_EVENTS = ("event_log", EVENT_LOG, EVENT_LOG_ENTRIES)
_SECURITY = ("security_log", SECURITY_LOG, SECURITY_LOG_ENTRIES)
_POWER = ("power_event_log", POWER_EVENT_LOG, POWER_EVENT_LOG_ENTRIES)
_AUXILIARY = (
    "auxiliary_controller_event_log",
    AUXILIARY_CONTROLLER_EVENT_LOG,
    AUXILIARY_CONTROLLER_EVENT_LOG_ENTRIES,
)

USE_CASES = (
    _clear("ECS15a", 0x0024, "Clear ESME Event Log", "event_log", EVENT_LOG),
    _clear(
        "ECS15c",
        0x00C1,
        "Clear ALCS Event Log",
        "auxiliary_controller_event_log",
        AUXILIARY_CONTROLLER_EVENT_LOG,
    ),
    _read("ECS35a", 0x0048, "Read ESME Event Log", _EVENTS, ANY_READER),
    _read("ECS35b", 0x0049, "Read ESME Security Log", _SECURITY, ANY_READER),
    _read("ECS35c", 0x0093, "Read CHF Event Log", _EVENTS, ACCESS_CONTROL_BROKER, devices=CHF),
    _read("ECS35d", 0x0094, "Read CHF Security Log", _SECURITY, ACCESS_CONTROL_BROKER, devices=CHF),
    _read("ECS35e", 0x00B9, "Read ESME Power Event Log", _POWER, ANY_READER),
    _read(
        "ECS35f",
        0x00BA,
        "Read ALCS Event Log",
        _AUXILIARY,
        SUPPLIER,
        unverified_fields=("future_dateable", "replay_protected"),
    ),
    newer(
        _read(
            "ECS35g",
            0x00FD,
            "Read ALCS Event Log",
            _AUXILIARY,
            SUPPLIER_OR_NETWORK_OPERATOR + LOAD_CONTROLLER,
        ),
        than="ECS35f",
    ),
)
