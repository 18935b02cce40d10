"""Guards, network interfaces and routers with a fault in them: what the campaign must find.

Each is the real part with one replacement in the source of one of its modules, made in a copy of that module while a
machine with the part is built. The design itself stays as it is.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["BUGS", "Bug"]


@dataclass(frozen=True)
class Bug:
    """A fault, and the part that has it.

    Parameters
    ----------
    name : str
    what : str
        What goes wrong.
    part, replacement : str
        What :func:`khhw.build.engine.build_engine` is told.
    """

    name: str
    what: str
    part: str
    replacement: str

    @property
    def parts(self) -> dict[str, str]:
        """The machine's parts."""
        return {self.part: f"{__name__}:{self.replacement}"}


def _copy(module: str, *changes: tuple[str, str], **names: Any) -> ModuleType:
    """A module once more, under no name, with replacements in its source and other values for some of its names.

    Raises
    ------
    LookupError
        If the source is not what a replacement was made for.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no module {module} to plant a bug in")
    importlib.import_module(module)
    with open(spec.origin, encoding="utf-8") as file:
        source = file.read()
    for old, new in changes:
        if source.count(old) != 1:
            raise LookupError(
                f"{old!r} is {source.count(old)} times in {module}, not once; adapt khhw/fuzz/planted.py")
        source = source.replace(old, new)
    copied = importlib.util.module_from_spec(spec)
    exec(compile(source, spec.origin, "exec"), copied.__dict__)
    copied.__dict__.update(names)
    return copied


def _guard(**names: Any) -> Any:
    return _copy("rtl.guard.guard", **names).Guard


def _destination_looked_up() -> Any:
    ingress = _copy("rtl.guard.ingress", ("table.id.eq(header.source)", "table.id.eq(packer.id)"))
    return _guard(IngressGuard=ingress.IngressGuard)


def _kept_source() -> Any:
    egress = _copy("rtl.guard.egress", (
        "stamped.source.eq(self.node_id)", "stamped.source.eq(Mux(header.source == 0, self.node_id, header.source))"))
    return _guard(EgressGuard=egress.EgressGuard)


def _every_other_descriptor() -> Any:
    ingress = _copy("rtl.guard.ingress", (
        "with m.If(self.place == 3):\n                m.d.sync += self.beyond.eq(1)",
        "with m.If(self.place == 3):\n                m.d.sync += self.beyond.eq(~self.beyond)"))
    return _guard(IngressGuard=ingress.IngressGuard)


def _console_not_looked_up() -> Any:
    return _copy("rtl.guard.guard", ("self.tree_allowed.eq(tree.allowed)", "self.tree_allowed.eq(1)")).Guard


def _reader_not_asked() -> Any:
    descriptor = _copy("rtl.ni.descriptor", ("(remote & ~readable, Fault.WINDOW)", "(remote & ~remote, Fault.WINDOW)"))
    injection = _copy("rtl.ni.injection", DescriptorFetch=descriptor.DescriptorFetch)
    return _copy("rtl.ni.ni", InjectionLane=injection.InjectionLane).NI


def _admits(old: str, new: str) -> Any:
    counters = _copy("rtl.ni.counters", (old, new))
    reception = _copy("rtl.ni.reception", admits=counters.admits)
    return _copy("rtl.ni.ni", ReceptionLane=reception.ReceptionLane).NI


def _any_writer() -> Any:
    return _admits("(writer.any | (writer.node == source)) & ", "")


def _any_key() -> Any:
    return _admits(" & (writer.key == key)", "")


_MADE_BY = {
    "DestinationLookedUp": _destination_looked_up, "KeptSource": _kept_source,
    "EveryOtherDescriptor": _every_other_descriptor, "ConsoleNotLookedUp": _console_not_looked_up,
    "ReaderNotAsked": _reader_not_asked, "AnyWriter": _any_writer, "AnyKey": _any_key,
}

BUGS = (
    Bug("destination looked up", "the ingress guard looks up the destination in its column, not the source", "guard",
        "DestinationLookedUp"),
    Bug("kept source", "the egress guard keeps the source software wrote, if it wrote any", "guard", "KeptSource"),
    Bug("every other descriptor", "only every other descriptor of a remote get is turned to its requester", "guard",
        "EveryOtherDescriptor"),
    Bug("console not looked up", "console packets are accepted whatever the column says", "guard",
        "ConsoleNotLookedUp"),
    Bug("reader not asked", "a remote get may read any window, whoever its reader is", "ni", "ReaderNotAsked"),
    Bug("any writer", "a window takes puts of any permitted node, whoever its writer is", "ni", "AnyWriter"),
    Bug("any key", "a window takes puts with any key", "ni", "AnyKey"),
)
"""Faults in different places, of different kinds."""


def __getattr__(name: str) -> Any:
    """A part with a fault, made when it is asked for: only the process that builds a machine needs one."""
    if name in _MADE_BY:
        return _MADE_BY[name]()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
