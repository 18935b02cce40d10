"""How long the service of a cloud takes to answer: reads with many in flight, and changes one after the other."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from khhw.errors import BuildError

__all__ = ["FLIGHTS", "READS", "Running", "changes", "measure", "reads", "running"]

FLIGHTS = (1, 16, 200)
"""Requests in flight."""
READS = ("/v1/nodes", "/v1/leases", "/v1/networks", "/v1/machine", "/v1/consoles")
"""What is asked for, in turns."""
_START_SECONDS = 900.0
_WARM_UP = 0.5


@dataclass(frozen=True)
class Running:
    """A service that runs.

    Parameters
    ----------
    url : str
    token : str
        Of the machine's owner.
    """

    url: str
    token: str


@contextlib.contextmanager
def running(machine: Path, tell: Callable[[str], None]) -> Iterator[Running]:
    """A service of a machine, in a folder of its own that is gone afterwards, as is the machine.

    Raises
    ------
    BuildError
        If it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="khhw_cloud_") as name:
        folder = Path(name)
        state, token = folder / "state", folder / "token"
        about = (str(machine), "--state", str(state), "--json")
        _khhw("init", *about, "--token-file", str(token))
        tell("starting the service and its machine")
        log = folder / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                _command("serve", *about, "--port", "0", "--no-ssh"), stdout=subprocess.PIPE, stderr=file)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BuildError("the service has not come up", log)
            yield Running(json.loads(line)["results"]["url"], token.read_text(encoding="utf-8").strip())
        finally:
            process.terminate()
            process.communicate(timeout=60)
            _khhw("off", *about)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "khhw", "cloud", *words]


def _khhw(*words: str) -> None:
    done = subprocess.run(_command(*words), capture_output=True, encoding="utf-8", timeout=_START_SECONDS, check=False)
    if done.returncode:
        raise BuildError(f"khhw cloud {words[0]} has failed: {done.stderr.strip()}")


def measure(
    service: Running, *, flights: tuple[int, ...] = FLIGHTS, seconds: float = 5.0, number: int = 20,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """All of it.

    Parameters
    ----------
    service : Running
    flights : tuple of int
        How many requests are in flight.
    seconds : float
        Length of each measurement of reads.
    number : int
        How often nodes are rented and handed back.
    tell : callable
        Told what is measured.
    """
    tell(f"{number} leases, one after the other")
    changed = changes(service, number)
    found = []
    for flight in flights:
        tell(f"reads with {flight} in flight")
        found.append(asyncio.run(reads(service, flight, seconds)))
    return {"reads": found, "changes": changed}


async def reads(service: Running, flight: int, seconds: float) -> dict[str, Any]:
    """Latency of reads, each of `flight` connections asking again as soon as it is answered."""
    parts = urlsplit(service.url)
    end = time.perf_counter() + _WARM_UP + seconds
    samples: list[tuple[float, float]] = []
    errors: list[str] = []

    async def one(offset: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError as error:
            errors.append(str(error))
            return
        paths = cycle(READS[offset % len(READS):] + READS[:offset % len(READS)])
        try:
            while (begun := time.perf_counter()) < end:
                status = await _ask(reader, writer, next(paths), service.token)
                samples.append((begun, time.perf_counter() - begun))
                if status != 200:
                    errors.append(f"status {status}")
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            errors.append(str(error) or type(error).__name__)
        finally:
            writer.close()

    await asyncio.gather(*(one(offset) for offset in range(flight)))
    taken = sorted(took for begun, took in samples if begun >= end - seconds)
    return {"in_flight": flight, "requests": len(taken), "errors": len(errors), "first_error": next(iter(errors), None),
            "requests_per_second": round(len(taken) / seconds, 1), **_milliseconds(taken)}


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str) -> int:
    """One request on a connection that stays: a client with more to it would be what is measured. The status."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *headers = head.split("\r\n")
    length = next(int(value) for name, _, value in (line.partition(":") for line in headers)
                  if name.lower() == "content-length")
    await reader.readexactly(length)
    return int(status.split(" ")[1])


def changes(service: Running, number: int) -> dict[str, Any]:
    """Latency of renting a node and of handing it back, until the machine has carried it out."""
    import httpx

    rented, released = [], []
    headers = {"Authorization": f"Bearer {service.token}"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=60) as client:
        for _ in range(number):
            begun = time.perf_counter()
            intent = _settled(client, client.post("/v1/leases", json={"count": 1, "new_networks": 0}))
            rented.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            _settled(client, client.delete(f"/v1/leases/{intent['lease_uuid']}"))
            released.append(time.perf_counter() - begun)
    return {"number": number, "acquire": _milliseconds(sorted(rented)), "release": _milliseconds(sorted(released))}


def _settled(client: Any, answer: Any) -> dict[str, Any]:
    intent: dict[str, Any] = answer.raise_for_status().json()
    while intent["state"] != "done":
        intent = client.get(f"/v1/intents/{intent['id']}", params={"wait": 20}).raise_for_status().json()
    return intent


def _milliseconds(ordered: list[float]) -> dict[str, float | None]:
    """Median, 99th percentile and maximum; the percentile by the nearest rank."""
    def at(share: float) -> float | None:
        return round(1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else None

    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)}


def cores() -> int:
    """How many processors this may use."""
    return len(os.sched_getaffinity(0))
