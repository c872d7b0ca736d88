"""How a device is shown as text."""

from __future__ import annotations

from smetslab.cli.devices import lines


def test_a_record_has_one_line_if_it_fits() -> None:
    assert lines({"pending": [{"item": "ECS01b", "on": True}], "log": [], "state": {}}) == [
        "pending",
        "  item ECS01b  on yes",
        f"{'log':28} -",
        f"{'state':28} -",
    ]


def test_a_long_record_has_lines_of_its_own() -> None:
    readings = {f"value_{number}": number for number in range(20)}
    assert lines({"meters": [{"kind": "ESME", "readings": readings, "days": None}]}) == [
        "meters",
        f"  - {'kind':28} ESME",
        "    readings",
        *(f"      {name:28} {value}" for name, value in readings.items()),
        f"    {'days':28} -",
    ]


def test_the_lines_of_a_screen_stay_lines() -> None:
    assert lines({"screen": ["Sat 28 Nov", "", "  now  1.1 kW"]}) == [
        "screen",
        "  Sat 28 Nov",
        "",
        "    now  1.1 kW",
    ]
    assert lines({"counters": [1, 2]}) == [f"{'counters':28} 1 2"]
