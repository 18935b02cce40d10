"""The core of the cloud: who has which nodes, decided in transactions and carried out by a machine.

It is synchronous and has no sockets. Every operation takes who calls, and one that changes something a key that
makes it repeatable (idempotency key): asked again with the same key it gives the same answer and does nothing. It raises
:class:`~khhw.cloud.errors.CloudError`, and nothing else, for whatever somebody may have asked.

An operation that the machine must carry out answers with an :class:`~khhw.cloud.models.Intent` once the store has it;
:meth:`Core.step` carries it out. All may be called from any thread.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from khhw.cloud.callers import Caller
from khhw.cloud.machine import Machine, MachineInfo
from khhw.cloud.models import (
    Acquire,
    Approval,
    AuditEntry,
    Check,
    Connection,
    Consent,
    Console,
    Direction,
    Intent,
    Lease,
    LeaseChange,
    MachineTime,
    Network,
    Node,
    Principal,
    Quota,
    Reading,
    Token,
)

__all__ = ["Core"]


class Principals:
    """Who may ask, and by which secrets he is known. Everybody may make principals below himself, and see those."""

    def authenticate(self, token: str) -> Caller:
        """Who has this token. Raises UNAUTHORIZED for one that is wrong, expired, revoked, or of somebody disabled."""

    def authenticate_credential(self, name: str, credential: str) -> Caller:
        """Who has this name and this credential, which he chose. Takes about 0.1 s, as it should."""

    def create(self, caller: Caller, key: str | None, name: str, *, quota: Quota | None = None,
               credential: str | None = None) -> Principal:
        """Somebody below the caller, with a part of his quota."""

    def get(self, caller: Caller, name: str) -> Principal:
        """Himself, somebody below him; for the owner everybody."""

    def all(self, caller: Caller) -> list[Principal]:
        """All that :meth:`get` gives, by name."""

    def set_quota(self, caller: Caller, key: str | None, name: str, quota: Quota) -> Principal:
        """Of somebody below the caller. What is held already stays, even where it is more."""

    def set_credential(self, caller: Caller, key: str | None, name: str, credential: str | None) -> Principal:
        """Own, or of somebody below; None: no credential is accepted."""

    def set_enabled(self, caller: Caller, key: str | None, name: str, enabled: bool) -> Principal:
        """Of somebody below the caller. His leases stay."""

    def delete(self, caller: Caller, key: str | None, name: str) -> Principal:
        """Somebody below the caller who holds nothing, and has nobody below him. The name is never used again."""

    def create_token(self, caller: Caller, key: str | None, name: str, *, label: str = "",
                     expires_at: datetime.datetime | None = None, sha256: str | None = None) -> Token:
        """A new token, own or of somebody below; `secret` is in this answer only, and not in one given again.

        A client that must survive the loss of the answer chooses 32 random bytes itself, and sends the SHA-256 of the
        token (its text, UTF-8).
        """

    def tokens(self, caller: Caller, name: str) -> list[Token]:
        """Those that are accepted, without secrets."""

    def revoke_token(self, caller: Caller, key: str | None, token: str) -> Token:
        """By id."""


class Leases:
    """Nodes that somebody has. A lease is named by its UUID, or by its name among the caller's own."""

    def acquire(self, caller: Caller, key: str | None, wish: Acquire) -> Intent:
        """Rent nodes, or let own ones on (`parent_lease_uuid`). What is let on to somebody not below the caller is an
        offer (status ``created``; the intent is ``done``) until he accepts it."""

    def release(self, caller: Caller, key: str | None, lease: str, *, strict: bool = False) -> Intent:
        """End a lease, and all below it: by its lessee, by its lessor, by the owner of the machine."""

    def add(self, caller: Caller, key: str | None, lease: str, more: LeaseChange) -> Intent:
        """More nodes. They join what all nodes of the lease are in."""

    def remove(self, caller: Caller, key: str | None, lease: str, fewer: LeaseChange) -> Intent:
        """Fewer nodes (`nodes`); what is below the lease on them ends there too. The last ones are released instead."""

    def transfer(self, caller: Caller, key: str | None, lease: str, to: str, *, strict: bool = False) -> Intent:
        """Give a lease to somebody else, cleared, with a new console, in his networks. Who is not below the caller
        must accept it."""

    def accept(self, caller: Caller, key: str | None, lease: str, *, strict: bool = False) -> Intent:
        """Take what was offered by :meth:`transfer` or :meth:`acquire`."""

    def decline(self, caller: Caller, key: str | None, lease: str) -> Intent:
        """Do not take it; also takes an own offer back."""

    def extend(self, caller: Caller, key: str | None, lease: str, *, seconds: float | None = None,
               until: datetime.datetime | None = None) -> Lease:
        """Let it end later: `seconds` more of machine time, or another deadline on the wall. By its lessee, not beyond
        the lease it is a part of, nor his quota; by who lets it, who may also shorten it."""

    def rename(self, caller: Caller, key: str | None, lease: str, name: str | None) -> Lease:
        """By its lessee."""

    def warm(self, caller: Caller, key: str | None, lease: str) -> Lease:
        """Its lessee has seen that its nodes are ``cold``: they are ``ready``."""

    def get(self, caller: Caller, lease: str) -> Lease:
        """One of the caller's, or of those below him, or let by him, or offered to him; for the owner any."""

    def all(self, caller: Caller, *, ended: bool = False) -> list[Lease]:
        """All that :meth:`get` gives, oldest first; with `ended` also those that have ended."""

    def readings(self, caller: Caller, lease: str) -> list[Reading]:
        """What the counters of its nodes were when they came to it and when they left."""


