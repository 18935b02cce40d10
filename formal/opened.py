"""A design taken apart: its registers and memories by name, and blocks of it replaced by anything at all."""

from collections.abc import Iterator
from types import SimpleNamespace

from amaranth.hdl import Const, Elaboratable, Fragment, Signal, Value

# These have no public names in Amaranth 0.5.
from amaranth.hdl._ast import AnySeq, Assign, SignalDict, SignalKey, SignalSet, _StatementList
from amaranth.hdl._mem import MemoryInstance
from amaranth.hdl._xfrm import StatementTransformer, ValueTransformer

__all__ = ["Opened"]


class Opened(Elaboratable):
    """A component, elaborated, to be used as a submodule, whose insides can be referred to.

    Nothing in it is changed but the blocks that are to be free.

    Parameters
    ----------
    component : Elaboratable
    free : tuple of str
        Paths of blocks that are taken out. What they drive has any value in any cycle: so a proof holds whatever
        stands in their place.
    like : Opened, optional
        Another one of the same component: what is free has the same values in this one.
    apart : tuple of str
        With `like`: signals of free blocks that are left for the harness to drive.
    """

    def __init__(self, component: Elaboratable, free: tuple[str, ...] = (), *, like: "Opened | None" = None,
                 apart: tuple[str, ...] = ()) -> None:
        self._fragment = Fragment.get(component, None)
        self._free: dict[str, list[Signal]] = {}
        self.apart: dict[str, Signal] = {}
        """What the harness must drive, by path."""
        for path in free:
            signals = self._take_out(path)
            values = [AnySeq(len(signal)) for signal in signals] if like is None else like._free[path]
            self._free[path] = signals
            for signal, value in zip(signals, values, strict=True):
                if f"{path}.{signal.name}" in apart:
                    self.apart[f"{path}.{signal.name}"] = signal
                else:
                    self._block(path).add_statements("comb", signal.eq(value))

    def elaborate(self, platform: object) -> Fragment:
        return self._fragment

    def state(self, block: str, name: str) -> Value:
        """Whether the state machine of a block is in a state."""
        machine = self.signal(f"{block}.fsm_state", width=None)
        number = 0
        while not machine.decoder(number).startswith(f"{name}/"):
            number += 1
        return machine == number

    def signal(self, path: str, *, width: int | None = 1) -> Signal:
        """What block `a.b` drives under the name `c`, for ``a.b.c``: its own port before those of blocks in it.

        Parameters
        ----------
        path : str
        width : int, optional
            Bits it must have; None for any.

        Raises
        ------
        LookupError
            If the block drives no such signal.
        """
        block, _, name = path.rpartition(".")
        found = [signal for signal in _driven(self._block(block))
                 if signal.name == name and width in (None, len(signal))]
        if not found:
            raise LookupError(f"{block or 'the design'} drives no signal {name!r} of {width or 'any'} bits; adapt the "
                              "harness to the design")
        return found[0]

    def equal(self, other: "Opened", path: str) -> Value:
        """Whether a signal is the same in another one of the same component."""
        return self.signal(path, width=None) == other.signal(path, width=None)

    def registers(self, block: str = "") -> Iterator[tuple[str, Signal]]:
        """All registers in a block and below: paths and signals."""
        for path, fragment in _walk(self._block(block), block):
            for signal in _driven(fragment, "sync"):
                yield f"{path}.{signal.name}", signal

    def memories(self, block: str = "") -> Iterator[tuple[str, "OpenedMemory"]]:
        """All memories in a block and below, by path."""
        for path, fragment in _walk(self._block(block), block):
            if isinstance(fragment, MemoryInstance):
                yield path, OpenedMemory(fragment)

    def memory(self, path: str) -> "OpenedMemory":
        """A memory by the path of its block."""
        return OpenedMemory(self._block(path))

    def follow(self, other: "Opened", blocks: tuple[str, ...], own: tuple[str, ...] = ()) -> Iterator[Value]:
        """Let everything here read the registers and memories of another one of the same component, in some blocks.

        Each register here still takes what this one would put in it. Where all of those are equal to the other's in
        every cycle, for all cycles before, reading the other's is no different from reading one's own; and a solver
        need not find out that the same logic on the same registers gives the same.

        Parameters
        ----------
        other : Opened
        blocks : tuple of str
            With all below them.
        own : tuple of str
            Paths of registers in them that are not compared and read here as before.

        Yields
        ------
        What must be claimed: each of these registers, and each write to one of these memories, is equal in both.
        """
        pairs = [(mine, theirs) for block in blocks for (path, mine), (_, theirs) in zip(
            self.registers(block), other.registers(block), strict=True) if path not in own]
        substitute = _Substitute(SignalDict(pairs))
        for _, fragment in _walk(self._fragment, ""):
            substitute.rewrite(fragment)
        for block in blocks:
            for (_, mine), (_, theirs) in zip(self.memories(block), other.memories(block), strict=True):
                yield from mine.follow(theirs)
        for mine, theirs in pairs:
            yield mine == theirs

    def _block(self, path: str) -> Fragment:
        fragment = self._fragment
        for name in filter(None, path.split(".")):
            fragment = fragment.find_subfragment(name)
        return fragment

    def _take_out(self, path: str) -> list[Signal]:
        """Empty a block. Returns: what of its signals is used elsewhere, in the order of the source."""
        parent, _, name = path.rpartition(".")
        around = self._block(parent)
        index = next(i for i, (_, found, _) in enumerate(around.subfragments) if found == name)
        taken, _, origin = around.subfragments[index]
        around.subfragments[index] = (Fragment(), name, origin)
        used, driven = SignalSet(), SignalSet()
        for _, fragment in _walk(self._fragment, ""):
            used |= _read(fragment)
        for _, fragment in _walk(taken, ""):
            driven |= SignalSet(_driven(fragment))
        return sorted(driven & used, key=SignalKey)


