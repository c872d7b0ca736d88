"""Firmware images on their way to hubs: accepted ones are in the store until their hubs have them, or until
it is too late and their user is told.

Spec: DUIS service references 11.1 and 11.4; GBCS 11.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from smetslab.clock import Clock
from smetslab.crypto import sha256
from smetslab.dcc.correlate import Ledger
from smetslab.dcc.pending import members_of
from smetslab.dcc.rules import DccRules
from smetslab.duis.document import RequestId
from smetslab.errors import LocalProtocolError, StoreError, WanError
from smetslab.firmware import OtaFile, decode_file, manufacturer_image_hash
from smetslab.ids import Eui64
from smetslab.registry import InventoryDevice
from smetslab.store import Nvm
from smetslab.store.nvm import Json
from smetslab.trace import Trace
from smetslab.wan import ImageDelivery, Wan, WanMessage

_JOB: Final = "image-job/"
_IMAGE: Final = "image/"
_VERSION: Final = "firmware-version/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image for one hub."""

    number: int
    request_id: RequestId
    hub: Eui64
    devices: tuple[Eui64, ...]
    digest: str
    deadline: datetime

    @property
    def identity(self) -> str:
        return f"image-{self.number}"


class Distribution:
    """Hands images to hubs."""

    def __init__(
        self,
        *,
        nvm: Nvm,
        ledger: Ledger,
        wan: Wan,
        clock: Clock,
        trace: Trace,
        rules: DccRules,
        failed: Callable[[Job], None],
    ) -> None:
        """`failed` is told of a job whose hub could not be reached in time. Raises StoreError."""
        self._nvm = nvm
        self._ledger = ledger
        self._wan = wan
        self._clock = clock
        self._trace = trace
        self._rules = rules
        self._failed = failed
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._jobs: dict[int, Job] = {}
        for key, _ in nvm.items(_JOB):
            job = _from_json(key, nvm.get_json(key))
            self._jobs[job.number] = job

    def busy(self, device: Eui64) -> bool:
        """Whether an image for that device is on its way."""
        return any(device in job.devices for job in self._jobs.values())

    def version_of(self, image_hash: str) -> str | None:
        """The version, in hexadecimal digits, of an image that was distributed, by the hash of its
        manufacturer image; None of one that was not.
        """
        octets = self._nvm.get(f"{_VERSION}{image_hash.upper()}")
        return None if octets is None else octets.decode("ascii")

    def jobs(self) -> tuple[Job, ...]:
        """Everything on its way, oldest first."""
        return tuple(self._jobs.values())

    def run_in(self, group: asyncio.TaskGroup) -> None:
        """Go on with every job, in tasks of `group`."""
        self._group = group
        for job in self.jobs():
            self._go_on(job)

    def stop(self) -> None:
        self._group = None
        for task in list(self._tasks.values()):
            task.cancel()

    def start(self, request_id: RequestId, image: bytes, devices: Iterable[InventoryDevice]) -> None:
        """Keep an image for devices that have a hub each, and send it. Raises FirmwareError."""
        file = decode_file(image)
        if self._group is None:
            raise LocalProtocolError("the DCC is not running: use it inside its `async with` block")
        behind: dict[Eui64, list[Eui64]] = {}
        for device in devices:
            if device.hub is not None:
                behind.setdefault(device.hub, []).append(device.device_id)
        digest = sha256(image).hex()
        deadline = self._clock.now() + timedelta(seconds=self._rules.image_timeout_s)
        jobs = [
            Job(
                number=self._ledger.next_number(),
                request_id=request_id,
                hub=hub,
                devices=tuple(members),
                digest=digest,
                deadline=deadline,
            )
            for hub, members in behind.items()
        ]
        with self._nvm.transaction() as transaction:
            transaction.put(f"{_IMAGE}{digest}", image)
            transaction.put(f"{_VERSION}{hash_of(file)}", version_in(file).encode("ascii"))
            for job in jobs:
                transaction.put_json(f"{_JOB}{job.number:012}", _json(job))
        for job in jobs:
            self._jobs[job.number] = job
            self._go_on(job)

    def _go_on(self, job: Job) -> None:
        if self._group is None:
            raise LocalProtocolError("the DCC is not running: use it inside its `async with` block")
        task = self._group.create_task(self._carry(job), name=f"dcc image {job.number} to {job.hub}")
        self._tasks[job.number] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.number, None))

    async def _carry(self, job: Job) -> None:
        image = self._nvm.get(f"{_IMAGE}{job.digest}")
        if image is None:
            raise StoreError(f"the DCC's memory has lost the image {job.digest}")
        message = WanMessage(job.identity, job.hub, ImageDelivery(job.devices, image).encode(), "firmware")
        while True:
            try:
                await self._wan.to_hub(message)
            except WanError as error:
                if not error.transient or self._clock.now() >= job.deadline:
                    self._note("ImageNotDelivered", job, str(error))
                    self._failed(job)
                    break
                await self._clock.sleep(self._rules.retry_interval_s)
            else:
                self._note("ImageDelivered", job)
                break
        self._finish(job)

    def _finish(self, job: Job) -> None:
        """Forget a job, and its image behind the last."""
        del self._jobs[job.number]
        last = all(one.digest != job.digest for one in self._jobs.values())
        with self._nvm.transaction() as transaction:
            transaction.delete(f"{_JOB}{job.number:012}")
            if last:
                transaction.delete(f"{_IMAGE}{job.digest}")

    def _note(self, event: str, job: Job, reason: str = "") -> None:
        self._trace.record(
            "dcc", event, source="dcc", target=str(job.hub), request_id=job.request_id.key, reason=reason
        )


def hash_of(file: OtaFile) -> str:
    """The hash by which an image is activated, in hexadecimal digits. Spec: GBCS use case CS06."""
    return manufacturer_image_hash(file.manufacturer_image).hex().upper()


def version_in(file: OtaFile) -> str:
    """The version of an image as its header says it, in hexadecimal digits."""
    return file.header.firmware_version.hex().upper()


def _json(job: Job) -> Json:
    return {
        "request_id": str(job.request_id),
        "hub": str(job.hub),
        "devices": [str(one) for one in job.devices],
        "digest": job.digest,
        "deadline": job.deadline.isoformat(),
    }


def _from_json(key: str, value: Json) -> Job:
    try:
        members = members_of(value)
        devices = members["devices"]
        if not isinstance(devices, list):
            raise StoreError(f"the DCC's memory is damaged at {key}")
        return Job(
            number=int(key.removeprefix(_JOB)),
            request_id=RequestId.parse(str(members["request_id"])),
            hub=Eui64.parse(str(members["hub"])),
            devices=tuple(Eui64.parse(str(one)) for one in devices),
            digest=str(members["digest"]),
            deadline=datetime.fromisoformat(str(members["deadline"])),
        )
    except (KeyError, ValueError) as error:
        raise StoreError(f"the DCC's memory is damaged at {key}: {error}") from error
