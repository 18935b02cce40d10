"""What is where in the memories of honest and hostile nodes, and how large things are."""

from khhw.node.layout import Area
from rtl.parameters import Parameters

__all__ = ["HONEST", "HOSTILE", "NODE", "HonestMap", "HostileMap"]

NODE = Parameters(traffic=True)
"""Of every node; a campaign may have other `lanes`. With a traffic generator, which is one more thing hostile software
has."""

_KIB = 1 << 10


class HonestMap:
    """Memory of an honest node. All its addresses are bytes."""

    injection = Area(0, 1 * _KIB)
    gets = Area(1 * _KIB, 1 * _KIB)
    console = Area(2 * _KIB, 2 * _KIB)
    reception = (Area(4 * _KIB, 4 * _KIB), Area(8 * _KIB, 4 * _KIB))
    windows = (Area(12 * _KIB, 2 * _KIB), Area(14 * _KIB, 2 * _KIB), Area(20 * _KIB, 2 * _KIB))
    """Puts of anybody; answers to gets, a slot for each node that is asked; puts of one honest node."""
    staging = Area(16 * _KIB, 4 * _KIB)
    text = Area(22 * _KIB, 2 * _KIB)
    shown = Area(24 * _KIB, 4 * _KIB)
    shared = Area(28 * _KIB, 4 * _KIB)
    secret = Area(32 * _KIB, 32 * _KIB)

    SEND_RING, GET_RING = 0, 1
    OWN, SHOWN, SHARED = 0, 2, 3
    """Injection counters: all of its memory, for nobody; what anybody may read; what one honest node may read."""
    PUTS, CONFIDED = 0, 2
    """Reception counters of the first window and the last."""
    ANSWERS = (3, 4, 6, 7)
    """Reception counters of slots of the second: for the first honest node, the second, ..."""
    CLOSED = 5
    """A reception counter with a window of all memory that is not armed."""
    SLOT = 256
    """Bytes of a window for each sender, by rank."""
    EXPECTED = 0x40000000
    """What reception counters count down from."""


class HostileMap:
    """Memory of a hostile node at the beginning of a round; its software may put things elsewhere."""

    rings = {0: Area(0, 10 * _KIB), 2: Area(10 * _KIB, 2 * _KIB), 3: Area(12 * _KIB, 12 * _KIB)}
    """Two lanes take two rings each; these keep both equally busy."""
    gets = Area(24 * _KIB, 4 * _KIB)
    GET_RING = 1
    payload = Area(28 * _KIB, 4 * _KIB)
    """Descriptors that remote gets carry."""
    windows = Area(32 * _KIB, 16 * _KIB)
    reception = (Area(48 * _KIB, 8 * _KIB), Area(56 * _KIB, 4 * _KIB))
    console = Area(60 * _KIB, 2 * _KIB)
    text = Area(62 * _KIB, 2 * _KIB)

    OWN, PAYLOAD, OPEN = 0, 1, 2
    """Injection counters: all memory; descriptors for remote gets; what anybody may read."""


HONEST, HOSTILE = HonestMap(), HostileMap()
