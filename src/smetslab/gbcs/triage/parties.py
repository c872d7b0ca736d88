"""Checks of the header against the use case: who, to whom, in which role, with which protection and counter.

Spec: GBCS 4.3.1 (counters), 5.3 (protection), 7.2.7, 20 (use cases).
"""

from __future__ import annotations

from collections.abc import Iterator

from smetslab.errors import SecurityError
from smetslab.gbcs.codes import CounterFamily, Cra, KeyUsage, RemotePartyRole
from smetslab.gbcs.dlms.apdu import is_dlms
from smetslab.gbcs.identities import DEVICE_WORDS, ROLE_WORDS, TEST_IDENTITIES, identity_of
from smetslab.gbcs.keys import KeyLookup
from smetslab.gbcs.message import Message
from smetslab.gbcs.protection import expected_protection
from smetslab.gbcs.triage.findings import Check, Finding, doubt, failed, passed, unknown
from smetslab.gbcs.triage.words import is_device, party, protection_words, role_of
from smetslab.gbcs.usecases.model import Protection, ProtectionRule, UseCase
from smetslab.gbcs.values import date_time_to_text
from smetslab.ids import Eui64

_ORIGINATOR = "grouping header.business originator id"
_TARGET = "grouping header.business target id"
_COUNTER = "grouping header.originator counter"
_LIMIT_OF_ASN1 = 1 << 63
_LOW = 0xFFFFFFFF
_MAKER_OCTETS = 7
"""An id that differs in its last octet alone is most likely another device of the same maker."""
# Places in the grouping header.
_COUNTER_PLACE, _ORIGINATOR_PLACE, _TARGET_PLACE, _DATE_TIME_PLACE = 3, 12, 21, 29


def party_findings(
    message: Message, use_case: UseCase | None, keys: KeyLookup, start: int
) -> Iterator[Finding]:
    """Everything about the parties of `message`, whose grouping header is at `start`."""
    yield from _direction(message, keys, start)
    yield from _strangers(message, keys, start)
    if use_case is not None:
        yield from _devices(message, use_case, start)
        yield from _roles(message, use_case, keys, start)
        yield from _protection(message, use_case, keys)
        yield from _date_time(message, use_case, start)
    yield from _supplementary(message, keys, start)
    yield from _counter(message, use_case, start)


def _device_side(message: Message) -> tuple[Eui64, str, int]:
    """The party that should be the device, with its field and place."""
    if message.cra is Cra.COMMAND:
        return message.business_target_id, _TARGET, _TARGET_PLACE
    return message.business_originator_id, _ORIGINATOR, _ORIGINATOR_PLACE


def _direction(message: Message, keys: KeyLookup, start: int) -> Iterator[Finding]:
    device, field, place = _device_side(message)
    other = message.business_originator_id if message.cra is Cra.COMMAND else message.business_target_id
    word = message.cra.name.lower()
    if device == other:
        yield failed(
            Check.PARTIES,
            "originator and target are the same",
            offset=start + _TARGET_PLACE,
            field=_TARGET,
            found=str(device),
        )
        return
    if is_device(device, keys) is False and is_device(other, keys):
        yield failed(
            Check.PARTIES,
            f"a {word} goes "
            + ("to a device" if message.cra is Cra.COMMAND else "from a device to a remote party")
            + ", and here the two ids are the other way round",
            offset=start + _ORIGINATOR_PLACE,
            field=_ORIGINATOR,
            found=party(message.business_originator_id, keys),
        )
    elif is_device(device, keys) is False:
        yield failed(
            Check.PARTIES,
            f"a {word} "
            + ("goes to" if message.cra is Cra.COMMAND else "comes from")
            + " a device, and this is a remote party",
            offset=start + place,
            field=field,
            expected="a device",
            found=party(device, keys),
        )
    else:
        verb = "to" if message.cra is Cra.COMMAND else "from"
        yield passed(Check.PARTIES, f"a {word} {verb} {party(device, keys)}")


def _strangers(message: Message, keys: KeyLookup, start: int) -> Iterator[Finding]:
    """Ids that nobody has, but somebody nearly has."""
    known = tuple(dict.fromkeys((*TEST_IDENTITIES, *keys.entities())))
    for entity, field, place in (
        (message.business_originator_id, _ORIGINATOR, _ORIGINATOR_PLACE),
        (message.business_target_id, _TARGET, _TARGET_PLACE),
    ):
        if not known or entity in known:
            continue
        turned = Eui64(entity.raw[::-1])
        if turned in known:
            yield failed(
                Check.PARTIES,
                f"the id stands with its last octet first: turned round it is {party(turned, keys)}",
                offset=start + place,
                field=field,
                expected=str(turned),
                found=str(entity),
                decisive=True,
            )
            continue
        for other in known:
            wrong = [n for n in range(8) if entity.raw[n] != other.raw[n]]
            if len(wrong) == 1 and wrong[0] < _MAKER_OCTETS:
                yield doubt(
                    Check.PARTIES,
                    f"nobody known is {entity}; only one octet makes it {party(other, keys)}",
                    offset=start + place + wrong[0],
                    field=field,
                )
                break


