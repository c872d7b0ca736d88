"""Devices with nothing but their ASN.1 use cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from security_kit import Kit, Steps

from smetslab.gbcs.codes import DeviceType
from smetslab.store import Store

MakeKit = Callable[..., Kit]


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def kit_store(steps: Steps) -> Iterator[Store]:
    with Store(on_step=steps) as store:
        yield store


@pytest.fixture
def make_kit(kit_store: Store) -> MakeKit:
    def make(device_type: DeviceType = DeviceType.ESME, **arguments: Any) -> Kit:
        return Kit(kit_store, device_type, **arguments)

    return make


@pytest.fixture
def kit(make_kit: MakeKit) -> Kit:
    return make_kit()
