"""The lab file: the built-in lab, overrides, and one clear line for everything that is wrong."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from smetslab.dcc import DccRules
from smetslab.dcc.limits import AnomalyLimits, Threshold
from smetslab.devices.esme_settings import known_state
from smetslab.devices.profile import Quirk
from smetslab.devices.quirks import known_quirks
from smetslab.errors import UsageError
from smetslab.gbcs.codes import DeviceType, RemotePartyRole
from smetslab.ids import Eui64
from smetslab.lab.build import check_lab, lab_keystore, lab_profile
from smetslab.lab.config import HOME_NAME, LabConfig, lab_schema, load_lab
from smetslab.lab.rules import dcc_rules

DEFAULT = load_lab().source_text.decode()


def load(folder: Path, text: str) -> LabConfig:
    path = folder / "lab.toml"
    path.write_text(text, encoding="utf-8")
    return load_lab(path)


def test_the_built_in_home_has_a_device_of_every_type_that_a_lab_can_have() -> None:
    (home,) = load_lab(default=HOME_NAME).premises
    found = {lab_profile(load_lab(default=HOME_NAME), device).device_type for device in home.devices}
    assert found >= {
        DeviceType.ESME,
        DeviceType.GPF,
        DeviceType.GSME,
        DeviceType.PPMID,
        DeviceType.HCALCS,
    }
    assert [device.eui64 for device in home.devices if device.name == "esme"] == [
        Eui64.parse("00DB1234567890A0")
    ]


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        ('callback = "a b"', "HOST:PORT/PATH"),
        ('[serve.callbacks]\n90B3D51F30010000 = "ftp://a"', "no HTTP address"),
        ("port = 70000", "port"),
        ('errors = "both"', "errors"),
        ('tls = { certificate = "a.pem" }', "key"),
        ('callback_tls = { certificate = "a.pem" }', "both or none"),
        ('epoch = "soon"', "epoch"),
    ],
)
def test_what_is_wrong_with_the_services_is_told(tmp_path: Path, serve: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        load(tmp_path, f"{DEFAULT}\n[serve]\n{serve}\n")


def test_the_built_in_lab_is_one_home_with_a_hub_and_a_meter() -> None:
    lab = load_lab()
    assert lab.source_name == "default.lab.toml"
    assert lab.epoch == datetime(2026, 1, 5, tzinfo=UTC)
    assert (lab.time.mode, lab.store.url, lab.keys.authority, lab.keystore_path) == (
        "virtual",
        "sqlite://",
        "own",
        None,
    )
    (home,) = lab.premises
    (meter,) = home.devices
    assert (home.hub.eui64, meter.eui64) == (Eui64.parse("00DB1234567890A2"), Eui64.parse("00DB1234567890A0"))
    assert {party.role for party in lab.parties} == {
        RemotePartyRole.RECOVERY,
        RemotePartyRole.SUPPLIER,
        RemotePartyRole.NETWORK_OPERATOR,
        RemotePartyRole.ACCESS_CONTROL_BROKER,
        RemotePartyRole.TRANSITIONAL_COS,
        RemotePartyRole.WAN_PROVIDER,
        RemotePartyRole.LOAD_CONTROLLER,
        RemotePartyRole.OTHER,
    }
    supplier = lab.party(RemotePartyRole.SUPPLIER)
    assert supplier is not None
    assert supplier.eui64 == Eui64.parse("90B3D51F30010000")
    assert lab.profile_of(home.hub).name == "chf-reference"
    profile = lab.profile_of(meter, known_quirks=known_quirks(), known_state=known_state())
    assert profile.name == "esme-reference-a"


def test_the_same_text_is_the_same_lab_from_a_file(tmp_path: Path) -> None:
    lab = load(tmp_path, DEFAULT)
    assert lab.model_dump(mode="json") == load_lab().model_dump(mode="json")
    assert lab.source_name == str(tmp_path / "lab.toml")
    assert lab.source_text == DEFAULT.encode()


def test_a_small_lab_file_takes_the_defaults(tmp_path: Path) -> None:
    lab = load(
        tmp_path,
        """
        schema_version = 1
        epoch = "2030-06-01T01:00:00+01:00"
        parties = [
            { name = "s", role = "supplier", eui64 = "90B3D51F30010000" },
            { name = "acb", role = "access_control_broker", eui64 = "90:B3:D5:1F:30:00:00:02" },
        ]
        premises = [{ name = "p", hub = { eui64 = "00DB1234567890A2" } }]
        """,
    )
    assert lab.epoch == datetime(2030, 6, 1, tzinfo=UTC)
    assert lab.epoch.tzinfo is UTC
    assert (lab.seed, lab.tolerances.response_s, lab.wan.latency_s) == (1, 30.0, 0.2)
    assert lab.premises[0].devices == ()
    assert lab.party(RemotePartyRole.RECOVERY) is None


def test_a_device_changes_its_profile_and_paths_are_relative_to_the_lab_file(tmp_path: Path) -> None:
    shipped = load_lab().profile_of(load_lab().premises[0].devices[0])
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "ours.toml").write_text(
        f'''
        schema_version = 1
        name = "ours"
        title = "Ours"
        device_type = "ESME"
        variant = "A"
        gbcs_version = "4.1"
        smets_version = "5.1"
        state = {{ supply_state = "armed", import_active_wh = 7 }}
        [identity]
        manufacturer_id = "FFF1"
        manufacturer_name = "Ours"
        model_type = "{shipped.identity.model_type}"
        hardware_version = "0001"
        firmware_version = "00000001"
        '''
    )
    text = (
        re.sub("^state = .*$", "", DEFAULT, flags=re.MULTILINE)
        .replace('profile = "esme-reference-a"', 'profile = "profiles/ours.toml"')
        .replace('authority = "own"', 'authority = "keystore"\nkeystore = "keys/keystore.json"')
        .replace(
            'supplier = "supplier"',
            'supplier = "second-supplier"\nload_seed = 77\nstate = { import_active_wh = 9 }\n'
            'quirks = [{ name = "skips-mac", reason = "to be caught" }]',
        )
    )
    lab = load(tmp_path, text)
    device = lab.premises[0].devices[0]
    profile = lab.profile_of(device, known_quirks=known_quirks(), known_state=known_state())
    assert profile.name == "ours"
    assert profile.state == {"supply_state": "armed", "import_active_wh": 9}
    assert profile.quirks == (Quirk(name="skips-mac", reason="to be caught"),)
    assert (device.load_seed, device.supplier) == (77, "second-supplier")
    assert lab.keystore_path == tmp_path / "keys" / "keystore.json"
    with pytest.raises(UsageError, match=r"lab\.toml: unknown quirk 'skips-mac'"):
        lab.profile_of(device, known_quirks={"accepts-replay"})
    with pytest.raises(UsageError, match="unknown state setting 'supply_state'"):
        lab.profile_of(device, known_state={"import_active_wh"})


PROBLEMS = [
    ("seed = 1", "seed = -1", "seed: input should be greater than or equal to 0, found -1"),
    ("seed = 1", "seed = true", "seed: input should be a valid integer"),
    ("seed = 1", "seed = 1\nsed = 2", "sed: unknown key"),
    ("T00:00:00Z", "T00:00:00", "epoch: input should have timezone info"),
    ("epoch = 2026-01-05T00:00:00Z", "epoch = 5", "epoch: "),
    ("epoch = 2026", "epoch = 2009", "epoch: the laboratory's time begins in the years 2010 to 2099"),
    ("epoch = 2026", "epoch = 2100", "epoch: the laboratory's time begins in the years 2010 to 2099"),
    ('"virtual"', '"warped"', r"time.mode: .*'virtual' or 'real', found \"warped\""),
    ('mode = "virtual"', 'mode = "virtual"\nscale = 2.0', "time: scale: only real time has one"),
    ("latency_s = 0.2", "latency_s = -0.2", "wan.latency_s: "),
    ("latency_s = 0.2", "latency_s = nan", "wan.latency_s: not a finite number"),
    ("jitter_s = 0.05", "loss_probability = 1.0", "wan.loss_probability: "),
    ("[han]", "[han]\nmax_transfer_octets = 1500", "han.max_transfer_octets: "),
    ('authority = "own"', 'authority = "keystore"', "keys: keystore: a path with authority"),
    ('authority = "own"', 'authority = "own"\nkeystore = "x"', "keys: keystore: "),
    ('role = "supplier"', 'role = "supplyer"', r"parties\[4\].role: 'supplyer' is not one of recovery"),
    ('role = "supplier"', 'role = "load_controller"', "parties: none has the role supplier"),
    ('role = "access_control_broker"', 'role = "recovery"', "parties: none has the role access_"),
    ('role = "recovery"', 'role = "access_control_broker"', "parties: more than one has the role"),
    ("30-01-00-00", "30-01-00", r"parties\[4\].eui64: not an EUI-64: '90-B3-D5-1F-30-01-00'"),
    ('"90-B3-D5-1F-30-01-00-00"', "5", r"parties\[4\].eui64: not an EUI-64: 5"),
    ("78-90-A0", "78-90-A2", "EUI-64 00DB1234567890A2 is used twice"),
    ('name = "acb"', 'name = "supplier"', "party name supplier is used twice"),
    ('name = "acb"', 'name = "The ACB"', r"parties\[1\].name: "),
    ('supplier = "supplier"', 'supplier = "acb"', "device esme of premises home: supplier 'acb'"),
    ("[[premises.devices]]", "[[premises.device]]", r"premises\[0\].device: unknown key"),
    ("[premises.hub]", "[premises.hub", "not TOML: "),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), PROBLEMS)
def test_a_wrong_lab_file_is_refused_by_file_key_and_reason(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    assert old in DEFAULT
    with pytest.raises(UsageError) as caught:
        load(tmp_path, DEFAULT.replace(old, new))
    text = str(caught.value)
    assert re.match(re.escape(f"{tmp_path / 'lab.toml'}: ") + message, text), text
    assert "\n" not in text
    assert caught.value.hint


def test_names_are_unique_where_they_must_be(tmp_path: Path) -> None:
    start = DEFAULT.index("[[premises]]")
    with pytest.raises(UsageError, match="premises name home is used twice"):
        load(tmp_path, DEFAULT + DEFAULT[start:])
    device = DEFAULT[DEFAULT.index("[[premises.devices]]") :].replace("90-A0", "90-A1")
    with pytest.raises(UsageError, match="device name in premises home esme is used twice"):
        load(tmp_path, DEFAULT + device)


def test_two_premises_may_name_their_devices_alike(tmp_path: Path) -> None:
    start = DEFAULT.index("[[premises]]")
    second = DEFAULT[start:].replace('"home"', '"next-door"').replace("78-90", "78-91")
    lab = load(tmp_path, DEFAULT + second)
    assert [premises.devices[0].name for premises in lab.premises] == ["esme", "esme"]


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder, not a lab file"):
        load_lab(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        load_lab(tmp_path / "missing.toml")


def test_the_schema_names_every_key_and_forbids_others() -> None:
    schema = json.loads(json.dumps(lab_schema()))
    assert schema["title"] == "smetslab lab file"
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(LabConfig.model_fields)
    party = schema["$defs"]["PartyConfig"]["properties"]
    assert party["role"]["enum"] == [
        "recovery",
        "supplier",
        "network_operator",
        "access_control_broker",
        "transitional_cos",
        "wan_provider",
        "load_controller",
        "other",
    ]
    assert re.fullmatch(party["eui64"]["pattern"], "90-B3-D5-1F-30-01-00-00")
    assert re.fullmatch(party["eui64"]["pattern"], "90B3D51F30010000")
    assert all(definition["additionalProperties"] is False for definition in schema["$defs"].values())


STRICT = """
[dcc]
check_roles = false
wan_matrix_form = "5.4"
alert_threshold = { requests = 5, window_s = 600 }
alert_throttle_fields = true
certified_products = [
  { manufacturer = "AB01", model = "010A030B", firmware_versions = ["1"] },
  { manufacturer = "AB01", model = "010A030B", firmware_versions = ["2"], firmware_hashes = { 2 = "HASH" } },
  { manufacturer = "AB01", model = "010A030B", firmware_versions = ["3"], status = "Withdrawn" },
]

