"""What a device sends: headers, protection, alerts.

Spec: GBCS 5.3 (message categories), 6.2 (protection), 7.2.7 (grouping header), 16 (alerts).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from smetslab.crypto import PublicKey, SharedSecrets
from smetslab.devices.acceptance import Peers
from smetslab.devices.credentials import TrustAnchorStore
from smetslab.devices.own_keys import OwnKeys
from smetslab.devices.quirks import Quirks
from smetslab.errors import CertificateError
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import engine
from smetslab.gbcs.usecases.model import Protection, UseCase
from smetslab.gbcs.values import Parameters, date_time_octets
from smetslab.ids import MAX_COUNTER, Eui64
from smetslab.pki import parse_certificate


class Scribe:
    """Writes and protects the messages of one device."""

    def __init__(
        self,
        *,
        device: Eui64,
        keys: OwnKeys,
        trust_anchors: TrustAnchorStore,
        peers: Peers,
        secrets: SharedSecrets,
        quirks: Quirks,
    ) -> None:
        self._device = device
        self._keys = keys
        self._trust_anchors = trust_anchors
        self._peers = peers
        self._secrets = secrets
        self._quirks = quirks

    def response_header(
        self,
        command: Message,
        use_case: UseCase,
        time: datetime,
        supplementary_counter: int | None,
        *,
        clock_status: int | None = None,
    ) -> Message:
        """The grouping header of the response to `command`, without content or protection.

        Supplementary id and counter are echoed, the certificate never; an unknown remote party gets the
        device's own counter in its place. `clock_status` stands in the date-time, None: unspecified. Spec:
        GBCS 7.2.7.
        """
        asked = command.other_information
        counter = command.originator_counter
        if self._quirks.wrong_response_counter:
            counter = (counter + 1) & MAX_COUNTER
        return Message(
            cra=Cra.RESPONSE,
            originator_counter=counter,
            business_originator_id=self._device,
            business_target_id=command.business_originator_id,
            other_information=OtherInformation(
                message_code=command.message_code,
                supplementary_remote_party_id=asked.supplementary_remote_party_id,
                supplementary_remote_party_counter=asked.supplementary_remote_party_counter,
                supplementary_originator_counter=supplementary_counter,
            ),
            content=b"",
            date_time=date_time_octets(time, status=0xFF if clock_status is None else clock_status)
            if use_case.date_time_in_response
            else None,
        )

    def response(self, header: Message, content: bytes, protection: Protection) -> bytes:
        """The octets of a response: signed, or MACed to its recipient. Spec: GBCS 6.2."""
        return encode_message(self._protect(replace(header, content=content), protection))

    def alert(
        self,
        use_case: UseCase,
        recipient: Eui64,
        counter: int,
        parameters: Parameters,
        *,
        answers: Message | None = None,
        on_behalf_of: Eui64 | None = None,
    ) -> bytes:
        """The octets of an alert. `answers`: the command whose supplementary fields it repeats (ECS100);
        `on_behalf_of`: a party that is named besides the recipient (ECS200)."""
        asked = None if answers is None else answers.other_information
        supplementary = asked is not None and asked.supplementary_remote_party_counter is not None
        header = Message(
            cra=Cra.ALERT,
            originator_counter=counter,
            business_originator_id=self._device,
            business_target_id=recipient,
            other_information=OtherInformation(
                message_code=use_case.code,
                supplementary_remote_party_id=asked.supplementary_remote_party_id
                if asked and supplementary
                else on_behalf_of,
                supplementary_remote_party_counter=(
                    asked.supplementary_remote_party_counter if asked and supplementary else None
                ),
            ),
            content=b"",
        )
        secret = self._secret_with(recipient) if use_case.encrypts_response else None
        content = engine.encode_content(use_case, header, parameters, secret)
        protection = Protection(signature=use_case.critical, message_mac=not use_case.critical)
        return encode_message(self._protect(replace(header, content=content), protection))

    def secret(self, public_key: PublicKey) -> bytes:
        """The shared secret of this device and the owner of `public_key`."""
        return self._secrets.get(self._keys.ka, public_key)

    def encryption_secret(self, command: Message) -> bytes | None:
        """The shared secret with whom encrypted content of the response is for; None when its key is not
        known.

        A known remote party has its key in a cell, an unknown one sends its certificate. Spec: GBCS 8.4.
        """
        asked = command.other_information
        party = asked.supplementary_remote_party_id or command.business_originator_id
        key = self._trust_anchors.key_of(party, KeyUsage.KEY_AGREEMENT)
        if key is None and asked.key_agreement_certificate is not None:
            try:
                certificate = parse_certificate(asked.key_agreement_certificate)
            except CertificateError:
                return None
            if certificate.entity_id == party and certificate.key_usage is KeyUsage.KEY_AGREEMENT:
                key = certificate.public_key
        return None if key is None else self.secret(key)

    def _protect(self, message: Message, protection: Protection) -> Message:
        if protection.signature:
            return with_signature(message, self._keys.ds)
        return with_mac(message, self._secret_with(message.business_target_id))

    def _secret_with(self, party: Eui64) -> bytes:
        """The shared secret with a known remote party, or with a device that is paired with this one."""
        key = self._trust_anchors.key_of(party, KeyUsage.KEY_AGREEMENT) or self._peers(party)
        if key is None:
            raise CertificateError(f"no key agreement cell for {party}", spec="GBCS 6.4.5")
        return self.secret(key)
