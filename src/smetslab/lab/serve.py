"""A laboratory with its services on sockets: DUIS services, call-backs and SMKI repository of one lab.

Composes, and does nothing else; what the services do is in `smetslab.dcc.services`. Everything runs on one
loop, in real time.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from starlette.routing import BaseRoute

import smetslab
from smetslab.dcc.services.connections import KeptConnections
from smetslab.dcc.services.delivery import Postman
from smetslab.dcc.services.doorkeeper import DocumentSigner, Doorkeeper
from smetslab.dcc.services.duis_app import DuisServices
from smetslab.dcc.services.listening import base_url, listen, running
from smetslab.dcc.services.log import log_event
from smetslab.dcc.services.settings import CallbackSettings, DoorSettings, callback_url
from smetslab.dcc.services.smki_app import SmkiRepository
from smetslab.devices.cad_mqtt import Broker, publishing
from smetslab.devices.type2 import Cad
from smetslab.duis.schema import DuisSchema
from smetslab.errors import CertificateError, UsageError
from smetslab.gbcs.codes import RemotePartyRole
from smetslab.lab.build import Lab, LabRole, check_lab, lab_keystore
from smetslab.lab.config import CallbackTlsConfig, LabConfig, ServeConfig, TlsConfig
from smetslab.pki import Certificate, Entry, KeyRing

KEPT_OBSERVATIONS: Final = 20_000
"""How much of its trace a served lab remembers: it may run for months."""

NO_SCHEMA: Final = (
    "no schema folder: documents are checked against smetslab's own models of the service requests alone"
)

Routes = Callable[[Lab], Sequence[BaseRoute]]
"""More routes of the DUIS application, made for a running lab."""


def no_routes(_lab: Lab) -> Sequence[BaseRoute]:
    """Nothing but the services."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the services are, as base URLs without a slash at the end."""

    duis: str
    smki: str


