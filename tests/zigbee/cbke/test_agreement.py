"""The examples that the specification works through, recomputed from both sides."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from smetslab.errors import SecurityError, ZigbeeDecodeError
from smetslab.ids import Eui64
from smetslab.zigbee.cbke.agreement import AgreedKeys, Party, agreed_keys, shared_secret
from smetslab.zigbee.cbke.certificate import (
    CertificateAuthority,
    CertificateSuite1,
    CertificateSuite2,
    ImplicitCertificate,
)
from smetslab.zigbee.cbke.curve import SECT163K1, SECT283K1, KoblitzCurve, Point


@dataclass(frozen=True)
class Example:
    """ZSE 1.4 annex C: everything in hex."""

    form: type[ImplicitCertificate]
    authority: str
    certificates: tuple[str, str]
    private: tuple[str, str]
    public: tuple[str, str]
    ephemeral_private: tuple[str, str]
    ephemeral_public: tuple[str, str]
    secret: str
    keys: tuple[str, str, str, str]
    """Link key, MAC key, MACU, MACV."""


SUITE_1 = Example(
    form=CertificateSuite1,
    authority="0200FDE8A7F3D1084224962A4E7C54E69AC3F04DA6B8",
    certificates=(
        "020615E07D30ECA2DAD58002E667D94BC1B4223983070000000000000002544553545345434101090006000000000000",
        "03045FDFC8D85FFB8B3993CB72DDCAA55F00B3E87D6D0000000000000001544553545345434101090006000000000000",
    ),
    private=(
        "01E9DDB5580CF72ECE7F215F0AE594E48DF3E7FEE8",
        "00B8A900FCADEBABBFA383B540FCE9ED438395EAA7",
    ),
    public=(
        "03025BBA38D0C7B5436B68DF728F093E7A1D6C437E6D",
        "030290A1F5C08DAD5F2945E335620C7A98FAC46666A1",
    ),
    ephemeral_private=(
        "0013D36DE4B1EA8E22739C381370823F404BFF8862",
        "03D48C7210DDBCC4FB2E5E7A0AA16A0DB89540820B",
    ),
    ephemeral_public=(
        "0300E117C86D0E7CD128B2F34E9076CFF24AF46D7288",
        "0306AB52062201D995B8B8591F3F086A3A2E214D845E",
    ),
    secret="00E0D2C3CCD5C106A89C4F6CC26A5F7EC9DF78A7BE",
    keys=(
        "86D58AAA998E2FAEFAF9FEF49606543A",
        "90F967B22C8357C10C1C04788DE9E848",
        "B82F1F9774740C32F80FCFC3921B6420",
        "79D5F2AD1C31D4D1EE7CB719AC683C3C",
    ),
)

SUITE_2 = Example(
    form=CertificateSuite2,
    authority="0207A445022D9F39F49BDC38380026A27A9E0A1799313AB28C5C1A1C6B605154DB1DFF6752",
    certificates=(
        "0084A933B37F018DEC0D081112131415161718005292A38AFFFFFFFF0A0B0C0D0E0F10128803076277E2F7E2252B16A0E9"
        "2B6E8771BB3F207946CBD4A45D9A9DF6EDAB8C796A48E89DEC",
        "002622A505E8938F270D081112131415161718005292A35BFFFFFFFF0A0B0C0D0E0F1011880303B4E9DC543A64333C9823"
        "08022B54E67E2F15F532551B0A11E2E2C1C1D3097A4324E7ED",
    ),
    private=(
        "00F2561ADB39EF49C1D62EF5186C6E0C158A5A45BFCE38660931ACC3694592D5ACDE9006",
        "0151CD0DBCB80474BF7AC9FEEBE39C7A32A63518938FCA9754AAE132BC9C73BE94A7E1BE",
    ),
    public=(
        "03030E56F7ADE866E76372764BA20A9FF1FE4CAE522F94839E70F2ADFC1CA3E97F4DDCAF2E",
        "0202F4FA2A3040433C6820299D182A1042E41404E337C57F47716B42DFAF970F1580A04C9B",
    ),
    ephemeral_private=(
        "0013D36DE4B1EA8E22739C381370823F404BFF8862B521FECA9871FB3691846D361304B4",
        "03D48C7210DDBCC4FB2E5E7A0AA16A0DB89540820B8DC091AB521EA824AFE117CADE995B",
    ),
    ephemeral_public=(
        "0305F3394E15680660EECAA36788D9B6F312B971CE2C9617570BF7DFCD21C972017762C332",
        "03009A5131CF5B92A016378C0F7F284ECD47F94010F875D43BF1E9A65474ADBFC63696A930",
    ),
    secret="04F7724A9A77B21D2747CCEF68A457E45246C4BE9F66FD9425227BCB2CC5180EA9CCCB9A",
    keys=(
        "AA4689C70BE0FAF0C9BE534ABD9F4CDC",
        "ED380A00296600FB6B893025DE5FD137",
        "BF7E1A26D4EF7038B56813E465A131C9",
        "C5B432A9995A092F4449F83613930064",
    ),
)

EXAMPLES = pytest.mark.parametrize("example", [SUITE_1, SUITE_2], ids=["suite 1", "suite 2"])


@EXAMPLES
def test_a_public_key_follows_from_its_certificate(example: Example) -> None:
    curve = example.form.curve
    authority = curve.decompress(bytes.fromhex(example.authority))
    for octets, private, public in zip(example.certificates, example.private, example.public, strict=True):
        certificate = example.form.decode(bytes.fromhex(octets))
        key = certificate.public_key(authority)
        assert curve.compress(key) == bytes.fromhex(public)
        assert key == curve.multiply(int(private, 16), curve.generator)
        assert certificate.encode() == bytes.fromhex(octets)


@EXAMPLES
@pytest.mark.parametrize("side", [0, 1], ids=["initiator", "responder"])
def test_both_sides_reach_the_published_secret_and_keys(example: Example, side: int) -> None:
    curve = example.form.curve
    other = 1 - side
    secret = shared_secret(
        curve,
        static_private=int(example.private[side], 16),
        ephemeral_private=int(example.ephemeral_private[side], 16),
        ephemeral_public=curve.decompress(bytes.fromhex(example.ephemeral_public[side])),
        peer_static=curve.decompress(bytes.fromhex(example.public[other])),
        peer_ephemeral=curve.decompress(bytes.fromhex(example.ephemeral_public[other])),
    )
    assert secret == bytes.fromhex(example.secret)
    parties = [
        Party(example.form.decode(bytes.fromhex(octets)).subject, bytes.fromhex(ephemeral))
        for octets, ephemeral in zip(example.certificates, example.ephemeral_public, strict=True)
    ]
    assert agreed_keys(secret, *parties) == AgreedKeys(*(bytes.fromhex(key) for key in example.keys))


@pytest.mark.parametrize("curve", [SECT163K1, SECT283K1], ids=lambda curve: curve.name)
def test_an_issued_certificate_gives_the_public_half_of_its_private_key(curve: KoblitzCurve) -> None:
    authority = CertificateAuthority(name=Eui64(b"TESTSECA"), curve=curve, private=2**300 // 7)
    subject = Eui64.parse("00DB1234567890A0")
    if curve is SECT163K1:
        key = authority.issue_suite_1(subject, device_scalar=10**60, authority_scalar=10**59)
    else:
        key = authority.issue_suite_2(
            subject, serial=bytes(8), valid_from_s=0, device_scalar=10**60, authority_scalar=10**59
        )
    again = type(key.certificate).decode(key.certificate.encode())
    assert again == key.certificate
    assert again.public_key(authority.public) == curve.multiply(key.private, curve.generator)
    assert str(key.private) not in repr(key)


@pytest.mark.parametrize("position", range(74))
def test_a_changed_certificate_gives_no_key_or_another_one(position: int) -> None:
    octets = bytearray(bytes.fromhex(SUITE_2.certificates[0]))
    octets[position] ^= 0x01
    authority = SECT283K1.decompress(bytes.fromhex(SUITE_2.authority))
    try:
        key: Point | None = CertificateSuite2.decode(bytes(octets)).public_key(authority)
    except (ZigbeeDecodeError, SecurityError):
        key = None
    assert key is None or SECT283K1.compress(key) != bytes.fromhex(SUITE_2.public[0])


@pytest.mark.parametrize("size", [0, 1, 47, 73, 75])
def test_a_certificate_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ZigbeeDecodeError):
        CertificateSuite2.decode(bytes.fromhex(SUITE_2.certificates[0] + "00")[:size])
    with pytest.raises(ZigbeeDecodeError):
        CertificateSuite1.decode(bytes.fromhex(SUITE_2.certificates[0] + "00")[:size])


def test_validity_runs_from_its_start_for_its_lifetime() -> None:
    always = CertificateSuite2.decode(bytes.fromhex(SUITE_2.certificates[0]))
    start = always.valid_from_s
    assert [always.valid_at(start - 1), always.valid_at(start), always.valid_at(2**39)] == [False, True, True]
    short = CertificateSuite2.decode(
        bytes.fromhex(SUITE_2.certificates[0].replace("FFFFFFFF", "00000E10", 1))
    )
    assert [short.valid_at(start + 3600), short.valid_at(start + 3601)] == [True, False]