def _devices(message: Message, use_case: UseCase, start: int) -> Iterator[Finding]:
    device, field, place = _device_side(message)
    known = identity_of(device)
    if known is None or known.device_type is None:
        return
    if known.device_type not in use_case.devices:
        names = ", ".join(DEVICE_WORDS[kind] for kind in use_case.devices)
        yield failed(
            Check.PARTIES,
            f"{use_case.name} is not for a {DEVICE_WORDS[known.device_type]}",
            offset=start + place,
            field=field,
            expected=names,
            found=f"{device} ({known.name})",
            spec="GBCS 20",
        )


def _roles(message: Message, use_case: UseCase, keys: KeyLookup, start: int) -> Iterator[Finding]:
    """May this party send this command? A certificate says its role."""
    if message.cra is not Cra.COMMAND or not use_case.originator_roles:
        return
    originator = message.business_originator_id
    role = role_of(originator, keys)
    allowed = ", ".join(ROLE_WORDS[one] for one in use_case.originator_roles)
    acting_for = message.other_information.supplementary_remote_party_id
    if role is None:
        yield unknown(Check.ROLE, f"the role of {originator} is not known; {use_case.name} is for: {allowed}")
        return
    if role in use_case.originator_roles:
        yield passed(Check.ROLE, f"{party(originator, keys)} may send {use_case.name}")
        return
    if role is RemotePartyRole.ACCESS_CONTROL_BROKER and acting_for is not None:
        behalf = role_of(acting_for, keys)
        who = "a party whose role is not known" if behalf is None else party(acting_for, keys)
        yield passed(Check.ROLE, f"the Access Control Broker sends {use_case.name} on behalf of {who}")
        return
    yield failed(
        Check.ROLE,
        f"a {ROLE_WORDS[role]} may not send {use_case.name}",
        offset=start + _ORIGINATOR_PLACE,
        field=_ORIGINATOR,
        expected=allowed,
        found=party(originator, keys),
        spec="GBCS 20",
    )


def _protection(message: Message, use_case: UseCase, keys: KeyLookup) -> Iterator[Finding]:
    found = Protection(bool(message.signature), message.message_mac is not None)
    expected = expected_protection(use_case, message, role_of=lambda entity: role_of(entity, keys))
    if found == Protection(False, False) and message.cra is Cra.COMMAND:
        yield passed(Check.PROTECTION, "nothing: a pre-command, as the DCC hands it out to be signed")
        return
    if expected is None:
        yield unknown(Check.PROTECTION, "which protection belongs here depends on parties that are not known")
        return
    if found == expected:
        yield passed(Check.PROTECTION, f"{protection_words(found)}, as {_criticality(use_case)}")
    elif message.cra is Cra.COMMAND and found == Protection(True, False) and expected.signature:
        yield passed(Check.PROTECTION, "signed by the originator, not yet MACed: a signed pre-command")
    else:
        yield failed(
            Check.PROTECTION,
            f"carries {protection_words(found)}, where {protection_words(expected)} belongs, "
            f"as {_criticality(use_case)}",
            expected=protection_words(expected),
            found=protection_words(found),
            spec="GBCS 5.3",
        )


def _criticality(use_case: UseCase) -> str:
    if use_case.protection is ProtectionRule.CRITICALITY:
        return f"{use_case.name} is {'critical' if use_case.critical else 'not critical'}"
    return f"the rule of {use_case.name} says: {use_case.protection.value}"


