"""The DCC's own broker as the originator of a DUIS request, as three published templates have it."""

from __future__ import annotations

from smetslab.clock import LoopClock, run_virtual
from smetslab.dcc.rules import DCC_IDENTITY
from smetslab.dcc.service_user import ServiceResponse, ServiceUser
from smetslab.gbcs.message import decode_message
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.config import load_lab

ESME, CHF = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A2")


def test_the_broker_may_ask_what_it_may_send_and_counts_for_itself() -> None:
    async def main(clock: LoopClock) -> tuple[list[ServiceResponse], list[int]]:
        async with Lab(load_lab()) as lab:
            broker = ServiceUser(DCC_IDENTITY, keystore=lab.keystore, dcc=lab.dcc)
            answers = [
                await broker.request("6.24.1", ESME, {"RemotePartyRole": ["Supplier", "NetworkOperator"]}),
                # On behalf of a user, between two of its own.
                await lab.users["supplier"].request("11.2", CHF),
                await broker.request("11.2", CHF),
                await broker.request("3.1", ESME, {"SupplierMessage": "Not the broker's"}),
            ]
            sent = [decode_message(seen.data) for seen in lab.trace.find(layer="gbcs", event="CommandSent")]
            return answers, [
                one.originator_counter for one in sent if one.business_originator_id == DCC_IDENTITY
            ]

    (credentials, for_user, version, refused), counters = run_virtual(main)
    assert (credentials.ok, for_user.ok, version.ok) == (True, True, True)
    details = credentials.parameters["remote_party_details"]
    assert isinstance(details, list)
    assert [one["remote_party_role"] for one in details if isinstance(one, dict)] == [
        "supplier",
        "networkOperator",
    ]
    assert refused.code == "E1"
    # Each answer has the id that was asked with; the commands have counters that only rise.
    ids = [answer.response.request_id for answer in (credentials, version)]
    assert [one.counter for one in ids if one is not None] == [1000, 1000]
    assert len(counters) == 3
    assert counters == sorted(set(counters))
