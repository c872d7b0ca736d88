"""The directory of users."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smetslab.errors import RegistryError
from smetslab.ids import Eui64
from smetslab.registry import User, UserDirectory, UserRole

SUPPLIER = User(party=Eui64.parse("90B3D51F30010000"), roles=(UserRole.IMPORT_SUPPLIER,))


def test_a_user_is_found_and_can_be_replaced() -> None:
    users = UserDirectory([SUPPLIER])
    assert users.find(SUPPLIER.party) == SUPPLIER
    assert users.find(Eui64(bytes(8))) is None
    users.replace(replace(SUPPLIER, suspended=True))
    assert users.find(SUPPLIER.party) == replace(SUPPLIER, suspended=True)


def test_a_user_is_listed_once() -> None:
    with pytest.raises(RegistryError, match="listed twice"):
        UserDirectory([SUPPLIER, SUPPLIER])
