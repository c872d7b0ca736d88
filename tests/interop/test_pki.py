"""OpenSSL and the published key store package judge our certificates and the key store that we export."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from smetslab.gbcs.codes import KeyUsage
from smetslab.ids import Eui64
from smetslab.pki import Authority, CertificateKind, KeyRing
from smetslab.pki.files import export_json, export_pem
from smetslab.rng import RootSeed

SUPPLIER = Eui64.parse("90B3D51F30010000")
METER = Eui64.parse("00DB1234567890A0")


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    return Authority(RootSeed(8)).keystore([METER])


def test_openssl_verifies_every_path_and_key(require_tool, ring: KeyRing, tmp_path: Path) -> None:
    def openssl(*arguments: str) -> str:
        done = subprocess.run(
            [require_tool("openssl"), *arguments],
            cwd=tmp_path / "pems",
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    export_pem(ring, tmp_path / "pems")
    stems = sorted(file.stem for file in (tmp_path / "pems").glob("*.pem"))
    assert len(stems) == 30
    for stem in stems:
        branch = "device-" if stem.startswith(("00db1234567890a0", "device-")) else ""
        # Strict means also that there is an authority key identifier, which XML signing certificates lack.
        strict = [] if stem.endswith("-xml-ds") else ["-x509_strict"]
        paths = ["-CAfile", f"{branch}root.pem", "-untrusted", f"{branch}issuing.pem"]
        policy = ["-explicit_policy", "-policy", "1.2.826.0.1.8641679.1.2.1.4"]
        assert openssl("verify", *strict, *policy, *paths, f"{stem}.pem") == f"{stem}.pem: OK"
        public = openssl("x509", "-pubkey", "-noout", "-in", f"{stem}.pem")
        assert openssl("pkey", "-pubout", "-in", f"{stem}.key") == public


def test_published_package_finds_every_credential_of_our_export(
    node: Callable[[str], str], ring: KeyRing, tmp_path: Path
) -> None:
    export_json(ring, tmp_path / "keystore.json")
    wanted = [
        (str(e.certificate.entity_id), str(e.certificate.key_usage), str(e.certificate.serial), e.name)
        for e in ring.entries
        if e.certificate.kind is not CertificateKind.AUTHORITY
    ]
    script = f"""
        const {{ KeyStoreDB }} = require('@smartdcc/dccboxed-keystore/dist/db.js');
        const meta = require('@smartdcc/dccboxed-keystore/dist/certificateMetadata.js');
        (async () => {{
            const db = await KeyStoreDB.new({json.dumps(str(tmp_path / "keystore.json"))});
            const found = [];
            for (const [eui, usage, serial, name] of {json.dumps(wanted)}) {{
                const keyUsage = meta.KeyUsage[usage];
                const all = await db.query({{ eui, keyUsage, lookup: 'certificate' }});
                const one = all.find((x) => x.serial.toString() === serial);
                const key = await db.query({{ serial: BigInt(serial), lookup: 'privateKey' }});
                const build = one.role === undefined
                    ? meta.buildDeviceCertificateMetadata : meta.buildOrgCertificateMetadata;
                const read = build(one.certificate);
                found.push([
                    read.eui.toString().toUpperCase(), meta.KeyUsage[read.keyUsage[0]],
                    read.serial.toString(), one.name, one.role === read.role,
                    one.certificate.checkPrivateKey(key.privateKey),
                ]);
            }}
            console.log(JSON.stringify(found));
        }})();
    """
    assert json.loads(node(script)) == [[*entry, True, True] for entry in wanted]


def test_published_package_has_one_candidate_for_each_use_of_the_supplier(
    node: Callable[[str], str], ring: KeyRing, tmp_path: Path
) -> None:
    """The rule of the published tools: names that begin with Z1-, the prepayment key apart."""
    export_json(ring, tmp_path / "keystore.json")
    script = f"""
        const {{ KeyStoreDB }} = require('@smartdcc/dccboxed-keystore/dist/db.js');
        (async () => {{
            const db = await KeyStoreDB.new({json.dumps(str(tmp_path / "keystore.json"))});
            const query = {{ eui: '90b3d51f30010000', keyUsage: 4, lookup: 'privateKey' }};
            const found = await db.query({{ ...query, role: 2 }});
            console.log(JSON.stringify(found.map((x) => x.name).filter((x) => x.startsWith('Z1-'))));
        }})();
    """
    assert sorted(json.loads(node(script))) == ["Z1-supplier-ka", "Z1-supplierPP-ka"]
    assert ring.find(SUPPLIER, KeyUsage.KEY_AGREEMENT).name == "Z1-supplier-ka"
