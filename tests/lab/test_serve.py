"""A served lab on real sockets: what it offers, what it leaves undelivered, what it does not start with."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from smetslab.clock import LoopClock, run_real
from smetslab.dcc import ServiceUser
from smetslab.dcc.services.client import CallbackListener, CheckedResponse, DuisClient, find_certificates
from smetslab.dcc.services.doorkeeper import DocumentSigner
from smetslab.dcc.services.listening import base_url, listen, running
from smetslab.duis.codes import CommandVariant
from smetslab.duis.document import DeviceAlert, parse_response
from smetslab.errors import TransportError, UsageError
from smetslab.ids import Eui64
from smetslab.lab.config import LabConfig, ServeConfig, StoreConfig, load_lab
from smetslab.lab.serve import LabServer
from smetslab.registry import DeviceStatus

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ESME = Eui64.parse("00DB1234567890A0")
SUPPLIER = Eui64.parse("90B3D51F30010000")
PATH = "/smartdcc/duis"
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>'
)
EXTERNAL = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>'


def _config(store: str = "sqlite://", **changes: Any) -> LabConfig:
    quick = {"latency_s": 0.0, "jitter_s": 0.0}
    config = load_lab()
    return config.model_copy(
        update={
            "serve": ServeConfig(port=0, smki_port=0, callback_delay_s=0.0, **changes),
            "store": StoreConfig(url=store),
            "wan": config.wan.model_copy(update=quick),
        }
    )


def test_whole_exchange_over_sockets_with_our_own_client() -> None:
    alerts: list[CheckedResponse] = []
    arrived: list[asyncio.Event] = []

    def take(found: CheckedResponse) -> None:
        alerts.append(found)
        arrived[0].set()

    async def main(clock: LoopClock) -> None:
        arrived.append(asyncio.Event())
        with listen("127.0.0.1", 0) as listening:
            url = base_url("http", "127.0.0.1", listening)
            server = LabServer(_config(callback=url + PATH), now=NOW)
            ring = server.keystore
            listener = CallbackListener(PATH, lambda: ring, take)
            async with running(listener.app, listening), server, httpx.AsyncClient() as http:
                client = DuisClient(server.addresses.duis, http, ring, listener)
                health = await client.health()
                assert (health["status"], health["esme"]) == ("ok", ESME.dashed())
                user = ServiceUser(SUPPLIER, keystore=ring, dcc=client)
                read = await user.request("4.1.1", ESME, {})
                assert read.ok
                critical = await user.request("7.1", ESME, {})
                assert critical.ok
                found = await find_certificates(server.addresses.smki, http, ESME)
                assert len(found) == 2
                command = server.lab.trace.find(layer="gbcs", event="CommandSent")[0].data
                await server.lab.dcc.send_raw(command[:-1] + bytes([command[-1] ^ 1]), ESME)
                async with asyncio.timeout(10):
                    await arrived[0].wait()

    run_real(main, epoch=NOW)
    assert isinstance(alerts[0].response.body, DeviceAlert)
    assert alerts[0].signer is not None


def test_stop_keeps_what_could_not_be_delivered_for_the_next_run(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{unused.getsockname()[1]}{PATH}"
    received: list[bytes] = []

    async def first(clock: LoopClock) -> tuple[int, bytes]:
        server = LabServer(_config(store, callback=dead, stop_within_s=0.2), now=NOW)
        async with server, httpx.AsyncClient() as http:
            listener = CallbackListener(PATH, lambda: server.keystore)
            client = DuisClient(server.addresses.duis, http, server.keystore, listener, timeout_s=0.5)
            document = server.lab.users["supplier"].document("4.1.1", ESME, {}, CommandVariant.SEND)
            with pytest.raises(TimeoutError):
                await client.submit(document)
        return server.left, document

    async def second(clock: LoopClock) -> int:
        with listen("127.0.0.1", 0) as listening:
            callback = base_url("http", "127.0.0.1", listening) + PATH
            arrived = asyncio.Event()

            def take(found: CheckedResponse) -> None:
                received.append(found.document)
                arrived.set()

            server = LabServer(_config(store, callback=callback), now=NOW)
            listener = CallbackListener(PATH, lambda: server.keystore, take)
            async with running(listener.app, listening), server:
                async with asyncio.timeout(10):
                    await arrived.wait()
        return server.left

    left, _document = run_real(first, epoch=NOW)
    assert left == 1
    assert run_real(second, epoch=NOW) == 0
    assert [parse_response(document).code for document in received] == ["I0"]


def test_mutual_tls_asks_for_a_client_certificate(tmp_path: Path) -> None:
    files = _tls_files(tmp_path)
    tls = {"certificate": files["server.pem"], "key": files["server.key"]}

    async def main(clock: LoopClock) -> None:
        server = LabServer(
            _config(tls={**tls, "client_authorities": files["client.pem"]}, callback=None), now=NOW
        )
        async with server:
            import ssl

            context = ssl.create_default_context(cafile=files["server.pem"])
            async with httpx.AsyncClient(verify=context) as http:
                with pytest.raises(TransportError):
                    listener = CallbackListener(PATH, lambda: server.keystore)
                    await DuisClient(server.addresses.duis, http, server.keystore, listener).health()
            context = ssl.create_default_context(cafile=files["server.pem"])
            context.load_cert_chain(files["client.pem"], files["client.key"])
            async with httpx.AsyncClient(verify=context) as http:
                health = await http.get(f"{server.addresses.duis}/health")
                assert health.json()["status"] == "ok"
                assert server.addresses.duis.startswith("https://127.0.0.1:")

    run_real(main, epoch=NOW)


def _tls_files(folder: Path) -> dict[str, str]:
    """Self-signed certificates with keys, of a server and of a client."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    paths = {}
    for owner in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, owner)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / f"{owner}.pem").write_bytes(certificate.public_bytes(pem))
        (folder / f"{owner}.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        paths |= {name: str(folder / name) for name in (f"{owner}.pem", f"{owner}.key")}
    return paths


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_folder": "/nowhere"}, "schema folder"),
        ({"signing_certificate": "12345"}, "no certificate 12345"),
        ({"signing_certificate": "Z1-nobody"}, "no certificate Z1-nobody"),
        ({"tls": {"certificate": "/nowhere.pem", "key": "/nowhere.key"}}, "TLS certificate"),
        ({"callback_tls": {"authorities": "/nowhere.pem"}}, "TLS authorities"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_starts(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LabServer(_config(**changes), now=NOW)


def test_port_that_is_taken_is_told() -> None:
    async def main(clock: LoopClock) -> None:
        with listen("127.0.0.1", 0) as taken:
            config = _config()
            serve = config.serve.model_copy(update={"smki_port": taken.getsockname()[1]})
            server = LabServer(config.model_copy(update={"serve": serve}), now=NOW)
            with pytest.raises(UsageError, match="cannot listen"):
                await server.__aenter__()

    run_real(main, epoch=NOW)


def test_chosen_certificate_signs_and_time_begins_where_it_is_told() -> None:
    lab_time = load_lab().epoch
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    for epoch, begins in (("now", NOW), ("lab", lab_time), (moment, moment)):
        server = LabServer(_config(epoch=epoch), now=NOW)
        assert (server.config.epoch, server.config.time.mode) == (begins, "real")
    ring = server.keystore
    own = ring.xml_signer(Eui64.parse("90B3D51F30000002"))
    assert own.certificate.role == 0x89
    assert server.signer.certificate == own.certificate
    for chosen in (str(own.certificate.serial), own.name):
        chosen_server = LabServer(_config(signing_certificate=chosen), now=NOW)
        assert chosen_server.signer.certificate == own.certificate


def test_bad_input_over_sockets_is_answered_and_holds_up_nobody() -> None:
    """Every kind of bad request that a client may make, one after the other, and then a good one."""
    answers: dict[str, int | str] = {}

    async def main(clock: LoopClock) -> None:
        server = LabServer(_config(stop_within_s=0.1), now=NOW)
        ring = server.keystore
        users = {party.name: party.eui64 for party in server.lab.config.parties}

        def signed(document: bytes, party: Eui64 = SUPPLIER) -> bytes:
            return DocumentSigner(ring.xml_signer(party)).sign(document)

        def request(
            variant: str = "4.2",
            user: str = "supplier",
            command_variant: CommandVariant = CommandVariant.SEND,
            target: Eui64 = ESME,
            counter: int | None = None,
        ) -> bytes:
            asker = ServiceUser(users[user], keystore=ring, dcc=None)  # type: ignore[arg-type]
            return asker.document(variant, target, None, command_variant, counter=counter)

        async with server, httpx.AsyncClient(timeout=30) as http:

            async def post(name: str, body: bytes, kind: str = "application/xml") -> None:
                url = f"{server.addresses.duis}/api/v1/serviceS"
                reply = await http.post(url, content=body, headers={"Content-Type": kind})
                assert b"Traceback" not in reply.content
                answers[name] = reply.status_code
                if reply.status_code == 200:
                    answers[name] = parse_response(reply.content).code

            good = signed(request(counter=2000))
            await post("malformed", b"<sr:Request")
            await post("billion laughs", LAUGHS)
            await post("external entity", EXTERNAL)
            await post("schema", signed(request().replace(b"ServiceReference>4.2<", b"ServiceReference>x<")))
            await post("50 MB", b" " * (50 * 1024 * 1024))
            await post("content type", good, "text/plain")
            await post("unsigned", request())
            await post("signature", good.replace(b"-A0:2000", b"-A0:2001"))
            await post("signed by another", signed(request(), users["network-operator"]))
            await post("no user", signed(request(user="recovery"), users["recovery"]))
            await post("role", signed(request("4.3", user="network-operator"), users["network-operator"]))
            await post("device", signed(request(target=Eui64.parse("00DB1234567890FF"))))
            await post("variant", signed(request(command_variant=CommandVariant.TRANSFORM)))
            await post("service", signed(request(command_variant=CommandVariant.RETURN_LOCALLY)))
            await post("good", good)
            await post("counter", signed(request(counter=1999)))
            server.lab.inventory.set_status(ESME, DeviceStatus.DECOMMISSIONED)
            await post("status", signed(request(counter=3000)))

    run_real(main, epoch=NOW)
    assert answers == {
        "malformed": 400,
        "billion laughs": 400,
        "external entity": 400,
        "schema": 400,
        "50 MB": 413,
        "content type": 415,
        "unsigned": 403,
        "signature": 403,
        "signed by another": 403,
        "no user": "E1",
        "role": "E2",
        "device": "E19",
        "variant": "E12",
        "service": "E13",
        "good": "I99",
        "counter": "E65",
        "status": "E5",
    }
