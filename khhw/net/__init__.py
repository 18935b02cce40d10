"""The four calls (tcp_send, tcp_rcv, rdma_put, rdma_get): streams over torus packets, and windows of memory."""

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