[dcc.anomaly_limits]
user = { "*" = { requests = 100, window_s = 60 } }
attributes = { "6.4.1/LoadLimitPowerThreshold" = [0, 100000] }
""".replace("HASH", "c0" * 32)


def test_rules_of_the_dcc_are_those_of_the_lab_file(tmp_path: Path) -> None:
    """What the lab file says reaches the DCC; where it says nothing the DCC does as always."""
    named = load(tmp_path, f"{DEFAULT}\n{STRICT}")
    assert dcc_rules(load_lab()) == DccRules()
    rules = dcc_rules(named)
    assert (rules.check_roles, rules.wan_matrix_form, rules.check_status) == (False, "5.4", True)
    assert (rules.alert_threshold, rules.alert_throttle_fields) == (Threshold(5, 600.0), True)
    assert rules.anomaly_limits == AnomalyLimits(
        user={"*": Threshold(100, 60.0)}, attributes={"6.4.1/LoadLimitPowerThreshold": (0, 100_000)}
    )
    assert rules.certified_products is not None
    statuses = [rules.certified_products.status("AB01", "010A030B", one) for one in ("1", "2", "3", "4")]
    assert statuses == ["Active", "Active", "Withdrawn", None]
    assert rules.certified_products.version_of("AB01", "010A030B", "C0" * 32) == "2"
    for wrong in ("check_roles = 1", 'wan_matrix_form = "5.2"', "response_timeout_s = 0", "unknown = true"):
        with pytest.raises(UsageError, match=r"dcc\."):
            load(tmp_path, f"{DEFAULT}\n[dcc]\n{wrong}\n")
    with pytest.raises(UsageError, match="2a is none of firmware_versions"):
        load(tmp_path, f"{DEFAULT}\n{STRICT}".replace("{ 2 =", "{ 2a ="))


def test_a_gas_proxy_alone_may_wait_for_its_handover(tmp_path: Path) -> None:
    default = load_lab().source_text.decode()
    path = tmp_path / "lab.toml"
    path.write_text(default + "handed_over = false\n")
    config = load_lab(path)
    with pytest.raises(UsageError, match="device esme: handed_over = false is for a gas proxy"):
        check_lab(config, lab_keystore(config))
