"""Testbenches in SystemVerilog for those who use an exported module: self-checking, a screen or two each."""

from collections.abc import Sequence
from pathlib import Path

from khhw.export.banner import banner
from khhw.export.ports import ExportedPort
from rtl.parameters import Parameters

__all__ = ["testbench"]

_FOLDER = Path(__file__).with_name("testbenches")


def testbench(top: str, module: str, ports: Sequence[ExportedPort], parameters: Parameters) -> str:
    """Text of ``MODULE_tb.sv``, which prints `passed` or ends with ``$fatal``.

    The texts in ``testbenches/`` do the testing. Lines in them stand for what follows from the ports:

    - ``//@ instance``: that of ``MODULE_instance.svh``, and a task `clear_inputs` that sets all inputs to 0;
    - ``//@ frame``: what all have: clock, reset, checks, an end;
    - ``//@ nodes``: how many a fabric has, which Icarus Verilog 11 cannot tell from the width of a port.

    Parameters
    ----------
    top : str
        What the module is; names the text.
    module : str
        The module's name.
    ports : sequence of ExportedPort
    parameters : Parameters
    """
    body = (_FOLDER / f"{top}.sv").read_text(encoding="utf-8")
    assignments = "\n".join(f"    {port.name} = '0;" for port in ports if port.is_input and port.name != "clk")
    made = (f'`include "{module}_instance.svh"\n\n'
            f"  task automatic clear_inputs;\n{assignments}\n  endtask\n\n  initial clk = 1'b0;")
    frame = (_FOLDER / "frame.sv").read_text(encoding="utf-8").strip()
    text = body.replace("//@ instance", made).replace("//@ frame", frame)
    nodes = next((port.width for port in ports if port.name == "irq"), 0)
    text = text.replace("//@ nodes", f"localparam int NODES = {nodes};")
    return f"{banner('//', f'testbench of {module}', parameters)}\n{text}"
