"""System calls for namespaces, TAP interfaces and privileges that Python 3.11 has no function for."""

import ctypes
import errno
import fcntl
import os
import signal
import struct

__all__ = ["TUN", "drop_capabilities", "end_with_parent", "open_tap", "own_network"]

TUN = "/dev/net/tun"
_NEW_UTS, _NEW_NET = 0x04000000, 0x40000000
"""Flags of unshare(2)."""
_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_INFORMATION = 0x1002
"""IFF_TAP and IFF_NO_PI: what is read and written is the frame alone."""
_REQUEST = struct.Struct("16sH22x")
_PARENT_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38
"""PR_SET_PDEATHSIG and PR_SET_NO_NEW_PRIVS of prctl(2)."""
_CAPABILITIES_VERSION = 0x20080522
"""_LINUX_CAPABILITY_VERSION_3 of capset(2): two words a set, three sets."""

_libc = ctypes.CDLL(None, use_errno=True)


def own_network() -> None:
    """Give this process a network, and a host name, of its own.

    Raises
    ------
    OSError
        If it may not.
    """
    _check(_libc.unshare(_NEW_NET | _NEW_UTS), "unshare")


def open_tap(name: str) -> int:
    """Make a TAP interface in this process's network; a descriptor that does not block. It is gone when that is closed.

    Raises
    ------
    OSError
        If there is no such device, or the process may not.
    """
    descriptor = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _REQUEST.pack(name.encode(), _TAP_WITHOUT_INFORMATION))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def drop_capabilities() -> None:
    """Give up all that this process may do beyond its files and processes, for ever.

    Raises
    ------
    OSError
        If it could not.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    _check(_libc.capset(header, none), "capset")


def end_with_parent() -> None:
    """Have this process killed when the one that started it has ended, however that was.

    A change of privileges undoes it: drop them before.

    Raises
    ------
    OSError
        If it could not.
    """
    parent = os.getppid()
    _check(_libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _check(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")
