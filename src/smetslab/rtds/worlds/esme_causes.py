"""What makes an electricity meter raise the published alerts: each is provoked by what it tells of.

Spec: RTDS 4.5.0; GBCS 16 (alerts).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from smetslab import resources
from smetslab.devices.esme_core import EsmeCore
from smetslab.devices.prepay.token import TokenSource
from smetslab.errors import RegistryError
from smetslab.gbcs.codes import CellUsage, Cra, KeyUsage
from smetslab.gbcs.dlms.apdu import Choice
from smetslab.gbcs.dlms.axdr import Data
from smetslab.gbcs.message import Message, OtherInformation
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.usecases.dlms import AccessItem, DlmsAccess
from smetslab.gbcs.utrn import ValueClass, build_utrn
from smetslab.gbcs.values import NEVER, Parameters
from smetslab.ids import Eui64
from smetslab.rtds.worlds.model import Cause, Stage

SUPPLIER: Final = Eui64.parse("90B3D51F30010000")
BROKER: Final = Eui64.parse("90B3D51F30000002")
LOAD_CONTROLLER: Final = Eui64.parse("90B3D51F30010008")
NETWORK_OPERATOR: Final = Eui64.parse("90B3D51F30020000")

ACTIVATION_TIME: Final = "2030-01-15T09:00:00Z"
"""When the future-dated commands of the scenarios take effect."""

FIRMWARE_TIME: Final = "2030-01-01T00:00:00Z"
"""When the firmware of the scenarios is activated."""

MONTH: Final = ("2015-01-01T00:00:00Z", "2015-02-01T00:00:00Z")
"""How long limits hold."""

UNSUPPORTED: Final = "CS06"
"""What the load controlling meter of the scenarios does not support."""


def _core(stage: Stage) -> EsmeCore:
    if not isinstance(stage.device, EsmeCore):
        raise RegistryError(f"{stage.scenario}: not an electricity meter")
    return stage.device


def _command(
    stage: Stage,
    name: str,
    parameters: Parameters,
    *,
    originator: Eui64 = SUPPLIER,
    counter: int = 1000,
    on_behalf_of: tuple[Eui64, int] | None = None,
) -> Message:
    """A command that the replay protects as its senders would: critical ones signed, all MACed."""
    use_case = USE_CASES[name]
    party, party_counter = (None, None) if on_behalf_of is None else on_behalf_of
    header = Message(
        cra=Cra.COMMAND,
        originator_counter=counter,
        business_originator_id=originator,
        business_target_id=stage.site.eui64,
        other_information=OtherInformation(
            message_code=use_case.code,
            supplementary_remote_party_id=party,
            supplementary_remote_party_counter=party_counter,
        ),
        content=b"",
    )
    return replace(header, content=encode_content(use_case, header, parameters))


def _activate_own_values(stage: Stage) -> None:
    """A dated command that writes what the meter holds already: it is its activation that is told of."""
    core = _core(stage)
    use_case = USE_CASES[stage.scenario.split("/")[-1].split("_")[0]]
    items = use_case.payload.items if isinstance(use_case.payload, DlmsAccess) else ()
    parameters: Parameters = {}
    for item in items:
        if item.activation:
            parameters[item.name] = ACTIVATION_TIME
        elif item.choice is Choice.SET and item.command is not None:
            parameters[item.name] = item.command.decode(_held(core, item), item.name)
    stage.send(_command(stage, use_case.name, parameters))
    moment = core.application.next_deadline()
    if moment is not None:
        core.application.tick(moment)


def _held(core: EsmeCore, item: AccessItem) -> Data:
    return core.server.data_at((item.class_id, item.obis.raw, item.index))


def _without_authority(stage: Stage) -> None:
    """A command by a party that is known and may not give it."""
    stage.send(_command(stage, "ECS42", {}, originator=NETWORK_OPERATOR))


def _credit_added_locally(stage: Stage) -> None:
    """A top-up by keypad."""
    core = _core(stage)
    counter = 1 << 32
    private = stage.site.ring.private_key(SUPPLIER, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)
    token = build_utrn(
        counter=counter,
        value_class=ValueClass.POUNDS,
        value=10,
        secret=stage.site.secrets.get(private, stage.site.keys.ka.public),
        supplier=SUPPLIER,
        device=stage.site.eui64,
    )
    with stage.site.workplace.work(stage.now) as work:
        core.prepayment.top_up(work, token.digits, TokenSource.KEYPAD)


def _unexpected_reset(stage: Stage) -> None:
    with stage.site.workplace.work(stage.now) as work:
        _core(stage).alerts.integrity_warning(work, "Error Unexpected Hardware Reset")


def _outage(stage: Stage) -> None:
    """A while without mains that ended a minute ago: long enough for a code of its own, or not."""
    restored = stage.now - timedelta(minutes=1)
    lasted = timedelta(minutes=2 if "_8F35" in stage.scenario else 9)
    with stage.site.workplace.work(stage.now) as work:
        _core(stage).alerts.supply_restored(work, restored - lasted, restored)


def _billing(stage: Stage) -> None:
    """The billing calendar has made an entry."""
    with stage.site.workplace.work(stage.now) as work:
        _core(stage).alerts.billing_updated(work)


def _image(stage: Stage) -> None:
    """A firmware image has come and is what it says."""
    data = (resources.firmware_images() / "esme-sound.ota").read_bytes()
    with stage.site.workplace.work(stage.now) as work:
        _core(stage).security.firmware.receive(work, data)


def _unsupported(stage: Stage) -> None:
    stage.send(_command(stage, UNSUPPORTED, _activation(100_000), counter=100_000))


def _unsupported_on_behalf(stage: Stage) -> None:
    """A use case that is no meter's, from the broker for a supplier. The published alert names a critical
    one, which the broker, whose signatures a meter cannot check, could not have sent to it."""
    stage.send(
        _command(stage, "CS08", {}, originator=BROKER, counter=100_000, on_behalf_of=(SUPPLIER, 200_000))
    )


def _activate_later(stage: Stage) -> None:
    """A dated activation of the image that is held, or of another one."""
    core = _core(stage)
    held = core.security.firmware.store.held
    named = "11" * 32 if held is None or "_8F67_" in stage.scenario else held.image_hash.hex().upper()
    stage.send(_command(stage, "CS06", {**_activation(1000, named), "execution_date_time": FIRMWARE_TIME}))
    moment = core.application.next_deadline()
    if moment is not None:
        core.application.tick(moment)


def _activation(counter: int, named: str = "00" * 32) -> Parameters:
    return {
        "manufacturer_image_hash": named,
        "originator_counter": counter,
        "execution_date_time": "immediate",
    }


def _limit(stage: Stage, controller: Parameters, period: tuple[str, str], counter: int = 9000) -> None:
    """A limit on a proportional controller: direction, slot and level, from when to when."""
    name = f"auxiliary_controller_{controller['slot']}_limit_period"
    parameters: Parameters = {
        f"{name}_start_date_time": period[0],
        f"{name}_end_date_time": period[1],
        "auxiliary_proportional_controller_command": controller,
    }
    stage.send(_command(stage, "ECS47e", parameters, originator=LOAD_CONTROLLER, counter=counter))


def _controller(stage: Stage, level: int) -> Parameters:
    """The scenarios are about an input of the first slot, or an output of the last."""
    if stage.scenario.endswith("_INPUT"):
        return {"direction": "input", "slot": 1, "level": level}
    return {"direction": "output", "slot": 5, "level": level}


def _limited(stage: Stage) -> None:
    _limit(stage, _controller(stage, 10), MONTH)


def _limit_taken_back(stage: Stage) -> None:
    """A limit below the level that was set, and its end before its time."""
    controller = _controller(stage, 10)
    period = f"auxiliary_controller_{controller['slot']}_setting_period"
    parameters: Parameters = {
        f"{period}_start_date_time": MONTH[0],
        f"{period}_end_date_time": MONTH[1],
        "auxiliary_controller_command": controller,
    }
    stage.send(_command(stage, "ECS47a", parameters))
    limit = _controller(stage, 0)
    _limit(stage, limit, MONTH)
    _limit(stage, limit, (NEVER, NEVER), 9001)


def _state_changed(stage: Stage) -> None:
    """A proportional controller runs at full power."""
    with stage.site.workplace.work(stage.now) as work:
        _core(stage).auxiliary.operational_update(
            work, 3, '{"outputState":"100","inputState":"0","other-data":""}'
        )


CAUSES: Final[Mapping[str, Cause]] = {
    "/GCA-DLMS_NA_8F30": _without_authority,
    "/GNCA-DLMS_NA_810E": _credit_added_locally,
    "/MIIWA-DLMS_NA_81A0": _unexpected_reset,
    "/ECS80_NA_8F3[56]": _outage,
    "/ECS68_NA_8F0A": _billing,
    "/FDRA-DLMS_NA_8F72": _image,
    "/ECS101_NA_8F86": _limited,
    "/ECS102_NA_8F87": _limit_taken_back,
    "/ECS200_NA_8F88": _state_changed,
    "/CS06_[^/]*_8F6[67]_FUTURE_DATED": _activate_later,
    "/(?!ECS46d)ECS[0-9a-z]+_[^/]*_8F66_FUTURE_DATED": _activate_own_values,
}
"""By the names of scenarios. The last two are for alerts whose command is not among the scenarios."""

LOAD_CONTROL_CAUSES: Final[Mapping[str, Cause]] = {
    "/ECS100_NA_8F85_SUPPLEMENTARY": _unsupported_on_behalf,
    "/ECS100_NA_8F85": _unsupported,
    "/ECS46d_[^/]*_8F66_FUTURE_DATED": _activate_own_values,
}
"""Of the load controlling meter."""
