"""AXI4-Lite: the host."""

from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import RisingEdge

from testbenches.kit.stream import Pauses, never

__all__ = ["OKAY", "SLVERR", "Answer", "AxiLiteHost"]

OKAY, SLVERR = 0, 2


class Answer(NamedTuple):
    """What an access was answered: the value read or written, and the response code."""

    value: int
    resp: int


class AxiLiteHost:
    """A manager that makes one access at a time.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the port.
    pauses : iterator of bool, optional
        Cycles by which each channel is late, on its own.
    """

    def __init__(self, dut: Any, prefix: str = "host", pauses: Pauses | None = None) -> None:
        self.pauses = never() if pauses is None else pauses
        self._dut = dut
        self._prefix = prefix
        for name in ("awvalid", "wvalid", "bready", "arvalid", "rready"):
            self._port(name).value = 0

    async def read(self, address: int) -> Answer:
        """Read 32 bits."""
        await self._request("ar", araddr=address)
        value, resp = await self._response("r", "rdata", "rresp")
        return Answer(value, resp)

    async def write(self, address: int, value: int, strobe: int = 0xF) -> Answer:
        """Write 32 bits, or the bytes of them that `strobe` names (bit 3 is the most significant)."""
        other = cocotb.start_soon(self._request("w", wdata=value, wstrb=strobe))
        await self._request("aw", awaddr=address)
        await other
        [resp] = await self._response("b", "bresp")
        return Answer(value, resp)

    def _port(self, name: str) -> Any:
        return getattr(self._dut, f"{self._prefix}__{name}")

    async def _pause(self) -> None:
        while next(self.pauses):
            await RisingEdge(self._dut.clk)

    async def _request(self, channel: str, **payload: int) -> None:
        await self._pause()
        for name, value in payload.items():
            self._port(name).value = value
        valid, ready = self._port(channel + "valid"), self._port(channel + "ready")
        valid.value = 1
        await RisingEdge(self._dut.clk)
        while not int(ready.value):
            await RisingEdge(self._dut.clk)
        valid.value = 0

    async def _response(self, channel: str, *names: str) -> list[int]:
        await self._pause()
        valid, ready = self._port(channel + "valid"), self._port(channel + "ready")
        ready.value = 1
        await RisingEdge(self._dut.clk)
        while not int(valid.value):
            await RisingEdge(self._dut.clk)
        values = [int(self._port(name).value) for name in names]
        ready.value = 0
        return values
