"""The control interface of a running laboratory: look into its devices, and disturb them.

Routes of an ASGI application for this machine alone; whoever is elsewhere is refused.

    GET  /lab/devices                 every device with its name
    GET  /lab/devices/EUI             everything that is known about one; a name such as `gsme` will do
    GET  /lab/hans                    the home networks: who is in each, through whom, with which keys
    GET  /lab/faults                  the faults there are
    GET  /lab/quarantine              the requests that anomaly detection holds
    POST /lab/quarantine/NUMBER/release or .../discard    one of them goes on, or is refused
    POST /lab/devices/EUI/faults      {"fault": "power-cut", "parameters": {"seconds": 60}}
    POST /lab/devices/EUI/commands    a GBCS message, brought to the device on the premises: its response
    POST /lab/devices/EUI/firmware    an OTA file: a hub gets it from the WAN provider and runs it, any other
                                      device has it as if it had come over the air
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from smetslab.devices.base import Device
from smetslab.devices.chf import CommunicationsHub
from smetslab.devices.faults import FAULTS, inject
from smetslab.errors import GbcsDecodeError, LocalProtocolError, TransportError, UsageError
from smetslab.firmware.limits import MAX_FILE_OCTETS
from smetslab.gbcs.message import MAX_MESSAGE_BYTES, decode_message
from smetslab.han.view import Json, view_of
from smetslab.ids import Eui64
from smetslab.lab.build import Lab
from smetslab.lab.devices import CarriesImages

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost", "testclient")
MAX_BODY: Final = 10_000

Answer = Callable[[Request], Awaitable[JSONResponse]]


def control_routes(lab: Lab) -> Sequence[BaseRoute]:
    """The routes for one lab."""

    def members() -> dict[Eui64, Device]:  # type: ignore[type-arg]
        return {**lab.hubs, **lab.devices}

    def find(request: Request) -> Device:  # type: ignore[type-arg]
        text = request.path_params["eui64"]
        try:
            eui64 = Eui64.parse(text)
        except ValueError:
            return named(text)
        device = members().get(eui64)
        if device is None:
            raise UsageError(f"no device {eui64} in this laboratory")
        return device

    def named(text: str) -> Device:  # type: ignore[type-arg]
        """The device of this name, with or without that of its premises."""
        names = {eui64: lab.parties.get(str(eui64), "") for eui64 in members()}
        found = [eui64 for eui64, name in names.items() if text in (name, name.rpartition(" ")[2])]
        if not found:
            raise UsageError(
                f"{text!r} is neither an EUI-64 nor the name of a device",
                hint=f"names: {', '.join(sorted(names.values()))}",
            )
        if len(found) > 1:
            raise UsageError(
                f"{text!r} is the name of {len(found)} devices",
                hint=f"say which: {', '.join(names[eui64] for eui64 in found)}",
            )
        return members()[found[0]]

    async def devices(request: Request) -> JSONResponse:
        del request
        names = lab.parties
        return JSONResponse(
            {
                "time": lab.clock.now().isoformat(),
                "devices": [
                    {
                        "eui64": str(eui64),
                        "name": names.get(str(eui64), ""),
                        "type": device.device_type.name,
                        "powered": device.powered,
                    }
                    for eui64, device in members().items()
                ],
            }
        )

    async def device(request: Request) -> JSONResponse:
        found = find(request)
        return JSONResponse({"type": found.device_type.name, **found.inspect()})

    async def faults(request: Request) -> JSONResponse:
        del request
        return JSONResponse(
            {
                "faults": [
                    {
                        "name": fault.name,
                        "description": fault.description,
                        "devices": [kind.name for kind in fault.devices],
                        "parameters": {
                            name: {
                                "default": parameter.default,
                                **({"words": list(parameter.words)} if parameter.words else {}),
                            }
                            for name, parameter in fault.parameters.items()
                        },
                    }
                    for fault in FAULTS.values()
                ]
            }
        )

    async def disturb(request: Request) -> JSONResponse:
        found = find(request)
        body = await request.body()
        if len(body) > MAX_BODY:
            raise UsageError(f"a fault is described in at most {MAX_BODY} octets")
        try:
            wanted = json.loads(body)
        except ValueError:
            raise UsageError("the body is no JSON") from None
        match wanted:
            case {"fault": str(name), "parameters": dict(parameters)}:
                await inject(lab.faulty(found.eui64), name, **parameters)
            case {"fault": str(name)}:
                await inject(lab.faulty(found.eui64), name)
            case _:
                raise UsageError('the body is {"fault": NAME, "parameters": {...}}')
        return JSONResponse({"injected": name, "device": str(found.eui64)})

    async def hans(request: Request) -> JSONResponse:
        del request
        return JSONResponse(networks(lab))

    async def update(request: Request) -> JSONResponse:
        found = find(request)
        step, outcome = await _give_firmware(lab, found, await request.body())
        return JSONResponse({"device": str(found.eui64), "step": step, "outcome": outcome})

    async def deliver(request: Request) -> JSONResponse:
        found = find(request)
        response = await _deliver_locally(lab, found, await request.body())
        return JSONResponse({"device": str(found.eui64), "response": response.hex().upper()})

    return [
        *_quarantine_routes(lab),
        Route("/lab/devices/{eui64}/commands", _guarded(deliver), methods=["POST"]),
        Route("/lab/hans", _guarded(hans), methods=["GET"]),
        Route("/lab/devices", _guarded(devices), methods=["GET"]),
        Route("/lab/faults", _guarded(faults), methods=["GET"]),
        Route("/lab/devices/{eui64}", _guarded(device), methods=["GET"]),
        Route("/lab/devices/{eui64}/faults", _guarded(disturb), methods=["POST"]),
        Route("/lab/devices/{eui64}/firmware", _guarded(update), methods=["POST"]),
    ]


def _quarantine_routes(lab: Lab) -> Sequence[BaseRoute]:
    """What anomaly detection holds, and what becomes of it."""

    async def quarantine(request: Request) -> JSONResponse:
        del request
        return JSONResponse(
            {
                "quarantined": [
                    {
                        "number": entry.number,
                        "request_id": str(entry.request_id),
                        "service_request": entry.question.variant,
                        "breach": entry.note,
                    }
                    for entry in lab.dcc.quarantined()
                ]
            }
        )

    async def settle(request: Request) -> JSONResponse:
        number, verdict = request.path_params["number"], request.path_params["verdict"]
        settled = {"release": lab.dcc.release, "discard": lab.dcc.discard}.get(verdict)
        if settled is None:
            raise UsageError(f"a quarantined request is released or discarded, not {verdict!r}")
        settled(number)
        return JSONResponse({"number": number, "verdict": verdict})

    return [
        Route("/lab/quarantine", _guarded(quarantine), methods=["GET"]),
        Route("/lab/quarantine/{number:int}/{verdict}", _guarded(settle), methods=["POST"]),
    ]


def networks(lab: Lab) -> dict[str, Json]:
    """Every home network of a lab by the name of its premises, and what the devices are called."""
    types = {str(eui64): device.device_type.name for eui64, device in {**lab.hubs, **lab.devices}.items()}
    names = {
        eui64: f"{name.rpartition(' ')[2]} ({types[eui64]})" if eui64 in types else name
        for eui64, name in lab.parties.items()
    }
    return {
        "time": lab.clock.now().isoformat(),
        "names": {eui64: name for eui64, name in names.items() if eui64 in types},
        "hans": {name: view_of(han).to_json() for name, han in lab.hans.items()},
    }


async def _deliver_locally(lab: Lab, device: Device, command: bytes) -> bytes:  # type: ignore[type-arg]
    """Bring a command to a device through its hub, past the WAN, and its response back."""
    if len(command) > MAX_MESSAGE_BYTES:
        raise UsageError(f"a GBCS message has at most {MAX_MESSAGE_BYTES} octets")
    try:
        target = decode_message(command).business_target_id
    except GbcsDecodeError as error:
        raise UsageError(f"the body is no GBCS message: {error}") from error
    if target != device.eui64:
        raise UsageError(f"the message is for {target}, not for {device.eui64}")
    hub = next(
        premises.hub.eui64
        for premises in lab.config.premises
        if device.eui64 in {premises.hub.eui64, *(one.eui64 for one in premises.devices)}
    )
    return await lab.hubs[hub].deliver_locally(command)


async def _give_firmware(lab: Lab, device: Device, image: bytes) -> tuple[str, str]:  # type: ignore[type-arg]
    """Hand an OTA file to a device: how far it got, and what became of it."""
    if len(image) > MAX_FILE_OCTETS:
        raise UsageError(f"a firmware image has at most {MAX_FILE_OCTETS} octets")
    if isinstance(device, CommunicationsHub):
        if lab.role == "premises":
            raise UsageError("the DCC that updates hubs runs in another process")
        report = await lab.dcc.hub_firmware.update(device.eui64, image)
        return report.step, report.outcome
    if isinstance(device, CarriesImages):
        return "image", device.receive_firmware(image)
    raise UsageError(f"{device.eui64}, a {device.device_type.name}, takes no firmware images")


def _guarded(answer: Answer) -> Answer:
    """For this machine alone; what was asked wrongly is answered with one line."""

    async def guarded(request: Request) -> JSONResponse:
        if request.client is not None and request.client.host not in LOOPBACK:
            return JSONResponse(
                {"error": "the control interface answers this machine alone"}, status_code=403
            )
        try:
            return await answer(request)
        except UsageError as error:
            return JSONResponse({"error": str(error), "hint": error.hint}, status_code=400)
        except (LocalProtocolError, TransportError) as error:
            return JSONResponse({"error": str(error), "hint": ""}, status_code=409)

    return guarded
