"""Primitives against published test vectors and against the library used in another way."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from smetslab import crypto
from smetslab.crypto import CcmStar, PrivateKey, PublicKey, SharedSecrets, aes_mmo, hmac_mmo
from smetslab.errors import SecurityError

# RFC 6979 A.2.5: P-256, SHA-256.
RFC6979_SCALAR = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
RFC6979_SAMPLE = bytes.fromhex(
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
)


def key_of(scalar: int) -> PrivateKey:
    return PrivateKey(ec.derive_private_key(scalar, ec.SECP256R1()))


def test_signature_is_that_of_rfc_6979() -> None:
    key = key_of(RFC6979_SCALAR)
    assert key.sign(b"sample") == RFC6979_SAMPLE
    assert key.public.verify(RFC6979_SAMPLE, b"sample")


def test_signature_is_raw_r_and_s_that_the_library_verifies() -> None:
    key = PrivateKey.from_seed(b"a" * 32)
    raw = key.sign(b"data")
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.public.library_key.verify(der, b"data", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    "signature",
    [b"", RFC6979_SAMPLE[:-1], RFC6979_SAMPLE + b"\x00", bytes(64), b"\xff" * 64, RFC6979_SAMPLE[::-1]],
)
def test_signature_of_any_other_octets_is_refused(signature: bytes) -> None:
    assert not key_of(RFC6979_SCALAR).public.verify(signature, b"sample")


def test_signature_over_other_data_or_of_another_key_is_refused() -> None:
    assert not key_of(RFC6979_SCALAR).public.verify(RFC6979_SAMPLE, b"Sample")
    assert not key_of(5).public.verify(RFC6979_SAMPLE, b"sample")


def test_shared_secret_is_that_of_the_nist_vector() -> None:
    """NIST CAVP, KAS ECC CDH primitive, P-256, count 0."""
    private = key_of(0x7D7DC5F71EB29DDAF80D6214632EEAE03D9058AF1FB6D22ED80BADB62BC1A534)
    public = PublicKey(
        bytes.fromhex(
            "04700C48F77F56584C5CC632CA65640DB91B6BACCE3A4DF6B42CE7CC838833D287"
            "DB71E509E3FD9B060DDB20BA5C51DCC5948D46FBF640DFE0441782CAB85FA4AC"
        )
    )
    expected = "46FC62106420FF012E54A434FBDD2D25CCC5852060561E68040DD7778997BD7B"
    assert private.exchange(public).hex().upper() == expected


def test_gmac_is_that_of_the_gcm_specification() -> None:
    """McGrew and Viega, test case 1; and the library's streaming interface."""
    assert crypto.gmac(bytes(16), bytes(12), b"").hex() == "58e2fccefa7e3061367f1d57a4e7455a"
    encryptor = Cipher(AES(b"k" * 16), GCM(b"i" * 12)).encryptor()
    encryptor.authenticate_additional_data(b"some data")
    encryptor.finalize()
    assert crypto.gmac(b"k" * 16, b"i" * 12, b"some data") == encryptor.tag


def test_sealed_octets_are_those_of_the_gcm_specification() -> None:
    """McGrew and Viega, test case 2, its tag cut to 12 octets."""
    sealed = crypto.gcm_seal(bytes(16), bytes(12), bytes(16), b"")
    assert sealed.hex() == "0388dace60b6a392f328c2b971b2fe78" + "ab6e47d42cec13bdf53a67b2"
    assert crypto.gcm_open(bytes(16), bytes(12), sealed, b"") == bytes(16)


@pytest.mark.parametrize("flip", [0, 15, 16, 27])
def test_sealed_octets_do_not_open_when_one_bit_differs(flip: int) -> None:
    sealed = bytearray(crypto.gcm_seal(bytes(16), bytes(12), bytes(16), b"aad"))
    sealed[flip] ^= 1
    with pytest.raises(SecurityError, match="tag does not match"):
        crypto.gcm_open(bytes(16), bytes(12), bytes(sealed), b"aad")


@pytest.mark.parametrize("length", [0, 11])
def test_octets_too_short_for_a_tag_do_not_open(length: int) -> None:
    with pytest.raises(SecurityError, match="too short for a tag"):
        crypto.gcm_open(bytes(16), bytes(12), bytes(length), b"")


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64))
def test_key_derivation_is_the_concatenation_kdf(secret: bytes, info: bytes) -> None:
    judge = ConcatKDFHash(algorithm=hashes.SHA256(), length=16, otherinfo=info)
    assert crypto.derive_key(secret, info) == judge.derive(secret)


