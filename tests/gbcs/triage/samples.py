"""Sound messages of our own, of every kind of content and protection, and the keys that prove them."""

from __future__ import annotations

from dataclasses import replace

from smetslab.gbcs.codes import Cra, KeyUsage
from smetslab.gbcs.message import Message, OtherInformation, encode_message
from smetslab.gbcs.security import with_mac, with_signature
from smetslab.gbcs.usecases import USE_CASES, encode_content
from smetslab.gbcs.values import Parameters
from smetslab.ids import Eui64
from smetslab.pki import Authority
from smetslab.pki.lookup import RingLookup
from smetslab.rng import RootSeed

BROKER, SUPPLIER = Eui64.parse("90B3D51F30000002"), Eui64.parse("90B3D51F30010000")
ESME, GSME = Eui64.parse("00DB1234567890A0"), Eui64.parse("00DB1234567890A1")
RING = Authority(RootSeed(2031)).keystore((ESME, GSME))
REGISTERS: Parameters = {
    "import_registers": {
        "import_register_collection": {
            "active": 10,
            "active_scaler_unit": {"scaler": 0, "unit": "Wh"},
            "reactive": 20,
            "reactive_scaler_unit": {"scaler": 0, "unit": "varh"},
        }
    }
}
CLOCK: Parameters = {
    "validity_interval": {
        "validity_interval_start": "2030-01-15T09:00:00Z",
        "validity_interval_end": "2030-01-15T09:00:10Z",
    }
}
FIRMWARE: Parameters = {
    "manufacturer_image_hash": "AB" * 32,
    "originator_counter": 1000,
    "execution_date_time": "immediate",
}
ATTRIBUTES: Parameters = {
    "components": [
        {
            "cluster": "metering",
            "command": "read_attributes",
            "attributes": ["divisor", "multiplier", "unit_of_measure", "current_summation_delivered"],
        }
    ]
}


def secret(one: Eui64, other: Eui64) -> bytes:
    peer = RING.find(other, KeyUsage.KEY_AGREEMENT).certificate.public_key
    return RING.private_key(one, KeyUsage.KEY_AGREEMENT).exchange(peer)


def bare(
    name: str, cra: Cra, parameters: Parameters, device: Eui64 = ESME, key: bytes | None = None
) -> Message:
    """A message of a use case without protection."""
    use_case = USE_CASES[name]
    ends = (SUPPLIER, device) if cra is Cra.COMMAND else (device, SUPPLIER)
    header = Message(
        cra=cra,
        originator_counter=1000,
        business_originator_id=ends[0],
        business_target_id=ends[1],
        date_time=(
            bytes.fromhex("07EA0101FF000000008000FF")
            if cra is Cra.RESPONSE and use_case.date_time_in_response
            else None
        ),
        other_information=OtherInformation(message_code=use_case.code),
        content=b"",
    )
    return replace(header, content=encode_content(use_case, header, parameters, key))


def signed(message: Message) -> Message:
    return with_signature(
        message, RING.private_key(message.business_originator_id, KeyUsage.DIGITAL_SIGNATURE)
    )


def maced(message: Message) -> Message:
    if message.cra is Cra.COMMAND:
        return with_mac(message, secret(message.business_target_id, BROKER))
    return with_mac(message, secret(message.business_originator_id, message.business_target_id))


def _messages() -> dict[str, Message]:
    own = secret(ESME, SUPPLIER)
    return {
        "read": maced(bare("ECS17b", Cra.COMMAND, {})),
        "registers": maced(bare("ECS17b", Cra.RESPONSE, REGISTERS, key=own)),
        "clock pre-command": bare("ECS70", Cra.COMMAND, CLOCK),
        "clock": maced(signed(bare("ECS70", Cra.COMMAND, CLOCK))),
        "firmware": maced(signed(bare("CS06", Cra.COMMAND, FIRMWARE))),
        "gas read": maced(bare("GCS13a", Cra.COMMAND, ATTRIBUTES, GSME)),
        "alert": signed(bare("GCA", Cra.ALERT, {"alert_code": "8F30", "time_stamp": "2030-01-15T09:00:00Z"})),
    }


MESSAGES = _messages()
KEYS = RingLookup(RING)


def octets(name: str) -> bytes:
    """One of the messages above."""
    return encode_message(MESSAGES[name])
