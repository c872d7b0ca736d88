"""Every published message, both ways: framing, content, protection, tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.x509 import load_pem_x509_certificate

from smetslab.gbcs.describe import Node, describe
from smetslab.gbcs.dlms.apdu import decode_apdu, is_dlms
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.notation import message_octets
from smetslab.rtds import MessageKeys, check_folder, check_message

# messages: (MACs verified, MACs without a key, signatures verified), of the shared part and of the whole.
PUBLISHED = {956: (616, 4, 347), 1275: (811, 4, 472)}


def test_message_is_written_again_and_its_protection_holds_and_its_tree_covers_it(
    vector: bytes, keys: MessageKeys
) -> None:
    message = decode_message(vector)
    assert encode_message(message) == vector
    if is_dlms(message.content):
        assert decode_apdu(message.content).encode() == message.content
    row = check_message("vector", vector, keys)
    assert row.error is None
    assert not row.failed
    assert "failed" not in {row.mac, row.signature}
    assert row.decrypted is not False
    root = describe(vector, secret_for=lambda device, party: keys.opening_secret(message))
    assert root.error is None
    assert root.raw == vector
    assert_covers(root)


def assert_covers(node: Node) -> None:
    parts = [child for child in node.children if not child.derived]
    place = node.offset
    for child in parts:
        assert child.offset == place, child.name
        place += child.length
    assert not parts or b"".join([child.raw for child in parts]) == node.raw, node.name
    for child in node.children:
        assert child.offset == 0 or not child.derived
        assert_covers(child)


def test_everything_is_verified_whose_keys_are_published(rtds: Path) -> None:
    report = check_folder(rtds)
    summary = report.summary
    assert (summary.failures, summary.mac.failed, summary.signature.failed) == (0, 0, 0)
    assert summary.signature.uncheckable == 0
    assert summary.decoded == summary.reencoded_identical == summary.messages
    assert summary.sealed == summary.opaque == summary.generic_names == 0
    assert summary.named == summary.messages
    if summary.messages in PUBLISHED:
        counts = (summary.mac.verified, summary.mac.uncheckable, summary.signature.verified)
        assert counts == PUBLISHED[summary.messages]
        # What else stands where a token would is a dummy.
        assert summary.utrns_recomputed == 3


# The worked examples of the specification, recomputed with the library alone.


def private_key(rtds: Path, name: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key((rtds / "keystore" / f"{name}.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def public_key(rtds: Path, name: str) -> ec.EllipticCurvePublicKey:
    pem = (rtds / "keystore" / f"{name}.pem").read_bytes()
    key = load_pem_x509_certificate(pem).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def derived(secret: bytes, originator: bytes, transaction: int, counter: bytes, recipient: bytes) -> bytes:
    info = bytes.fromhex("60857406080300") + originator + bytes((9, transaction)) + counter + recipient
    return ConcatKDFHash(algorithm=hashes.SHA256(), length=16, otherinfo=info).derive(secret)


def gmac(key: bytes, originator: bytes, grouping: bytes) -> bytes:
    encryptor = Cipher(AES(key), GCM(originator + bytes(4))).encryptor()
    encryptor.authenticate_additional_data(bytes.fromhex("110000000000") + grouping)
    encryptor.finalize()
    return encryptor.tag[:12]


BROKER = "90b3d51f30000002"


def published(rtds: Path, pattern: str) -> bytes:
    """The first published message whose file name matches: parts of the set hold different ones."""
    return message_octets(min(rtds.rglob(pattern)).read_bytes())


def grouping_of(octets: bytes) -> bytes:
    """From the grouping header to the signature part of a MACed message."""
    return octets[octets.index(b"\xdf\x09") : -12]


@pytest.mark.parametrize("kind", ["COMMAND", "RESPONSE"])
def test_mac_of_a_read_is_recomputed_step_by_step(rtds: Path, kind: str) -> None:
    """GBCS 4.3.3, 6.4.5: of a command the ACB's key, of a response the recipient's."""
    octets = published(rtds, f"ECS17b_4.1.1_*_{kind}_GBCS.HEX")
    grouping = grouping_of(octets)
    originator, recipient = grouping[12:20], grouping[21:29]
    device, remote = (recipient, BROKER) if kind == "COMMAND" else (originator, recipient.hex())
    secret = private_key(rtds, f"{remote}-ka").exchange(ec.ECDH(), public_key(rtds, f"{device.hex()}-ka"))
    key = derived(secret, originator, grouping[2], grouping[3:11], recipient)
    assert gmac(key, originator, grouping) == octets[-12:]


def test_protected_read_is_opened_step_by_step(rtds: Path) -> None:
    """GBCS 8.4: transaction 4, device, header counter, recipient; additional data 31."""
    octets = published(rtds, "ECS17b_4.1.1_*SUCCESS_RESPONSE_GBCS.HEX")
    grouping = grouping_of(octets)
    device, counter, recipient = grouping[12:20], grouping[3:11], grouping[21:29]
    own, peer = private_key(rtds, f"{recipient.hex()}-ka"), public_key(rtds, f"{device.hex()}-ka")
    key = derived(own.exchange(ec.ECDH(), peer), device, 4, counter, recipient)
    start = octets.index(bytes.fromhex("3100000000"))
    sealed = octets[start + 5 : start + octets[start - 1]]
    decryptor = Cipher(AES(key), GCM(device + bytes(4), sealed[-12:], min_tag_length=12)).decryptor()
    decryptor.authenticate_additional_data(b"\x31")
    plaintext = decryptor.update(sealed[:-12]) + decryptor.finalize()
    # One object: a structure of active import, its scaler and unit (0, Wh), and further registers.
    assert plaintext[:3] == bytes.fromhex("020102")
    assert plaintext[9:15] == bytes.fromhex("02020F00161E")
    assert AESGCM(key).encrypt(device + bytes(4), plaintext, b"\x31")[:-4] == sealed


def test_signature_of_a_critical_command_is_checked_step_by_step(rtds: Path) -> None:
    """GBCS 7.2.7: from after the tag to the end of the content, by the originator."""
    grouping = grouping_of(published(rtds, "ECS42_7.1_*_COMMAND_GBCS.HEX"))
    assert grouping[-65] == 64
    r, s = (int.from_bytes(half, "big") for half in (grouping[-64:-32], grouping[-32:]))
    signer = public_key(rtds, f"{grouping[12:20].hex()}-ds")
    signer.verify(utils.encode_dss_signature(r, s), grouping[1:-65], ec.ECDSA(hashes.SHA256()))


def test_critical_command_is_its_signed_and_maced_pre_command(rtds: Path) -> None:
    pre_command = published(rtds, "ECS42_7.1_*_PRECOMMAND_GBCS.HEX")
    command = published(rtds, "ECS42_7.1_*_COMMAND_GBCS.HEX")
    assert grouping_of(command)[:-65] == pre_command
    assert decode_message(pre_command).is_pre_command
