"""What the harnesses share: labelled properties, constants, and the torus rules written a second time."""

from collections.abc import Iterable

from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In

from formal.assumptions import ASSUMPTIONS
from rtl.formats import Straps
from rtl.guard.policy import policy_signature
from rtl.parameters import Parameters

__all__ = ["PARAMETERS", "Harness", "Mirror", "Ring", "any_of"]

PARAMETERS = Parameters(lanes=1, table_nodes=64, log_entries=4, receive_ids=1)
"""What the proofs are made for. Nothing else is scaled: flits, headers and packets are the real ones."""


class Harness(wiring.Component):
    """A design under proof, its environment and its properties.

    Parameters
    ----------
    prove : set of str
        Names of the properties to assert; all else is left out.
    part : int
        Which part of the claims, where `parts` is more than one.
    helpers : bool
        Also assert the invariants that make the properties inductive.

    Attributes
    ----------
    assumed : set of str
        Names of what is assumed; complete when it has been elaborated.

    Members
    -------
    Whatever `ports` a subclass declares: free in every cycle, as is the reset.
    """

    ports: dict[str, wiring.Member] = {}
    properties: dict[str, str] = {}
    """Names of the properties, and what they say."""
    peeks: dict[str, str] = {}
    """Inputs that are no inputs: each is connected to the named signal inside the design, for helpers."""
    constructed: tuple[str, ...] = ()
    """What is assumed by how the harness is made, by names in :data:`~formal.assumptions.ASSUMPTIONS`."""
    solver = "yices"
    """What decides: the one that is faster here."""
    parts = 1
    """What is claimed is shown in so many parts, one after the other: some solvers take long for all at once."""

    def __init__(self, prove, *, part=0, helpers=True):
        if unknown := set(prove) - set(self.properties):
            raise ValueError(f"no property {min(unknown)!r}; there are {', '.join(self.properties)}")
        self.assumed = set(self.constructed)
        self.prove = frozenset(prove)
        self.part = part
        self.helpers = helpers
        super().__init__(dict(self.ports))

    def claim(self, m: Module, name: str, condition: Value) -> None:
        """Assert part of a property."""
        if name in self.prove:
            m.d.comb += Assert(condition, src_loc_at=1)

    def help(self, m: Module, condition: Value) -> None:
        """Assert a helper invariant."""
        if self.helpers:
            m.d.comb += Assert(condition, src_loc_at=1)

    def assume(self, m: Module, name: str, condition: Value) -> None:
        """Take for granted what is registered by its name.

        Raises
        ------
        KeyError
            If it is not.
        """
        if name not in ASSUMPTIONS:
            raise KeyError(f"{name!r} is not in formal/assumptions.py: say there what it says and who guarantees it")
        self.assumed.add(name)
        m.d.comb += Assume(condition, src_loc_at=1)

    def any_straps(self, m: Module) -> data.View:
        """Straps of any node of any torus whose ids fit 16 bits; constant."""
        straps = Signal(Straps)
        m.d.comb += straps.eq(AnyConst(Straps.size))
        bits = Signal(5)
        m.d.comb += bits.eq(sum(ring_bits(straps[f"size_{axis}"]) for axis in "xyz"))
        for axis in "xyz":
            size = straps[f"size_{axis}"]
            self.assume(m, "any-place", (size >= 1) & (size <= 64) & (straps[axis] < size))
        self.assume(m, "any-place", bits <= 16)
        return straps


def any_of(conditions: Iterable[Value]) -> Value:
    """The disjunction of conditions."""
    result = Value.cast(0)
    for condition in conditions:
        result = result | condition
    return result


def ring_bits(size: Value) -> Value:
    """Bits of a coordinate: the least b with 2^b at or above the size."""
    return sum(Mux(size > 1 << b, Const(1, 1), Const(0, 1)) for b in range(6))


