"""Write down what a real memcached answers to all sequences: ``python -m tests.kernels.memcached.record``.

``recorded.json`` is what tests compare with where no memcached is installed. Long answers are kept as a checksum.
"""

import hashlib
import json
from pathlib import Path

from tests.kernels.memcached.sequences import ALL, Played, play
from tests.kernels.memcached.servers import real_memcached

RECORDED = Path(__file__).parent / "recorded.json"
_LONGEST = 400


def shortened(played: Played) -> list[str]:
    """Answers as text, or their length and checksum."""
    return [
        answer.decode("latin-1")
        if len(answer) <= _LONGEST
        else f"{len(answer)} bytes, SHA-256 {hashlib.sha256(answer).hexdigest()}"
        for answer in played
    ]


def recorded() -> dict[str, list[str]]:
    """What the real server answered, by name of the sequence."""
    answers: dict[str, list[str]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return answers


if __name__ == "__main__":
    with real_memcached() as ask:
        RECORDED.write_text(
            json.dumps({steps.name: shortened(play(steps, ask)) for steps in ALL}, indent=0) + "\n", encoding="utf-8"
        )
