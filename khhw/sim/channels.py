"""The buses of all nodes together, and the port above the tree's root, one clock edge at a time."""

from cocotb.handle import HierarchyObject

from khhw.host.ports import Access, Host, ranks_in
from khhw.host.root_port import Packet
from khhw.sim.signals import Vector
from rtl.formats import Flit, pack, unpack
from rtl.signatures import HOST_ADDRESS_BITS, TreeFlit

__all__ = ["HostBuses", "OwnerPort"]



class HostBuses:
    """AXI4-Lite managers of all nodes, on flat vectors. An access is in progress from `start` to its answer.

    Parameters
    ----------
    dut : HierarchyObject
        The top level.
    host : Host
        Whose accesses these are.
    """

    def __init__(self, dut: HierarchyObject, host: Host) -> None:
        self._host = host
        self._awaddr, self._wdata, self._araddr = (Vector(dut, f"host_{n}") for n in ("awaddr", "wdata", "araddr"))
        self._awvalid, self._wvalid, self._arvalid = (Vector(dut, f"host_{n}valid") for n in ("aw", "w", "ar"))
        self._awready, self._wready, self._arready = (Vector(dut, f"host_{n}ready") for n in ("aw", "w", "ar"))
        self._bvalid, self._bresp = Vector(dut, "host_bvalid"), Vector(dut, "host_bresp")
        self._rvalid, self._rresp, self._rdata = (Vector(dut, f"host_{n}") for n in ("rvalid", "rresp", "rdata"))
        self._aw = self._w = self._ar = 0
        self._writing = self._reading = 0
        self._addresses = {"w": 0, "r": 0}
        self._data = 0
        nodes = len(host.nodes)
        for name in ("bready", "rready"):
            Vector(dut, f"host_{name}").set((1 << nodes) - 1)
        Vector(dut, "host_wstrb").set((1 << 4 * nodes) - 1)
        for vector in (self._awaddr, self._wdata, self._araddr, self._awvalid, self._wvalid, self._arvalid):
            vector.set(0)
        self.accesses = 0

    @property
    def busy(self) -> bool:
        """Whether an access is in progress."""
        return bool(self._writing | self._reading)

    def start(self, accesses: list[Access]) -> None:
        """Show these from this cycle on."""
        for access in accesses:
            bit, at = 1 << access.rank, access.rank * HOST_ADDRESS_BITS
            kind = "r" if access.value is None else "w"
            cleared = self._addresses[kind] & ~(((1 << HOST_ADDRESS_BITS) - 1) << at)
            self._addresses[kind] = cleared | access.address << at
            if access.value is None:
                self._ar |= bit
                self._reading |= bit
            else:
                self._data = self._data & ~(0xFFFFFFFF << 32 * access.rank) | access.value << 32 * access.rank
                self._aw |= bit
                self._w |= bit
                self._writing |= bit
        self.accesses += len(accesses)
        self._awaddr.set(self._addresses["w"])
        self._araddr.set(self._addresses["r"])
        self._wdata.set(self._data)
        self._drive()

    def _drive(self) -> None:
        self._awvalid.set(self._aw)
        self._wvalid.set(self._w)
        self._arvalid.set(self._ar)

    def sample(self, cycle: int) -> None:
        """At the edge that ends `cycle`: take back what was accepted, hand on answers."""
        if self._aw:
            self._aw &= ~self._awready.get()
        if self._w:
            self._w &= ~self._wready.get()
        if self._ar:
            self._ar &= ~self._arready.get()
        self._drive()
        answers: list[tuple[int, int, bool]] = []
        written = self._writing & ~(self._aw | self._w)
        if written and (written := written & self._bvalid.get()):
            self._writing &= ~written
            responses = self._bresp.get()
            answers += [(rank, 0, bool(responses >> 2 * rank & 2)) for rank in ranks_in(written)]
        read = self._reading & ~self._ar
        if read and (read := read & self._rvalid.get()):
            self._reading &= ~read
            responses, values = self._rresp.get(), self._rdata.get()
            for rank in ranks_in(read):
                answers.append((rank, values >> 32 * rank & 0xFFFFFFFF, bool(responses >> 2 * rank & 2)))
        for rank, value, error in sorted(answers):
            self._host.nodes[rank].answered(cycle, value, error)


class OwnerPort:
    """The stream ports above the root. What comes out is always taken.

    Parameters
    ----------
    dut : HierarchyObject
        The top level.
    host : Host
        Whose root port this is.
    """

    def __init__(self, dut: HierarchyObject, host: Host) -> None:
        self._root = host.root
        self._in_payload, self._in_valid = Vector(dut, "owner_in__payload"), Vector(dut, "owner_in__valid")
        self._in_ready = Vector(dut, "owner_in__ready")
        self._out_payload, self.out_valid = Vector(dut, "owner_out__payload"), Vector(dut, "owner_out__valid")
        self._in_payload.set(0)
        self._in_valid.set(0)
        Vector(dut, "owner_out__ready").set(1)
        self._packet: Packet | None = None
        self._position = 0
        self._incoming: list[int] = []
        self._receiving = False
        self.packets = 0

    @property
    def sending(self) -> bool:
        """Whether a packet is on its way in."""
        return self._packet is not None

    @property
    def startable(self) -> bool:
        """Whether a packet waits and can begin."""
        return self._packet is None and bool(self._root.outgoing)

    @property
    def busy(self) -> bool:
        """Whether a flit moved at the last edge or is offered."""
        return self._packet is not None or self._receiving

    def start(self) -> None:
        """Show the first flit of the next packet from this cycle on, if one waits."""
        if self.startable:
            self._packet = self._root.outgoing.popleft()
            self._position = 0
            self.packets += 1
            self._in_valid.set(1)
            self._show(self._packet)

    def _show(self, packet: Packet) -> None:
        flit = pack(Flit, first=self._position == 0, last=self._position == len(packet.flits) - 1,
                    data=packet.flits[self._position])
        self._in_payload.set(pack(TreeFlit, channel=packet.channel, flit=flit))

    def sample(self, cycle: int) -> None:
        """At the edge that ends `cycle`: a flit each way."""
        packet = self._packet
        if packet is not None and self._in_ready.get():
            self._position += 1
            if self._position == len(packet.flits):
                self._packet = None
                self._in_valid.set(0)
                packet.taken(cycle)
            else:
                self._show(packet)
        self._receiving = bool(self.out_valid.get())
        if self._receiving:
            self._take(cycle, self._out_payload.get())

    def _take(self, cycle: int, payload: int) -> None:
        outer = unpack(TreeFlit, payload)
        flit = unpack(Flit, outer["flit"])
        if flit["first"]:
            self._incoming = []
        self._incoming.append(flit["data"])
        if flit["last"]:
            self.packets += 1
            if not flit["bad"]:
                self._root.arrived(cycle, self._incoming, outer["channel"])
