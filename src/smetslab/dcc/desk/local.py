"""The service that brings back what a device answered to a command delivered on the premises.

Spec: DUIS service reference 8.13.
"""

from __future__ import annotations

from typing import Final

from smetslab.dcc.desk.model import DONE, Call, Rule, Service
from smetslab.dcc.intake import Served
from smetslab.duis.document import RequestId
from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import Message, decode_message


def _octets(call: Call) -> bytes:
    return bytes.fromhex(call.text("DeviceGBCSResponse"))


def _message(call: Call) -> Message:
    return decode_message(_octets(call))


def _not_a_response(call: Call) -> str | None:
    try:
        message = _message(call)
    except GbcsDecodeError as error:
        return str(error)
    if message.cra is not Cra.RESPONSE:
        return "it is no response"
    original = call.text("OriginalRequestID")
    try:
        asked = RequestId.parse(original) if original else None
    except ValueError as error:
        return f"OriginalRequestID: {error}"
    if asked is not None and asked.target != message.business_originator_id:
        return f"a response of {message.business_originator_id}, not of {asked.target}"
    return None


def _nobody_waits(call: Call) -> str | None:
    expected = call.office.expects(_message(call))
    return None if expected else "no request of this kind waits for this response"


def _not_genuine(call: Call) -> str | None:
    try:
        if call.office.rules.verify_devices:
            call.office.broker.check_from_device(_message(call), critical=None)
    except SecurityError as error:
        return str(error)
    return None


def _bring_back(call: Call) -> Served:
    call.office.answer(_message(call), _octets(call))
    return DONE


SERVICES: Final = (
    Service(
        variant="8.13",
        rules=(
            Rule("no response", "E081301", _not_a_response),
            Rule("nobody waits", "E081302", _nobody_waits),
            Rule("protection", "E081303", _not_genuine),
        ),
        act=_bring_back,
    ),
)
