"""The four calls, and what carries them: streams over torus packets, and registered windows."""

from khhw.net.buffers import Buffer
from khhw.net.calls import rdma_get, rdma_put, tcp_rcv, tcp_send
from khhw.net.connection import Connection
from khhw.net.errors import (
    ClosedError,
    NetError,
    NoAnswerError,
    NoRoomError,
    NotAllowedError,
    ResetError,
    WindowError,
)
from khhw.net.listener import Listener
from khhw.net.net import Net
from khhw.net.rdma import Transfer
from khhw.net.windows import ANY, RemoteBuffer, Window

__all__ = [
    "ANY", "Buffer", "ClosedError", "Connection", "Listener", "Net", "NetError", "NoAnswerError", "NoRoomError",
    "NotAllowedError", "RemoteBuffer", "ResetError", "Transfer", "Window", "WindowError", "rdma_get", "rdma_put",
    "tcp_rcv", "tcp_send",
]
