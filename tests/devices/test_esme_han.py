"""What a meter makes of commands to an HCALCS that are lost."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from smetslab.devices.esme_han import EsmeHan, SwitchState
from smetslab.devices.han_frames import default_response
from smetslab.gbcs.codes import DeviceType
from smetslab.ids import Eui64
from smetslab.zigbee.zcl.foundation import Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HCALCS = Eui64(b"SWITCHES")


def test_only_the_command_that_is_lost_has_failed_and_all_are_sent_again() -> None:
    outcomes: list[tuple[int, bool]] = []
    han = EsmeHan(
        application=SimpleNamespace(),
        log=SimpleNamespace(entries=[SimpleNamespace(device=HCALCS, device_type=DeviceType.HCALCS)]),
        workplace=SimpleNamespace(note=lambda *_event, **_detail: None),
        meter=SimpleNamespace(),
        switches=lambda _device: (SwitchState(1, True, 7), SwitchState(2, False, 8)),
        switched=lambda command_id, _now, *, done: outcomes.append((command_id, done)),
        displays=lambda: None,
    )
    han.refresh(NOW)
    first, second = han.outbox.take()
    han.failed(default_response(first, Status.SUCCESS), NOW)
    assert outcomes == []
    han.failed(second, NOW)
    assert outcomes == [(8, False)]
    han.refresh(NOW)
    assert len(han.outbox.take()) == 2
