"""GBZ alerts as JSON without a declaration: the head by name, what the alert adds in hex.

Commands and responses are in `smetslab.gbcs.gbz.generic`: their components name themselves.

Spec: GBCS 16 (alert payloads).
"""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.gbz.payload import GbzAlert, decode_alert, encode_alert
from smetslab.gbcs.values import Value, from_hex, to_hex

_PATH = "content.gbz"
_OCTET, _TIME = 0xFF, 0xFFFFFFFF


def alert_to_json(content: bytes) -> dict[str, Value]:
    """Code, time stamp and the rest. Raises GbcsDecodeError."""
    alert = decode_alert(content)
    return {
        "component_count": alert.count,
        "alert_code": f"{alert.alert_code:04X}",
        "time_stamp": alert.time_stamp,
        "extra": to_hex(alert.extra),
    }


def alert_from_json(value: dict[str, Value]) -> bytes:
    """The reverse of `alert_to_json`. Raises GbcsEncodeError."""
    code = from_hex(value.get("alert_code"), f"{_PATH}.alert_code")
    return encode_alert(
        GbzAlert(
            count=_number(value, "component_count", _OCTET),
            alert_code=int.from_bytes(code, "big"),
            time_stamp=_number(value, "time_stamp", _TIME),
            extra=from_hex(value.get("extra", ""), f"{_PATH}.extra"),
        )
    )


def _number(value: dict[str, Value], name: str, limit: int) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= limit:
        raise GbcsEncodeError(
            "not a number of this field",
            path=f"{_PATH}.{name}",
            expected=f"0 to {limit}",
            found=repr(number)[:40],
        )
    return number