class Networks:
    """Networks, and nodes in them."""

    def create(self, caller: Caller, key: str | None, name: str | None = None) -> Network:
        """A private network with nobody in it."""

    def get(self, caller: Caller, network: int) -> Network:
        """One the caller owns, is a guest of, or has been offered; External and Internal."""

    def all(self, caller: Caller) -> list[Network]:
        """All that :meth:`get` gives."""

    def rename(self, caller: Caller, key: str | None, network: int, name: str | None) -> Network:
        """By its owner."""

    def delete(self, caller: Caller, key: str | None, network: int) -> Intent:
        """By its owner: all nodes leave it, everybody's."""

    def share(self, caller: Caller, key: str | None, network: int, guest: str,
              direction: Direction = "both") -> Consent:
        """Offer it to somebody, whose nodes may join it once he has accepted. By its owner."""

    def accept(self, caller: Caller, key: str | None, network: int) -> Consent:
        """Become the guest."""

    def leave(self, caller: Caller, key: str | None, network: int, guest: str | None = None) -> Intent:
        """End it: the guest himself, or the owner of the network, who names him. The guest's nodes leave it, and all
        nodes that he has let on."""

    def connect(self, caller: Caller, key: str | None, lease: str, wish: Connection, *,
                nodes: Sequence[int] | None = None, strict: bool = False) -> Intent:
        """Let nodes of a lease, or all, join a network, or have another direction in it. By the lessee."""

    def disconnect(self, caller: Caller, key: str | None, lease: str, network: int, *,
                   nodes: Sequence[int] | None = None) -> Intent:
        """Let nodes of a lease, or all, leave it; with External, those let on too."""


class Channels:
    """Console channels."""

    def get(self, caller: Caller, console: int) -> Console:
        """One that the caller may listen to. NOT_FOUND for one that is somebody else's, as for one that never was."""

    def all(self, caller: Caller) -> list[Console]:
        """All open ones that :meth:`get` gives."""

    def share(self, caller: Caller, key: str | None, console: int, guest: str, *, write: bool = False) -> Console:
        """Let somebody else listen, or write too. By the lessee."""

    def unshare(self, caller: Caller, key: str | None, console: int, guest: str) -> Console:
        """No longer; asked by the lessee or the guest."""


class Approvals:
    """Images that may boot. All see them; only the owner of the machine changes them."""

    def approve(self, caller: Caller, key: str | None, sha256: str, name: str) -> Approval:
        """Let an image boot, at the next step."""

    def withdraw(self, caller: Caller, key: str | None, sha256: str) -> Approval:
        """Let it boot no more. What runs goes on."""

    def all(self, caller: Caller) -> list[Approval]:
        """By name."""


class Nodes:
    """Nodes of the machine."""

    def all(self, caller: Caller) -> list[Node]:
        """All, by rank; whose they are only as far as the caller may see the lease."""

    def quarantine(self, caller: Caller, key: str | None, rank: int) -> Intent:
        """Let nobody have a node; a lease that has it loses it. By the owner."""

    def restore(self, caller: Caller, key: str | None, rank: int) -> Node:
        """It may be leased again. By the owner."""


class Intents:
    """Changes on their way."""

    def get(self, caller: Caller, intent: str) -> Intent:
        """One the caller has asked for, or is about a lease he may see."""

    def all(self, caller: Caller, *, open: bool = True) -> list[Intent]:
        """All that :meth:`get` gives; those not done, or the last 100."""


class Core:
    """All of it: a state folder that is open.

    Attributes
    ----------
    principals : Principals
    leases : Leases
    networks : Networks
    channels : Channels
    approvals : Approvals
    nodes : Nodes
    intents : Intents
    """

    principals: Principals
    leases: Leases
    networks: Networks
    channels: Channels
    approvals: Approvals
    nodes: Nodes
    intents: Intents

    @classmethod
    def init(cls, state: Path, info: MachineInfo, *, owner: str = "owner") -> str:
        """Make a state folder for a machine; the token of its owner, which is shown nowhere else.

        Raises
        ------
        StoreError
            If there is one already, or it cannot be made.
        """

    @classmethod
    def open(cls, state: Path, info: MachineInfo) -> Self:
        """Open a state folder, alone.

        Raises
        ------
        StoreError
            If there is none, it is of another schema or another machine, or somebody has it open.
        """

    def close(self) -> None:
        """Let go of the folder."""

    def connect(self, machine: Machine) -> None:
        """The machine that carries things out, once it is connected or connected again; only :meth:`step` calls it."""

    def step(self) -> bool:
        """Do what is to be done: find a power cut, let leases end, carry out intents; whether anything was done.

        Only one thread calls it, again and again. Where the machine does not answer this is kept in the intents'
        `error`, and tried again at the next step.
        """

    def wait(self, seconds: float) -> bool:
        """Until there is something for :meth:`step`, or so long; whether there is."""

    def time(self) -> MachineTime:
        """What time it is in the machine."""

    def audit(self, caller: Caller, *, after: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Entries behind a number: all for the owner, for others what they, and those below them, did."""

    def check(self, machine: Machine | None = None) -> Check:
        """Whether the store agrees with itself, and with a machine; changes nothing."""
