"""Two messages field by field."""

from __future__ import annotations

import sys
from dataclasses import replace

from smetslab.gbcs.codes import Cra
from smetslab.gbcs.message import encode_message
from smetslab.gbcs.triage import compare
from smetslab.gbcs.usecases import USE_CASES, encode_content

samples = sys.modules["smetslab_triage_samples"]  # made by conftest.py
octets = samples.octets


def found(left: bytes, right: bytes, **options: object) -> dict[str, tuple[str | None, str | None]]:
    return {one.path: (one.left, one.right) for one in compare(left, right, **options)}  # type: ignore[arg-type]


def test_a_message_is_the_same_as_itself() -> None:
    assert compare(octets("clock"), octets("clock")) == ()


def test_fields_that_differ_are_named_with_what_they_say() -> None:
    message = samples.MESSAGES["clock pre-command"]
    other = replace(message, originator_counter=1001)
    later = {
        "validity_interval": {
            "validity_interval_start": "2030-01-15T09:00:00Z",
            "validity_interval_end": "2030-01-15T09:00:20Z",
        }
    }
    other = replace(other, content=encode_content(USE_CASES["ECS70"], other, later))
    assert found(octets("clock pre-command"), encode_message(other)) == {
        "grouping header > originator counter": ("1000", "1001"),
        "content > long-invoke-id-and-priority": (
            "break on error, low 24 bits of the counter 1000",
            "break on error, low 24 bits of the counter 1001",
        ),
        "content > data list > validity_interval > validity_interval_end": (
            "2030-01-15T09:00:10Z",
            "2030-01-15T09:00:20Z",
        ),
    }


def test_offsets_lead_to_the_field_in_each_message() -> None:
    left, right = octets("clock pre-command"), octets("clock")
    (signature,) = [one for one in compare(left, right) if one.path == "signature"]
    assert (signature.left, signature.left_offset) == (None, None)
    assert signature.right_offset is not None
    assert right[signature.right_offset - 1] == 64


def test_an_entry_more_leaves_the_others_alone() -> None:
    def alert(count: int) -> bytes:
        devices = [
            {"device_identifier": f"{number:016X}", "security_details": ""} for number in range(1, count + 1)
        ]
        log = {"backup_date_time": "2030-01-15T09:00:00Z", "han_identifier": "00" * 8, "devices": devices}
        values = {"alert_code": "8F12", "time_stamp": "2030-01-15T09:00:00Z", "device_log": log}
        return encode_message(samples.bare("CS14", Cra.ALERT, values))

    differences = found(alert(3), alert(4))
    assert [path for path in differences if "devices > [" in path] == [
        "content > alert > device_log > devices > [3]"
    ]


def test_protected_content_is_compared_in_clear_with_keys() -> None:
    import json

    values = json.loads(json.dumps(samples.REGISTERS))
    values["import_registers"]["import_register_collection"]["active"] = 11
    own = samples.secret(samples.ESME, samples.SUPPLIER)
    other = encode_message(samples.maced(samples.bare("ECS17b", Cra.RESPONSE, values, key=own)))
    sealed = found(octets("registers"), other)
    assert not any("plaintext" in path for path in sealed)
    clear = found(octets("registers"), other, keys=samples.KEYS)
    (active,) = [value for path, value in clear.items() if path.endswith("> active")]
    assert active == ("10 Wh", "11 Wh")


def test_damaged_message_is_compared_by_the_fields_of_the_sound_one() -> None:
    data = octets("clock pre-command")
    place = data.index(b"\x09\x0c") + 1
    damaged = data[:place] + b"\x7c" + data[place + 1 :]
    assert list(found(data, damaged)) == ["content > data list > validity_interval > preset_time"]


def test_octets_that_are_no_message_are_compared_too() -> None:
    assert compare(b"\x01\x02", b"\x01\x03")
    assert compare(b"", octets("read"))
