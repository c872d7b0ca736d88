"""Use cases about the supply, its tamper state and the load limit of an ESME.

Spec: GBCS use cases ECS27 to ECS28b, ECS42 to ECS45, ECS81.
"""

from __future__ import annotations

from smetslab.gbcs.dlms import axdr
from smetslab.gbcs.dlms.axdr import Tag
from smetslab.gbcs.dlms.shapes import Bool, Const, Num
from smetslab.gbcs.elements import known
from smetslab.gbcs.usecases.common import (
    ANY_READER,
    ESME,
    FUTURE_DATED_ALERT,
    INTEGER_ZERO,
    POWER,
    SCALER_UNIT,
    SECONDS,
    SUPPLIER,
)
from smetslab.gbcs.usecases.dlms import DlmsAccess, action, activate, get, set_
from smetslab.gbcs.usecases.model import UseCase

SCRIPT_CLOSE, SCRIPT_OPEN, SCRIPT_ARM = 51, 52, 54
"""Scripts of 0-0:10.0.106.255 (disconnect script table)."""

LOAD_LIMIT_SUPPLY_STATE = Bool(("Unchanged", "Disable"))
POWER_THRESHOLD = POWER
PERIOD = SECONDS
SUPPLY_TAMPER_STATE = Bool(("Unchanged", "Locked"))
EVENT_COUNT = Num(Tag.DOUBLE_LONG_UNSIGNED, unit="count")


def _script(name: str, code: int, title: str, srv: str, script: int) -> UseCase:
    """A row that executes one script of the disconnect script table; the four differ in nothing else."""
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=(srv,),
        replay_protected=True,
        payload=DlmsAccess(
            (action("execute_script", 9, "0-0:10.0.106.255", 1, Const(axdr.long_unsigned(script))),)
        ),
    )


USE_CASES = (
    UseCase(
        name="ECS27",
        code=0x0042,
        title="Read ESME Load Limit Data",
        devices=ESME,
        critical=False,
        originator_roles=ANY_READER,
        service_requests=("4.15",),
        payload=DlmsAccess(
            (
                get(
                    known("load_limit_supply_state", "LoadLimitSupplyState"),
                    9000,
                    "0-0:94.44.0.3",
                    2,
                    LOAD_LIMIT_SUPPLY_STATE,
                ),
                get(
                    known("load_limit_counter", "LoadLimitCounterValue"),
                    3,
                    "0-0:94.44.42.255",
                    2,
                    EVENT_COUNT,
                ),
                get("load_limit_counter_scaler_unit", 3, "0-0:94.44.42.255", 3, SCALER_UNIT),
                get(
                    known("load_limit_power_threshold", "LoadLimitPowerThreshold"),
                    71,
                    "0-0:17.0.0.255",
                    4,
                    POWER_THRESHOLD,
                ),
                get(known("load_limit_period", "LoadLimitPeriod"), 71, "0-0:17.0.0.255", 6, PERIOD),
                get(
                    known("load_limit_restoration_period", "LoadLimitRestorationPeriod"),
                    71,
                    "0-0:17.0.0.255",
                    7,
                    PERIOD,
                ),
            )
        ),
    ),
    UseCase(
        name="ECS28a",
        code=0x0043,
        title="Set Load Limit Configurations - General Settings",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("6.4.1",),
        replay_protected=True,
        future_dateable=True,
        date_time_in_response=True,
        alerts=FUTURE_DATED_ALERT,
        payload=DlmsAccess(
            (
                set_(
                    known("load_limit_supply_state", "LoadLimitSupplyState"),
                    9000,
                    "0-0:94.44.0.3",
                    4,
                    LOAD_LIMIT_SUPPLY_STATE,
                ),
                set_(
                    known("load_limit_power_threshold", "LoadLimitPowerThreshold"),
                    9000,
                    "0-0:94.44.128.7",
                    4,
                    POWER_THRESHOLD,
                ),
                set_(known("load_limit_period", "LoadLimitPeriod"), 9000, "0-0:94.44.128.6", 4, PERIOD),
                set_(
                    known("load_limit_restoration_period", "LoadLimitRestorationPeriod"),
                    9000,
                    "0-0:94.44.128.8",
                    4,
                    PERIOD,
                ),
                activate("load_limit_supply_state_activation_time", 9000, "0-0:94.44.0.3", 6),
                activate("load_limit_power_threshold_activation_time", 9000, "0-0:94.44.128.7", 6),
                activate("load_limit_period_activation_time", 9000, "0-0:94.44.128.6", 6),
                activate("load_limit_restoration_period_activation_time", 9000, "0-0:94.44.128.8", 6),
            )
        ),
    ),
    UseCase(
        name="ECS28b",
        code=0x0044,
        title="Set Load Limit Configuration Counter Reset",
        devices=ESME,
        critical=False,
        originator_roles=SUPPLIER,
        service_requests=("6.4.2",),
        replay_protected=True,
        payload=DlmsAccess((action("load_limit_counter_reset", 3, "0-0:94.44.42.255", 1, INTEGER_ZERO),)),
    ),
    _script("ECS42", 0x004F, "Remotely Close the Load Switch on the ESME", "7.1", SCRIPT_CLOSE),
    _script("ECS43", 0x0050, "Remotely Open the Load Switch on the ESME", "7.2", SCRIPT_OPEN),
    _script("ECS44", 0x0051, "Arm Load Switch in ESME", "7.3", SCRIPT_ARM),
    UseCase(
        name="ECS45",
        code=0x0052,
        title="Read Status of Load Switch in the ESME",
        devices=ESME,
        critical=False,
        originator_roles=ANY_READER,
        service_requests=("7.4",),
        payload=DlmsAccess(
            (
                get(
                    known("supply_state", "SupplyState"),
                    70,
                    "0-0:96.3.10.255",
                    3,
                    Num(Tag.ENUM, {0: "Disabled", 1: "Enabled", 2: "Armed"}),
                ),
            )
        ),
    ),
    UseCase(
        name="ECS81",
        code=0x0068,
        title="Set Supply Tamper State on ESME",
        devices=ESME,
        critical=True,
        originator_roles=SUPPLIER,
        service_requests=("6.25",),
        replay_protected=True,
        payload=DlmsAccess(
            (
                set_(
                    known("supply_tamper_state", "SupplyTamperState"),
                    1,
                    "0-0:94.44.0.4",
                    2,
                    SUPPLY_TAMPER_STATE,
                ),
            )
        ),
    ),
)
