"""What a meter counts, line by line: RTL, the register map and host code share the order."""

import enum

__all__ = ["LINES", "TENANT_LINES", "MeterLine"]


class MeterLine(enum.IntEnum):
    """Lines of a node's meter; 64 bits each, never set back.

    OWN and SHARED are traffic of the torus by what the register SHARED says of the peer: a node of the same lease, or
    of another one. EXTERNAL is what the console sends into the tree and takes from it. A flit is
    :data:`~rtl.formats.FLIT_BYTES` bytes of a cable, headers included.
    """

    OWN_FLIT_HOPS = 0
    """Flits sent, each times the cables on its way: bytes of cables, in units of a flit."""
    SHARED_FLIT_HOPS = 1
    OWN_SENT_PACKETS = 2
    """Packets that passed the egress guard."""
    OWN_SENT_FLITS = 3
    """Flits of them that entered the router."""
    OWN_RECEIVED_PACKETS = 4
    """Packets handed to the network interface; copies of deposit packets do not count."""
    OWN_RECEIVED_FLITS = 5
    SHARED_SENT_PACKETS = 6
    SHARED_SENT_FLITS = 7
    SHARED_RECEIVED_PACKETS = 8
    SHARED_RECEIVED_FLITS = 9
    EXTERNAL_SENT_PACKETS = 10
    """Packets of the console that were taken, whole, for the tree."""
    EXTERNAL_SENT_FLITS = 11
    EXTERNAL_RECEIVED_PACKETS = 12
    """Packets of the tree that were accepted for the console."""
    EXTERNAL_RECEIVED_FLITS = 13
    COPIED_PACKETS = 14
    """Copies of deposit packets handed to the network interface, whoever's they are."""
    COPIED_FLITS = 15
    BUSY_CYCLES = 16
    """Cycles in which the network interface had something to do."""
    REFUSED_PACKETS = 17
    """Packets for this node that its ingress guard refused; of the remaining lines the tenant reads nothing."""
    REFUSED_FLITS = 18
    DROPPED_PACKETS = 19
    """Packets for this node that met it in hold."""
    DROPPED_FLITS = 20


LINES = len(MeterLine)
TENANT_LINES = MeterLine.REFUSED_PACKETS
"""The lines before this one are the tenant's to read as well."""