def _date_time(message: Message, use_case: UseCase, start: int) -> Iterator[Finding]:
    wanted = message.cra is Cra.RESPONSE and use_case.date_time_in_response
    place = start + _DATE_TIME_PLACE
    if message.date_time is None:
        if wanted:
            yield failed(
                Check.DATE_TIME,
                f"a response of {use_case.name} carries the date-time of its execution, and this has none",
                offset=place,
                field="grouping header.date-time length",
                expected="0C and 12 octets",
                found="00",
                spec="GBCS 7.2.7",
            )
        return
    text = date_time_to_text(message.date_time[:-1] + b"\xff")
    if not wanted:
        yield failed(
            Check.DATE_TIME,
            f"a {message.cra.name.lower()} of {use_case.name} carries no date-time in its header",
            offset=place,
            field="grouping header.date-time length",
            expected="00",
            found="0C",
            spec="GBCS 7.2.7",
        )
    elif text.startswith("hex:"):
        yield failed(
            Check.DATE_TIME,
            "no date-time in UTC",
            offset=place + 1,
            field="grouping header.date-time",
            expected="year, month, day, FF, hour, minute, second, 00 8000 and the clock status",
            found=message.date_time.hex().upper(),
            spec="GBCS 7.2.7",
        )
    else:
        yield passed(Check.DATE_TIME, f"executed at {text}")


def _supplementary(message: Message, keys: KeyLookup, start: int) -> Iterator[Finding]:
    extra = message.other_information
    acting_for = extra.supplementary_remote_party_id
    place = start + _DATE_TIME_PLACE
    if acting_for is not None and message.cra is Cra.COMMAND:
        role = role_of(message.business_originator_id, keys)
        if role is not None and role is not RemotePartyRole.ACCESS_CONTROL_BROKER:
            yield failed(
                Check.PARTIES,
                "only the Access Control Broker acts on behalf of another party",
                offset=start + _ORIGINATOR_PLACE,
                field=_ORIGINATOR,
                expected="an Access Control Broker",
                found=party(message.business_originator_id, keys),
                spec="GBCS 7.2.7",
            )
    if extra.key_agreement_certificate is None:
        return
    field = "grouping header.other information.key agreement certificate"
    try:
        note = keys.read_certificate(extra.key_agreement_certificate)
    except SecurityError as error:
        yield failed(
            Check.ROLE, f"no certificate that can be read: {error}", offset=place, field=field, spec="GBCS 12"
        )
        return
    if note.entity != acting_for or note.usage is not KeyUsage.KEY_AGREEMENT:
        yield failed(
            Check.ROLE,
            "not the key agreement certificate of the supplementary remote party",
            offset=place,
            field=field,
            expected=f"keyAgreement of {acting_for}",
            found=f"{note.usage} of {note.entity}",
            spec="GBCS 7.2.7",
        )
    else:
        yield passed(Check.ROLE, f"carries the key agreement certificate of {acting_for}: {note.text}")


def _says_turned(message: Message, turned: int) -> bool:
    """True when DLMS content repeats the counter of the header read backwards, and not the counter."""
    said = message.content[2:5]
    low = message.originator_counter.to_bytes(8, "big")[5:]
    return is_dlms(message.content) and low != said == turned.to_bytes(8, "big")[5:]


def _counter(message: Message, use_case: UseCase | None, start: int) -> Iterator[Finding]:
    counter = message.originator_counter
    utrn = use_case is not None and use_case.counter_family is CounterFamily.UTRN
    whole_words = counter != 0 and counter & _LOW == 0
    turned = int.from_bytes(counter.to_bytes(8, "big"), "little")
    offset = start + _COUNTER_PLACE
    if _says_turned(message, turned):
        yield failed(
            Check.COUNTER,
            f"the counter stands with its lowest octet first: the content says that it is {turned}",
            offset=offset,
            field=_COUNTER,
            expected=f"{turned:016X}",
            found=f"{counter:016X}",
            decisive=True,
        )
    elif counter == 0:
        yield doubt(Check.COUNTER, "the counter is 0, which no party has sent", offset=offset, field=_COUNTER)
    elif utrn and not whole_words and message.cra is not Cra.ALERT:
        yield doubt(
            Check.COUNTER,
            f"the counter {counter} of a top up is that of its UTRN, whose lower four octets are zero",
            offset=offset + 4,
            field=_COUNTER,
            spec="GBCS 14.8",
        )
    elif whole_words and not utrn:
        yield doubt(
            Check.COUNTER,
            f"the counter {counter:016X} looks like "
            + (
                "a number written with its lowest octet first"
                if turned < 1 << 32 and counter >> 56
                else "that of a UTRN"
            ),
            offset=offset,
            field=_COUNTER,
        )
    elif counter >= _LIMIT_OF_ASN1:
        yield doubt(
            Check.COUNTER,
            f"the counter {counter:016X} is larger than ASN.1 messages can say",
            offset=offset,
            field=_COUNTER,
            spec="GBCS Annex 3",
        )
    else:
        yield passed(Check.COUNTER, f"the counter {counter} is plausible")
