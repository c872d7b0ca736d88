"""Results of access-response items by name. Spec: GBCS 7.3; IEC 62056-5-3 (Data-Access-Result)."""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.values import Value

_NAMES = {int(result): result.name.lower().replace("_", "-") for result in DataAccessResult}
_NUMBERS = {name: number for number, name in _NAMES.items()}


def result_name(result: int) -> str | int:
    """`hardware-fault` for 1; the number itself where the standard has no name."""
    return _NAMES.get(result, result)


def result_number(name: Value) -> int:
    """The reverse of `result_name`. Raises GbcsEncodeError."""
    number = _NUMBERS.get(name) if isinstance(name, str) else name
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 0xFF:
        return number
    raise GbcsEncodeError("unknown result", path=FAILURES, found=repr(name))
