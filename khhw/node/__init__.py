"""The host driver of one node: all a kernel needs, and all it may import besides the formats."""

from khhw.host.cpu import Work
from khhw.host.scheduler import current_task
from khhw.host.sync import Event, Queue, gather, scope, spawn, timeout
from khhw.host.transport import BusError, NodeTransport
from khhw.node.arguments import parse_options
from khhw.node.commands import Command, WrongLine
from khhw.node.console import NodeConsole
from khhw.node.counters import InjectionCounter, ReceptionCounter
from khhw.node.descriptors import (
    descriptor,
    get_descriptor,
    header,
    message_descriptor,
    put_descriptor,
)
from khhw.node.injection import InjectionRing
from khhw.node.layout import Area, Layout, LayoutError
from khhw.node.memory import Memory
from khhw.node.node import ANSWER_RING, OWN_COUNTER, SEND_RING, Node
from khhw.node.reader import ConsoleReader
from khhw.node.reception import Packet, ReceptionRing
from khhw.node.ring_space import RingSpace
from khhw.node.shape import Coordinate, Shape
from khhw.node.tree_packets import Control, TreePacket, TreePacketError

__all__ = [
    "ANSWER_RING", "OWN_COUNTER", "SEND_RING", "Area", "BusError", "Command", "ConsoleReader", "Control",
    "Coordinate", "Event", "InjectionCounter", "InjectionRing", "Layout", "LayoutError", "Memory", "Node",
    "NodeConsole", "NodeTransport", "Packet", "Queue", "ReceptionCounter", "ReceptionRing", "RingSpace", "Shape",
    "TreePacket", "TreePacketError", "Work", "WrongLine", "current_task", "descriptor", "gather", "get_descriptor",
    "header", "message_descriptor", "parse_options", "put_descriptor", "scope", "spawn", "timeout",
]
