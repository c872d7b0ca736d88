"""Each of the 129 service request variants, asked over HTTP of a home with everything: a body made from its
shape is valid under the published schema, and its answers are documents that a client can read.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from fuzzing.bodies import random_body

from smetslab.clock import run_virtual
from smetslab.dcc.service_user import ServiceUser
from smetslab.duis.codes import CommandVariant, FutureDating
from smetslab.duis.document import (
    FutureDatedDeviceAlert,
    PreCommand,
    Request,
    RequestHeader,
    RequestId,
    Response,
    parse_request,
    parse_response,
    signed_pre_command_body,
    write_request,
)
from smetslab.duis.schema import DuisSchema
from smetslab.duis.srv import SERVICE_REQUESTS, ServiceRequest
from smetslab.duis.srv.model import EXECUTION_DATE_TIME
from smetslab.gbcs.codes import DeviceType
from smetslab.gbcs.message import decode_message, encode_message
from smetslab.ids import Eui64
from smetslab.lab.config import HOME_NAME, LabConfig, load_lab

OpenHouse: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

BROKER = Eui64.parse("90B3D51F30000002")
TARGETS = {
    DeviceType.ESME: "00DB1234567890A0",
    DeviceType.GSME: "00DB1234567890A1",
    DeviceType.CHF: "00DB1234567890A2",
    DeviceType.GPF: "00DB1234567890A3",
    DeviceType.PPMID: "00DB1234567890A4",
    DeviceType.HCALCS: "00DB1234567890A5",
}
SERVICES = {4: "serviceT", 8: "serviceD"}
LAST = ("8.9", "8.11", "8.3", "8.4", "6.15.1", "6.17", "6.21", "6.23", "8.5", "8.12.1", "8.12.2", "6.24.2")
"""These may take a device, its supplier or its credentials away: the others go before them."""


RULES = """
[dcc]
wan_matrix_form = "5.4"
response_timeout_s = 30.0
sleeper_timeout_s = 60.0
"""


@pytest.fixture
def home(tmp_path: Path) -> LabConfig:
    """The served home without air and displays; its gas meter wakes often, and nobody waits for long."""
    text = load_lab(default=HOME_NAME).source_text.decode()
    text = text.split('[[premises.devices]]\nname = "ihd"')[0]
    for old, new in (
        ('mode = "real"', 'mode = "virtual"'),
        ('"radio"', '"direct"'),
        ("wake_interval_s = 20", "wake_interval_s = 5"),
        ("[wan]", f"{RULES}\n[wan]"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "home.toml"
    path.write_text(text)
    return load_lab(path)


def documented(schema_file: Path) -> set[str]:
    found = re.search(
        r'simpleType name="ResponseCode">(.*?)</xs:simpleType>', schema_file.read_text("utf-8"), re.S
    )
    assert found is not None
    return set(re.findall(r'enumeration value="([^"]+)"', found[1]))


def whom_to_ask(house: Any, row: ServiceRequest) -> tuple[ServiceUser, Eui64]:
    """Who may ask it, as far as anybody may, and of whom."""
    target = BROKER
    if not row.non_device:
        target = Eui64.parse(next(eui for kind, eui in TARGETS.items() if row.mapping_for(kind)))
    directory = house.lab.dcc._intake._users
    for user in house.lab.users.values():
        known = directory.find(user.party)
        if known is not None and set(known.roles) & set(row.eligible_roles):
            return user, target
    return house.lab.users["supplier"], target


async def ask(house: Any, row: ServiceRequest, schema: DuisSchema | None) -> tuple[Response, int]:
    """The synchronous answer and how many call-backs it announced."""
    user, target = whom_to_ask(house, row)
    # A body that is too rich is refused; a poor one is nearly always done.
    certificates = tuple(one.der for one in house.lab.keystore.certificates())
    elements = random_body(row, random.Random(f"body of {row.variant}"), certificates)
    if EXECUTION_DATE_TIME in elements and row.future_dating is not FutureDating.DEVICE:
        elements[EXECUTION_DATE_TIME] = "2026-01-01T00:00:00Z"  # of the past: nobody holds it
    variant = CommandVariant.TRANSFORM if row.critical else CommandVariant.SEND
    if row.non_device:
        variant = CommandVariant.NON_DEVICE
    document = house.sign(user.document(row.variant, target, elements, variant), user.party)
    if schema is not None:
        schema.validate(document)
    answer = await posted(house, document, SERVICES.get(int(variant), "serviceS"), schema)
    if not isinstance(answer.payload, PreCommand):
        return answer, answer.code == "I99"
    signed = user.sign(decode_message(answer.payload.payload))
    header = RequestHeader(
        request_id=RequestId(user.party, target, signed.originator_counter),
        command_variant=CommandVariant.SEND_SIGNED,
        service_reference=row.reference,
        variant=row.variant,
    )
    request = Request(header=header, body=signed_pre_command_body(encode_message(signed)))
    answer = await posted(house, house.sign(write_request(request), user.party), "serviceS", schema)
    return answer, answer.code == "I99"


async def posted(house: Any, document: bytes, service: str, schema: DuisSchema | None) -> Response:
    reply = await house.post(document, service)
    assert reply.status_code == 200, (service, reply.text)
    assert reply.headers["content-type"].startswith("application/xml")
    if schema is not None:
        schema.validate(reply.content)
    answer = parse_response(reply.content)
    assert answer.request_id == parse_request(document).header.request_id
    return answer


def test_every_variant_has_answers_that_a_client_can_read(
    open_house: OpenHouse, home: LabConfig, schema_dir: Path
) -> None:
    schema, codes = DuisSchema(schema_dir), documented(next(schema_dir.glob("DUIS*.xsd")))
    found: dict[str, str] = {}

    async def main() -> None:
        async with open_house(config=home, schema=schema) as house:
            came = CallBacks(house)
            variants = sorted(SERVICE_REQUESTS, key=lambda one: LAST.index(one) if one in LAST else -1)
            for variant in variants:
                row = SERVICE_REQUESTS[variant]
                answer, announced = await ask(house, row, schema)
                found[variant] = answer.code
                if announced:
                    finals = await came.to(answer.request_id)
                    assert len(finals) == 1, variant
                    schema.validate(finals[0])
                    final = parse_response(finals[0])
                    found[variant] = final.code
                    assert (final.code == "I0") == (final.payload is not None), variant

    run_virtual(lambda clock: main())
    assert set(found) == set(SERVICE_REQUESTS)
    assert len(found) == 129
    assert {variant: code for variant, code in found.items() if code not in codes} == {}
    # 6.5 asks a meter with one phase about three.
    assert [variant for variant, code in found.items() if code == "E21"] == ["6.5"]
    assert Counter(found.values())["I0"] > 90


@dataclass
class CallBacks:
    """What has come to the user, each document read once: by request, but for outcomes of dated items."""

    house: Any
    read: int = 0
    finals: dict[RequestId, list[bytes]] = field(default_factory=dict)

    def take(self) -> None:
        for document in self.house.user.documents[self.read :]:
            response = parse_response(document)
            if response.request_id is not None and not isinstance(response.payload, FutureDatedDeviceAlert):
                self.finals.setdefault(response.request_id, []).append(document)
        self.read = len(self.house.user.documents)

    async def to(self, request_id: RequestId) -> list[bytes]:
        """The final responses to one request, a moment behind the first."""
        for _ in range(120):
            self.take()
            if request_id in self.finals:
                break
            await self.house.lab.clock.sleep(1)
        await self.house.lab.clock.sleep(0.5)
        self.take()
        return self.finals.get(request_id, [])
