"""Fixtures that make meters on benches and premises on virtual loops; both are in `meter_bench`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest
from meter_bench import (
    ESME,
    HUB,
    NOW,
    QUIET,
    Bench,
    FixedClock,
    HeadEnd,
    Premises,
    profile_of,
)

from smetslab.clock import LoopClock
from smetslab.devices.profile import DeviceProfile
from smetslab.devices.security.installed import SecuritySettings
from smetslab.pki import Authority, KeyRing
from smetslab.rng import RootSeed
from smetslab.store import Nvm, Store


@pytest.fixture(scope="session")
def keystore() -> KeyRing:
    return Authority(RootSeed(20)).keystore([ESME, HUB])


@pytest.fixture
def head(keystore: KeyRing) -> HeadEnd:
    return HeadEnd(keystore)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as store:
        yield store


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(head: HeadEnd, store: Store) -> MakeBench:
    """Makes a bench: `make_bench(state={...}, quirks=(...))`."""

    def make(
        state: dict[str, int | bool | str] | None = None,
        quirks: tuple[str, ...] = (),
        owner: str = "esme",
        at: datetime = NOW,
        *,
        nvm: Nvm | None = None,
        variant: str = "A",
        security: SecuritySettings | None = None,
    ) -> Bench:
        memory = store.nvm(owner) if nvm is None else nvm
        profile = profile_of({**QUIET, **(state or {})}, quirks).model_copy(update={"variant": variant})
        return Bench(head, memory, profile, FixedClock(at), security=security or SecuritySettings())

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()


@pytest.fixture
def make_profile() -> Callable[..., DeviceProfile]:
    return profile_of


@pytest.fixture
def make_premises(head: HeadEnd) -> Iterator[Callable[..., Premises]]:
    """Makes premises inside a virtual loop: `make_premises(clock, state={...}, quirks=(...))`."""
    with ExitStack() as stores:

        def make(
            clock: LoopClock,
            state: dict[str, int | bool | str] | None = None,
            quirks: tuple[str, ...] = (),
            *,
            store: Store | None = None,
            conformance: dict[str, str] | None = None,
            **options: object,
        ) -> Premises:
            memory = stores.enter_context(Store()) if store is None else store
            profile = profile_of({**QUIET, **(state or {})}, quirks, conformance=conformance)
            return Premises(clock, head, memory, profile, **options)  # type: ignore[arg-type]

        yield make