class OpenedMemory:
    """The memory of an opened design, to look at.

    Parameters
    ----------
    instance : MemoryInstance
    """

    def __init__(self, instance: MemoryInstance) -> None:
        self._instance = instance
        self.depth = instance._data.depth
        """Words."""

    def read_port(self, *, domain: str = "comb") -> SimpleNamespace:
        """One more port, with signals `addr` and `data`; asynchronous."""
        first = self._instance._read_ports[0]
        port = SimpleNamespace(addr=Signal(len(first._addr), name="look_addr"),
                               data=Signal(len(first._data), name="look_data"))
        self._instance.read_port(domain=domain, addr=port.addr, data=port.data, en=Const(1), transparent_for=())
        return port

    def follow(self, other: "OpenedMemory") -> Iterator[Value]:
        """Read the content of another one. Yields: each write port does the same in both."""
        mine, theirs = self._instance, other._instance
        for port, same in zip(mine._write_ports, theirs._write_ports, strict=True):
            yield port._en == same._en
            yield ~port._en.any() | ((port._addr == same._addr) & (port._data == same._data))
        for port in mine._read_ports:
            theirs.read_port(domain=port._domain, addr=port._addr, data=port._data, en=port._en,
                             transparent_for=port._transparent_for)
        mine._read_ports, mine._write_ports = [], []


class _Substitute(ValueTransformer, StatementTransformer):
    """Puts other registers in the place of some wherever they are read.

    Parameters
    ----------
    registers : SignalDict
        What to read for each.
    """

    def __init__(self, registers: SignalDict) -> None:
        self._registers = registers

    def on_Signal(self, value: Signal) -> Signal:
        return self._registers.get(value, value)

    def on_Assign(self, stmt: Assign) -> Assign:
        return Assign(stmt.lhs, self.on_value(stmt.rhs))

    def rewrite(self, fragment: Fragment) -> None:
        """Change a fragment's statements and ports; a register nothing is assigned to keeps the other's value."""
        wires = set(map(SignalKey, _driven(fragment, "comb")))
        for domain, statements in list(fragment.statements.items()):
            kept = [signal.eq(self._registers[signal]) for signal in sorted(statements._lhs_signals(), key=SignalKey)
                    if signal in self._registers and SignalKey(signal) not in wires]
            fragment.statements[domain] = _StatementList()
            fragment.add_statements(domain, kept, self.on_statements(statements))
        if isinstance(fragment, MemoryInstance):
            for port in (*fragment._read_ports, *fragment._write_ports):
                port._addr, port._en = self.on_value(port._addr), self.on_value(port._en)
            for port in fragment._write_ports:
                port._data = self.on_value(port._data)


def _walk(fragment: Fragment, path: str) -> Iterator[tuple[str, Fragment]]:
    """A fragment and all below it, with their paths."""
    yield path, fragment
    for index, (inner, name, _) in enumerate(fragment.subfragments):
        yield from _walk(inner, ".".join(filter(None, (path, name or f"block_{index}"))))


def _driven(fragment: Fragment, domain: str | None = None) -> Iterator[Signal]:
    """What a fragment's own statements and ports drive, in one domain or in all, each once."""
    seen = SignalSet()
    for where, statements in fragment.statements.items():
        if domain in (None, where):
            seen |= statements._lhs_signals()
    if isinstance(fragment, MemoryInstance):
        for port in fragment._read_ports:
            if domain in (None, port._domain):
                seen |= port._data._lhs_signals()
    yield from sorted(seen, key=SignalKey)


def _read(fragment: Fragment) -> SignalSet:
    """What a fragment's own statements and ports read."""
    seen = SignalSet()
    for statements in fragment.statements.values():
        seen |= statements._rhs_signals()
    if isinstance(fragment, MemoryInstance):
        ports: list[Value] = [part for port in fragment._read_ports for part in (port._addr, port._en)]
        ports += [part for port in fragment._write_ports for part in (port._addr, port._data, port._en)]
        for part in ports:
            seen |= part._rhs_signals()
    return seen
