"""Whether the nodes of a machine hold what a revision says."""

from collections.abc import Sequence

from khhw.cloud.machine import NO_KEYS, ConsoleKeys, NodeState, Revision
from khhw.control.tables import table_crc, table_writes
from khhw.control.tree_classes import ROUTED_CLASSES, texts_to
from khhw.node.shape import Shape

__all__ = ["differences"]


def differences(revision: Revision, states: Sequence[NodeState], shape: tuple[int, int, int]) -> dict[int, str]:
    """What is otherwise than a revision says, in words, by rank; empty if the machine holds it.

    Parameters
    ----------
    revision : Revision
    states : sequence of NodeState
        Of all nodes.
    shape : tuple of int
        Of the machine, see :class:`~khhw.cloud.machine.MachineInfo`.
    """
    domains, whole = revision.domains(len(states)), Shape(*shape)
    texts = texts_to(domains.matrix, revision.classes)
    found = {}
    for state in states:
        wanted = table_crc(table_writes(domains, whole, state.rank, revision.number))
        keys = revision.keys.get(state.rank, NO_KEYS)
        if not state.committed:
            found[state.rank] = "no tables were committed"
        elif state.revision != revision.number:
            found[state.rank] = f"revision {state.revision}, not {revision.number}"
        elif state.table_crc != wanted:
            found[state.rank] = (f"other tables of revision {state.revision}: TABLE_CRC is {state.table_crc:#010x}, "
                                 f"not {wanted:#010x}")
        elif state.held != (state.rank not in revision.keys):
            found[state.rank] = "in hold, though somebody has it" if state.held else "not in hold, though nobody has it"
        elif state.keys != keys:
            found[state.rank] = f"console channels {_named(state.keys)}, not {_named(keys)}"
        elif wrong := [number for number, found_route in zip(ROUTED_CLASSES, state.routes, strict=True)
                       if number in texts and texts[number][1][state.rank]
                       and texts[number][0][state.rank] != found_route]:
            found[state.rank] = f"other routes of the tree's classes {', '.join(map(str, wrong))}"
    return found


def _named(keys: ConsoleKeys) -> str:
    return (f"{keys.send} to send (class {keys.tree_class}) and {', '.join(map(str, keys.receive)) or 'none'} to hear")