def packed_id(m: Module, straps: data.View, coordinate: dict[str, Value], name: str) -> Value:
    """The node id of a coordinate inside the torus, by its definition: each coordinate times the weight below it."""
    number = Signal(16, name=name)
    bits_x = Signal(3, name=f"{name}_bits_x")
    bits_xy = Signal(4, name=f"{name}_bits_xy")
    m.d.comb += [
        bits_x.eq(ring_bits(straps.size_x)),
        bits_xy.eq(bits_x + ring_bits(straps.size_y)),
        number.eq(coordinate["x"][:6] + (coordinate["y"][:6] << bits_x) + (coordinate["z"][:6] << bits_xy)),
    ]
    return number


class Mirror:
    """A copy of both banks of a table, kept from the writes the policy shows, and compared with the memory.

    The memory has no reset, and neither has the copy: after one, both hold whatever they held.

    Parameters
    ----------
    m : Module
    harness : Harness
    ram : memory.Memory
        Of the table.
    policy : policy_signature interface
    write : Value
        The policy's write strobe for this kind of table.
    parameters : Parameters
        Of the table.
    """

    def __init__(self, m, harness, ram: memory.Memory, policy, write, parameters=PARAMETERS):
        words = parameters.table_words
        self.words = [Signal(32, name=f"mirror_{bank}_{w}", reset_less=True) for bank in range(2) for w in range(words)]
        for bank in range(2):
            for w in range(words):
                copy = self.words[bank * words + w]
                with m.If(write & (policy.epoch != bank) & (policy.write_index == w if words > 1 else 1)):
                    m.d.sync += copy.eq(policy.write_data)
                port = ram.read_port(domain="comb")
                m.d.comb += port.addr.eq(bank * words + w)
                harness.help(m, port.data == copy)
        self._policy = policy
        self._ids = parameters.table_nodes

    def bit(self, number: Value) -> Value:
        """The active bit of a node id; 0 before the first commit and for ids a table does not cover."""
        bits = Cat(*self.words)
        half = len(bits) // 2
        active = Mux(self._policy.epoch, bits[half:], bits[:half])
        index = number[:(half - 1).bit_length()]
        return self._policy.valid & (number < self._ids) & active.bit_select(index, 1)


class Ring:
    """The hint rule of one dimension, from distances.

    Parameters
    ----------
    size, start, end : Value
        Of the ring; a coordinate in it each.
    hint : Value, 2 bits
        What software asks, plus in bit 1.
    odd : Value
        The source's coordinate sum is odd: a tie goes minus.
    """

    def __init__(self, m: Module, axis: str, size, start, end, hint, odd):
        forward = Signal(7, name=f"forward_{axis}")
        backward = Signal(7, name=f"backward_{axis}")
        self.differs = Signal(name=f"apart_{axis}")
        self.hint = Signal(2, name=f"wanted_{axis}")
        self.legal = Signal(name=f"legal_{axis}")
        self.hops = Signal(7, name=f"hops_{axis}")
        m.d.comb += [
            self.differs.eq(start != end),
            forward.eq(Mux(end >= start, end - start, size - (start - end))),
            backward.eq(Mux(end >= start, size - (end - start), start - end)),
            self.hops.eq(Mux(forward < backward, forward, backward)),
        ]
        with m.If(~self.differs):
            m.d.comb += [self.hint.eq(0), self.legal.eq(1)]
        with m.Elif(hint == 0b00):
            plus = (forward < backward) | ((forward == backward) & ~odd)
            m.d.comb += [self.hint.eq(Mux(plus, 0b10, 0b01)), self.legal.eq(1)]
        with m.Else():
            m.d.comb += [
                self.hint.eq(hint),
                self.legal.eq(((hint == 0b10) & (forward == self.hops)) | ((hint == 0b01) & (backward == self.hops))),
            ]


def policy_port() -> wiring.Member:
    """Any policy, changing in any cycle."""
    return In(policy_signature(PARAMETERS))
