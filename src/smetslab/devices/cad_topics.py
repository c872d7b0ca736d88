"""What a consumer access device publishes: JSON on MQTT topics, and the announcements that Home Assistant
looks for.

Topics and names are those that users describe of a British device (unverified), kept in one template.

Spec: none; Home Assistant, MQTT discovery
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from smetslab.devices.consumption import Ledger
from smetslab.devices.display_reading import Reading
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64

_Json: TypeAlias = "dict[str, _Json] | list[_Json] | str | float | int | None"

_UNITS: Final = "kWh"
_KINDS: Final = {DeviceType.ESME: "electricitymeter", DeviceType.GPF: "gasmeter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicTemplate:
    """Where things are published. `prefix` and `discovery` begin the topics of readings and announcements."""

    prefix: str = "glow"
    discovery: str = "homeassistant"
    supplier: str = "---"
    mpan: str = ""
    mprn: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """One MQTT message."""

    topic: str
    payload: str
    retain: bool = False


def readings_published(
    device: Eui64, readings: Sequence[Reading], template: TopicTemplate
) -> Iterator[Publication]:
    """A message for each meter that has told something."""
    for reading in readings:
        kind = _KINDS.get(reading.meter.kind)
        if kind is not None and reading.at is not None:
            body = _electricity(reading, template) if kind == "electricitymeter" else _gas(reading, template)
            topic = f"{template.prefix}/{device}/SENSOR/{kind}"
            yield Publication(topic, _text({kind: {"timestamp": _time(reading.at), **body}}))


def state_published(device: Eui64, *, software: str, now: datetime, template: TopicTemplate) -> Publication:
    """That the device is there."""
    body: _Json = {
        "software": software,
        "timestamp": _time(now),
        "hardware": "smetslab CAD",
        "han": {"status": "joined"},
    }
    return Publication(f"{template.prefix}/{device}/STATE", _text(body), retain=True)


def _electricity(reading: Reading, template: TopicTemplate) -> dict[str, _Json]:
    energy: _Json = {
        "export": {"cumulative": 0.0, "units": _UNITS},
        "import": {
            **_sums(reading),
            "mpan": template.mpan,
            "supplier": template.supplier,
            "price": _price(reading),
        },
    }
    power = reading.power_w
    return {
        "energy": energy,
        "power": {"value": None if power is None else power / 1000, "units": "kW"},
    }


def _gas(reading: Reading, template: TopicTemplate) -> dict[str, _Json]:
    return {
        "energy": {
            "import": {
                **_sums(reading),
                "cumulativevol": reading.total,
                "cumulativevolunits": "m3",
                "mprn": template.mprn,
                "supplier": template.supplier,
                "price": _price(reading),
            }
        }
    }


def _sums(reading: Reading) -> dict[str, _Json]:
    ledger: Ledger = reading.ledger
    energy = reading.energy_kwh
    return {
        "cumulative": None if energy is None else round(energy, 3),
        "day": ledger.day.energy_wh / 1000,
        "week": ledger.week.energy_wh / 1000,
        "month": ledger.month.energy_wh / 1000,
        "units": _UNITS,
    }


def _price(reading: Reading) -> _Json:
    """Pounds."""
    standing = reading.values.get("standing_charge")
    return {
        "unitrate": None if reading.price is None else reading.price / 100_000,
        "standingcharge": None if standing is None else standing / 100_000,
    }


@dataclass(frozen=True, slots=True)
class _Sensor:
    """One value that Home Assistant shows."""

    name: str
    kind: DeviceType
    path: str
    unit: str
    device_class: str
    state_class: str


_SENSORS: Final = (
    _Sensor(
        "Electricity import", DeviceType.ESME, "energy.import.cumulative", "kWh", "energy", "total_increasing"
    ),
    _Sensor("Electricity today", DeviceType.ESME, "energy.import.day", "kWh", "energy", "total_increasing"),
    _Sensor("Electricity power", DeviceType.ESME, "power.value", "kW", "power", "measurement"),
    _Sensor(
        "Electricity unit rate", DeviceType.ESME, "energy.import.price.unitrate", "GBP/kWh", "", "measurement"
    ),
    _Sensor("Gas import", DeviceType.GPF, "energy.import.cumulative", "kWh", "energy", "total_increasing"),
    _Sensor("Gas volume", DeviceType.GPF, "energy.import.cumulativevol", "m³", "gas", "total_increasing"),
    _Sensor("Gas today", DeviceType.GPF, "energy.import.day", "kWh", "energy", "total_increasing"),
)


def announcements(
    device: Eui64, readings: Sequence[Reading], template: TopicTemplate
) -> Iterator[Publication]:
    """What makes Home Assistant show the meters without configuration; retained."""
    kinds = {reading.meter.kind for reading in readings}
    for sensor in _SENSORS:
        if sensor.kind not in kinds:
            continue
        topic = f"{template.prefix}/{device}/SENSOR/{_KINDS[sensor.kind]}"
        name = sensor.name.lower().replace(" ", "_")
        body: dict[str, _Json] = {
            "name": sensor.name,
            "unique_id": f"{device}_{name}",
            "state_topic": topic,
            "value_template": f"{{{{ value_json.{_KINDS[sensor.kind]}.{sensor.path} }}}}",
            "unit_of_measurement": sensor.unit,
            "state_class": sensor.state_class,
            "device": {"identifiers": [str(device)], "name": "smetslab CAD", "manufacturer": "smetslab"},
        }
        if sensor.device_class:
            body["device_class"] = sensor.device_class
        yield Publication(f"{template.discovery}/sensor/{device}/{name}/config", _text(body), retain=True)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _text(body: _Json) -> str:
    return json.dumps(body, ensure_ascii=False, allow_nan=False)
