"""What comes from outside the simulation, from threads that know no cycles, for tasks that know nothing else."""

from collections import deque
from collections.abc import Callable
from threading import Event

from khhw.host.scheduler import Scheduler

__all__ = ["Inbox"]

_Post = tuple[int, Callable[[], None], str]


class Inbox:
    """Events that other threads post, and a back end hands to the tasks between two cycles.

    A host that has one is never without hope: a back end waits for it where it would end the run as quiet. A run is
    then no longer the same again, as what comes and when is the outside's to say.

    Attributes
    ----------
    waited_seconds : float
        Wall time the machine has been idle and waited for it.
    skipped_cycles : int
        Cycles the machine has been idle and was not simulated in.
    """

    def __init__(self) -> None:
        self.waited_seconds = 0.0
        self.skipped_cycles = 0
        # Not a queue.SimpleQueue: its get() waits for ever if a signal is handled across the end of the timeout.
        self._posts: deque[_Post] = deque()
        self._posted = Event()

    def post(self, rank: int, action: Callable[[], None], name: str = "the outside") -> None:
        """Ask for `action` in one of the next cycles, in the turn of `rank`; for any thread.

        Parameters
        ----------
        rank : int
            The node it belongs to, or ``ROOT``.
        action : callable
            Runs in the simulator's thread; it may wake and spawn tasks.
        name : str
            For messages.
        """
        self._posts.append((rank, action, name))
        self._posted.set()

    @property
    def waiting(self) -> bool:
        """Whether there is something to deliver."""
        return bool(self._posts)

    def wait(self, seconds: float) -> bool:
        """Block until there is something to deliver, `seconds` at most; returns whether there is."""
        # Cleared before the look, as who posts sets it afterwards.
        self._posted.clear()
        return self.waiting or (self._posted.wait(max(0.0, seconds)) and self.waiting)

    def deliver(self, scheduler: Scheduler, cycle: int) -> None:
        """Make everything that was posted an event of `cycle`, in the order it was posted."""
        while self._posts:
            scheduler.at(cycle, *self._posts.popleft())