def test_shared_secret_is_computed_once_for_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[PublicKey] = []
    plain = PrivateKey.exchange

    def counted(self: PrivateKey, other: PublicKey) -> bytes:
        computed.append(other)
        return plain(self, other)

    monkeypatch.setattr(PrivateKey, "exchange", counted)
    ours, peers = key_of(3), [key_of(4).public, key_of(5).public]
    secrets = SharedSecrets()
    assert {secrets.get(ours, peer) for peer in peers * 3} == {plain(ours, peer) for peer in peers}
    assert computed == peers


def test_cache_of_shared_secrets_forgets_the_least_recent() -> None:
    ours = key_of(3)
    peers = [key_of(4 + number).public for number in range(3)]
    secrets = SharedSecrets(limit=2)
    kept = [secrets.get(ours, peers[0]), secrets.get(ours, peers[1])]
    assert secrets.get(ours, peers[0]) is kept[0]
    secrets.get(ours, peers[2])
    assert len(secrets) == 2
    assert secrets.get(ours, peers[0]) is kept[0]
    assert secrets.get(ours, peers[1]) is not kept[1]


def test_both_sides_of_an_exchange_agree() -> None:
    ours, theirs = key_of(3), key_of(4)
    assert ours.exchange(theirs.public) == theirs.exchange(ours.public)


@pytest.mark.parametrize("point", [b"", bytes(65), b"\x04" + bytes(64), b"\x04" + b"\x01" * 64])
def test_point_that_is_not_on_the_curve_is_refused(point: bytes) -> None:
    with pytest.raises(SecurityError, match="not a point of P-256"):
        PublicKey(point)


def test_compressed_point_is_the_same_key() -> None:
    public = key_of(9).public
    sign = b"\x03" if public.point[-1] & 1 else b"\x02"
    assert PublicKey(sign + public.point[1:33]) == public


def test_key_of_another_curve_is_refused() -> None:
    with pytest.raises(SecurityError, match="secp384r1"):
        PublicKey.of(ec.generate_private_key(ec.SECP384R1()).public_key())


def test_private_key_survives_pem() -> None:
    key = PrivateKey.from_seed(b"b" * 32)
    assert PrivateKey.from_pem(key.to_pem()).public == key.public


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_pem_without_a_usable_key_is_refused(pem: bytes) -> None:
    with pytest.raises(SecurityError, match="private key"):
        PrivateKey.from_pem(pem)


def test_keys_from_seeds_are_reproducible_and_distinct() -> None:
    assert PrivateKey.from_seed(b"c" * 32).public == PrivateKey.from_seed(b"c" * 32).public
    assert PrivateKey.from_seed(b"c" * 32).public != PrivateKey.from_seed(b"d" * 32).public


def test_representation_shows_nothing_secret() -> None:
    key = PrivateKey.from_seed(b"e" * 32)
    secret = key.library_key.private_numbers().private_value
    secrets = SharedSecrets()
    shared = secrets.get(key, key_of(3).public)
    for shown in (repr(key), str(key), repr(secrets)):
        assert f"{secret:x}"[:8] not in shown
        assert str(secret)[:8] not in shown
        assert shared.hex()[:8] not in shown


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        ("C0", "AE3A102A28D43EE0D4A09E22788B206C"),
        ("C0C1C2C3C4C5C6C7C8C9CACBCCCDCECF", "A7977E88BC0B61E8210827109A228F2D"),
    ],
)
def test_mmo_gives_the_published_hashes(data: str, digest: str) -> None:
    """ZigBee C.5."""
    assert aes_mmo(bytes.fromhex(data)) == bytes.fromhex(digest)


def test_mmo_marks_a_long_message_by_its_longer_length() -> None:
    """Spec: ZigBee B.6: 8191 octets are the last with a length of two octets."""
    assert len({aes_mmo(bytes(size)) for size in (8190, 8191, 8192, 8193)}) == 4


def test_hmac_mmo_gives_the_published_value() -> None:
    """ZigBee C.6."""
    key = bytes(range(0x40, 0x50))
    assert hmac_mmo(key, b"\xc0") == bytes.fromhex("4512807BF94CB3400F0E2C25FB76E999")


def test_ccm_star_opens_only_what_it_has_sealed() -> None:
    cipher = CcmStar(bytes(range(16)))
    sealed = cipher.seal(bytes(13), b"payload", b"header")
    assert cipher.open(bytes(13), sealed, b"header") == b"payload"
    for nonce, data, aad in (
        (bytes(12) + b"\x01", sealed, b"header"),
        (bytes(13), sealed[:-1] + bytes((sealed[-1] ^ 1,)), b"header"),
        (bytes(13), sealed, b"Header"),
        (bytes(13), b"abc", b""),
    ):
        with pytest.raises(SecurityError, match="MIC"):
            cipher.open(nonce, data, aad)
