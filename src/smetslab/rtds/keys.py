"""Which keys of a key ring prove a message, for the checks of a whole data set."""

from __future__ import annotations

from smetslab.errors import GbcsDecodeError, SecurityError
from smetslab.gbcs import keys as gbcs_keys
from smetslab.gbcs.keys import CheckOutcome
from smetslab.gbcs.message import Message
from smetslab.pki import KeyRing
from smetslab.pki.lookup import RingLookup


class MessageKeys:
    """Checks messages against a key ring. Keeps the shared secrets of each pair of parties."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring
        self.lookup = RingLookup(ring)

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
