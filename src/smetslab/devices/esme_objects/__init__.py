"""The COSEM objects of an ESME, one module for each part of it, and what a new one holds.

Values are those of the meter that the Reference Test Data Set describes, where it describes one. Who may read
or write what follows from the use cases; which parts a meter has follows from its variant.

Spec: GBCS 20 (use cases), 9.2.2.6 (activation); SMETS 5 (parts of an ESME); RTDS 4.5.0.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from smetslab.devices.cosem.model import CosemObject
from smetslab.devices.cosem.objects import ObjectModel
from smetslab.devices.cosem.rights import AccessRights
from smetslab.devices.esme_objects import (
    auxiliary,
    energy,
    identity,
    logs,
    prepayment,
    supply,
    tariff,
    voltage,
)
from smetslab.devices.esme_objects.common import COUNT, OTHER, PRICE_SCALE, VAR_HOUR, WATT, WATT_HOUR
from smetslab.devices.esme_objects.prepayment import (
    CREDIT,
    MONEY,
    PREPAYMENT,
    account_mode,
    credit_charges,
)
from smetslab.devices.esme_objects.tariff import unit_charge
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.usecases.registry import USE_CASES

OBJECTS: Final[tuple[CosemObject, ...]] = (
    *identity.OBJECTS,
    *energy.OBJECTS,
    *tariff.OBJECTS,
    *prepayment.OBJECTS,
    *supply.OBJECTS,
    *voltage.OBJECTS,
    *logs.OBJECTS,
)
"""What every meter has."""

TWIN: Final = "B"
POLYPHASE: Final = "C"
"""First letters of the variants of meters with two elements, and with three phases. Spec: SMETS 5 (parts)."""

PARTS: Final[dict[str, tuple[CosemObject, ...]]] = {
    "A": (),
    TWIN: tariff.TWIN,
    POLYPHASE: voltage.POLYPHASE,
    "D": auxiliary.SWITCHES,
    "E": auxiliary.BOOST,
    "F": auxiliary.PROPORTIONAL,
    "G": (),
}
"""What a letter of the variant adds: B a second element, C two more phases, D auxiliary switches, E the boost
function, F proportional controllers. Spec: SMETS 5; which letter is which part is unverified for F and G."""

RIGHTS = AccessRights.of(USE_CASES, DeviceType.ESME)


@cache
def model_of(variant: str) -> ObjectModel:
    """The objects of a meter of this variant, such as `ADE`; those that several letters add come once."""
    objects = list(OBJECTS)
    for letter in variant:
        objects += [one for one in PARTS[letter] if one not in objects]
    return ObjectModel(objects, USE_CASES, DeviceType.ESME)


MODEL = model_of("A")
"""The objects of the simplest meter."""

__all__ = [
    "COUNT",
    "CREDIT",
    "MODEL",
    "MONEY",
    "OBJECTS",
    "OTHER",
    "PARTS",
    "POLYPHASE",
    "PREPAYMENT",
    "PRICE_SCALE",
    "RIGHTS",
    "TWIN",
    "VAR_HOUR",
    "WATT",
    "WATT_HOUR",
    "account_mode",
    "credit_charges",
    "model_of",
    "unit_charge",
]
