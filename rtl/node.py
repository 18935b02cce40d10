"""A node: network interface, guards, router, tree and memory, wired."""

import warnings
from collections.abc import Iterator

from amaranth.hdl import Cat, Module, ResetInserter, Signal, UnusedElaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.formats import Straps
from rtl.guard.guard import Guard
from rtl.host_gate import HostGate
from rtl.memory import NodeMemory
from rtl.memory_gate import MemoryGate
from rtl.ni.ni import NI
from rtl.parameters import Parameters
from rtl.signatures import (
    DIRECTIONS,
    AxiLite,
    TorusLink,
    TreeLink,
    guard_signature,
    memory_signature,
    ni_signature,
    router_signature,
)
from rtl.torus.router import Router
from rtl.traffic.traffic import Traffic
from rtl.tree.endpoint import TreeEndpoint
from rtl.tree.router import TreeRouter

__all__ = ["PARTS", "SIGNATURES", "Node", "check_part"]

PARTS = {"router": Router, "guard": Guard, "ni": NI, "memory": NodeMemory}
"""The replaceable parts and what is used when nothing else is named."""

SIGNATURES = {"router": router_signature, "guard": guard_signature, "ni": ni_signature, "memory": memory_signature}
"""What a part must look like."""

_HANDOVER = 3
"""Cycles all blocks must have been quiet for the node to be quiescent."""


class Node(wiring.Component):
    """One Common Unit of Capacity: what a place of the torus holds.

    Every output towards another node leaves from a register. ``rst`` is the fabric reset; the tenant
    reset (`Guard.hold`) also resets the network interface, but never the guard, the router or the tree.

    Parameters
    ----------
    parameters : Parameters
        Of this node and, where links meet, of its neighbours.
    parts : dict of str to class, optional
        Replacements for :data:`PARTS`; each is constructed with `parameters` and has the signature
        of what it replaces (see :mod:`rtl.signatures`).

    Members
    -------
    straps : In(Straps)
        Place and torus size; constant.
    now : In(64)
        Cycles since the machine started.
    tx, rx : TorusLink, arrays of 6
        Torus cables by :class:`~rtl.formats.Direction`.
    parent_tx, parent_rx : TreeLink
        Tree cable to the parent; above the root, to the owner's port.
    child_tx, child_rx : TreeLink, arrays of 2
        Tree cables to the children.
    host : In(AxiLite)
        The host port: the tenant's way in.
    irq : Out(1)
        Level-sensitive interrupt to the host.
    held : Out(1)
        The owner holds the node: reset of the processor behind the host port.
    quiescent : Out(1)
        Without a new input nothing in this node will change.

    Raises
    ------
    TypeError
        If a part is unknown, or lacks the signature of what it replaces; says which ports differ.
    """

    def __init__(self, parameters: Parameters, parts=None):
        self.parameters = parameters
        self.parts = {**PARTS, **(parts or {})}
        if unknown := set(self.parts) - set(PARTS):
            raise TypeError(f"no part {min(unknown)!r} in a node; parts are {', '.join(PARTS)}")
        for name, part in self.parts.items():
            check_part(name, part, parameters)
        super().__init__({
            "straps": In(Straps),
            "now": In(64),
            "tx": Out(TorusLink).array(DIRECTIONS),
            "rx": In(TorusLink).array(DIRECTIONS),
            "parent_tx": Out(TreeLink),
            "parent_rx": In(TreeLink),
            "child_tx": Out(TreeLink).array(2),
            "child_rx": In(TreeLink).array(2),
            "host": In(AxiLite),
            "irq": Out(1),
            "held": Out(1),
            "quiescent": Out(1),
        })

    def observables(self) -> Iterator[tuple[str, str]]:
        """What a simulator can be asked to keep of the parts' insides: submodule and variable.

        A part, or the tree, may offer it by a static method ``observables(parameters)`` that yields (submodule,
        variable) by their names in Verilog, submodules below its own.
        """
        for name, part in {**self.parts, "tree": TreeRouter}.items():
            if offered := getattr(part, "observables", None):
                for submodule, variable in offered(self.parameters):
                    yield f"{name}.{submodule}", variable

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        m.submodules.guard = guard = self.parts["guard"](self.parameters)
        m.submodules.router = router = self.parts["router"](self.parameters)
        m.submodules.tree = tree = TreeRouter(self.parameters)
        m.submodules.endpoint = endpoint = TreeEndpoint(self.parameters)
        m.submodules.memory = memory = self.parts["memory"](self.parameters)
        ni = self.parts["ni"](self.parameters)
        m.submodules.ni = ResetInserter(guard.hold)(ni)
        m.submodules.gate = gate = HostGate()

        # What every block is told: where the node is, and the time.
        for block in (guard, router, tree, endpoint, ni):
            m.d.comb += block.straps.eq(self.straps)
        for block in (guard, ni):
            m.d.comb += block.now.eq(self.now)
        for block in (endpoint, ni):
            m.d.comb += block.node_id.eq(guard.node_id)

        # Injection and ejection: everything between software and the torus passes the guard.
        inject, eject, retired, accesses, asleep = ni.inject, ni.eject, ni.retired, ni.guard, ni.quiescent
        if self.parameters.traffic:
            traffic = self._add_traffic(m, guard, ni)
            inject, eject, retired, accesses = traffic.to_guard, traffic.from_guard, traffic.retired, traffic.guard
            asleep = ni.quiescent & traffic.quiescent
        for lane in range(self.parameters.lanes):
            connect(m, inject[lane], guard.from_ni[lane])
            connect(m, guard.to_router[lane], router.inject[lane])
            connect(m, router.eject[lane], guard.from_router[lane])
            connect(m, guard.to_ni[lane], eject[lane])
        m.d.comb += [
            guard.retired.eq(retired), guard.discards.eq(router.discards), guard.links.eq(router.links),
        ]

        # Host and memory: closed while the node is in hold.
        m.submodules.memory_gate = memory_gate = MemoryGate(self.parameters)
        connect(m, ni.memory, memory_gate.ni)
        connect(m, memory_gate.memory, memory)
        connect(m, accesses, guard.host)
        connect(m, flipped(self.host), gate.host)
        connect(m, gate.ni, ni.host)
        m.d.comb += [
            gate.hold.eq(guard.hold), self.held.eq(guard.hold), self.irq.eq(ni.irq),
            memory_gate.hold.eq(guard.hold), memory_gate.clear.eq(guard.clear),
            guard.unfinished.eq(memory_gate.unfinished | endpoint.unfinished),
        ]

        # Tree: owner accesses go to the guard, console packets to the network interface.
        connect(m, tree.local_out, endpoint.local_in)
        connect(m, endpoint.local_out, tree.local_in)
        connect(m, endpoint.owner, guard.owner)
        connect(m, endpoint.console_in, ni.console_in)
        connect(m, ni.console_out, endpoint.console_out)
        m.d.comb += [
            endpoint.send_id.eq(guard.send_id),
            endpoint.receive_ids.eq(guard.receive_ids),
            endpoint.receive_valid.eq(guard.receive_valid),
            endpoint.console_class.eq(guard.console_class),
            tree.class_routes.eq(guard.class_routes),
            endpoint.hold.eq(guard.hold),
            endpoint.tree_allowed.eq(guard.tree_allowed),
            guard.tree_source.eq(endpoint.tree_source),
            endpoint.tree_epoch.eq(guard.commits),
            ni.commits.eq(guard.commits),
            guard.tree_refused.eq(endpoint.tree_refused),
            guard.tree_stale.eq(endpoint.tree_stale),
            guard.tree_passed.eq(endpoint.tree_passed),
            guard.tree_retired.eq(ni.console_retired),
            guard.tree_sent.eq(endpoint.sent),
            guard.tree_received.eq(endpoint.received),
            guard.busy.eq(~asleep),
        ]

        # Cables of the torus and of the tree.
        for port in ("tx", "rx"):
            for ours, theirs in zip(getattr(self, port), getattr(router, port), strict=True):
                connect(m, flipped(ours), theirs)
        for port in ("parent_tx", "parent_rx"):
            connect(m, flipped(getattr(self, port)), getattr(tree, port))
        for port in ("child_tx", "child_rx"):
            for ours, theirs in zip(getattr(self, port), getattr(tree, port), strict=True):
                connect(m, flipped(ours), theirs)

        # A block hands on through a register: it may be quiet a cycle or two before its neighbour stirs.
        quiet = Signal()
        past = Signal(_HANDOVER)
        m.d.comb += [
            quiet.eq(guard.quiescent & router.quiescent & tree.quiescent & endpoint.quiescent
                     & (asleep | guard.hold) & ~gate.busy & ~memory_gate.unfinished),
            self.quiescent.eq(quiet & past.all()),
        ]
        m.d.sync += past.eq(Cat(quiet, past)[:_HANDOVER])
        return m

    def _add_traffic(self, m, guard, ni):
        """A traffic generator, wired to the network interface; its other side is the guard's."""
        traffic = Traffic(self.parameters)
        m.submodules.traffic = ResetInserter(guard.hold)(traffic)
        m.d.comb += [
            traffic.straps.eq(self.straps), traffic.node_id.eq(guard.node_id), traffic.now.eq(self.now),
            traffic.ni_retired.eq(ni.retired),
        ]
        for lane in range(self.parameters.lanes):
            connect(m, ni.inject[lane], traffic.from_ni[lane])
            connect(m, traffic.to_ni[lane], ni.eject[lane])
        connect(m, ni.guard, traffic.host)
        return traffic


