"""What has to be changed in the Verilog that Yosys writes."""

import re

__all__ = ["wake_constants", "wake_in_systemverilog", "without_empty_wires"]

_CONSTANT = re.compile(r"^  always @\*\n    (\S[^\n]*? = \d+'h[0-9a-f]+;)\n", re.MULTILINE)
_WAKE = re.compile(r"^  reg (\\\$auto\$verilog_backend\S* ) = 0;$", re.MULTILINE)
_ANY_WAKE = re.compile(r"^  reg (\\(?:\$auto\$verilog_backend\S*|khhw\$wake) ) = 0;$", re.MULTILINE)
_EMPTY = re.compile(r"^  wire \[-1:0\] \S+ ?;\n", re.MULTILINE)
_DECLARATIONS = re.compile(r"^module [^;]*;\n", re.MULTILINE)
_OWN_WAKE = "\\khhw$wake "


def wake_constants(verilog: str) -> str:
    """Let constants that are assigned in an ``always @*`` of their own take effect.

    Nothing changes that such a block could wait for: a simulator with unknown values never runs it, and the
    bits stay unknown. Blocks with more to do read a register that is written once, at the start; so do these
    then, and an ``initial`` helps simulators that write it before blocks wait.
    """
    modules = re.split(r"(?m)^(?=module )", verilog)
    return "".join(_wake_module(module) for module in modules)


def wake_in_systemverilog(verilog: str) -> str:
    """Let all blocks ``always @*`` run at the start where a simulator reads Verilog as SystemVerilog.

    There a variable has its initial value before anything runs: the registers that wake the blocks do not change any
    more, and what follows from registers that do not change either stays unknown. Here they change when all blocks
    wait.
    """
    return _ANY_WAKE.sub(r"  reg \1;\n  initial \1<= 1'h0;", verilog)


def without_empty_wires(verilog: str) -> str:
    """Leave out signals of no bits, such as the index into one word; to Verilog, their declarations mean two bits."""
    return _EMPTY.sub("", verilog)


def _wake_module(text: str) -> str:
    if not _CONSTANT.search(text):
        return text
    found = _WAKE.search(text)
    wake = found[1] if found else _OWN_WAKE
    if not found:
        text = _DECLARATIONS.sub(lambda head: f"{head[0]}  reg {_OWN_WAKE} = 0;\n", text, count=1)
    return _CONSTANT.sub(lambda block: (f"  initial {block[1]}\n"
                                        f"  always @* begin\n    if ({wake}) begin end\n    {block[1]}\n  end\n"), text)
