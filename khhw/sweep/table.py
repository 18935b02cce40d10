"""The table of a sweep: a row a point, the same as Parquet and as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from khhw.sweep.results import Row
from khhw.sweep.store import write_whole

__all__ = ["CSV", "PARQUET", "flat", "write_tables"]

CSV, PARQUET = "sweep.csv", "sweep.parquet"


def flat(row: Row) -> dict[str, Any]:
    """A row as single values by column; lists as text, parameters of the nodes as ``node_NAME``."""
    values = row.model_dump()
    x, y, z = values.pop("shape")
    node, parts, lengths = values.pop("node"), values.pop("parts"), values.pop("lengths")
    return {
        **{name: values.pop(name) for name in ("id", "state", "reason", "role")},
        "size_x": x, "size_y": y, "size_z": z, "nodes": x * y * z, "pattern": values.pop("pattern"),
        "lengths": " ".join(map(str, lengths)), "load": values.pop("load"), "seed": values.pop("seed"),
        **{f"node_{name}": value for name, value in node.items()},
        "parts": " ".join(f"{part}={name}" for part, name in sorted(parts.items())), **values}


def write_tables(rows: Sequence[Row], folder: Path) -> None:
    """Write ``sweep.parquet`` and ``sweep.csv``, each whole.

    Raises
    ------
    WriteError
        If one cannot be written.
    """
    table = [flat(row) for row in rows]
    write_whole(folder / PARQUET, _parquet(table))
    write_whole(folder / CSV, _csv(table))


def _csv(table: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    if table:
        writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue().encode()


def _parquet(table: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    # A column without any value has no type to be found: it is one of numbers.
    fields = []
    for name in table[0] if table else ():
        values = [row[name] for row in table if row[name] is not None]
        kind = pyarrow.array(values).type if values else pyarrow.float64()
        if pyarrow.types.is_integer(kind) and any(isinstance(value, float) for value in values):
            kind = pyarrow.float64()
        fields.append(pyarrow.field(name, kind))
    made = pyarrow.Table.from_pylist(list(table), schema=pyarrow.schema(fields))
    buffer = io.BytesIO()
    parquet.write_table(made, buffer)
    return buffer.getvalue()