def check_part(name, part, parameters):
    """Refuse a replacement that cannot be wired, before anything is elaborated.

    Parameters
    ----------
    name : str
        A key of :data:`PARTS`.
    part : class
        What shall stand there; constructed with `parameters`.

    Raises
    ------
    TypeError
        If its ports are not those of what it replaces; says which differ.
    """
    if part is PARTS[name]:
        return
    if not (isinstance(part, type) and issubclass(part, wiring.Component)):
        raise TypeError(f"{part.__module__}:{part.__qualname__} cannot be the {name}: it is no "
                        "amaranth.lib.wiring.Component")
    wanted = _flat(SIGNATURES[name](parameters))
    with warnings.catch_warnings():
        # The one made here only shows its ports.
        warnings.simplefilter("ignore", UnusedElaboratable)
        component = part(parameters)
        given = _flat(component.signature)
        del component
    missing, extra = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    if missing or extra:
        raise TypeError(f"{part.__module__}:{part.__qualname__} cannot be the {name}: "
                        f"missing ports {missing or 'none'}, extra ports {extra or 'none'}")
    for path, member in wanted.items():
        if given[path].flow is not member.flow:
            raise TypeError(f"{part.__module__}:{part.__qualname__} cannot be the {name}: "
                            f"port {path} must be {member.flow.name}")


def _flat(signature):
    ports = signature.flatten(signature.create())
    return {".".join(map(str, path)): member for path, member, _ in ports}
