"""Results of access-response items by name. Spec: GBCS 7.3; IEC 62056-5-3 (Data-Access-Result)."""

from __future__ import annotations

from smetslab.errors import GbcsEncodeError
from smetslab.gbcs.dlms.apdu import DataAccessResult
from smetslab.gbcs.usecases.model import FAILURES
from smetslab.gbcs.values import Value


def result_name(result: int) -> str | int:
    """`hardware-fault` for 1; the number itself where the standard has no name."""
    try:
        return DataAccessResult(result).name.lower().replace("_", "-")
    except ValueError:
        return result


def result_number(name: Value) -> int:
    """The reverse of `result_name`. Raises GbcsEncodeError."""
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name <= 0xFF:
        return name
    for member in DataAccessResult:
        if member.name.lower().replace("_", "-") == name:
            return int(member)
    raise GbcsEncodeError("unknown result", path=FAILURES, found=repr(name))
