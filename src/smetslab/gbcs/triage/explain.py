"""Explains one message: what it is, who sent it to whom, which checks hold, and where it is wrong.

Never fails: of whatever octets it says what can be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smetslab.errors import CodecError
from smetslab.gbcs.asn1.primitives import NO_SUCH_MOMENT
from smetslab.gbcs.gbt import decode_block, is_block
from smetslab.gbcs.keys import KeyLookup, NoKeys
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, Message
from smetslab.gbcs.triage.envelope import Envelope
from smetslab.gbcs.triage.findings import Check, Finding, Outcome, failed, of_error, passed
from smetslab.gbcs.triage.framing import read_envelope
from smetslab.gbcs.triage.parties import party_findings
from smetslab.gbcs.triage.repair import MacSearch, Repair, signature_repair, structure_repair
from smetslab.gbcs.triage.security import mac_findings, signature_findings
from smetslab.gbcs.triage.structure import Content, read_content
from smetslab.gbcs.triage.summary import statements, summary, title
from smetslab.gbcs.triage.values import value_findings
from smetslab.gbcs.triage.words import field_at, offset_of, party

_ORDER = {check: place for place, check in enumerate(Check)}
_TRUST = (
    Check.INPUT,
    Check.LENGTHS,
    Check.FRAMING,
    Check.PARTIES,
    Check.COUNTER,
    Check.STRUCTURE,
    Check.VALUES,
)
"""Checks whose offset is that of a wrong octet, in the order in which they are believed."""
_TRUST_LESS = (Check.INPUT, Check.FRAMING, Check.STRUCTURE, Check.COUNTER, Check.LENGTHS, Check.VALUES)
"""The same for findings that only say where the damage shows."""
_SHORTEST = "not in its shortest form"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was found out about `data`.

    `summary` says what it is and who is concerned, `statements` what is in it, `first_wrong` where the first
    wrong octet is.
    """

    data: bytes
    title: str
    summary: tuple[str, ...]
    statements: tuple[str, ...]
    findings: tuple[Finding, ...]
    first_wrong: Finding | None
    use_case: str | None

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.outcome is Outcome.FAIL)

    @property
    def verdict(self) -> str:
        """One sentence about the whole."""
        if self.failures:
            count = len(self.failures)
            return f"Not right: {count} check{'s fail' if count > 1 else ' fails'}."
        if any(one.outcome is Outcome.DOUBT for one in self.findings):
            return "Nothing is wrong, but something is unusual."
        if any(one.outcome is Outcome.UNKNOWN for one in self.findings):
            return "Nothing is wrong as far as it can be checked."
        return "Everything is right."


def explain(data: bytes, keys: KeyLookup | None = None, *, search: bool = True) -> Explanation:
    """Explain `data`. `search`: look for the one change that would make it right (about a second)."""
    lookup = NoKeys() if keys is None else keys
    if is_block(data):
        return _block(data, lookup)
    if len(data) > MAX_MESSAGE_BYTES:
        text = f"{len(data)} octets are more than any message has (at most {MAX_MESSAGE_BYTES})"
        finding = failed(Check.LENGTHS, text, offset=MAX_MESSAGE_BYTES)
        return _explanation(data, None, None, [finding], lookup)
    envelope = read_envelope(data)
    findings = list(envelope.findings)
    content = None
    if envelope.message is not None:
        content, more = _message(envelope, envelope.message, lookup)
        findings += more
    repair = _repair(envelope, findings, lookup) if search else None
    findings.sort(key=lambda one: _ORDER[one.check])
    if repair is not None:
        findings.insert(0, _repaired(repair))
    return _explanation(data, envelope.message, content, findings, lookup)


def _message(envelope: Envelope, message: Message, keys: KeyLookup) -> tuple[Content, list[Finding]]:
    """Everything but the envelope."""
    start = envelope.content[0] if envelope.content else 0
    content = read_content(message, start, keys)
    findings = list(content.findings)
    findings += party_findings(message, content.use_case, keys, max(envelope.grouping or 0, 0))
    if envelope.strict or message.content:
        findings += _safely(mac_findings(message, keys))
        findings += _safely(signature_findings(message, keys))
    if content.parameters is not None and content.use_case is not None:
        data = envelope.data
        findings += value_findings(
            message,
            content.use_case,
            content.parameters,
            lambda path: offset_of(data, path) if envelope.strict else None,
        )
    return content, findings


def _safely(findings: Iterator[Finding]) -> list[Finding]:
    """The findings about a message that may not even be written again."""
    try:
        return list(findings)
    except CodecError:
        return []


