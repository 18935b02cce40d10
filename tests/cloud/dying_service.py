"""A service that dies: connects to a machine, asks for a revision, and kills itself before the answer.

``python -m tests.cloud.dying_service STATE FILE NUMBER SECONDS``: after so many seconds behind the question.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from khhw.cloud.client import SimulatedMachine
from khhw.machine.machine import Machine
from tests.cloud.simulated import revision


def main():
    state, file, number, seconds = sys.argv[1:]
    machine = SimulatedMachine(Path(state), Machine.load(file, engine="native"))
    machine.connect()
    wanted = revision(int(number), {7: [0, 1]}, hand_over=[0, 1])
    threading.Thread(target=machine.apply, args=(wanted, ), daemon=True).start()
    time.sleep(float(seconds))
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
