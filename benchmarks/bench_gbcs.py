"""GBCS messages a second on one core: decoded and verified, encoded, and how much of it OpenSSL takes.

The messages are the Reference Test Data Set where SMETSLAB_RTDS is set, else messages of our own. Verified
means what a receiver does before it acts: framing, typed values, named parameters where declared, MAC,
signature, decryption. Figures are processor time. The share of OpenSSL comes from a second pass with timers
around its calls, so that they do not slow the first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from unittest.mock import patch

from smetslab import crypto
from smetslab.crypto import PrivateKey, PublicKey
from smetslab.gbcs import security, utrn
from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.dlms.apdu import Apdu, decode_apdu, is_dlms
from smetslab.gbcs.keys import check_mac, check_signature, content_secrets
from smetslab.gbcs.message import Message, OtherInformation, decode_message, encode_message
from smetslab.gbcs.notation import message_octets
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, UseCase, decode_content, encode_content, find
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import Authority, KeyRing, load_pem_folder
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed

SUPPLIER, BROKER = Eui64.parse("90B3D51F30010000"), Eui64.parse("90B3D51F30000002")
ESME = Eui64.parse("00DB1234567890A0")


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is measured."""

    name: str
    messages: list[bytes]
    ring: KeyRing


@dataclass(frozen=True, slots=True)
class Decoded:
    """One message in the form that it is encoded from."""

    message: Message
    apdu: Apdu | None
    named: tuple[UseCase, Parameters, bytes | None] | None


def published(folder: Path) -> Corpus:
    files = sorted(folder.rglob("*.HEX"))
    messages = [message_octets(file.read_bytes()) for file in files]
    return Corpus("Reference Test Data Set", messages, load_pem_folder(folder / "keystore"))


def own() -> Corpus:
    """Two kinds of reads and a critical command, each with its response."""
    ring = Authority(RootSeed(1)).keystore((ESME,))
    keys = RingLookup(ring)
    (own_secret,), (broker_secret,) = keys.shared_secrets(ESME, SUPPLIER), keys.shared_secrets(ESME, BROKER)
    sign = {party: ring.private_key(party, KeyUsage.DIGITAL_SIGNATURE) for party in (SUPPLIER, ESME)}
    registers = {
        "active": 10,
        "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
        "reactive": 20,
        "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
    }
    answers: dict[str, Parameters] = {
        "ECS17b": {"import_registers": {"import_register_collection": registers}},  # type: ignore[dict-item]
        "ECS52": {"firmware_version": "0123ABCD"},
        "ECS42": {},
    }
    messages: list[bytes] = []
    for number in range(320):
        name = ("ECS17b", "ECS52", "ECS42")[number % 3]
        use_case = USE_CASES[name]
        command = Message(
            cra=Cra.COMMAND,
            originator_counter=1000 + number,
            business_originator_id=SUPPLIER,
            business_target_id=ESME,
            other_information=OtherInformation(message_code=use_case.code),
            content=b"",
        )
        response = replace(
            command, cra=Cra.RESPONSE, business_originator_id=ESME, business_target_id=SUPPLIER
        )
        command = replace(command, content=encode_content(use_case, command, {}))
        content = encode_content(use_case, response, answers[name], own_secret)
        response = replace(response, content=content)
        if use_case.critical:
            command, response = with_signature(command, sign[SUPPLIER]), with_signature(response, sign[ESME])
        else:
            response = with_mac(response, own_secret)
        messages += [encode_message(with_mac(command, broker_secret)), encode_message(response)]
    return Corpus("messages of our own (SMETSLAB_RTDS is not set)", messages, ring)


