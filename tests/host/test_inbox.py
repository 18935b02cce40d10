"""What comes from outside: order, and a wait that ends when it should."""

import signal
import threading
import time

from khhw.host.inbox import Inbox
from khhw.host.scheduler import Scheduler


def test_what_is_posted_comes_in_its_order_and_turn():
    inbox, scheduler, came = Inbox(), Scheduler(), []
    for number, rank in enumerate((1, 0, 1)):
        inbox.post(rank, lambda number=number: came.append(number))
    assert inbox.wait(0)
    inbox.deliver(scheduler, 5)
    assert (inbox.waiting, inbox.wait(0), scheduler.next_cycle()) == (False, False, 5)
    scheduler.run(5)
    assert came == [1, 0, 2]


def test_a_post_ends_a_wait():
    inbox = Inbox()
    threading.Timer(0.1, inbox.post, (0, lambda: None)).start()
    began = time.monotonic()
    assert inbox.wait(60)
    assert time.monotonic() - began < 30


def test_a_signal_across_the_end_of_a_wait_does_not_make_it_longer():
    inbox = Inbox()
    before = signal.signal(signal.SIGALRM, lambda *_: time.sleep(0.3))
    # Ends the wait of a faulty inbox, so that the test fails instead of hanging.
    late = threading.Timer(20, inbox.post, (0, lambda: None))
    late.start()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert not inbox.wait(0.2)
    finally:
        late.cancel()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
