"""Every message that is declared, published or not: explain knows it and finds its content right."""

from __future__ import annotations

import random
from dataclasses import replace

from fuzzing import samples

from smetslab.gbcs.message import encode_message
from smetslab.gbcs.triage import Check, explain
from smetslab.gbcs.usecases import encode_content

AT_FAULT = {Check.STRUCTURE, Check.LENGTHS, Check.FRAMING, Check.INPUT}


def test_every_declared_message_is_of_its_use_case() -> None:
    chance = random.Random(2030)
    known = 0
    for use_case, cra in samples.all_messages():
        bare = samples.header(use_case, cra, chance)
        parameters = samples.parameters_of(use_case, cra, chance)
        content = encode_content(use_case, bare, parameters, samples.SECRET)
        explanation = explain(encode_message(replace(bare, content=content)), search=False)
        assert explanation.use_case == use_case.name
        assert [one for one in explanation.failures if one.check in AT_FAULT] == [], use_case.name
        known += 1
    assert known > 400
