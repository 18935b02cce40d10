"""Principals: who may ask, and by which secrets they are known."""

import datetime
import sqlite3

from khhw.cloud.callers import Caller
from khhw.cloud.credentials import digest_of, hash_credential, is_credential, new_token, one_at_a_time
from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Ledger, Transaction, new_uuid
from khhw.cloud.models import Principal, Quota, Token
from khhw.cloud.quotas import quota_of, usage_of
from khhw.cloud.relatives import BELOW, acts_for, line_of, name_of, named_principal, principal_for
from khhw.cloud.retention import forget_principal
from khhw.cloud.times import as_text, from_text
from khhw.cloud.words import check_digest, check_name, check_text

__all__ = ["Principals", "add_principal", "add_token"]

_LABEL = 100
_MOST_BELOW = 1000
"""Principals below anybody but the owner of the machine."""
_DEEPEST = 16
"""Levels of principals, with the owner of the machine."""
_TOKENS = 100
"""Tokens that a principal may have at a time."""


class Principals:
    """Who may ask, and by which secrets he is known. Everybody may make principals below himself, and see those.

    Parameters
    ----------
    ledger : Ledger
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def authenticate(self, token: str) -> Caller:
        """Who has this token.

        Raises
        ------
        CloudError
            UNAUTHORIZED if it is wrong, expired, revoked, or of somebody disabled; it does not say which.
        """
        with self._ledger.store.read() as db:
            row = db.execute(
                "SELECT p.* FROM token t JOIN principal p ON p.id = t.principal WHERE sha256 = ? AND NOT revoked "
                "AND (expires_at IS NULL OR expires_at > ?) AND enabled AND NOT deleted",
                (digest_of(token), as_text(self._ledger.wall()))).fetchone()
        if row is None:
            raise CloudError.unauthorized("this token is wrong or has expired; ask who gave it for a new one")
        return _caller(row)

    def authenticate_credential(self, name: str, credential: str) -> Caller:
        """Who has this name and this credential, which he chose. Takes about 0.3 s, as it should.

        Raises
        ------
        CloudError
            UNAUTHORIZED, as :meth:`authenticate`; UNAVAILABLE if too many others are being looked at.
        """
        with self._ledger.store.read() as db:
            row = db.execute("SELECT * FROM principal WHERE name = ? AND enabled AND NOT deleted", (name, )).fetchone()
        if not is_credential(credential, row and row["credential"]):
            raise CloudError.unauthorized("there is no such name with this credential")
        return _caller(row)

    def credential_mark(self, caller: Caller) -> str:
        """What changes with his credential, and tells nothing of it: who came in by one that was changed goes.

        Raises
        ------
        CloudError
            UNAUTHORIZED if he is known by no credential any more.
        """
        with self._ledger.store.read() as db:
            row = db.execute("SELECT credential FROM principal WHERE id = ? AND enabled AND NOT deleted "
                             "AND credential IS NOT NULL", (caller.id, )).fetchone()
        if row is None:
            raise CloudError.unauthorized(f"{caller.name} is kept out, or has no credential any more")
        return digest_of(row["credential"])

    def create(self, caller: Caller, key: str | None, name: str, *, quota: Quota | None = None,
               credential: str | None = None) -> Principal:
        """Somebody below the caller.

        Parameters
        ----------
        caller : Caller
        key : str or None
            Idempotency key.
        name : str
        quota : Quota, optional
            What he holds counts for the caller's quota too.
        credential : str, optional
            By which he is known, beside tokens.

        Raises
        ------
        CloudError
            CONFLICT if the name is, or ever was, somebody's.
        """
        check_name(name)
        granted = quota or Quota()
        with one_at_a_time(caller.id, credential):
            return self._create(caller, key, name, granted, credential)

    def _create(self, caller: Caller, key: str | None, name: str, granted: Quota, credential: str | None) -> Principal:
        hashed = None if credential is None else hash_credential(credential)

        def do(tx: Transaction) -> Principal:
            if tx.db.execute("SELECT 1 FROM principal WHERE name = ?", (name, )).fetchone():
                raise CloudError.conflict(f"there is, or was, a principal {name} already; choose another name")
            _check_crowd(tx.db, caller)
            add_principal(tx, name, caller.id, granted, hashed)
            return _view(tx.db, named_principal(tx.db, name))

        arguments = {"name": name, "quota": granted.model_dump(), "credential": credential is not None}
        return self._ledger.once(caller, key, "principal create", arguments, Principal, do, secret=credential)

    def get(self, caller: Caller, name: str) -> Principal:
        """Himself, somebody below him; for the owner everybody."""
        with self._ledger.store.read() as db:
            return _view(db, principal_for(db, caller, name))

    def all(self, caller: Caller) -> list[Principal]:
        """All that :meth:`get` gives, by name."""
        with self._ledger.store.read() as db:
            rows = db.execute(f"{BELOW} SELECT p.* FROM principal p JOIN below USING (id) WHERE NOT deleted "
                              "ORDER BY name", {"principal": caller.id}).fetchall()
            return [_view(db, row) for row in rows]

    def set_quota(self, caller: Caller, key: str | None, name: str, quota: Quota) -> Principal:
        """Of somebody below the caller. What is held already stays, even where it is more."""
        return self._change(caller, key, "principal quota", name, {"quota": quota.model_dump_json()},
                            {"quota": quota.model_dump()})

    def set_credential(self, caller: Caller, key: str | None, name: str, credential: str | None) -> Principal:
        """Own, or of somebody below; None: no credential is accepted."""
        # Before anything that takes time: whether he may at all.
        with self._ledger.store.read() as db:
            principal_for(db, caller, name)
        with one_at_a_time(caller.id, credential):
            return self._set_credential(caller, key, name, credential)

    def _set_credential(self, caller: Caller, key: str | None, name: str, credential: str | None) -> Principal:
        hashed = None if credential is None else hash_credential(credential)
        return self._change(caller, key, "principal credential", name, {"credential": hashed},
                            {"credential": credential is not None}, own=True, secret=credential)

    def set_enabled(self, caller: Caller, key: str | None, name: str, enabled: bool) -> Principal:
        """Of somebody below the caller: whether he may ask for anything. His leases stay."""
        return self._change(caller, key, "principal enable", name, {"enabled": int(enabled)}, {"enabled": enabled})

    def delete(self, caller: Caller, key: str | None, name: str) -> Principal:
        """Somebody below the caller who holds nothing, and has nobody below him. The name is never used again."""
        def do(tx: Transaction) -> Principal:
            row = _below(tx.db, caller, name)
            seen, usage = _view(tx.db, row), usage_of(tx.db, row["id"])
            if usage.nodes or usage.networks or usage.leases:
                raise CloudError.conflict(f"{name} holds {usage.nodes} nodes, {usage.networks} networks and "
                                          f"{usage.leases} leases; release and delete them first")
            if tx.db.execute("SELECT 1 FROM principal WHERE parent = ? AND NOT deleted", (row["id"], )).fetchone():
                raise CloudError.conflict(f"there are principals below {name}; delete them first")
            tx.db.execute("UPDATE principal SET deleted = 1 WHERE id = ?", (row["id"], ))
            tx.db.execute("DELETE FROM consent WHERE principal = ?", (row["id"], ))
            tx.db.execute("DELETE FROM console_share WHERE principal = ?", (row["id"], ))
            forget_principal(tx.db, row["id"])
            tx.db.execute("UPDATE lease SET transfer_to = NULL WHERE transfer_to = ?", (row["id"], ))
            tx.db.execute("UPDATE lease SET status = 'deleted', expire_cycle = ? WHERE lessee = ? AND "
                          "status = 'created'", (tx.cycle, row["id"]))
            return seen

        return self._ledger.once(caller, key, "principal delete", {"name": name}, Principal, do)

    def create_token(self, caller: Caller, key: str | None, name: str, *, label: str = "",
                     expires_at: datetime.datetime | None = None, sha256: str | None = None) -> Token:
        """A new token, own or of somebody below; `secret` is in this answer only, and not in one given again.

        Parameters
        ----------
        caller : Caller
        key : str or None
            Idempotency key.
        name : str
            Whose.
        label : str
            What it is for.
        expires_at : datetime, optional
            When it is no longer accepted; never by default.
        sha256 : str, optional
            Of the token's text (UTF-8), where the client has chosen it himself: 32 random bytes. So the loss of the
            answer costs him nothing.
        """
        if sha256 is not None:
            check_digest(sha256)
        check_text(label, "a label", least=0, most=_LABEL)

        def do(tx: Transaction) -> Token:
            row = principal_for(tx.db, caller, name)
            if expires_at is not None and as_text(expires_at) <= tx.at:
                raise CloudError.bad(f"expires_at is {as_text(expires_at)}, which is past")
            if len(_tokens(tx.db, row["id"], tx.at)) >= _TOKENS:
                raise CloudError.conflict(f"{name} has {_TOKENS} tokens; revoke one first")
            secret = None if sha256 else new_token()
            token = add_token(tx, row["id"], label, sha256 or digest_of(str(secret)), expires_at)
            return token.model_copy(update={"secret": secret})

        arguments = {"name": name, "label": label, "expires_at": expires_at and as_text(expires_at), "sha256": sha256}
        return self._ledger.once(caller, key, "token create", arguments, Token, do, kept={"secret"})

    def tokens(self, caller: Caller, name: str) -> list[Token]:
        """Those that are accepted, without secrets."""
        with self._ledger.store.read() as db:
            return _tokens(db, principal_for(db, caller, name)["id"], as_text(self._ledger.wall()))

    def revoke_token(self, caller: Caller, key: str | None, token: str) -> Token:
        """By id: it is no longer accepted."""
        def do(tx: Transaction) -> Token:
            row = tx.db.execute("SELECT * FROM token WHERE id = ? AND NOT revoked", (token, )).fetchone()
            if row is None or not acts_for(tx.db, caller, row["principal"]):
                raise CloudError.missing(f"there is no token {token}")
            tx.db.execute("UPDATE token SET revoked = 1 WHERE id = ?", (token, ))
            return _token(tx.db, row)

        return self._ledger.once(caller, key, "token revoke", {"token": token}, Token, do)

    def _change(self, caller: Caller, key: str | None, operation: str, name: str, values: dict[str, str | int | None],
                arguments: dict[str, object], *, own: bool = False, secret: str | None = None) -> Principal:
        def do(tx: Transaction) -> Principal:
            row = principal_for(tx.db, caller, name) if own else _below(tx.db, caller, name)
            for column, value in values.items():
                tx.db.execute(f"UPDATE principal SET {column} = ? WHERE id = ?", (value, row["id"]))
            return _view(tx.db, named_principal(tx.db, name))

        return self._ledger.once(caller, key, operation, {"name": name, **arguments}, Principal, do, secret=secret)


def add_principal(tx: Transaction, name: str, parent: str | None, quota: Quota, credential: str | None = None) -> str:
    """A new principal's row; his id."""
    made = new_uuid()
    tx.db.execute("INSERT INTO principal (id, name, parent, credential, quota, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                  (made, name, parent, credential, quota.model_dump_json(), tx.at))
    return made


def add_token(tx: Transaction, principal: str, label: str, sha256: str,
              expires_at: datetime.datetime | None = None) -> Token:
    """A new token's row."""
    if tx.db.execute("SELECT 1 FROM token WHERE sha256 = ?", (sha256, )).fetchone():
        raise CloudError.conflict("this token was chosen before; choose 32 random bytes")
    made = new_uuid()
    tx.db.execute("INSERT INTO token (id, principal, label, sha256, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
                  (made, principal, label, sha256, tx.at, expires_at and as_text(expires_at)))
    return _token(tx.db, tx.db.execute("SELECT * FROM token WHERE id = ?", (made, )).fetchone())


def _caller(row: sqlite3.Row) -> Caller:
    return Caller(row["id"], row["name"], is_owner=row["parent"] is None)


def _below(db: sqlite3.Connection, caller: Caller, name: str) -> sqlite3.Row:
    """Somebody whom the caller is above, and not himself."""
    row = principal_for(db, caller, name)
    if row["id"] == caller.id:
        raise CloudError.forbidden(f"{name} cannot do this to himself; who made him can" if row["parent"] else
                                   "the owner of the machine stays as he is")
    return row


def _check_crowd(db: sqlite3.Connection, caller: Caller) -> None:
    """Whether there may be one more below somebody: all above him are looked at whenever something is asked for."""
    line = line_of(db, caller.id)
    if len(line) >= _DEEPEST:
        raise CloudError.conflict(f"{caller.name} is {_DEEPEST - 1} levels below the owner of the machine, and nobody "
                                  "is lower")
    for above in line:
        found, = db.execute(f"{BELOW} SELECT count(*) - 1 FROM below JOIN principal USING (id) WHERE NOT deleted",
                            {"principal": above["id"]}).fetchone()
        if above["parent"] is not None and found >= _MOST_BELOW:
            raise CloudError.conflict(f"there are {found} principals below {above['name']}, and more there cannot be; "
                                      "delete some first")


def _view(db: sqlite3.Connection, row: sqlite3.Row) -> Principal:
    return Principal(id=row["id"], name=row["name"], parent=name_of(db, row["parent"]), quota=quota_of(row),
                     usage=usage_of(db, row["id"]), enabled=bool(row["enabled"]),
                     created_at=datetime.datetime.fromisoformat(row["created_at"]))


def _tokens(db: sqlite3.Connection, principal: str, now: str) -> list[Token]:
    return [_token(db, row) for row in db.execute(
        "SELECT * FROM token WHERE principal = ? AND NOT revoked AND (expires_at IS NULL OR expires_at > ?) "
        "ORDER BY created_at", (principal, now)).fetchall()]


def _token(db: sqlite3.Connection, row: sqlite3.Row) -> Token:
    return Token(id=row["id"], principal=str(name_of(db, row["principal"])), label=row["label"],
                 created_at=datetime.datetime.fromisoformat(row["created_at"]), expires_at=from_text(row["expires_at"]))
