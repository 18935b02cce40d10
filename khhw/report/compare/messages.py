"""Messages that both runs timed."""

import numpy as np
import numpy.typing as npt

from khhw.report.compare.pair import Pair

__all__ = ["common_messages"]


def common_messages(pair: Pair) -> list[npt.NDArray[np.int64]]:
    """Latency samples of the first run and of the second, of the messages that both timed.

    Returns
    -------
    list of numpy.ndarray
        Two of shape (samples, 5): source, destination, hops, bytes, cycles; none if they timed no message alike.
    """
    first, second = (run.latency() for run in (pair.first, pair.second))
    common = {tuple(row) for row in first[:, :4].tolist()} & {tuple(row) for row in second[:, :4].tolist()}
    if not common:
        return []
    return [samples[[tuple(row) in common for row in samples[:, :4].tolist()]] for samples in (first, second)]
