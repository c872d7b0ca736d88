"""What zigpy makes of ZCL frames. Runs in zigpy's own environment and knows nothing of smetslab.

Reads lines of JSON `{"cluster": 1794, "frame": hex}` and answers each with a line of JSON; `null` asks for
the attributes and commands of every cluster.

zigpy is GPL-3.0: no module of the package may import it, so it is asked over a pipe.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import zigpy.types as t
import zigpy.zcl.clusters  # noqa: F401 - declares the clusters
from zigpy.zcl import Cluster, foundation


def clusters() -> dict[int, Any]:
    return {int(number): cluster for number, cluster in Cluster._registry.items()}


def atoms(value: Any) -> list[Any]:
    """The numbers and octets of a value, in order."""
    match value:
        case None:
            found = []
        case bytes():
            found = ["hex:" + bytes(value).hex()]
        case str():
            found = ["hex:" + value.encode().hex()]
        case float():
            found = [float(value)]
        case int():
            found = [int(value)]
        case foundation.TypeValue():
            found = [int(value.type), *atoms(value.value)]
        case foundation.ReadAttributeRecord():
            found = [int(value.attrid), int(value.status), *atoms(value.value)]
        case t.EUI64():
            found = ["hex:" + value.serialize().hex()]
        case _ if hasattr(value, "assigned_fields"):
            found = [atom for field in value.fields for atom in atoms(getattr(value, field.name))]
        case list() | tuple():
            found = [atom for item in value for atom in atoms(item)]
        case _:
            found = ["hex:" + value.serialize().hex()]
    return found


def judge(cluster_id: int, data: bytes) -> dict[str, Any]:
    header, rest = foundation.ZCLHeader.deserialize(data)
    control = header.frame_control
    if control.is_cluster:
        cluster = clusters().get(cluster_id, Cluster)
        table = cluster.client_commands if header.direction else cluster.server_commands
        command = table.get(header.command_id)
        schema = None if command is None else command.schema
        name = None if command is None else command.name
    else:
        schema = foundation.GENERAL_COMMANDS[header.command_id].schema
        name = foundation.GENERAL_COMMANDS[header.command_id].name
    answer: dict[str, Any] = {
        "cluster_specific": bool(control.is_cluster),
        "server_to_client": bool(header.direction),
        "disable_default_response": bool(control.disable_default_response),
        "manufacturer_code": None if header.manufacturer is None else int(header.manufacturer),
        "sequence": int(header.tsn),
        "command": int(header.command_id),
        "name": name,
    }
    if schema is not None:
        record, left = schema.deserialize(rest)
        answer["fields"] = [[field.name, atoms(getattr(record, field.name))] for field in record.fields]
        answer["left"] = left.hex()
        answer["again"] = (header.serialize() + record.serialize() + left).hex()
    return answer


def tables() -> dict[str, Any]:
    return {
        str(number): {
            "attributes": [
                [int(one.id), one.name, int(one.zcl_type)]
                for one in cluster.attributes.values()
                if getattr(one, "zcl_type", None) is not None
            ],
            "commands": [
                [bool(to_client), int(one.id), one.name]
                for to_client, commands in ((False, cluster.server_commands), (True, cluster.client_commands))
                for one in commands.values()
            ],
        }
        for number, cluster in clusters().items()
    }


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = tables() if asked is None else judge(asked["cluster"], bytes.fromhex(asked["frame"]))
        except Exception as error:  # noqa: BLE001 - whatever zigpy raises is its verdict
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
