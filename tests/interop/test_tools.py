"""The real tools work: what the interop tests stand on is tried on something that no code of ours made."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy

LINKTYPE_IEEE802_15_4_NOFCS = 230


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_missing_tool_is_skipped_only_where_none_is_required(
    required: str, outcome: type[BaseException], require_tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_TOOLS", required)
    with pytest.raises(outcome, match="no-such-tool is not installed"):
        require_tool("no-such-tool")


def test_tshark_dissects_an_802_15_4_acknowledgement(tshark, tmp_path: Path) -> None:
    acknowledgement = bytes.fromhex("02002A")
    capture = tmp_path / "ack.pcap"
    capture.write_bytes(
        struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_IEEE802_15_4_NOFCS)
        + struct.pack("<IIII", 0, 0, len(acknowledgement), len(acknowledgement))
        + acknowledgement
    )
    (packet,) = tshark(capture)
    assert packet["frame"]["frame.protocols"] == "wpan"
    assert packet["wpan"]["wpan.seq_no"] == "42"
    assert packet["wpan"]["wpan.fcf_tree"]["wpan.frame_type"] == "0x0002"


def test_postgres_keeps_what_was_committed_over_a_crash(postgres_cluster, postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE kept (value bytea)"))
        connection.execute(sqlalchemy.text("INSERT INTO kept VALUES (:value)"), {"value": b"\x00\xff"})
    postgres_cluster.restart()
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT value FROM kept")).scalars().all() == [b"\x00\xff"]


def test_each_postgres_test_has_an_empty_database(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url, poolclass=sqlalchemy.pool.NullPool)
    assert sqlalchemy.inspect(engine).get_table_names() == []


def test_mosquitto_starts(require_tool) -> None:
    done = subprocess.run(
        [require_tool("mosquitto"), "-h"], capture_output=True, text=True, timeout=240, check=False
    )
    assert "mosquitto version" in done.stdout


def test_java_is_there_for_the_signing_package(require_tool) -> None:
    done = subprocess.run(
        [require_tool("java"), "-version"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0
    assert "version" in done.stderr


def test_service_user_packages_are_the_published_versions(node: Callable[[str], str]) -> None:
    names = ("dccboxed-keystore", "duis-parser", "duis-sign-wrap", "duis-templates")
    script = f"""
        const names = {json.dumps(names)};
        for (const name of names) require(`@smartdcc/${{name}}`);
        const path = (name) => `./node_modules/@smartdcc/${{name}}/package.json`;
        console.log(JSON.stringify(names.map((name) => require(path(name)).version)));
    """
    assert json.loads(node(script)) == ["0.4.2", "0.6.0", "0.1.2", "0.5.0"]
