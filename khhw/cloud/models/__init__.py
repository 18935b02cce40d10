"""What the cloud speaks of: one set of models for the store, the HTTP interface and the command line.

Times ending in ``_time`` are machine seconds: cycles over the clock, summed over boots (:mod:`khhw.cloud.times`). Those
ending in ``_at``, and ``until``, are of the wall, in UTC.
"""

from khhw.cloud.models.base import Digest, Direction, Name, Seconds
from khhw.cloud.models.leases import Acquire, BootRecord, Lease, LeaseChange, LeaseStatus, Node, NodeState, Reading
from khhw.cloud.models.networks import Connection, Consent, Console, ConsoleShare, Interface, Network, NetworkKind
from khhw.cloud.models.principals import Principal, Quota, Token, Usage
from khhw.cloud.models.service import (
    Approval,
    Archive,
    AuditEntry,
    Check,
    Finding,
    Intent,
    IntentState,
    MachineTime,
    Relay,
    Relays,
)

__all__ = [
    "Acquire", "Approval", "Archive", "AuditEntry", "BootRecord", "Check", "Connection", "Consent", "Console",
    "ConsoleShare", "Digest", "Direction", "Finding", "Intent", "IntentState", "Interface", "Lease", "LeaseChange",
    "LeaseStatus", "MachineTime", "Name", "Network", "NetworkKind", "Node", "NodeState", "Principal", "Quota",
    "Reading", "Relay", "Relays", "Seconds", "Token", "Usage",
]
