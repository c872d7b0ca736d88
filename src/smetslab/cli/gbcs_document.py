"""`smetslab gbcs encode` and `verify`: messages from documents, and whether their protection holds."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer
from pydantic import BaseModel, ConfigDict

from smetslab.cli import output
from smetslab.cli.gbcs_input import KeysOption, MessageArgument, given_octets, given_text, key_lookup
from smetslab.errors import UsageError
from smetslab.gbcs.describe import title_of
from smetslab.gbcs.document_text import MAX_DOCUMENT_CHARACTERS, read_document
from smetslab.gbcs.keys import CheckOutcome, check_mac, check_signature
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.gbcs.named import document_schema, document_to_message
from smetslab.gbcs.report import report
from smetslab.gbcs.values import to_hex

Verdict = Literal["verified", "failed", "unprotected", "keys missing"]


class Verification(BaseModel):
    """What `smetslab gbcs verify --json` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    schema_version: Literal[1] = 1
    title: str
    verdict: Verdict
    mac: CheckOutcome
    signature: CheckOutcome


def encode(
    document: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="A JSON or TOML document, or - for standard input.")
    ] = "-",
    *,
    keys: KeysOption = None,
    binary: Annotated[bool, typer.Option("--binary", help="Write the octets themselves.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was made as `gbcs decode --json` does.")
    ] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of documents instead.")] = False,
) -> None:
    """Make a message from a document of named values: what `gbcs decode --json` prints, or one of your own.

    Prints hex digits. Signature and MAC are those of the document; what it leaves out is made with the keys,
    as the use case has it. A document needs at least:

        {"use_case": "ECS52", "kind": "command", "parameters": {}, "header": {"originator_counter": 1000,
        "business_originator_id": "90B3D51F30010000", "business_target_id": "00DB1234567890A0"}}
    """
    if schema:
        output.print_json(document_schema())
        return
    given, in_place = given_text(document, limit=MAX_DOCUMENT_CHARACTERS)
    if in_place and not given.lstrip().startswith(b"{"):
        raise UsageError(
            f"{document[:40]} is no file", hint="give a JSON or TOML file, or - for standard input"
        )
    try:
        text = given.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the document is no UTF-8 text: byte {error.start}") from error
    message = document_to_message(read_document(text), None if keys is None else key_lookup(keys))
    data = encode_message(message)
    if as_json:
        output.print_json(report(data).model_dump(mode="json"))
    elif binary:
        sys.stdout.buffer.write(data)
    else:
        # A file of hex digits comes back as it was: nothing but the digits, unless a person looks.
        sys.stdout.write(to_hex(data) + ("\n" if sys.stdout.isatty() else ""))


def verify(
    message: MessageArgument = "-",
    *,
    keys: KeysOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema of the JSON instead.")] = False,
) -> None:
    """Check the MAC and the signature of a message.

    Exit code 0: everything that it carries is verified. 1: something does not fit, or it carries neither.
    4: keys are missing.
    """
    if schema:
        output.print_json(Verification.model_json_schema(mode="serialization"))
        return
    decoded = decode_message(given_octets(message))
    lookup = key_lookup(keys)
    mac, signature = check_mac(decoded, lookup), check_signature(decoded, lookup)
    verdict = _verdict(mac, signature)
    result = Verification(title=title_of(decoded), verdict=verdict, mac=mac, signature=signature)
    if as_json:
        output.print_json(result.model_dump(mode="json"))
    else:
        output.line(f"{result.title}: {verdict} (MAC {mac}, signature {signature})")
    if verdict == "keys missing":
        output.error("no key for what the message carries is at hand", hint="--keys KEYSTORE")
        raise typer.Exit(output.EXIT_INCONCLUSIVE)
    if verdict != "verified":
        raise typer.Exit(output.EXIT_FAIL)


def _verdict(*outcomes: CheckOutcome) -> Verdict:
    if "failed" in outcomes:
        return "failed"
    if "uncheckable" in outcomes:
        return "keys missing"
    return "verified" if "verified" in outcomes else "unprotected"
