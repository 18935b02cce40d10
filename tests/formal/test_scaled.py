"""What is proved is the node that is built: the same classes and the same logic, other parameters only."""

import functools
import re

import pytest
from amaranth.hdl import Fragment
from amaranth.hdl._mem import MemoryInstance

from formal import prove
from formal.opened import Opened
from formal.reception import FREE
from formal.reception_lanes import SCALED
from khhw.mutants import imported
from rtl.node import Node
from rtl.parameters import Parameters


def blocks(fragment, path=""):
    """All fragments of a design by their paths."""
    yield path, fragment
    for inner, name, _ in fragment.subfragments:
        yield from blocks(inner, f"{path}.{name}" if path else name)


def classes(fragment):
    """The design's classes a fragment was made by, as they are named in the source."""
    made = (type(origin) for origin in fragment.origins or ())
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in made if cls.__module__.startswith("rtl."))


def by_kind(node):
    """Classes of the blocks of a node, by paths without numbers."""
    return {re.sub(r"_\d+\b", "_n", path): classes(fragment) for path, fragment in blocks(Fragment.get(node, None))}


@functools.cache
def built():
    """Classes of the node as it is built."""
    return {name for names in by_kind(Node(Parameters())).values() for name in names}


def logic(fragment):
    """What a block does, in words: its statements, and the ports of its memory."""
    ports = []
    if isinstance(fragment, MemoryInstance):
        ports = [repr((port._addr, port._data, port._en)) for port in fragment._write_ports]
        ports += [repr((port._addr, port._data, port._en)) for port in fragment._read_ports
                  if not any(signal.name == "look_data" for signal in port._data._lhs_signals())]
    return {domain: repr(statements) for domain, statements in fragment.statements.items()}, ports


def test_the_scaled_node_has_the_same_blocks():
    real, scaled = by_kind(Node(Parameters())), by_kind(Node(SCALED))
    assert len(real) > 80
    assert scaled == real


@pytest.mark.parametrize("used", [False, True], ids=["alone", "in-the-harness"])
def test_nothing_is_changed_but_what_is_free(used):
    if used:
        with imported("formal.reception", None) as reception:
            harness = reception.ReceptionHarness(())
            opened = next(fragment for path, fragment in blocks(Fragment.get(harness, None)) if path == "dut")
    else:
        opened = Fragment.get(Opened(Node(SCALED), FREE), None)
    proved = dict(blocks(opened))
    for path, block in blocks(Fragment.get(Node(SCALED), None)):
        if not any(path == free or path.startswith(f"{free}.") for free in FREE):
            assert logic(proved[path]) == logic(block), path


@pytest.mark.rare
@pytest.mark.parametrize(("module", "harness"), sorted({(job.module, job.harness) for job in prove.PROOFS}))
def test_harnesses_prove_the_classes_of_the_node(module, harness):
    with imported(module, None) as loaded:
        made = getattr(loaded, harness)(())
        proved = {name for _, fragment in blocks(Fragment.get(made, None)) for name in classes(fragment)}
    assert proved
    assert proved <= built()
