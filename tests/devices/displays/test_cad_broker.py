"""The URL of the broker that a consumer access device publishes to."""

from __future__ import annotations

import pytest

from smetslab.devices.cad_mqtt import Broker
from smetslab.errors import UsageError


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("mqtt://localhost", Broker(host="localhost")),
        (
            "mqtt://me:se%40cret@10.0.0.1:1884/",
            Broker(host="10.0.0.1", port=1884, username="me", password="se@cret"),
        ),
    ],
)
def test_a_url_names_a_broker_and_hides_its_password(url: str, broker: Broker) -> None:
    found = Broker.of(url)
    assert found == broker
    assert "cret" not in repr(found)


@pytest.mark.parametrize(
    "url", ["", "localhost", "http://localhost", "mqtt://", "mqtt://localhost:port", "mqtt://localhost/site"]
)
def test_what_is_no_url_of_a_broker_is_said(url: str) -> None:
    with pytest.raises(UsageError, match="names no MQTT broker"):
        Broker.of(url)
