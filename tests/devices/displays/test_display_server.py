"""What displays are told where a supplier has set more than the HAN has numbers for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from smetslab.devices.display_server import change_of_tenancy
from smetslab.devices.tenancy import Tenancy
from smetslab.gbcs.values import seconds_since_2000
from smetslab.store import Store
from smetslab.zigbee.zcl.clusters.device_management import DeviceManagement


@pytest.mark.parametrize(("year", "told"), [(2015, True), (2136, True), (2137, False), (3000, False)])
def test_a_date_that_the_han_cannot_say_is_told_to_nobody(year: int, told: bool) -> None:
    with Store() as store:
        tenancy = Tenancy(store.nvm("meter"))
        tenancy.date = datetime(year, 1, 31, tzinfo=UTC)
        found = change_of_tenancy(tenancy)
    assert (found is not None) == told
    if found is not None:
        assert found.integer("implementation_date_time") == seconds_since_2000(tenancy.date)
        # It fits the frame.
        assert DeviceManagement.publish_change_of_tenancy.frame(found, sequence=0).payload
