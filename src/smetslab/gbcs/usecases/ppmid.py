"""Use cases between devices of one HAN: what a PPMID asks of meters, and an HCALCS of an ESME.

Towards a GSME they are GBCS messages, MACed with the key that both devices share. Towards an ESME they are
plain ZSE commands: those have Message Codes only for the entries of event logs.

Spec: GBCS use cases PCS01, PCS02, PECS01 to PECS03, HECS01
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.errors import GbcsDecodeError, GbcsEncodeError
from smetslab.gbcs.message import Message, content_offset
from smetslab.gbcs.usecases.common import ESME
from smetslab.gbcs.usecases.gas_common import GSME
from smetslab.gbcs.usecases.gas_prepayment import TOP_UP
from smetslab.gbcs.usecases.gbz import Exchange, GbzAccess, publish
from smetslab.gbcs.usecases.model import UseCase
from smetslab.gbcs.values import Parameters
from smetslab.zigbee.zcl import Command
from smetslab.zigbee.zcl.clusters.metering import Metering
from smetslab.zigbee.zcl.clusters.prepayment import Prepayment


@dataclass(frozen=True, slots=True)
class HanCommand:
    """No content at all: the use case is a ZSE command on the HAN, `command` where it is known which."""

    command: Command | None = None

    is_alert = False
    encrypts_response = False
    command_parameters = ()
    activations = ()

    def recognises(self, content: bytes) -> bool:
        del content
        return False

    def decode(self, message: Message, secret: bytes | None) -> Parameters:
        del secret
        raise GbcsDecodeError(
            "a use case without GBCS messages",
            offset=content_offset(message),
            path="content",
            expected="a ZSE command on the HAN",
        )

    def encode(self, header: Message, parameters: Parameters, secret: bytes | None) -> bytes:
        del header, parameters, secret
        raise GbcsEncodeError("a use case without GBCS messages", path="content")


def _to_gsme(name: str, code: int, title: str, exchange: Exchange) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=GSME,
        critical=False,
        payload=GbzAccess((exchange,)),
        unverified=("replay_protected", "counter_family"),
    )


def _to_esme(name: str, code: int, title: str, command: Command | None = None) -> UseCase:
    return UseCase(
        name=name,
        code=code,
        title=title,
        devices=ESME,
        critical=False,
        payload=HanCommand(command),
        confidence="unverified",
        unverified=("payload", "replay_protected", "counter_family"),
    )


USE_CASES = (
    _to_gsme("PCS01", 0x009B, "Apply Prepayment Top Up to a GSME using PPMID", TOP_UP),
    _to_gsme(
        "PCS02",
        0x0090,
        "Activate Emergency Credit on GSME from PPMID",
        publish(Prepayment.select_available_emergency_credit),
    ),
    _to_esme("PECS01", 0x0116, "Apply Prepayment Top Up to an ESME using PPMID", Prepayment.consumer_top_up),
    _to_esme(
        "PECS02",
        0x0117,
        "Activate Emergency Credit on ESME from PPMID",
        Prepayment.select_available_emergency_credit,
    ),
    _to_esme("PECS03", 0x0118, "Request to Enable ESME Supply from PPMID", Metering.local_change_supply),
    _to_esme(
        "HECS01",
        0x0119,
        "Request Control of a HAN Connected Auxiliary Load Control Switch from HCALCS",
    ),
)
