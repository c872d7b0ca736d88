"""The SMKI repository: what can be found, by whom, and what is refused."""

from __future__ import annotations

from base64 import b64decode

import httpx
import pytest

from smetslab.clock import run_virtual
from smetslab.dcc.services.client import find_certificates
from smetslab.dcc.services.settings import SMKI_API_KEY
from smetslab.dcc.services.smki_app import SmkiRepository
from smetslab.duis.element import Element, parse_document
from smetslab.errors import RemoteProtocolError
from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing, parse_certificate
from smetslab.rng import RootSeed

DEVICE = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")
XML_HEADERS = {"Content-Type": "application/xml"}
SEARCH = "/services/certificatesearch"
RETRIEVE = "/services/retrievecertificate"


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    authority = Authority(RootSeed(11))
    earlier = authority.device(DEVICE, KeyUsage.KEY_AGREEMENT, generation=1)
    return KeyRing([*authority.keystore([DEVICE]).entries, earlier])


def _post(
    ring: KeyRing, path: str, body: str, key: str = SMKI_API_KEY, headers: dict[str, str] = XML_HEADERS
) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(SmkiRepository(lambda: ring).app)
        async with httpx.AsyncClient(transport=transport, base_url="http://smki.test") as http:
            return await http.post(path, params={"apikey": key}, content=body, headers=headers)

    return run_virtual(main())


def _search(member: str) -> str:
    return f"<CertificateSearchRequest>{member}</CertificateSearchRequest>"


def _device_search(eui64: str) -> str:
    return _search(f"<CertificateSubjectAltName>{eui64}</CertificateSubjectAltName>")


def _members(element: Element) -> dict[str, str]:
    return {child.name: child.text for child in element.children}


def _results(response: httpx.Response) -> list[dict[str, str]]:
    assert response.status_code == 200
    root = parse_document(response.content)
    assert (root.name, root.namespace) == ("CertificateSearchResponse", "")
    return [_members(child) for child in root.children if child.name == "Result"]


def test_device_has_one_certificate_in_use_for_each_purpose(ring: KeyRing) -> None:
    results = _results(_post(ring, SEARCH, _device_search("00-db-12-34-56-78-90-a0")))
    wanted = {
        (usage, ring.find(DEVICE, key_usage).certificate.serial)
        for usage, key_usage in (("DS", KeyUsage.DIGITAL_SIGNATURE), ("KA", KeyUsage.KEY_AGREEMENT))
    }
    in_use = [one for one in results if one["CertificateStatus"] == "I"]
    assert {(one["CertificateUsage"], int(one["CertificateSerial"], 16)) for one in in_use} == wanted
    assert len(results) == 3
    assert {one["CertificateSubjectAltName"] for one in results} == {DEVICE.dashed()}
    assert all(one["CertificateSerial"] == one["CertificateSerial"].upper() for one in results)


def test_organisation_is_found_by_its_eui_or_name(ring: KeyRing) -> None:
    by_eui = _results(
        _post(ring, SEARCH, _search(f"<CertificateSubjectName>{SUPPLIER.dashed()}</CertificateSubjectName>"))
    )
    assert {(one["CertificateUsage"], one["CertificateRole"]) for one in by_eui} == {
        ("DS", "2"),
        ("KA", "2"),
        ("DS", "135"),
    }
    name = by_eui[0]["CertificateSubjectName"]
    by_name = _results(
        _post(ring, SEARCH, _search(f"<CertificateSubjectName>{name}</CertificateSubjectName>"))
    )
    assert by_name == by_eui
    only = _search(
        f"<CertificateSubjectName>{name}</CertificateSubjectName><CertificateUsage>KA</CertificateUsage>"
    )
    assert {one["CertificateUsage"] for one in _results(_post(ring, SEARCH, only))} == {"KA"}


def test_certificate_is_retrieved_by_its_serial_however_it_is_written(ring: KeyRing) -> None:
    certificate = ring.find(DEVICE, KeyUsage.KEY_AGREEMENT).certificate
    for serial in (f"{certificate.serial:X}", f"{certificate.serial:x}", f"000{certificate.serial:x}"):
        response = _post(
            ring,
            RETRIEVE,
            f"<CertificateDataRequest><CertificateSerial>{serial}</CertificateSerial></CertificateDataRequest>",
        )
        root = parse_document(response.content)
        assert root.name == "CertificateDataResponse"
        facts = _members(next(child for child in root.children if child.name == "CertificateResponse"))
        assert parse_certificate(b64decode(facts["CertificateBody"])) == certificate
        assert "CertificateSubjectName" not in facts


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (SEARCH, _device_search("00-db-12-34-56-78-90-ff"), 402),
        (SEARCH, _device_search("90-B3-D5-1F-30-01-00-00"), 402),
        (SEARCH, _search("<CertificateSubjectName>nobody</CertificateSubjectName>"), 402),
        (SEARCH, _device_search("what"), 401),
        (SEARCH, _search(""), 401),
        (SEARCH, _search("<CertificateSubjectName></CertificateSubjectName>"), 401),
        (SEARCH, "<other/>", 401),
        (SEARCH, "<", 401),
        (SEARCH, '<!DOCTYPE a [<!ENTITY b "c">]><CertificateSearchRequest/>', 401),
        (SEARCH, " " * 20_000, 413),
        (
            RETRIEVE,
            "<CertificateDataRequest><CertificateSerial>1</CertificateSerial></CertificateDataRequest>",
            402,
        ),
        (
            RETRIEVE,
            "<CertificateDataRequest><CertificateSerial>-1</CertificateSerial></CertificateDataRequest>",
            401,
        ),
        (RETRIEVE, "<CertificateDataRequest/>", 401),
        ("/services/other", "<a/>", 404),
    ],
)
def test_not_found_and_asked_wrongly(ring: KeyRing, path: str, body: str, status: int) -> None:
    response = _post(ring, path, body)
    assert (response.status_code, response.content) == (status, b"")


def test_wrong_key_and_wrong_type_are_refused(ring: KeyRing) -> None:
    body = _device_search("00-db-12-34-56-78-90-a0")
    assert _post(ring, SEARCH, body, key="other").status_code == 401
    assert _post(ring, SEARCH, body, headers={"Content-Type": "text/plain"}).status_code == 415


def test_our_own_client_finds_what_is_in_use(ring: KeyRing) -> None:
    async def main() -> None:
        transport = httpx.ASGITransport(SmkiRepository(lambda: ring).app)
        async with httpx.AsyncClient(transport=transport) as http:
            found = await find_certificates("http://smki.test", http, DEVICE)
            assert [entry.certificate for entry in found] == [
                ring.find(DEVICE, usage).certificate
                for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT)
            ]
            assert await find_certificates("http://smki.test", http, SUPPLIER) == ()
            with pytest.raises(RemoteProtocolError, match="HTTP 401"):
                await find_certificates("http://smki.test", http, DEVICE, api_key="x")

    run_virtual(main())
