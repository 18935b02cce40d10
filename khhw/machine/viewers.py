"""Lists of signals for waveform viewers: GTKWave's save file and Surfer's command file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from khhw.node import Shape
from rtl.fabric import Fabric
from rtl.formats import FLIT_BITS, Direction

__all__ = ["write_viewer_files"]

_HEXADECIMAL, _BINARY, _COMMENT = "@22", "@28", "@200"
_FLIT = FLIT_BITS + 3


def write_viewer_files(waves: Path, shape: Shape, ranks: Sequence[int] | None = None) -> tuple[Path, Path]:
    """Write the lists beside the waves of a fabric.

    Parameters
    ----------
    waves : Path
        FST or VCD file.
    shape : Shape
        Of the machine.
    ranks : sequence of int, optional
        The nodes in the waves; all by default.

    Returns
    -------
    tuple of Path
        ``waves.gtkw`` (``gtkwave FILE``), ``waves.sucl`` (``surfer -c FILE``).
    """
    gtkwave = [f'[dumpfile] "{waves.resolve()}"', "[timestart] 0"]
    surfer = [f"load_file {waves.resolve()}"]
    for heading, signals in _groups(shape, range(shape.nodes) if ranks is None else ranks):
        gtkwave += [_COMMENT, f"-{heading}"]
        surfer.append(f"divider_add {heading}")
        for name, width in signals:
            path = f"{Fabric.module_name}.{name}"
            gtkwave += [_HEXADECIMAL, f"{path}[{width - 1}:0]"] if width > 1 else [_BINARY, path]
            surfer.append(f"variable_add {path}")
    written = waves.with_name("waves.gtkw"), waves.with_name("waves.sucl")
    for file, lines in zip(written, (gtkwave, [*surfer, "zoom_fit"]), strict=True):
        # A folder may have bytes in its name that are no UTF-8.
        file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
    return written


def _groups(shape: Shape, ranks: Sequence[int]) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Headings, and signals with their widths: the machine, then every node and the cables it has."""
    yield "machine", [("clk", 1), ("now", 64), ("irq", shape.nodes), ("quiescent", shape.nodes),
                      ("owner_in__valid", 1), ("owner_out__valid", 1)]
    for rank in ranks:
        signals = [("irq", 1), ("quiescent", 1), ("host__awvalid", 1), ("host__arvalid", 1), ("host__bvalid", 1),
                   ("host__rvalid", 1), ("parent_tx__valid", 1), ("parent_rx__valid", 1)]
        for direction in Direction:
            if shape.sizes[direction // 2] > 1:
                signals += [(f"tx__{direction}__valid", 1), (f"tx__{direction}__vc", 2),
                            (f"tx__{direction}__flit", _FLIT)]
        yield f"node {rank} at {shape.coordinate(rank)}", [(f"node_{rank}.{name}", width) for name, width in signals]
