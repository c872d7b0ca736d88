"""The Certified Products List: which firmware of which model of which manufacturer may be used.

Spec: SEC, Certified Products List (Device Model: manufacturer, model and firmware version; statuses as in the
published inventory samples). What the real list says is not part of smetslab: a laboratory brings its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class ProductStatus(StrEnum):
    """Spec: DUIS schema 5.4, CPLStatus."""

    ACTIVE = "Active"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
    WITHDRAWN = "Withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedProduct:
    """One entry of the list; texts as the inventory has them (hexadecimal, in either case, for most).

    `firmware_hash`: 64 hexadecimal digits, SHA-256 of the manufacturer image; "" where the list has none.
    """

    manufacturer: str
    model: str
    firmware_version: str
    firmware_hash: str = ""
    status: ProductStatus = ProductStatus.ACTIVE


class CertifiedProducts:
    """The list. Of two entries of one firmware the later one holds."""

    def __init__(self, products: Iterable[CertifiedProduct]) -> None:
        self._products = {_key(one.manufacturer, one.model, one.firmware_version): one for one in products}

    def status(self, manufacturer: str, model: str, firmware_version: str) -> ProductStatus | None:
        """The status of an entry, None when there is none."""
        found = self._products.get(_key(manufacturer, model, firmware_version))
        return None if found is None else found.status

    def version_of(self, manufacturer: str, model: str, firmware_hash: str) -> str | None:
        """The version of the firmware of a model that has this hash, None when no entry has."""
        wanted = _key(manufacturer, model, firmware_hash)
        for one in self._products.values():
            if one.firmware_hash and _key(one.manufacturer, one.model, one.firmware_hash) == wanted:
                return one.firmware_version
        return None

    def fault(
        self, manufacturer: str, model: str, firmware_version: str, firmware_hash: str = ""
    ) -> str | None:
        """Why such a device may not be used, None when it may. `firmware_hash`: that of the image, where
        there is one; it must be the one on the list, where that has any.
        """
        entry = self._products.get(_key(manufacturer, model, firmware_version))
        if entry is None:
            what = "is not"
        elif entry.status is not ProductStatus.ACTIVE:
            what = f"is {entry.status.value.lower()}"
        elif firmware_hash and entry.firmware_hash and firmware_hash.upper() != entry.firmware_hash.upper():
            what = "has another hash"
        else:
            return None
        firmware = f"firmware {firmware_version} of model {model} of {manufacturer}"
        return f"{firmware} {what} on the Certified Products List"


def _key(manufacturer: str, model: str, firmware_version: str) -> tuple[str, str, str]:
    return manufacturer.strip().upper(), model.strip().upper(), firmware_version.strip().upper()
