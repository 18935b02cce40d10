"""Our memcached through the gateway against the distribution's, with the same client and the same sequences.

``python -m tests.gateway.compare`` plays everything there is and writes docs/memcached-differences.md.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.gateway.served import PAIR, PATIENCE, ROOT, Served
from tests.kernels.memcached.sequences import (
    ALL,
    DIFFERENCES,
    GENERATED,
    HAND_PICKED,
    Steps,
    generate,
    play,
)
from tests.kernels.memcached.servers import Asker, real_memcached

PAGE = ROOT / "docs" / "memcached-differences.md"
MORE = 200
"""Random sequences besides those of the tests."""

_HEAD = """\
# Where our memcached differs

<!-- Written by: python -m tests.gateway.compare -->

The same client, a TCP socket, plays the same sequences of commands to the kernel `memcached`, through the gateway on
the RTL of two nodes, and to {version} of the distribution. What comes back is compared byte for byte; only
uniques (`cas`) are compared by the order of their first appearance, as their numbers mean nothing. `stats` without
words is not played: its numbers are those of another machine.

A line of any command but `get` and `gets` may have 16,384 bytes with its end, the original's read buffer; a longer one
closes the connection. The original closes it as well when it happens to meet 2,049 bytes of a line without the rest,
which is up to how the network cuts them. Here the rest may come in any pieces; only where it stops for a second is the
connection closed. The sequences are sent in one piece a step, and so are judged alike. A `get` or `gets` may have any
length; here all connections together may have begun 4 MiB of them, and the next is answered by `SERVER_ERROR out of
memory reading request` and the end. Before the end that a line of HTTP, or one too long, brings about, what was asked
before it is answered; the original drops the answers it has not sent.
"""

Ask = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Difference:
    """A step that was answered differently.

    Parameters
    ----------
    steps : Steps
    step : int
        Which; 0 is the first command of the sequence.
    ours, theirs : bytes
        The answers.
    """

    steps: Steps
    step: int
    ours: bytes
    theirs: bytes


def compare(sequences: Sequence[Steps], ours: Ask, theirs: Ask) -> list[Difference]:
    """The first difference of each sequence that has one."""
    found = []
    for steps in sequences:
        pairs = zip(play(steps, ours), play(steps, theirs), strict=True)
        step = next((index for index, (mine, other) in enumerate(pairs) if mine != other), None)
        if step is not None:
            found.append(Difference(steps, step - 1, play(steps, ours)[step], play(steps, theirs)[step]))
    return found


def long_ones(sequences: Sequence[Steps]) -> list[Steps]:
    """Sequences that send more than 100,000 bytes in a step; they take seconds each."""
    return [steps for steps in sequences if max(map(len, steps.sends)) > 100_000]


def _page(sequences: Sequence[Steps], found: Sequence[Difference], version: str, seconds: float) -> str:
    commands = sum(len(steps.sends) for steps in sequences)
    rows = [f"| `{_text(d.steps.sends[d.step])}` | `{_text(d.ours)}` | `{_text(d.theirs)}` "
            f"| {DIFFERENCES[d.steps.name]} |" for d in found]
    return "\n".join([
        _HEAD.format(version=version),
        f"Last time: {len(sequences)} sequences ({len(HAND_PICKED)} hand-picked, every error of the protocol among",
        f"them, the others random), {commands:,} steps, {seconds:.0f} s.",
        f"{len(sequences) - len(found)} sequences were answered alike; these were not:", "",
        "| sent | answer here | answer there | reason |", "| --- | --- | --- | --- |", *rows, "",
        f"The tests play them again, but of the random ones only the first {len(GENERATED)}, and not the",
        f"{len(long_ones(sequences))} with values near the limit, which take seconds each; and others that hypothesis",
        "makes up.", ""])


def _text(data: bytes) -> str:
    return data.decode("ascii", "backslashreplace").rstrip("\r\n").replace("\r\n", "\\r\\n")


def main() -> int:
    """Compare everything; 1 if there is a difference without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", dest="page", type=Path, default=PAGE, help=f"page to write (default: {PAGE})")
    page = parser.parse_args().page
    sequences = [*ALL, *(generate(seed) for seed in range(len(GENERATED), len(GENERATED) + MORE))]
    version = subprocess.run(["memcached", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder), PAIR) as served, real_memcached() as theirs:
        ours = Asker(served.port, PATIENCE)
        found = compare(sequences, ours.ask, theirs)
        ours.close()
    unknown = [difference for difference in found if difference.steps.name not in DIFFERENCES]
    for difference in unknown:
        print(difference, file=sys.stderr)
    if not unknown:
        page.write_text(_page(sequences, found, version, time.monotonic() - began), encoding="utf-8")
    return bool(unknown)


if __name__ == "__main__":
    sys.exit(main())
