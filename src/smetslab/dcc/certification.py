"""Whether firmware that a device is to run stands on the Certified Products List.

Spec: SEC F2.15 (use of the list by the DCC); DUIS service references 11.1, 11.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from smetslab.duis.srv.forms import CANCELLATION
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.gbcs.values import Parameters
from smetslab.registry import CertifiedProducts, InventoryDevice

ACTIVATED: Final[Mapping[str, str]] = MappingProxyType({"11.3": "FirmwareHash"})
"""Service requests that have an image run, and the element with its hash."""


def activation_fault(
    products: CertifiedProducts | None,
    device: InventoryDevice,
    variant: str,
    elements: Parameters,
    distributed_version: Callable[[str], str | None],
) -> str | None:
    """Why a device may not run the image that a request names, None when it may or the request names none.

    A request has the hash alone: which version that is says the list, or else the image of that hash that
    this DCC has distributed (`distributed_version`). What neither knows is not certified. A cancellation
    always passes.
    """
    name = ACTIVATED.get(variant)
    if products is None or name is None or elements.get(EXECUTION_DATE_TIME) == CANCELLATION:
        return None
    image_hash = str(elements[name]).upper()
    version = products.version_of(device.manufacturer, device.model, image_hash)
    if version is None:
        version = distributed_version(image_hash)
    if version is None:
        return (
            f"no firmware of model {device.model} of {device.manufacturer} on the Certified Products List "
            f"has the hash {image_hash}"
        )
    return products.fault(device.manufacturer, device.model, version, image_hash)
