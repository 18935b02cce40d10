"""The permission guard of a node: every lane guarded, one set of registers."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.formats import Reason
from rtl.guard.control import GuardControl
from rtl.guard.counters import GuardCounters
from rtl.guard.drain import Drain
from rtl.guard.egress import EgressGuard
from rtl.guard.ingress import IngressGuard
from rtl.guard.links import LinkCounters
from rtl.guard.log import RefusalLog
from rtl.guard.table import PermissionTable, Plane
from rtl.meter import Meter
from rtl.parameters import Parameters
from rtl.signatures import guard_signature
from rtl.torus.coordinates import CoordinatePacker

__all__ = ["Guard"]


class Guard(wiring.Component):
    """Enforces ``isAllowed`` between network interface and router, for any software on the node.

    Adds one cycle each way and passes one flit a cycle on every lane. Reset only with the fabric; from
    then until the owner's first commit everything is refused, and `hold` is 1 until the owner clears it.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    See :func:`~rtl.signatures.guard_signature`.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__(guard_signature(parameters))
        self.control = GuardControl(parameters)
        self.egress = [EgressGuard(parameters) for _ in range(parameters.lanes)]
        self.ingress = [IngressGuard(parameters) for _ in range(parameters.lanes)]

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        lanes = range(self.parameters.lanes)
        # The node's id, from where it is.
        m.submodules.control = control = self.control
        m.submodules.packer = packer = CoordinatePacker()
        m.d.comb += [
            packer.straps.eq(self.straps),
            packer.x.eq(self.straps.x), packer.y.eq(self.straps.y), packer.z.eq(self.straps.z),
            self.node_id.eq(packer.id),
        ]

        # A pair of guards on every lane, under one policy.
        for lane in lanes:
            m.submodules[f"egress_{lane}"] = egress = self.egress[lane]
            m.submodules[f"ingress_{lane}"] = ingress = self.ingress[lane]
            for guard in (egress, ingress):
                m.d.comb += [guard.straps.eq(self.straps), guard.node_id.eq(self.node_id)]
                connect(m, control.policy, guard.policy)
            connect(m, flipped(self.from_ni[lane]), egress.i)
            connect(m, egress.o, flipped(self.to_router[lane]))
            connect(m, flipped(self.from_router[lane]), ingress.i)
            m.d.comb += ingress.commits.eq(control.commits)
            connect(m, ingress.o, flipped(self.to_ni[lane]))

        # The column for console packets, whatever comes in.
        m.submodules.tree_table = tree = PermissionTable(self.parameters, Plane.COLUMN)
        connect(m, control.policy, tree.policy)
        m.d.comb += [
            tree.lookup.eq(1),
            tree.id.eq(self.tree_source),
            self.tree_allowed.eq(tree.allowed),
            self.commits.eq(control.commits),
        ]

        # Registers: the owner's, the host's, and what they set.
        connect(m, flipped(self.owner), control.owner)
        connect(m, flipped(self.host), control.host)
        m.d.comb += [
            self.hold.eq(control.policy.hold),
            self.clear.eq(control.clear),
            self.send_id.eq(control.send_id),
            self.receive_ids.eq(control.receive_ids),
            self.receive_valid.eq(control.receive_valid),
            self.console_class.eq(control.console_class),
            self.class_routes.eq(control.class_routes),
        ]
        # Refusals and counts.
        log = self._account(m)
        meter = self._meter(m)
        m.d.comb += self.quiescent.eq(
            ~control.busy & ~log.busy & meter.quiescent
            & Cat(*[guard.quiescent for guard in self.egress + self.ingress]).all())
        return m

    def _account(self, m):
        """Count and log what the lanes report, and keep track of what is unfinished."""
        control, lanes = self.control, range(self.parameters.lanes)
        # Count by lane, by cable and of the tree.
        m.submodules.counters = counters = GuardCounters(self.parameters)
        for lane in lanes:
            egress, ingress = self.egress[lane], self.ingress[lane]
            m.d.comb += [
                counters.egress_refused[lane].eq(egress.refused),
                counters.egress_reasons[lane].eq(egress.refusal.reason),
                counters.ingress_refused[lane].eq(ingress.refused),
                counters.ingress_reasons[lane].eq(ingress.refusal.reason),
                counters.injected[lane].strobe.eq(egress.sent),
                counters.injected[lane].epoch.eq(egress.sent_epoch),
            ]
            for name, strobe in (
                ("delivered", ingress.delivered), ("refused_in", ingress.denied), ("dropped", ingress.dropped),
            ):
                event = getattr(counters, name)[lane]
                m.d.comb += [event.strobe.eq(strobe), event.epoch.eq(ingress.ended_epoch)]
        m.d.comb += [
            counters.tree_refused.eq(self.tree_refused),
            counters.tree_stale.eq(self.tree_stale),
            counters.discards.eq(self.discards),
            counters.clear.eq(control.vacant),
            control.refused.eq(counters.refused),
            control.epochs.eq(counters.epochs),
        ]
        m.submodules.links = links = LinkCounters()
        m.d.comb += [links.links.eq(self.links), control.links.eq(links.states)]

        # Log refusals: one source a lane and way, and the tree.
        sources = 2 * self.parameters.lanes + 1
        m.submodules.log = log = RefusalLog(sources, self.parameters.log_entries)
        guards = self.egress + self.ingress
        for source, guard in enumerate(guards):
            m.d.comb += [log.refused[source].eq(guard.refused), log.refusals[source].eq(guard.refusal)]
        tree = log.refusals[sources - 1]
        m.d.comb += [
            log.refused[sources - 1].eq(self.tree_refused),
            tree.source.eq(self.tree_source), tree.destination.eq(self.node_id),
            tree.reason.eq(Mux(self.tree_stale, Reason.STALE, Reason.TREE)),
            log.now.eq(self.now),
            log.clear.eq(control.log_clear),
            log.forget.eq(control.vacant),
            log.index.eq(control.log_index),
            control.log_entry.eq(log.entry),
            control.log_count.eq(log.count),
            control.log_lost.eq(log.lost),
        ]

        # Packets judged by the old tables are finished when all lanes and the tree say so.
        ways = {f"drain_{lane}": (self.ingress[lane].passed, self.retired[lane]) for lane in lanes}
        ways["drain_tree"] = self.tree_passed, self.tree_retired
        drained = []
        for name, (passed, retired) in ways.items():
            m.submodules[name] = drain = Drain()
            m.d.comb += [
                drain.passed.eq(passed),
                drain.retired.eq(retired),
                drain.commit.eq(control.commit),
                drain.forget.eq(self.hold),
            ]
            drained.append(drain.drained)
        m.d.comb += control.drained.eq(Cat(*drained).all())
        return log

    def meter(self) -> Meter:
        """What counts what is billed; a subclass may return any other with the ports of a `Meter`."""
        return Meter(self.parameters)

    def _meter(self, m):
        """Count what is billed. A hold lasts until what it cut has left, so that none of it is the next tenant's."""
        control = self.control
        m.submodules.meter = meter = self.meter()
        connect(m, control.meter, meter.port)
        for lane, (egress, ingress) in enumerate(zip(self.egress, self.ingress, strict=True)):
            m.d.comb += [meter.sent[lane].eq(egress.metered), meter.received[lane].eq(ingress.metered)]
        m.d.comb += [
            meter.tree_sent.eq(self.tree_sent),
            meter.tree_received.eq(self.tree_received),
            meter.busy.eq(self.busy & ~control.policy.hold),
            meter.vacant.eq(control.vacant),
            meter.now.eq(self.now),
            control.unfinished.eq(
                self.unfinished | meter.unfinished | Cat(lane.cut_short for lane in self.egress).any()),
        ]
        return meter
