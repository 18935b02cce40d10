"""What comes from outside the simulation, from threads that know no cycles, for tasks that know nothing else."""

from collections.abc import Callable
from queue import Empty, SimpleQueue

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
        self._posts: SimpleQueue[_Post] = SimpleQueue()
        self._taken: list[_Post] = []

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
        self._posts.put((rank, action, name))

    @property
    def waiting(self) -> bool:
        """Whether there is something to deliver."""
        return bool(self._taken) or not self._posts.empty()

    def wait(self, seconds: float) -> bool:
        """Block until there is something to deliver, `seconds` at most; returns whether there is."""
        if not self.waiting:
            try:
                self._taken.append(self._posts.get(timeout=max(0.0, seconds)))
            except Empty:
                return False
        return True

    def deliver(self, scheduler: Scheduler, cycle: int) -> None:
        """Make everything that was posted an event of `cycle`, in the order it was posted."""
        posts, self._taken = self._taken, []
        while not self._posts.empty():
            posts.append(self._posts.get())
        for rank, action, name in posts:
            scheduler.at(cycle, rank, action, name)
