"""Which keys of a key ring prove a message, for the checks of a whole data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from smetslab.crypto import SharedSecrets
from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs import keys as gbcs_keys
from smetslab.gbcs.codes import CellUsage, CounterFamily, Cra, KeyUsage
from smetslab.gbcs.keys import CheckOutcome
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import UseCase
from smetslab.gbcs.utrn import UTRN_DIGITS, parse_utrn, verify_utrn
from smetslab.gbcs.values import Parameters, Value
from smetslab.ids import Eui64
from smetslab.pki import KeyRing
from smetslab.pki.lookup import RingLookup

UtrnOutcome: TypeAlias = Literal["recomputed", "other", "uncheckable", "absent"]


class MessageKeys:
    """Checks messages against a key ring. Keeps the shared secrets of each pair of parties."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.lookup = RingLookup(ring)
        self._shared = SharedSecrets()

    def check_mac(self, message: Message) -> CheckOutcome:
        """Try the pairs of keys that may have made the MAC of `message`."""
        return gbcs_keys.check_mac(message, self.lookup)

    def check_signature(self, message: Message) -> CheckOutcome:
        """Try the signing certificates of the originator of `message`."""
        return gbcs_keys.check_signature(message, self.lookup)

    def opening_secret(self, message: Message) -> bytes | None:
        """The secret that opens what is protected in `message`, None when none is at hand or none fits."""
        try:
            return gbcs_keys.opening_secret(message, self.lookup)
        except (GbcsDecodeError, SecurityError):
            return None

    def check_utrn(self, message: Message, use_case: UseCase, parameters: Parameters) -> UtrnOutcome:
        """Make the token of a top up again: the counter is that of the header. Spec: GBCS 14.4.

        `other` is a token that none of the keys at hand gives for these parties and this counter.
        """
        if message.cra is not Cra.COMMAND or use_case.counter_family is not CounterFamily.UTRN:
            return "absent"
        supplier, device = message.business_originator_id, message.business_target_id
        secrets = list(self._top_up_secrets(supplier, device))
        if not secrets:
            return "uncheckable"
        for digits in _tokens(parameters):
            try:
                utrn = parse_utrn(digits)
            except GbcsDecodeError:
                return "other"
            made = any(
                verify_utrn(
                    utrn, counter=message.originator_counter, secret=secret, supplier=supplier, device=device
                )
                for secret in secrets
            )
            return "recomputed" if made else "other"
        return "absent"

    def _top_up_secrets(self, supplier: Eui64, device: Eui64) -> Iterator[bytes]:
        for ours in self.ring.candidates(supplier, KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP):
            for theirs in self.ring.candidates(device, KeyUsage.KEY_AGREEMENT):
                if ours.private_key is not None:
                    yield self._shared.get(ours.private_key, theirs.certificate.public_key)


def _tokens(value: Value) -> Iterator[str]:
    """Every text of twenty digits in named values."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _tokens(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _tokens(inner)
    elif isinstance(value, str) and len(value) == UTRN_DIGITS and value.isdecimal():
        yield value
