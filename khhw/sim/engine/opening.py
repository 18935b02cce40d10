"""Making every node of a machine usable at once: what the owner of a machine without principals would do first."""

from collections.abc import Sequence

import numpy as np

from khhw.control.domains import Domains
from khhw.control.owner import OwnerError, Write, register_name
from khhw.control.tables import table_writes
from khhw.node import Shape
from khhw.node.tree_packets import CONTROL_WORDS, Control, control_packet
from khhw.sim.engine import Engine
from rtl.formats import ControlOp, ControlWord, TreeHeader, pack

__all__ = ["open_up"]

_HEADER_FLITS = 3
_STAMPED = pack(TreeHeader, owner=1, external=1)
_FAILED = pack(ControlWord, op=ControlOp.FAILED)


def open_up(engine: Engine) -> None:
    """Let every node talk to every node, and release them all.

    Parameters
    ----------
    engine : Engine
        A machine in its first cycles: everything is held and refused.

    Raises
    ------
    OwnerError
        If a node refuses something.
    """
    shape = Shape(*engine.shape)
    everybody = Domains(np.ones((shape.nodes, shape.nodes), np.bool_))
    # With everybody in one domain all nodes have the same tables.
    words = [write.word for write in (*table_writes(everybody, shape, 0), Write("COMMIT", 1), Write("HOLD", 0))]
    for at in range(0, len(words), CONTROL_WORDS):
        _tell_all(engine, words[at:at + CONTROL_WORDS])


def _tell_all(engine: Engine, words: Sequence[Control]) -> None:
    flits = np.array(control_packet(words, vector=0, conn_id=0).flits(), np.uint64)
    packets = np.tile(flits, (engine.nodes, 1))
    ranks = np.arange(engine.nodes, dtype=np.uint64)
    # By places: one word for each node.
    packets[:, 0] |= np.uint64(_STAMPED) | ranks << np.uint64(TreeHeader["vector"].offset)
    answers = engine.serve(packets)[:, _HEADER_FLITS:_HEADER_FLITS + len(words)]
    failed = answers & np.uint64(_FAILED)
    if failed.any():
        rank, word = np.argwhere(failed)[0]
        raise OwnerError(f"Node {rank} refused a write of {register_name(words[word].address)}")
