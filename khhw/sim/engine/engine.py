"""A machine of any size on the native engine, without host tasks: cycles, registers and memories, as arrays over nodes.

Nodes are named by rank. What is done to many nodes is one call; nothing here loops over nodes in Python.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from khhw.build.engine import EngineBuild, build_engine
from khhw.build.lanes.demands import missing_for_lanes
from khhw.errors import RequestError
from khhw.host.transport import BusError
from khhw.sim.bridge import RESET_CYCLES
from khhw.sim.engine.back_door import BackDoor
from khhw.sim.engine.library import Condition, Ranks, Reason, load_library, pointer, view
from khhw.sim.engine.wave_writer import NEVER, WaveWriter
from rtl.fabric import cables, check_shape, check_table, straps_of
from rtl.formats import Straps, pack
from rtl.parameters import ParameterError, Parameters
from rtl.signatures import HOST_ADDRESS_BITS

__all__ = ["NEVER", "PIECE_NODE_CYCLES", "Engine", "Vector", "evaluator_for", "usable_cores"]

NOTHING = Reason(0)
_UNDER_WAY = -2
_VECTORS = ("irq", "held", "quiescent", "listening", "irq_before", "held_before")
_PATIENCE = 1_000_000
"""Cycles a register access may take; nodes answer within tens."""
_SERVICE_CYCLES = 10_000
PIECE_NODE_CYCLES = 400_000
"""What an engine does between two looks of Python: about a second, if no node sleeps."""
ENOUGH_FOR_LANES = 128
"""Nodes from which on lanes pay: 512 cost the same however many there are. Under load 64 nodes are about as fast either
way (``khhw bench engine``); where most nodes sleep, or little is run, verilated ones are ahead."""
_PACKET_FLITS = 64

Vector = npt.NDArray[np.uint8]


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0))


def evaluator_for(nodes: int) -> str:
    """The evaluator that is faster for so many nodes; ``lanes`` only where they can be had."""
    return "lanes" if nodes >= ENOUGH_FOR_LANES and not missing_for_lanes() else "verilated"


class Engine(BackDoor, WaveWriter):
    """N nodes, at the beginning of a cycle.

    Parameters
    ----------
    build : EngineBuild
        The compiled node.
    shape : tuple of int
        Nodes in x, y and z.
    threads : int, optional
        That evaluate nodes; all cores by default. Results do not depend on it.
    random : int
        Seed of what has no initial value, for a ``debug`` build; 0: zeros.

    Attributes
    ----------
    irq, held, quiescent : numpy array of uint8, shape (nodes,)
        What every node shows in this cycle. Views: they change as the machine runs.
    listening : numpy array of uint8, shape (nodes,)
        Whose interrupts end a run for :attr:`Reason.INTERRUPT`; the caller writes it.
    irq_before, held_before : numpy array of uint8, shape (nodes,)
        As they were in the cycle in which the last :attr:`Reason.INTERRUPT`, or :attr:`Reason.HELD`, happened.
    signatures : numpy array of uint64, shape (nodes,)
        See :meth:`sign`.

    Raises
    ------
    RequestError
        If there is no such torus, the library cannot be used, or there is not enough memory for so many nodes.
    """

    def __init__(
        self, build: EngineBuild, shape: tuple[int, int, int], *, threads: int | None = None, random: int = 0,
    ) -> None:
        build.check()
        try:
            check_shape(shape)
        except ParameterError as error:
            raise RequestError(str(error)) from error
        self.build = build
        self.shape = shape
        self.nodes = math.prod(shape)
        try:
            self._library = load_library(build.library, waves=bool(build.waves))
        except OSError as error:
            raise RequestError(f"cannot load the engine {build.library}: {error}. Remove {build.folder} and it is "
                               "built again") from error
        straps = np.array([pack(Straps, **straps_of(rank, shape)) for rank in range(self.nodes)], np.uint64)
        neighbours = np.full((self.nodes, 6), -1, np.int32)
        for rank, direction, neighbour in cables(shape):
            neighbours[rank, direction] = neighbour
        self._engine = self._library.khhw_create(
            self.nodes, pointer(straps), pointer(neighbours), threads or usable_cores(), random)
        if not self._engine:
            raise RequestError(f"there is not enough memory, or there are too many threads, for {self.nodes} nodes of "
                               f"{self._library.khhw_bytes(None):,} bytes")
        self.irq, self.held, self.quiescent, self.listening, self.irq_before, self.held_before = (
            view(getattr(self._library, f"khhw_{name}")(self._engine), self.nodes, np.uint8) for name in _VECTORS)
        self.signatures = view(self._library.khhw_signatures(self._engine), self.nodes, np.uint64)
        self._library.khhw_reset(self._engine, RESET_CYCLES)

    @classmethod
    def open(
        cls, shape: tuple[int, int, int], parameters: Parameters, parts: Mapping[str, str] | None = None, *,
        threads: int | None = None, path: Sequence[Path] = (), evaluator: str | None = None,
    ) -> Self:
        """Build the engine for these parameters, or find it built, and make a machine with it.

        Parameters
        ----------
        shape : tuple of int
            Nodes in x, y and z.
        parameters : Parameters
            Of every node.
        parts : mapping, optional
            See :func:`~khhw.build.engine.build_engine`; so for `path`.
        threads : int, optional
            See :class:`Engine`.
        evaluator : str, optional
            One of :data:`~khhw.build.engine.EVALUATORS`; by default that of :func:`evaluator_for`, but verilated where
            a part cannot be put into lanes. Results do not depend on it.

        Raises
        ------
        RequestError
            If there is no such torus, its ids do not fit the tables, a tool is missing, or a part cannot be used.
        BuildError
            If a tool fails.
        """
        try:
            check_table(check_shape(shape), parameters)
        except ParameterError as error:
            raise RequestError(str(error)) from error
        chosen = evaluator or evaluator_for(math.prod(shape))
        try:
            build = build_engine(parameters.as_dict(), parts, path=path, evaluator=chosen)
        except RequestError:
            if evaluator is not None or chosen == "verilated":
                raise
            build = build_engine(parameters.as_dict(), parts, path=path)
        return cls(build, shape, threads=threads)

    @property
    def evaluator(self) -> str:
        """How nodes are evaluated; one of :data:`~khhw.build.engine.EVALUATORS`."""
        return self.build.evaluator

    def close(self) -> None:
        """Give the machine's memory back; the engine and its vectors cannot be used any more."""
        if self._engine:
            for name in (*_VECTORS, "signatures"):
                delattr(self, name)
            self._library.khhw_destroy(self._engine)
            self._engine = None

    @property
    def _handle(self) -> Any:
        """What C knows the machine by."""
        if not self._engine:
            raise RuntimeError("the engine is closed")
        return self._engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def now(self) -> int:
        """The present cycle."""
        return int(self._library.khhw_now(self._handle))

    def run(self, cycles: int) -> None:
        """Let `cycles` cycles pass."""
        self._run(self.now + cycles, NOTHING, None)

    def _run(self, cycle: int, reasons: Reason, condition: Condition | None) -> Reason:
        """Run in pieces, so that Python sees signals in between."""
        piece = max(1, PIECE_NODE_CYCLES // self.nodes)
        while True:
            until = min(cycle, self.now + piece)
            reason = Reason(self._library.khhw_run(self._handle, until, reasons, condition))
            if reason != Reason.CYCLE or until == cycle:
                return reason if until == cycle else reason & ~Reason.CYCLE

    def run_until(
        self, *, cycle: int = NEVER, vector: Vector | None = None, equals: int = 1, every: bool = False,
        mask: Vector | None = None, reasons: Reason = NOTHING,
    ) -> Reason:
        """Run until a cycle begins, or a condition on a vector holds, or something of `reasons` happens.

        Parameters
        ----------
        cycle : int
            At the latest.
        vector : numpy array of uint8, optional
            :attr:`irq`, :attr:`held` or :attr:`quiescent`. The run ends in the first cycle, the present one included,
            in which it `equals` at some node, or at `every` node.
        mask : numpy array of uint8, shape (nodes,), optional
            Which nodes count; all by default.
        reasons : Reason
            What else ends the run; ``docs/engine.md`` says when.

        Returns
        -------
        Reason
            Why it ended.
        """
        condition = None
        if vector is not None:
            mask = np.ones(self.nodes, np.uint8) if mask is None else np.ascontiguousarray(mask, np.uint8)
            for given in (vector, mask):
                if given.shape != (self.nodes,) or given.dtype != np.uint8:
                    raise ValueError(f"vectors and masks are {self.nodes} bytes")
            condition = Condition(pointer(vector), pointer(mask), equals, every)
        return self._run(cycle, reasons, condition)

    def jump(self, cycle: int) -> None:
        """Make `cycle` the next one, where nothing can happen in between: only after :attr:`Reason.IDLE`."""
        self._library.khhw_jump(self._handle, cycle)

    def write(self, ranks: Ranks, address: int, values: int | Sequence[int] | npt.NDArray[Any]) -> None:
        """Write a register of many nodes over their host ports, at the same time, and wait for all answers.

        Parameters
        ----------
        ranks : int or array of int
            Each at most once.
        address : int
            Byte address, 24 bits.
        values : int or array of int
            32 bits, one for all or one a rank.

        Raises
        ------
        BusError
            If a node refuses; the others have done it.
        ValueError
            If a rank or the address is out of range, or a rank comes twice.
        """
        which = np.atleast_1d(np.asarray(ranks, np.int32))
        given = np.ascontiguousarray(np.broadcast_to(np.asarray(values), which.shape), np.uint32)
        self._access(which, address, given, write=True)

    def read(self, ranks: Ranks, address: int) -> npt.NDArray[np.uint32]:
        """Read a register of many nodes over their host ports, at the same time.

        Returns
        -------
        numpy array of uint32, shape (ranks,)

        Raises
        ------
        BusError
            If a node refuses.
        """
        which = np.atleast_1d(np.asarray(ranks, np.int32))
        values = np.zeros(len(which), np.uint32)
        self._access(which, address, values, write=False)
        return values

    def _access(self, ranks: npt.NDArray[np.int32], address: int, values: npt.NDArray[np.uint32], write: bool) -> None:
        self._check_ranks(ranks)
        if len(np.unique(ranks)) != len(ranks):
            raise ValueError("each rank at most once")
        if not 0 <= address < 1 << HOST_ADDRESS_BITS:
            raise ValueError(f"register addresses have {HOST_ADDRESS_BITS} bits: {address:#x}")
        refused = self._library.khhw_access_all(
            self._handle, len(ranks), pointer(np.ascontiguousarray(ranks)), address, pointer(values), write,
            self.now + _PATIENCE)
        if refused == _UNDER_WAY:
            raise RuntimeError("register accesses are under way that were begun with start_accesses")
        if refused < 0:
            raise RuntimeError(f"a register access at {address:#x} was not answered in {_PATIENCE} cycles")
        if refused:
            raise BusError(address, "write" if write else "read")

    def start_accesses(self, accesses: Sequence[tuple[int, int, int | None]]) -> None:
        """Begin register accesses in this cycle: (rank, address, value to write or None to read), one a free port."""
        self._check_ranks(np.array([access[0] for access in accesses], np.int32))
        for writing in (False, True):
            chosen = [access for access in accesses if (access[2] is not None) is writing]
            if chosen:
                ranks, addresses, values = (
                    np.array([access[i] or 0 for access in chosen], kind)
                    for i, kind in enumerate((np.int32, np.uint32, np.uint32)))
                self._library.khhw_access(
                    self._handle, len(chosen), pointer(ranks), pointer(addresses), pointer(values), writing)

    def answers(self) -> list[tuple[int, int, bool]]:
        """What was answered when the last run ended with :attr:`Reason.ANSWER`: rank, value, refused; by rank."""
        ranks, values, errors = (np.empty(self.nodes, kind) for kind in (np.int32, np.uint32, np.int32))
        count = self._library.khhw_answers(self._handle, pointer(ranks), pointer(values), pointer(errors))
        return [(int(ranks[i]), int(values[i]), bool(errors[i])) for i in range(count)]

    def send(self, flits: Sequence[int], channel: int) -> None:
        """Begin to send a tree packet at the port above the root, in this cycle."""
        words = np.array(flits, np.uint64)
        if not len(words):
            raise ValueError("a packet is one or more flits")
        self._library.khhw_send(self._handle, pointer(words), len(words), channel)

    def packet(self) -> tuple[list[int], int] | None:
        """Flits and channel of what came out of the root when the last run ended with :attr:`Reason.PACKET`."""
        flits, channel = np.empty(_PACKET_FLITS, np.uint64), np.zeros(1, np.int32)
        count = self._library.khhw_packet(
            self._handle, pointer(flits), _PACKET_FLITS, pointer(channel))
        return (flits[:count].tolist(), int(channel[0])) if count else None

    def serve(self, flits: npt.NDArray[np.uint64], limit: int = _PACKET_FLITS) -> npt.NDArray[np.uint64]:
        """Give every node a tree packet at the same time, as if from its parent, and take its answer.

        What the owner does node after node over the one tree takes thousands of nodes for ever. This is the same
        packets in the same hardware of every node, but each with a tree of its own.

        Parameters
        ----------
        flits : numpy array of uint64, shape (nodes, flits)
            The tree header first, with its owner stamp.
        limit : int
            Flits of an answer that are kept.

        Returns
        -------
        numpy array of uint64, shape (nodes, limit)

        Raises
        ------
        RuntimeError
            If a node does not answer.
        """
        given, answers = np.ascontiguousarray(flits, np.uint64), np.zeros((self.nodes, limit), np.uint64)
        if given.shape[0] != self.nodes:
            raise ValueError(f"a packet for each of {self.nodes} nodes, not {given.shape[0]}")
        answered = self._library.khhw_serve(
            self._handle, pointer(given), given.shape[1], pointer(answers), limit, _SERVICE_CYCLES)
        if answered == _UNDER_WAY:
            raise RuntimeError("register accesses are under way that were begun with start_accesses")
        if answered < self.nodes:
            raise RuntimeError(f"{self.nodes - answered} of {self.nodes} nodes have not answered")
        return answers

    def sign(self, on: bool = True) -> None:
        """Keep :attr:`signatures` of all that every node sends and asks, or do not."""
        self._library.khhw_sign(self._handle, on)

    @property
    def evaluations(self) -> int:
        """Node cycles that were really evaluated; the rest slept."""
        return int(self._library.khhw_evaluations(self._handle))

    @property
    def bytes_per_node(self) -> int:
        """State of one node in the simulator, its memory included."""
        return int(self._library.khhw_bytes(self._handle))
