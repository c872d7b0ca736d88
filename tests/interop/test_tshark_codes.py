"""Wireshark's tables of use cases and alert codes: the second source of ours."""

from __future__ import annotations

import re

from smetslab.gbcs.alert_codes import alert_name
from smetslab.gbcs.usecases.registry import by_code

RETIRED_ALERTS = {
    0x811A: "Failure in changing or maintaining HCALCS or ALCS state",
    0x8131: "Success in changing or maintaining HCALCS or ALCS state",
}
"""In Wireshark's issue of GBCS, no longer in ours."""


def test_every_use_case_that_wireshark_knows_has_its_code_and_name_here(tshark_names) -> None:
    wrong = {}
    for code, text in tshark_names("gbcs_message.grouping_header.message_code").items():
        use_case = by_code(code)
        name = re.match(r"(CCS05/CCS04|[A-Z]+\d+\w*) ", text)
        if use_case is None:
            wrong[code] = (text, None)
        elif name is None:
            # Alerts that Wireshark names by their titles alone.
            if "alert" not in text.lower():
                wrong[code] = (text, use_case.name)
        elif use_case.name.partition(".")[0].lower() != name[1].lower():
            wrong[code] = (text, use_case.name)
    assert wrong == {}


def test_every_alert_that_wireshark_knows_has_its_code_and_name_here(tshark_names) -> None:
    theirs = tshark_names("gbcs_gbz.alert_code")
    assert len(theirs) > 180
    wrong = {
        code: (text, alert_name(code))
        for code, text in theirs.items()
        if _plain(text) != _plain(alert_name(code) or "") and RETIRED_ALERTS.get(code) != text
    }
    assert wrong == {}


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
