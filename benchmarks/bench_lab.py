"""A laboratory on one core: requests a second through DCC, WAN, HAN and meter, and how fast a year passes.

Everything runs on virtual time, so what is measured is the work alone: XML, access control, transform, MAC,
tunnel, acceptance, access list, response, and all the way back.
"""

from __future__ import annotations

import argparse
import json
import platform
from datetime import timedelta
from time import perf_counter

from smetslab.clock import Clock, run_virtual
from smetslab.gbcs.values import Value
from smetslab.lab.build import Lab, lab_keystore
from smetslab.lab.config import load_lab

REQUESTS = 300
YEAR = timedelta(days=365)

_LOAD_LIMIT: dict[str, Value] = {
    "LoadLimitPeriod": 300,
    "LoadLimitPowerThreshold": 6900,
    "LoadLimitRestorationPeriod": 30,
    "LoadLimitSupplyState": "Unchanged",
}
MEASURED: dict[str, tuple[str, dict[str, Value]]] = {
    "non-critical read (7.4, ECS45)": ("7.4", {}),
    "encrypted read (4.1.1, ECS17b)": ("4.1.1", {}),
    "long read (4.11.1, ECS24)": ("4.11.1", {}),
    "critical command (6.4.1, ECS28a)": ("6.4.1", _LOAD_LIMIT),
}


async def measure(clock: Clock, requests: int) -> dict[str, float]:
    """Milliseconds a request for each kind, and seconds for a year."""
    del clock  # the lab has its own on the same loop
    config = load_lab()
    figures: dict[str, float] = {}
    started = perf_counter()
    keystore = lab_keystore(config)
    figures["keys of a lab made (ms)"] = (perf_counter() - started) * 1000
    started = perf_counter()
    async with Lab(config, keystore=keystore) as lab:
        figures["lab brought up (ms)"] = (perf_counter() - started) * 1000
        esme = config.premises[0].devices[0].eui64
        supplier = lab.users["supplier"]
        for name, (srv, elements) in MEASURED.items():
            await supplier.request(srv, esme, elements)
            started = perf_counter()
            for _ in range(requests):
                response = await supplier.request(srv, esme, elements)
                assert response.ok, response
            figures[f"{name} (ms)"] = (perf_counter() - started) * 1000 / requests
        started = perf_counter()
        await lab.clock.sleep(YEAR.total_seconds())
        assert (await supplier.request("4.1.1", esme, {})).ok
        figures["a year of virtual time (s)"] = perf_counter() - started
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many of each kind")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    figures = run_virtual(lambda clock: measure(clock, options.requests))
    if options.json:
        print(json.dumps({"requests": options.requests, "python": platform.python_version(), **figures}))
        return
    print("A laboratory, one core")
    for name, figure in figures.items():
        print(f"  {name:40} {figure:10.2f}")
    print(f"  {'python':40} {platform.python_version():>10}")


if __name__ == "__main__":
    main()
