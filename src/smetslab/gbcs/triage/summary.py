"""What a message is, who is concerned and what it says, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from smetslab.gbcs.alert_codes import alert_text
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.describe import kind_of_message, title_of
from smetslab.gbcs.keys import KeyLookup
from smetslab.gbcs.message import Message
from smetslab.gbcs.triage.structure import Content
from smetslab.gbcs.triage.words import party, protection_words
from smetslab.gbcs.usecases.model import FAILURES, Protection
from smetslab.gbcs.values import Value
from smetslab.ids import format_message_code

MAX_STATEMENTS = 24
"""So many values are told; `gbcs decode` shows them all."""
_LONG = 60


def title(message: Message | None) -> str:
    """`ECS17b response`."""
    return "not a readable message" if message is None else title_of(message)


def summary(data: bytes, message: Message | None, content: Content | None, keys: KeyLookup) -> Iterator[str]:
    """Sentences about the message as a whole."""
    if message is None:
        yield f"{len(data)} octets that cannot be read as a message."
        return
    use_case = None if content is None else content.use_case
    kind = kind_of_message(message)
    if use_case is None:
        code = format_message_code(message.message_code)
        yield f"{_article(kind)} {kind} with Message Code {code}, which no use case has."
    else:
        yield f"{_article(kind)} {kind} of {use_case.name}, {use_case.title}, {len(data)} octets."
    yield (
        f"From {party(message.business_originator_id, keys)} to {party(message.business_target_id, keys)}, "
        f"originator counter {message.originator_counter}."
    )
    extra = message.other_information
    if extra.supplementary_remote_party_id is not None:
        counter = extra.supplementary_remote_party_counter
        yield f"On behalf of {party(extra.supplementary_remote_party_id, keys)}" + (
            "." if counter is None else f", whose counter is {counter}."
        )
    if message.cra is Cra.RESPONSE:
        yield f"It answers the command with that counter of {party(message.business_target_id, keys)}."
    protection = Protection(bool(message.signature), message.message_mac is not None)
    carried = protection_words(protection)
    yield "It carries neither signature nor MAC." if carried == "nothing" else f"It carries {carried}."
    if use_case is not None and use_case.is_alert and content is not None and content.parameters:
        alert = content.parameters.get("alert_code")
        if isinstance(alert, str):
            yield f"The alert is {alert_text(int(alert, 16))}."
    failures = None if content is None or content.parameters is None else content.parameters.get(FAILURES)
    if isinstance(failures, dict):
        names = ", ".join(f"{name}: {result}" for name, result in list(failures.items())[:3])
        yield f"The device did not do all of it: {names}" + ("." if len(failures) <= 3 else ", ...")


def _article(word: str) -> str:
    return "An" if word[:1] in "aeiou" else "A"


def statements(content: Content | None) -> Iterator[str]:
    """The named values, one a line."""
    if content is None or content.parameters is None:
        return
    lines = list(_lines(content.parameters, ""))
    yield from lines[:MAX_STATEMENTS]
    if len(lines) > MAX_STATEMENTS:
        yield f"... and {len(lines) - MAX_STATEMENTS} more values (smetslab gbcs decode)"


def _lines(value: Value, path: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _lines(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _lines(inner, f"{path}[{place}]")
    elif path:
        text = _words(value)
        yield f"{path}: {text if len(text) <= _LONG else text[: _LONG - 3] + '...'}"


def _words(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value in ([], {}) else str(value)
