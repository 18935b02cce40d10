"""What a machine file can say: its tables and keys, as models that refuse anything else."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from khhw.control.domains import DomainError, Domains, wrong_groups, wrong_matrix, wrong_rules
from khhw.errors import named
from khhw.net.ethernet.limits import LEAST_MTU, MOST_MTU
from khhw.patterns import PHASE
from rtl.parameters import Parameters
from rtl.torus.coordinates import ID_BITS

__all__ = ["MOST_NODES", "DomainSection", "KernelEntry", "MachineFile", "MemcachedStudy", "Network", "Phase", "Serve",
           "Torus",
           "domain_matrix", "schema", "wrong_domains"]

MOST_NODES = 1 << ID_BITS
"""Of any machine: what ranks are compared with where its shape is not known."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Torus(_Section):
    """The torus."""

    shape: tuple[int, int, int]
    """Nodes in x, y and z; 1 to 64 each, 16 id bits together."""


class Host(_Section):
    """The software side."""

    cpu: Literal["ideal", "ppc450"] = "ideal"
    """CPU model that charges software time: `ideal` charges none, `ppc450` what `docs/cpu-model.md` lists."""
    cpu_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """What all costs of the CPU model are multiplied by."""
    clock_hz: int = Field(default=53_125_000, gt=0)
    """Hardware clock; the default makes a link of 64-bit flits carry 425 MB/s."""
    max_cycles: int = Field(default=50_000_000, gt=0)
    """Cycles after which a run is stopped and its stuck packets are named."""


class DomainSection(_Section):
    """Communication domains, in exactly one of three forms."""

    matrix: list[list[Literal[0, 1]]] | None = None
    """`matrix[source][destination]` is isAllowed, by rank."""
    groups: dict[str, list[int]] | None = None
    """Named sets of ranks; two nodes of one set may send to each other, and each to itself."""
    rules: list[str] | None = None
    """Directed rules, `"0 -> 3 4"`."""


class KernelEntry(_Section):
    """Which nodes boot a kernel."""

    nodes: Literal["all"] | list[int] = "all"
    """Ranks."""
    kernel: str
    """Name of a kernel of khhw, or the path of a Python file, or of a folder of modules with a `/` at its end, relative
    to the machine file."""
    arguments: str = ""
    """Text behind the address on the loader's boot line, which has at most 16,384 bytes and no control characters;
    `{seed}` becomes the seed of the run."""
    service: bool = False
    """Booted before the others, and awaited until it prints `node RANK> NAME: open`, with the name of its module; told
    to `stop` when the others have ended."""

    def ranks(self, nodes: int) -> list[int]:
        """Ranks that boot it in a machine of `nodes`."""
        return list(range(nodes)) if self.nodes == "all" else list(self.nodes)

    def __hash__(self) -> int:
        return id(self)


class Phase(_Section):
    """One experiment on the running machine: domains, then kernels, until all of them have ended."""

    name: str = Field(pattern=PHASE)
    """Names its part of the results."""
    domains: str | None = None
    """Domains to change to before the kernels boot; without it those in force stay."""
    kernels: list[KernelEntry] = []
    """What boots where; every other node stays at its loader."""
    cpu: Literal["ideal", "ppc450"] | None = None
    """CPU model of this phase; without it that of `[host]`."""
    cpu_scale: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What all costs of the CPU model are multiplied by in this phase; without it that of `[host]`."""
    measure: str | None = None
    """What is read from the nodes' memories when all kernels have ended: `matrix`, `attacks`, `latency`, `memcached`,
    `console`, which loads the first kernel into 1, 2, 4, ... nodes before, or one of your own, `"module:NAME"`; modules
    are also looked for beside the machine file."""


class MemcachedStudy(_Section):
    """What `khhw memcached` measures."""

    server: int = Field(default=0, ge=0)
    """Rank that runs the server."""
    clients: list[int] = Field(default=[1], min_length=1)
    """Ranks that run clients; what one client can show is measured with the first."""
    domains: str | None = None
    """Domains to change to; without it those named in the first phase, or everybody may send to everybody."""
    sizes: list[int] = Field(default=[64, 256, 1024, 4096, 16384, 65536], min_length=1)
    """Bytes of a value, one after the other."""
    size: int = Field(default=4096, gt=0)
    """Bytes of a value where something else is varied."""
    scales: list[float] = Field(default=[0.25, 0.5, 1.0, 2.0, 4.0], min_length=1)
    """Factors on all costs of the CPU model."""
    operations: int = Field(default=60, ge=1)
    """Operations a point with small values measures, about; with large values it measures at least ten."""
    tail_operations: int = Field(default=1200, ge=1)
    """Operations of the points that show the whole distribution of latencies, about."""


class Serve(_Section):
    """What `khhw serve` offers on localhost."""

    server: int = Field(default=0, ge=0)
    """Rank that boots the kernel."""
    gateway: int = Field(default=1, ge=0)
    """Rank whose only program is the gateway; it connects each TCP client to the server by a stream of its own."""
    kernel: str = "memcached"
    """Name of a kernel of khhw, or the path of a Python file relative to the machine file."""
    arguments: str = "epoch={epoch} clock_hz={clock_hz} connections={connections}"
    """Text behind the address on the loader's boot line; `{seed}` becomes the seed of the run, `{epoch}` the Unix time
    it begins at, `{clock_hz}` the host's, `{connections}` the streams there can be to the server at a time."""
    stream_port: int = Field(default=11211, ge=0, le=65535)
    """Port of the net that the kernel listens on."""
    port: int = Field(default=11211, ge=0, le=65535)
    """TCP port for its clients; 0 for any that is free."""
    console_port: int = Field(default=2300, ge=0, le=65535)
    """TCP port of node 0's console; the next ones are the other nodes', and the one behind them is for all nodes
    together. 0 for any that are free."""
    clients: int | None = Field(default=None, ge=1, le=1024)
    """TCP clients at a time; more are let in when some have left. Each takes 1 KiB of three tenths of the two nodes'
    memory at least. Without it 60, or as many as there is room for."""
    domains: str | None = None
    """Domains to change to; without it only server and gateway may send to each other."""