class LabServer:
    """Runs a lab with its services while its block is open.

    Construction reads what the configuration names and raises UsageError when anything of it is unusable.
    `now` is the moment of the real clock: laboratory time begins there unless the configuration says
    otherwise. `left` is how many documents were not delivered when it stopped.
    """

    def __init__(
        self, config: LabConfig, *, now: datetime, routes: Routes = no_routes, role: LabRole | None = None
    ) -> None:
        serve = config.serve
        self.config = in_real_time(config, now)
        self.keystore = lab_keystore(self.config)
        check_lab(self.config, self.keystore)
        self.schema = None if serve.schema_folder is None else DuisSchema(config.path(serve.schema_folder))
        self.signer = DocumentSigner(_signing_entry(self.config, self.keystore))
        self._routes = routes
        self._tls = None if serve.tls is None else _server_tls(config, serve.tls)
        self._callback_tls = _callback_tls(config, serve.callback_tls)
        self._stack = AsyncExitStack()
        self.left = 0
        # With a WAN between processes the premises are in others, unless somebody says otherwise.
        default: LabRole = "whole" if config.wan.url is None else "dcc"
        self.lab = Lab(
            self.config, keystore=self.keystore, keep=KEPT_OBSERVATIONS, role=role or default, grouped=True
        )

    async def __aenter__(self) -> Self:
        serve = self.config.serve
        async with AsyncExitStack() as stack:
            duis_socket = stack.enter_context(listen(serve.host, serve.port))
            smki_socket = stack.enter_context(listen(serve.host, serve.smki_port))
            scheme = "http" if self._tls is None else "https"
            self.addresses = Addresses(
                duis=base_url(scheme, serve.host, duis_socket), smki=base_url(scheme, serve.host, smki_socket)
            )
            lab = await stack.enter_async_context(self.lab)
            if serve.cad_broker is not None:
                cads = [device for device in lab.devices.values() if isinstance(device, Cad)]
                await stack.enter_async_context(publishing(cads, Broker.of(serve.cad_broker)))
            self.postman = await stack.enter_async_context(
                Postman(
                    lab.dcc,
                    _callbacks(serve),
                    sign=self.signer.sign,
                    transport=self._transport,
                    durable=lab.store.durable,
                )
            )
            stack.push_async_callback(self._drain)
            services = self._services(lab)
            repository = SmkiRepository(lambda: self.keystore, api_key=serve.smki_api_key)
            for app, listening in ((services.app, duis_socket), (repository.app, smki_socket)):
                await stack.enter_async_context(
                    running(app, listening, tls=self._tls, stop_within_s=serve.stop_within_s)
                )
            if self.schema is None:
                log_event(logging.WARNING, NO_SCHEMA)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop taking requests, deliver what is there within `stop_within_s`, then stop the lab.

        What is not delivered by then stays in the store and is delivered by the next run.
        """
        await self._stack.aclose()

    async def _drain(self) -> None:
        self.left = await self.postman.drain(self.config.serve.stop_within_s)

    def health(self) -> dict[str, object]:
        """What `GET /health` says: the first device of each type by its lower-case name, then all of them."""
        inventory = self.lab.dcc.inventory
        devices = inventory.devices()
        first: dict[str, object] = {}
        for device in devices:
            first.setdefault(device.duis_type.lower(), device.device_id.dashed())
        return {
            "status": "ok",
            "version": smetslab.__version__,
            "time": self.lab.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "undelivered": self.postman.undelivered,
            **first,
            "devices": [
                {
                    "eui64": device.device_id.dashed(),
                    "type": device.duis_type,
                    "hub": None if device.hub is None else device.hub.dashed(),
                    "status": device.status.value,
                }
                for device in devices
            ],
        }

    def _services(self, lab: Lab) -> DuisServices:
        serve = self.config.serve
        settings = DoorSettings(
            verify_signatures=serve.verify_signatures,
            check_validity=serve.check_validity,
            errors_in_duis=serve.errors == "duis",
            sign_acknowledgements=serve.sign_acknowledgements,
        )
        return DuisServices(
            lab.dcc,
            Doorkeeper(self._certificate, settings, self.schema),
            settings,
            clock=lab.clock,
            sign=self.signer.sign,
            acknowledgements=self.postman,
            health=self.health,
            durable=lab.store.durable,
            routes=self._routes(lab),
        )

    def _certificate(self, serial: int) -> Certificate | None:
        entry = self.keystore.by_serial(serial)
        return None if entry is None else entry.certificate

    def _transport(self) -> KeptConnections:
        return KeptConnections(self._callback_tls)


def in_real_time(config: LabConfig, now: datetime) -> LabConfig:
    """The lab as it is served: in real time, whatever the lab file says for suites."""
    epoch = config.serve.epoch
    begins = config.epoch if epoch == "lab" else now if epoch == "now" else epoch
    time = config.time.model_copy(update={"mode": "real"})
    return config.model_copy(update={"time": time, "epoch": begins})


def _signing_entry(config: LabConfig, keystore: KeyRing) -> Entry:
    """The credential for responses: the chosen one, else the DCC's own for documents."""
    chosen = config.serve.signing_certificate
    if chosen is not None:
        entry = keystore.by_serial(int(chosen)) if chosen.isascii() and chosen.isdecimal() else None
        entry = entry or next((one for one in keystore.entries if one.name == chosen), None)
        if entry is None:
            raise UsageError(
                f"no certificate {chosen} in the key store",
                hint="`smetslab pki show` lists names and serials",
            )
        return entry
    broker = config.party(RemotePartyRole.ACCESS_CONTROL_BROKER)
    if broker is None:
        raise UsageError("the lab has no party of the role access_control_broker")
    try:
        return keystore.xml_signer(broker.eui64)
    except CertificateError as error:
        raise UsageError(str(error), hint="name one with signing_certificate") from error


def _callbacks(serve: ServeConfig) -> CallbackSettings:
    return CallbackSettings(
        default=None if serve.callback is None else callback_url(serve.callback),
        by_originator={user: callback_url(callback) for user, callback in serve.callbacks.items()},
        first_delay_s=serve.callback_delay_s,
    )


def _server_tls(config: LabConfig, tls: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_chain(context, config.path(tls.certificate), config.path(tls.key))
    if tls.client_authorities is not None:
        _load_authorities(context, config.path(tls.client_authorities))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _callback_tls(config: LabConfig, tls: CallbackTlsConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls.authorities is not None:
        _load_authorities(context, config.path(tls.authorities))
    if tls.certificate is not None and tls.key is not None:
        _load_chain(context, config.path(tls.certificate), config.path(tls.key))
    return context


def _load_chain(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"TLS certificate {certificate} and key {key}: {error}") from error


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"TLS authorities {file}: {error}") from error
