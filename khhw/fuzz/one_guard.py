"""Tables whose rows and columns are not of one matrix: so that the guards of one side stand alone."""

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.owner import Owner, Write
from khhw.control.tables import table_writes

__all__ = ["install"]

_POLL = 100


async def install(owner: Owner, epochs: EpochControl, rows: Domains, columns: Domains) -> None:
    """Give every node rows and columns of different matrices, past the protocol of a change; nothing moves meanwhile.

    Parameters
    ----------
    owner : Owner
    epochs : EpochControl
        Told that nodes do not hold any more what it believes.
    rows : Domains
        What egress guards go by, and to which lease a node's meter counts.
    columns : Domains
        What ingress guards go by.

    Raises
    ------
    OwnerError
        If a node refuses something.
    """
    await owner.write_each({rank: [
        *(write for write in table_writes(rows, owner.shape, rank) if write.register != "COLUMN"),
        *(write for write in table_writes(columns, owner.shape, rank) if write.register == "COLUMN"),
    ] for rank in range(owner.shape.nodes)})
    await owner.write(None, Write("COMMIT", 1))
    while not all(status["drained"] for status in await owner.read_all_fields("GUARD_STATUS")):
        await owner.outside.sleep(_POLL)
    epochs.forget_tables()
