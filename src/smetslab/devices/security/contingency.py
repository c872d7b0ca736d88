"""The contingency key: it replaces every certificate of a device, the root's too, when nothing else may.

It comes with the root, wrapped; a command that uses it brings the key that unwraps it.

Spec: GBCS 13.3, use case CS02b (anyByContingency); RFC 5934 (apex contingency key). How the key is wrapped is
unverified: RFC 5649, around the uncompressed point.
"""

from __future__ import annotations

from dataclasses import dataclass

from smetslab.crypto import PublicKey, unwrap_key, wrap_key
from smetslab.errors import CodecError, SecurityError
from smetslab.gbcs.message import Message
from smetslab.gbcs.usecases import decode_content, find
from smetslab.gbcs.values import from_hex
from smetslab.pki import TrustAnchor


@dataclass(frozen=True, slots=True, kw_only=True)
class ContingencyKey:
    """The key that came with the root whose key identifier is `root`; of another root it is worth nothing."""

    root: bytes
    wrapped: bytes

    @classmethod
    def of(cls, key: PublicKey, symmetric_key: bytes, root: bytes) -> ContingencyKey:
        """Wrap `key` for the root with the key identifier `root`."""
        return cls(root=root, wrapped=wrap_key(symmetric_key, key.point))

    def key_for(self, anchor: TrustAnchor | None, message: Message) -> PublicKey | None:
        """The key that has to have signed `message`; None when the message does not unwrap it. `anchor`: the
        root that the device has now."""
        use_case = find(message)
        if anchor is None or anchor.key_id != self.root or use_case is None:
            return None
        try:
            control = decode_content(use_case, message).get("authorising_remote_party_control")
            given = control.get("plaintext_symmetric_key") if isinstance(control, dict) else None
            if given is None:
                return None
            return PublicKey(unwrap_key(from_hex(given, "symmetric key"), self.wrapped))
        except (CodecError, SecurityError):
            return None
