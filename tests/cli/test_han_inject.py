"""`smetslab han inject` asks the control interface for the fault of that name."""

from __future__ import annotations

from typing import Any

import pytest

from smetslab.cli import devices, han_inject
from smetslab.errors import UsageError


def test_a_frame_is_handed_to_the_running_laboratory(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked: list[tuple[str, str, str, Any]] = []

    def ask(method: str, url: str, path: str, body: Any = None) -> Any:
        asked.append((method, url, path, body))
        return {"injected": "inject-frame", "device": "00DB1234567890A2"}

    monkeypatch.setattr(devices, "ask_control", ask)
    han_inject.inject("0102", device="home hub", own_check_sequence=True, times=5, url="http://lab")
    parameters = {"octets": "0102", "check_sequence": "own", "times": "5"}
    assert asked == [
        (
            "POST",
            "http://lab",
            "/lab/devices/home%20hub/faults",
            {"fault": "inject-frame", "parameters": parameters},
        )
    ]
    assert "sent in the home of 00DB1234567890A2" in capsys.readouterr().out


def test_too_many_characters_are_refused_before_anybody_is_asked() -> None:
    with pytest.raises(UsageError, match="at most 512 characters"):
        han_inject.inject("00" * 300, url="http://nowhere.invalid")
