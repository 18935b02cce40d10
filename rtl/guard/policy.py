"""What the owner has decided for this node, as every guard lane sees it."""

from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from rtl.parameters import Parameters
from rtl.signatures import DIRECTIONS

__all__ = ["HOP_BITS", "policy_signature"]

HOP_BITS = 6
"""A shortest way has at most 32 hops in a ring."""


def policy_signature(parameters: Parameters) -> wiring.Signature:
    """The owner's decisions, seen from :class:`~rtl.guard.control.GuardControl`, which alone changes them.

    Members
    -------
    valid : Out(1)
        A table has been committed since the fabric reset; until then everything is refused.
    epoch : Out(1)
        Parity of the epoch. Also the bank of every table that is active; the other one is the shadow.
    hold : Out(1)
        Tenant reset, level, until what it cut is over.
    priority : Out(1)
        This node may inject on the priority channel.
    reach : Out, array of 6 hop counts
        How far a deposit packet may go in each direction, in this epoch.
    row_write, column_write, shared_write : Out(1)
        Write `write_data` to word `write_index` of the shadow of the row, of the column, or of SHARED.
    write_index : Out(word index)
    write_data : Out(32)
        Bit ``i`` of word ``w`` is about node id ``32 w + i``.
    """
    return wiring.Signature({
        "valid": Out(1),
        "epoch": Out(1),
        "hold": Out(1),
        "priority": Out(1),
        "reach": Out(data.ArrayLayout(HOP_BITS, DIRECTIONS)),
        "row_write": Out(1),
        "column_write": Out(1),
        "shared_write": Out(1),
        "write_index": Out(range(parameters.table_words)),
        "write_data": Out(32),
    })
