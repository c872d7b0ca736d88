"""Addresses, topics and messages of the WAN on a broker: both ways, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smetslab.errors import CodecError, UsageError
from smetslab.ids import Eui64
from smetslab.wan import ImageDelivery, WanMessage
from smetslab.wan.topics import MqttAddress, Topics, decode_message, encode_message, parse_address

HUB = Eui64.parse("00DB1234567890A2")


def test_an_address_says_where_and_how() -> None:
    assert parse_address("mqtt://broker") == MqttAddress(host="broker", port=1883)
    whole = parse_address("mqtts://me:a%40b@10.0.0.1:9000/north.1?ca=/ca.pem&cert=c&key=k")
    assert whole == MqttAddress(
        host="10.0.0.1",
        port=9000,
        site="north.1",
        tls=True,
        username="me",
        password="a@b",
        ca_file="/ca.pem",
        certificate_file="c",
        key_file="k",
    )
    assert "a@b" not in repr(whole)
    assert str(whole) == "mqtts://10.0.0.1:9000/north.1"
    assert parse_address("mqtts://broker").port == 8883


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://broker", "scheme http"),
        ("broker:1883", "scheme"),
        ("mqtt://", "no host"),
        ("mqtt://broker:99999", "port"),
        ("mqtt://[broker", "Invalid IPv6"),
        ("mqtt://broker/a/b", "site 'a/b'"),
        ("mqtt://broker/a?ca=x", "files without mqtts"),
        ("mqtts://broker/a?what=x", "what"),
    ],
)
def test_a_wrong_address_says_which_part(url: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        parse_address(url)


def test_topics_are_read_back() -> None:
    topics = Topics("north")
    assert topics.post("head") == "smetslab/north/node/head/post"
    assert topics.hub(None) == "smetslab/north/hub/+/state"
    assert topics.node(None) == "smetslab/north/node/+/state"
    assert topics.read(topics.hub(HUB)) == ("hub", str(HUB))
    assert topics.read(topics.node("premises-1")) == ("node", "premises-1")
    assert topics.read(topics.post("premises-1")) == ("post", "premises-1")


@pytest.mark.parametrize(
    "topic", ["", "smetslab", "smetslab/south/node/a/state", "smetslab/north/hub/x/post", "a/b/c/d/e"]
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(CodecError):
        Topics("north").read(topic)


@given(
    st.text(st.characters(codec="ascii", exclude_categories=("C",)), min_size=1, max_size=60),
    st.binary(max_size=300),
    st.sampled_from(("gbcs", "firmware")),
)
def test_a_message_comes_back_as_it_was(identity: str, payload: bytes, kind: str) -> None:
    message = WanMessage(identity, HUB, payload, kind)  # type: ignore[arg-type]
    assert decode_message(HUB, encode_message(message)) == message


@given(st.binary(max_size=40))
def test_any_octets_are_a_message_or_an_error(octets: bytes) -> None:
    try:
        message = decode_message(HUB, octets)
    except CodecError:
        return
    assert encode_message(message) == octets


@pytest.mark.parametrize("identity", ["", "x" * 256])
def test_an_identity_that_does_not_fit_is_refused(identity: str) -> None:
    with pytest.raises(CodecError):
        encode_message(WanMessage(identity, HUB, b""))


@given(st.lists(st.binary(min_size=8, max_size=8).map(Eui64), min_size=1, max_size=9), st.binary(max_size=99))
def test_an_image_comes_back_with_its_devices(devices: list[Eui64], image: bytes) -> None:
    delivery = ImageDelivery(tuple(devices), image)
    assert ImageDelivery.decode(delivery.encode()) == delivery


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x01" + bytes(7)])
def test_what_is_no_image_delivery_is_refused(octets: bytes) -> None:
    with pytest.raises(CodecError):
        ImageDelivery.decode(octets)
    with pytest.raises(CodecError):
        ImageDelivery((), b"").encode()