class Network(_Section):
    """An Ethernet that some nodes share; its name is that of its interface on each (`khhw net`)."""

    number: int = Field(ge=2, lt=1 << 32)
    """What its frames bear: 2 is the network of all nodes, private ones follow."""
    nodes: Literal["all"] | list[int] = "all"
    """Ranks."""
    mtu: int = Field(default=1500, ge=LEAST_MTU, le=MOST_MTU)
    """Bytes of a frame behind its header."""
    subnet: str | None = None
    """IPv4 addresses, as `10.3.0.0/16`; node R has the address R + 1. Without it `10.NUMBER.0.0/16`."""

    def ranks(self, nodes: int) -> list[int]:
        """Ranks that are in it, in a machine of `nodes`."""
        return list(range(nodes)) if self.nodes == "all" else sorted(self.nodes)


class MachineFile(_Section):
    """A machine, and what is done with it."""

    name: str = Field(default="machine", min_length=1)
    """Title of the report."""
    seed: int = Field(default=1, ge=0, lt=1 << 32)
    """Seed of everything random; `--seed` overrides it."""
    torus: Torus
    """Shape of the torus."""
    node: Parameters = Parameters()
    """What every node is built with."""
    parts: dict[Literal["router", "guard", "ni", "memory"], str] = {}
    """Replacements by class, `"module:Class"`; modules are also looked for beside the machine file."""
    host: Host = Host()
    """Clock, CPU model, limits."""
    domains: dict[str, DomainSection] = {}
    """Named states of isAllowed."""
    networks: dict[str, Network] = {}
    """Ethernets of `khhw net`; who shares one may send to each other."""
    phases: list[Phase] = []
    """In order."""
    memcached: MemcachedStudy | None = None
    """What `khhw memcached` measures; it runs no phases of this file."""
    serve: Serve | None = None
    """What `khhw serve` offers; it runs no phases."""

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return math.prod(self.torus.shape)

    def matrix(self, name: str) -> npt.NDArray[np.bool_]:
        """isAllowed of the named domains: shape (nodes, nodes), source first, by rank.

        Raises
        ------
        LookupError
            If there are none of this name; says which there are.
        """
        return domain_matrix(named(self.domains, name, "domains"), self.nodes)


def schema() -> dict[str, Any]:
    """JSON schema of a machine file."""
    return MachineFile.model_json_schema()


def domain_matrix(section: DomainSection, nodes: int) -> npt.NDArray[np.bool_]:
    """isAllowed of one table of domains: shape (nodes, nodes), source first, by rank.

    Raises
    ------
    DomainError
        If they do not fit `nodes` nodes.
    """
    if section.matrix is not None:
        return Domains.from_matrix(section.matrix, nodes).matrix
    if section.groups is not None:
        return Domains.from_groups(section.groups, nodes).matrix
    return Domains.from_rules(section.rules or [], nodes).matrix


def wrong_domains(section: DomainSection, nodes: int | None) -> Iterator[DomainError]:
    """All that is wrong with one table of domains; without a number of `nodes`, all that is wrong for any."""
    if section.matrix is not None:
        return wrong_matrix(section.matrix, len(section.matrix) if nodes is None else nodes)
    most = MOST_NODES if nodes is None else nodes
    if section.groups is not None:
        return wrong_groups(section.groups, most)
    return wrong_rules(section.rules or [], most)
