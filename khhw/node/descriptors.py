"""Headers and injection descriptors as software writes them."""

from functools import lru_cache

from khhw.node.shape import Coordinate
from rtl.codec import Codec
from rtl.formats import (
    DESCRIPTOR_BYTES,
    Descriptor,
    FifoHeader,
    Header,
    PutHeader,
    VirtualChannel,
    pids_of,
)

__all__ = ["descriptor", "get_descriptor", "header", "message_descriptor", "put_descriptor"]

_header, _fifo_header, _put_header = Codec.of(Header), Codec.of(FifoHeader), Codec.of(PutHeader)
_descriptor = Codec.of(Descriptor)


@lru_cache(maxsize=4096)
def header(destination: Coordinate, *, ring: int = 0, adaptive: int = 0, **fields: int) -> int:
    """Torus header of a message to a coordinate.

    Parameters
    ----------
    destination : tuple of int
        Coordinate.
    ring : int
        Reception ring at the destination, 0 to 3.
    adaptive : int
        1: packets may take any shortest way and may overtake each other.
    **fields : int
        Other fields of :data:`rtl.formats.Header`; they win over the ones above.
    """
    x, y, z = destination
    values = {
        "x": x, "y": y, "z": z, **pids_of(ring), "dynamic": adaptive,
        "vc": VirtualChannel.ADAPTIVE0 if adaptive else VirtualChannel.ESCAPE,
    }
    return _header.pack(**{**values, **fields})


def descriptor(header: int, software: int, address: int, length: int, *, counter: int = 0, **fields: int) -> bytes:
    """A descriptor as it stands in an injection ring.

    Parameters
    ----------
    header : int
        A :data:`rtl.formats.Header`.
    software : int
        A :data:`rtl.formats.FifoHeader` or :data:`rtl.formats.PutHeader`.
    address, length : int
        The message: bytes from the window of injection counter `counter`.
    counter : int
        Injection counter.
    **fields : int
        Other fields of :data:`rtl.formats.Descriptor`.
    """
    values = {"counter": counter, "base_offset": address, "length": length, "header": header, "software": software}
    return _descriptor.pack(**{**values, **fields}).to_bytes(DESCRIPTOR_BYTES, "big")


def message_descriptor(
    destination: Coordinate, address: int, length: int, *,
    function: int = 0, ring: int = 0, counter: int = 0, adaptive: int = 0,
) -> bytes:
    """Descriptor of a memory-FIFO message.

    `function` (8 bits) is the receiver's to interpret. The message's length travels as `argument`, so that
    the receiver can tell payload from padding.
    """
    software = _fifo_header.pack(argument=length, function=function)
    return descriptor(header(destination, ring=ring, adaptive=adaptive), software, address, length, counter=counter)


def put_descriptor(
    destination: Coordinate, target: int, offset: int, address: int, length: int, *,
    key: int = 0, counter: int = 0, adaptive: int = 0,
) -> bytes:
    """Descriptor of a direct put: `length` bytes to `offset` in the window of reception counter `target`.

    `key` is what that counter was armed with; see :meth:`khhw.node.ReceptionCounter.arm`.
    """
    software = _put_header.pack(put_offset=offset, counter=target, key=key)
    return descriptor(header(destination, dma=1, adaptive=adaptive), software, address, length, counter=counter)


def get_descriptor(
    destination: Coordinate, ring: int, address: int, count: int, *, counter: int = 0, adaptive: int = 0,
) -> bytes:
    """Descriptor of a remote get: `count` descriptors at `address` go to injection ring `ring` of the destination."""
    software = _put_header.pack(remote_get=1, ring=ring)
    return descriptor(
        header(destination, dma=1, adaptive=adaptive), software, address, count * DESCRIPTOR_BYTES, counter=counter)
