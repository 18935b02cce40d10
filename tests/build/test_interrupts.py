"""A command that is followed ends with who follows it, at once if that one is impatient."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from khhw.build.runners import run_followed

DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
FOLLOWER = """
import os, sys
from khhw.build.runners import run_followed

def on_line(line):
    print(line, flush=True)

run_followed([sys.executable, "-c", sys.argv[1]], ".", dict(os.environ), None, on_line=on_line)
"""


def test_a_second_interrupt_ends_what_is_deaf_to_the_first(khhw_environment):
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, f"import os; print(os.getpid()); {DEAF}"], env=khhw_environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as follower:
        deaf = int(follower.stdout.readline())
        assert follower.stdout.readline() == "deaf\n"
        began = time.monotonic()
        follower.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert follower.poll() is None, "it waits for the command"
        follower.send_signal(signal.SIGINT)
        follower.wait(30)
    assert time.monotonic() - began < 4, "the patience for one interrupt is 5 s"
    assert not os.path.exists(f"/proc/{deaf}")


def test_a_full_disk_does_not_end_what_prints_into_its_log():
    lines = []
    with contextlib.suppress(OSError), open("/dev/full", "w", encoding="utf-8") as log:
        run_followed([sys.executable, "-c", "for _ in range(3000): print('x' * 40)"], Path(), dict(os.environ), log,
                     on_line=lines.append)
    assert len(lines) == 3000
