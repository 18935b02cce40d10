"""Honest bytes in hostile hands: found by their taint, and by comparing words with all that the honest node holds."""

import numpy as np
import numpy.typing as npt

from khhw.fuzz.taint import PREFIXES, UPPER_HALVES, Bytes, pattern, words_of

__all__ = ["stolen"]

_SHORTEST = 4
"""Bytes from which on the beginning of a word is told from other data."""


def stolen(memory: Bytes, before: Bytes, secrets: Bytes, rank: int, *, shown: bool) -> npt.NDArray[np.intp]:
    """Words that were read from an honest node.

    Packets carry whole words from word boundaries on; only a message's end can lie within one.

    Parameters
    ----------
    memory, before : numpy array of uint8
        What is there, and what was there before something came.
    secrets : numpy array of uint8
        Memory of the honest node.
    rank : int
        Of the honest node.
    shown : bool
        Look for its shown bytes, else for all others of its own.

    Returns
    -------
    numpy array of int
        Indices of words.
    """
    words, old = words_of(memory), words_of(before)
    wanted = np.uint64(pattern(rank, shown=shown))
    # Almost no other word has this taint in its first bytes.
    first = PREFIXES[_SHORTEST - 1] & np.uint64(UPPER_HALVES)
    candidates = np.flatnonzero(((words ^ wanted) & first == 0) & (words != old))
    if not len(candidates):
        return candidates
    words, old, kept = words[candidates], old[candidates], words_of(secrets)
    found = np.zeros(len(candidates), np.bool_)
    for length in range(_SHORTEST, 9):
        mask = PREFIXES[length - 1]
        matching = (words ^ wanted) & mask & np.uint64(UPPER_HALVES) == 0
        ends_here = matching & ((words ^ old) & ~mask == 0)
        if ends_here.any():
            found |= ends_here & np.isin(words & mask, kept & mask)
    return candidates[found]
