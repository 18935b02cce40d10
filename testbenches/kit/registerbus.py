"""The register bus between blocks: an initiator and a responder."""

from collections.abc import Callable
from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import RisingEdge

from testbenches.kit.stream import Pauses, never

__all__ = ["BusAnswer", "RegisterInitiator", "RegisterResponder"]


class BusAnswer(NamedTuple):
    """What an access was answered: the value (of a read) and whether it was refused."""

    value: int
    error: bool


class RegisterInitiator:
    """Makes one access at a time on a ``RegisterBus`` port of the design.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the port.
    """

    def __init__(self, dut: Any, prefix: str) -> None:
        self._dut = dut
        self._prefix = prefix
        self._port("valid").value = 0

    async def read(self, address: int) -> BusAnswer:
        """Read 32 bits."""
        return await self._access(False, address, 0)

    async def write(self, address: int, value: int) -> BusAnswer:
        """Write 32 bits."""
        return await self._access(True, address, value)

    def _port(self, name: str) -> Any:
        return getattr(self._dut, f"{self._prefix}__{name}")

    async def _access(self, write: bool, address: int, data: int) -> BusAnswer:
        for name, value in (("write", int(write)), ("address", address), ("data", data), ("valid", 1)):
            self._port(name).value = value
        await RisingEdge(self._dut.clk)
        while not int(self._port("done").value):
            await RisingEdge(self._dut.clk)
        self._port("valid").value = 0
        return BusAnswer(int(self._port("value").value), bool(self._port("error").value))


class RegisterResponder:
    """Answers the accesses a design makes on a ``RegisterBus`` port, and keeps a list of them.

    Parameters
    ----------
    dut : handle
        Whose ports these are.
    prefix : str
        Name of the port.
    answer : callable
        Called with (write, address, data); returns a :class:`BusAnswer`.
    pauses : iterator of bool, optional
        Cycles by which answers come late.
    """

    def __init__(self, dut: Any, prefix: str, answer: Callable[[bool, int, int], BusAnswer],
                 pauses: Pauses | None = None) -> None:
        self.accesses: list[tuple[bool, int, int]] = []
        self.pauses = never() if pauses is None else pauses
        self._dut = dut
        self._prefix = prefix
        self._answer = answer
        self._port("done").value = 0
        self._task = cocotb.start_soon(self._run())

    def _port(self, name: str) -> Any:
        return getattr(self._dut, f"{self._prefix}__{name}")

    async def _run(self) -> None:
        done = False
        while True:
            await RisingEdge(self._dut.clk)
            if done or not int(self._port("valid").value):
                done = False
            elif not next(self.pauses):
                access = (bool(self._port("write").value), int(self._port("address").value),
                          int(self._port("data").value))
                self.accesses.append(access)
                answer = self._answer(*access)
                self._port("value").value = answer.value
                self._port("error").value = int(answer.error)
                done = True
            self._port("done").value = int(done)
