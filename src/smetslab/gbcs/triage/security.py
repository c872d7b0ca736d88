"""Checks of MAC and signature, with the keys at hand; a wrong one is looked into.

A MAC or signature that fits another way of computing it betrays a fault of whoever made it, not damage: the
usual mistakes are tried.

Spec: GBCS 4.3.3, 6.4.5, 7.2.7.
"""

from __future__ import annotations

from collections.abc import Iterator

from smetslab.crypto import SIGNATURE_BYTES, TAG_BYTES, derive_key, gmac
from smetslab.gbcs.codes import Cra
from smetslab.gbcs.keys import KeyLookup, mac_secrets, verification_keys
from smetslab.gbcs.message import Message, encode_grouping, signed_part
from smetslab.gbcs.security import initialization_vector, other_info, verify_mac, verify_signature
from smetslab.gbcs.triage.findings import Check, Finding, failed, passed, unknown
from smetslab.gbcs.triage.words import party

_RIGHT_PREFIX = bytes.fromhex("110000000000")
_PREFIXES = (
    (bytes.fromhex("11"), "the AAD begins with 11 alone; it has to begin with 11 00000000 00"),
    (bytes.fromhex("1100000000"), "the AAD begins with 11 00000000; one more 00 belongs behind it"),
    (b"", "the AAD begins with the grouping header; 11 00000000 00 belongs before it"),
)


def mac_findings(message: Message, keys: KeyLookup) -> Iterator[Finding]:
    """The outcome for the MAC of `message`."""
    if message.message_mac is None:
        return
    secrets = mac_secrets(message, keys)
    who = (
        f"the Access Control Broker and {message.business_target_id}"
        if message.cra is Cra.COMMAND
        else f"{message.business_originator_id} and {message.business_target_id}"
    )
    if not secrets:
        yield unknown(Check.MAC, f"no private key agreement key of {who} is at hand")
    elif any(verify_mac(message, secret) for secret in secrets):
        yield passed(Check.MAC, f"verified with the keys of {who}")
    else:
        mistake = next((text for secret in secrets for text in _mac_mistakes(message, secret)), None)
        mistake = mistake or _other_keys(message, keys)
        yield failed(
            Check.MAC,
            f"does not verify with the keys of {who}" + ("" if mistake is None else f": {mistake}"),
            field="MAC",
            found=message.message_mac.hex().upper(),
            spec="GBCS 6.4.5",
        )


def _mac_mistakes(message: Message, secret: bytes) -> Iterator[str]:
    """What the maker of a wrong MAC did, where one of the usual mistakes gives just this MAC."""
    iv = initialization_vector(message.business_originator_id)
    grouping = encode_grouping(message)
    parties = (message.business_originator_id, message.originator_counter, message.business_target_id)
    key = derive_key(secret, other_info(message.cra, *parties))
    for prefix, text in _PREFIXES:
        if gmac(key, iv, prefix + grouping)[:TAG_BYTES] == message.message_mac:
            yield text
    bare = encode_grouping(message, with_signature=False)
    if gmac(key, iv, _RIGHT_PREFIX + bare)[:TAG_BYTES] == message.message_mac:
        yield "the AAD ends with the content; the signature part, at least its length, belongs to it"
    if gmac(key, iv, _RIGHT_PREFIX + grouping)[-TAG_BYTES:] == message.message_mac:
        yield "it is the last 12 octets of the tag; the first 12 belong there"
    for kind in (1, 2, 3, 4):
        other = derive_key(secret, other_info(kind, *parties))
        if (
            kind != message.cra
            and gmac(other, iv, _RIGHT_PREFIX + grouping)[:TAG_BYTES] == message.message_mac
        ):
            yield f"the key was derived with transaction type {kind:02}, not {message.cra:02}"
    turned = derive_key(secret, other_info(message.cra, parties[2], parties[1], parties[0]))
    if gmac(turned, iv, _RIGHT_PREFIX + grouping)[:TAG_BYTES] == message.message_mac:
        yield "originator and recipient stand the other way round in the key derivation"


def _other_keys(message: Message, keys: KeyLookup) -> str | None:
    """Whose keys made the MAC, when they are not those of the right parties."""
    if message.cra is not Cra.COMMAND:
        return None
    originator = message.business_originator_id
    for secret in keys.shared_secrets(originator, message.business_target_id):
        if verify_mac(message, secret):
            who = party(originator, keys)
            return f"it was made with the keys of {who}, and a command is MACed by the Access Control Broker"
    return None


def signature_findings(message: Message, keys: KeyLookup) -> Iterator[Finding]:
    """The outcome for the signature of `message`."""
    if not message.signature:
        return
    originator = message.business_originator_id
    certified = verification_keys(originator, keys)
    if not certified:
        yield unknown(Check.SIGNATURE, f"no signing certificate of {originator} is at hand")
    elif any(verify_signature(message, key) for key in certified):
        yield passed(Check.SIGNATURE, f"verified with the signing certificate of {party(originator, keys)}")
    else:
        mistake = _signature_mistake(message, keys)
        yield failed(
            Check.SIGNATURE,
            f"is not that of {party(originator, keys)} over this message"
            + ("" if mistake is None else f": {mistake}"),
            field="signature",
            found=message.signature.hex().upper()[:32] + "...",
            spec="GBCS 7.2.7",
        )


def _signature_mistake(message: Message, keys: KeyLookup) -> str | None:
    signature = message.signature or b""
    part = signed_part(message)
    half = SIGNATURE_BYTES // 2
    variants = (
        (signature, b"\xdf" + part, "the tag DF was signed too; the signed part begins behind it"),
        (
            signature,
            part + b"\x40",
            "the signature length was signed too; the signed part ends with the content",
        ),
        (
            signature,
            part + b"\x00",
            "a signature length of 00 was signed too; the signed part ends with the content",
        ),
        (signature, message.content, "only the content was signed; the grouping header belongs to it"),
        (signature[half:] + signature[:half], part, "r and s stand the other way round"),
    )
    for key in verification_keys(message.business_originator_id, keys):
        for octets, data, text in variants:
            if key.verify(octets, data):
                return text
    for entity in keys.entities():
        if entity != message.business_originator_id and any(
            verify_signature(message, key) for key in verification_keys(entity, keys)
        ):
            return f"it is that of {party(entity, keys)}"
    return None