def _repair(envelope: Envelope, findings: list[Finding], keys: KeyLookup) -> Repair | None:
    """The one change that makes the message right: proved by its MAC or signature, else by its structure."""
    data = envelope.data
    failures = [one for one in findings if one.outcome is Outcome.FAIL]
    broken = [one for one in failures if one.check in _TRUST]
    if envelope.grouping is None:
        return None
    protection = {one.check: one.outcome for one in findings if one.check in {Check.MAC, Check.SIGNATURE}}
    maced = envelope.maced or data[:1] == b"\xdd"
    if maced and keys.entities() and protection.get(Check.MAC) is not Outcome.PASS:
        found = MacSearch(data, max(envelope.grouping, 0), keys).search()
        if found is not None:
            return found
    unsure = protection.get(Check.SIGNATURE) in {Outcome.FAIL, Outcome.UNKNOWN}
    if not maced and unsure and envelope.content is not None:
        found = signature_repair(data, max(envelope.grouping, 0), envelope.content[1], keys)
        if found is not None:
            return found
    if Outcome.PASS in protection.values():
        return None
    return _guess(envelope, broken, keys)


def _guess(envelope: Envelope, broken: list[Finding], keys: KeyLookup) -> Repair | None:
    """The one change that makes a sound message, where no key proves one."""
    wrong = [
        one
        for one in broken
        if one.check not in {Check.VALUES, Check.COUNTER, Check.PARTIES} and one.offset is not None
    ]
    if not wrong or any(_SHORTEST in one.text or one.text.startswith(NO_SUCH_MOMENT) for one in wrong):
        # Nothing is damaged where a number is only written with more octets than it needs, and nobody knows
        # which date was meant.
        return None
    at, start = wrong[0].offset or 0, max(envelope.grouping or 0, 0)
    return structure_repair(
        envelope.data, at, start, lambda data: len(explain(data, keys, search=False).failures)
    )


_ENCRYPTED_FIELDS = ("sealed", "protected")
"""What the trees of GBZ and of DLMS content call octets that are encrypted."""


def _repaired(repair: Repair) -> Finding:
    """The finding that a repair is."""
    field = field_at(repair.data, min(repair.offset, max(len(repair.data) - 1, 0)))
    found, wanted = repair.found.hex(" ").upper(), repair.wanted.hex(" ").upper()
    span = "" if repair.last is None else f", or at any place up to byte {repair.last}"
    if span and not repair.proof and any(part in _ENCRYPTED_FIELDS for part in field.split(" > ")):
        span += " (encrypted, so that only its key tells the place)"
    if not repair.found:
        many = f"{len(repair.wanted)} octets are" if len(repair.wanted) > 1 else "an octet is"
        text = f"{many} missing before byte {repair.offset}{span}" + (f": {wanted}" if repair.proof else "")
    elif not repair.wanted:
        many = f"{len(repair.found)} octets are" if len(repair.found) > 1 else "an octet is"
        text = f"{many} too many at byte {repair.offset}{span}: {found}"
    elif len(repair.found) == 2 and repair.found == repair.wanted[::-1]:
        text = f"the octets at byte {repair.offset} stand the other way round: {found}, should be {wanted}"
    else:
        text = f"byte {repair.offset} is {found} and should be {wanted}"
    proof = (
        f"with this change the {repair.proof} verifies"
        if repair.proof
        else "with this change it would be a sound message of its use case (found by trying, not proved)"
    )
    return failed(
        Check.INPUT,
        f"{text}: {proof}",
        offset=repair.offset,
        field=field,
        expected=wanted or "nothing",
        found=found or "nothing",
        decisive=bool(repair.proof) or repair.last is None,
    )


def _first_wrong(findings: list[Finding]) -> Finding | None:
    """The failure that says best where the first wrong octet is."""
    failures = [one for one in findings if one.outcome is Outcome.FAIL and one.offset is not None]
    for decisive, checks in ((True, _TRUST), (False, _TRUST_LESS)):
        for check in checks:
            for one in failures:
                if one.check is check and one.decisive is decisive:
                    return one
    return failures[0] if failures else None


def _block(data: bytes, keys: KeyLookup) -> Explanation:
    """One block of a message that was cut up for transfer."""
    try:
        block = decode_block(data)
    except CodecError as error:
        finding = of_error(Check.FRAMING, error)
        return _explanation(data, None, None, [finding], keys)
    kind = (
        f"block {block.number}" + (", the last" if block.last else "") if block.data else "an acknowledgement"
    )
    lines = (
        f"One block of a message that was cut up for transfer: {kind}, {len(block.data)} octets of it.",
        f"From {party(block.business_originator_id, keys)} to {party(block.business_target_id, keys)}.",
        "Put the blocks together and explain the message that they make: a block itself is not protected.",
    )
    return Explanation(
        data=data,
        title="GBT block",
        summary=lines,
        statements=(),
        findings=(passed(Check.FRAMING, "a whole block"),),
        first_wrong=None,
        use_case=None,
    )


def _explanation(
    data: bytes,
    message: Message | None,
    content: Content | None,
    findings: list[Finding],
    keys: KeyLookup,
) -> Explanation:
    return Explanation(
        data=data,
        title=title(message),
        summary=tuple(summary(data, message, content, keys)),
        statements=tuple(statements(content)),
        findings=tuple(findings),
        first_wrong=_first_wrong(findings),
        use_case=None if content is None or content.use_case is None else content.use_case.name,
    )
