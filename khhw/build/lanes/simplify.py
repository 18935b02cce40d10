"""Local clean-up of a netlist: constants, copies, inverters, duplicates, dead logic."""

from collections.abc import Mapping

from khhw.build.lanes.netlist import ONE, ZERO, Lut, Netlist

__all__ = ["select_ports", "simplify"]


def select_ports(netlist: Netlist, outputs: frozenset[str], tied: Mapping[str, int]) -> None:
    """Keep only some outputs, and give inputs in `tied` a value for ever."""
    constants: dict[int, int] = {}
    for port in netlist.ports:
        if port.is_input and port.name in tied:
            constants |= {net: tied[port.name] >> index & 1 for index, net in enumerate(port.nets)}
    netlist.ports = [port for port in netlist.ports
                     if (port.is_input and port.name not in tied) or port.name in outputs]
    for net, lut in netlist.luts.items():
        netlist.luts[net] = Lut(lut.table, tuple(constants.get(source, source) for source in lut.inputs))
    _rename(netlist, constants)


def simplify(netlist: Netlist) -> None:
    """Simplify the logic in place and drop what no flip-flop, memory or output needs."""
    alias: dict[int, int] = {}
    known: dict[Lut, int] = {}
    luts: dict[int, Lut] = {}
    for net in _order(netlist.luts):
        old = netlist.luts[net]
        lut = Lut(old.table, tuple(alias.get(source, source) for source in old.inputs))
        lut = _reduced(_without_inverters(_reduced(lut), luts))
        if not lut.inputs:
            alias[net] = ONE if lut.table & 1 else ZERO
        elif len(lut.inputs) == 1 and lut.table == 0b10:
            alias[net] = lut.inputs[0]
        elif lut in known:
            alias[net] = known[lut]
        else:
            luts[net] = lut
            known[lut] = net
    _rename(netlist, alias)
    netlist.luts = luts
    _drop_dead(netlist)


def _reduced(lut: Lut) -> Lut:
    """The same function without constant, repeated and irrelevant inputs."""
    names = list(dict.fromkeys(net for net in lut.inputs if net not in (ZERO, ONE)))
    table = 0
    for row in range(1 << len(names)):
        value = {net: row >> index & 1 for index, net in enumerate(names)} | {ZERO: 0, ONE: 1}
        table |= lut.value(value) << row
    index = 0
    while index < len(names):
        low = [row for row in range(1 << len(names)) if not row >> index & 1]
        if all(table >> row & 1 == table >> (row | 1 << index) & 1 for row in low):
            table = sum((table >> row & 1) << position for position, row in enumerate(low))
            del names[index]
        else:
            index += 1
    return Lut(table, tuple(names))


def _without_inverters(lut: Lut, luts: Mapping[int, Lut]) -> Lut:
    """The same function with inverters at its inputs taken into the table."""
    table, inputs = lut.table, list(lut.inputs)
    for index, net in enumerate(inputs):
        driver = luts.get(net)
        if driver is not None and len(driver.inputs) == 1:
            inputs[index] = driver.inputs[0]
            table = sum((table >> (row ^ 1 << index) & 1) << row for row in range(1 << len(inputs)))
    return Lut(table, tuple(inputs))


def _order(luts: Mapping[int, Lut]) -> list[int]:
    """Nets with what drives them before them."""
    done: set[int] = set()
    order: list[int] = []
    for root in luts:
        stack = [(root, False)]
        while stack:
            net, leave = stack.pop()
            if leave:
                order.append(net)
            elif net in luts and net not in done:
                done.add(net)
                stack.append((net, True))
                stack.extend((source, False) for source in luts[net].inputs)
    return order


def _rename(netlist: Netlist, alias: Mapping[int, int]) -> None:
    def new(net: int) -> int:
        return alias.get(net, net)

    for port in netlist.ports:
        port.nets = [*map(new, port.nets)]
    for flip_flop in netlist.flip_flops:
        flip_flop.d = new(flip_flop.d)
    for memory in netlist.memories:
        memory.rewire(new)


def _drop_dead(netlist: Netlist) -> None:
    """Drop logic and flip-flops that nothing depends on."""
    flip_flops = {flip_flop.q: flip_flop for flip_flop in netlist.flip_flops}
    live: set[int] = set()
    stack = list(netlist.outputs())
    # The back door reads what a memory keeps, whatever the node does with it.
    stack += [net for memory in netlist.memories for net in memory.controls]
    while stack:
        net = stack.pop()
        if net in live:
            continue
        live.add(net)
        if net in netlist.luts:
            stack.extend(netlist.luts[net].inputs)
        elif net in flip_flops:
            stack.append(flip_flops[net].d)
    netlist.luts = {net: lut for net, lut in netlist.luts.items() if net in live}
    netlist.flip_flops = [flip_flop for flip_flop in netlist.flip_flops if flip_flop.q in live]