def verify(octets: bytes, keys: RingLookup) -> Decoded:
    """Everything that a receiver does with a message before it acts on it."""
    message = decode_message(octets)
    assert check_mac(message, keys) != "failed"
    assert check_signature(message, keys) != "failed"
    use_case = find(message)
    if use_case is None:
        return Decoded(message, decode_apdu(message.content) if is_dlms(message.content) else None, None)
    secret: bytes | None = None
    if message.cra is not Cra.COMMAND and use_case.encrypts_response:
        secret = next(iter(content_secrets(message, keys)), None)
    return Decoded(message, None, (use_case, decode_content(use_case, message, secret), secret))


def parse(octets: bytes) -> Apdu | None:
    """Framing and typed values alone."""
    message = decode_message(octets)
    return decode_apdu(message.content) if is_dlms(message.content) else None


def encode(decoded: Decoded) -> bytes:
    """From named parameters where declared, else from typed values; signature and MAC as they are."""
    message = decoded.message
    if decoded.named is not None:
        use_case, parameters, secret = decoded.named
        message = replace(message, content=encode_content(use_case, message, parameters, secret))
    elif decoded.apdu is not None:
        message = replace(message, content=decoded.apdu.encode())
    return encode_message(message)


def rate(work: Callable[[], int], seconds: float) -> float:
    """Messages a second: the best of as many rounds as fit, which is the one least disturbed."""
    best = 0.0
    stop = process_time() + seconds
    while True:
        start = process_time()
        count = work()
        now = process_time()
        best = max(best, count / (now - start))
        if now >= stop:
            return best


@contextmanager
def timed_openssl() -> Iterator[list[float]]:
    """Adds up, in the one element of the list, the time inside functions whose work OpenSSL does."""
    spent = [0.0]

    def timed(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            start = process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[0] += process_time() - start

        return call

    with (
        patch.object(PublicKey, "verify", timed(PublicKey.verify)),
        patch.object(PrivateKey, "exchange", timed(PrivateKey.exchange)),
        patch.object(security, "gmac", timed(crypto.gmac)),
        patch.object(security, "gcm_open", timed(crypto.gcm_open)),
        patch.object(security, "gcm_seal", timed(crypto.gcm_seal)),
        patch.object(security, "derive_key", timed(crypto.derive_key)),
        patch.object(utrn, "derive_key", timed(crypto.derive_key)),
    ):
        yield spent


def measure(corpus: Corpus, seconds: float) -> dict[str, object]:
    keys = RingLookup(corpus.ring)
    decoded = [verify(octets, keys) for octets in corpus.messages]
    assert all(encode(one) == octets for one, octets in zip(decoded, corpus.messages, strict=True))

    def every(step: Callable[[bytes], object]) -> Callable[[], int]:
        def work() -> int:
            for octets in corpus.messages:
                step(octets)
            return len(corpus.messages)

        return work

    def encode_all() -> int:
        for one in decoded:
            encode(one)
        return len(decoded)

    parsed = rate(every(parse), seconds)
    verified = rate(every(lambda octets: verify(octets, keys)), seconds)
    encoded = rate(encode_all, seconds)
    with timed_openssl() as spent:
        start = process_time()
        every(lambda octets: verify(octets, keys))()
        share = spent[0] / (process_time() - start)
    return {
        "corpus": corpus.name,
        "messages": len(corpus.messages),
        "bytes": sum(map(len, corpus.messages)),
        "macs": sum(one.message.message_mac is not None for one in decoded),
        "signatures": sum(bool(one.message.signature) for one in decoded),
        "parsed_per_second": round(parsed),
        "decoded_and_verified_per_second": round(verified),
        "encoded_per_second": round(encoded),
        "openssl_share_of_decode_and_verify": round(share, 3),
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {platform.system()}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each measurement")
    arguments = parser.parse_args()
    folder = os.environ.get("SMETSLAB_RTDS")
    result = measure(published(Path(folder)) if folder else own(), arguments.seconds)
    if arguments.json:
        json.dump(result, sys.stdout, indent=2)
        print()
        return
    print("GBCS messages, one core")
    for name, value in result.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        print(f"  {name.replace('_', ' '):<38} {shown}")


if __name__ == "__main__":
    main()
