"""Requests and responses of governance: state commands, scans at the control plane, API keys, backup, status."""

from typing import Annotated, Literal

import msgspec

from imp.commands import CODE_TEXT_BYTES_MAX, StateCommand
from imp.wire import CommandRequest, PageRequest, Request, Response, check_caller_texts

Role = Literal["consumer", "dealer", "store", "inspector", "system", "risk"]
KeyScope = Literal["scan", "read", "write", "issue", "command", "export", "keys"]
"""scan: scans. read: look-ups, products, series, orders. write: products, domains, series. issue: orders and imports.
command: state commands. export: codes of an order. keys: API keys of the tenant."""


class ApplyCommand(CommandRequest, frozen=True, kw_only=True):
    command: StateCommand


class PreviewCommand(Request, frozen=True, kw_only=True):
    command: StateCommand


class Scan(Request, frozen=True, kw_only=True):
    """One scan at the control plane. language: of the message. count=False looks without counting."""

    code: Annotated[str, msgspec.Meta(max_length=1_024)]
    role: Role = "consumer"
    channel: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    device: str | None = None
    language: Literal["zh", "en"] = "zh"
    idempotency_key: str | None = None
    count: bool = True

    def __post_init__(self) -> None:
        check_caller_texts(device=self.device, idempotency_key=self.idempotency_key)


class LookUp(Request, frozen=True, kw_only=True):
    """role: who asks; only `risk` reads why a code is unknown."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=CODE_TEXT_BYTES_MAX)]
    role: Role = "system"


class CreateKey(Request, frozen=True, kw_only=True):
    """role: the role its scans are made in. scopes: what else the key may do."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    role: Role = "system"
    scopes: Annotated[tuple[KeyScope, ...], msgspec.Meta(min_length=1, max_length=16)] = ("scan", "read")


class ApiKey(Response, frozen=True, kw_only=True):
    """An API key without its secret."""

    id: str
    name: str
    prefix: str
    role: str
    scopes: list[str]
    created_at_us: int
    revoked_at_us: int | None = None


class CreatedKey(Response, frozen=True, kw_only=True):
    """secret: the whole key, shown this once and stored nowhere."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"CreatedKey(key={self.key!r}, secret='…')"


class ListKeys(PageRequest, frozen=True, kw_only=True):
    include_revoked: bool = False


class KeyPage(Response, frozen=True, kw_only=True):
    """Oldest first."""

    keys: list[ApiKey]
    next: str | None = None


class RevokeKey(Request, frozen=True, kw_only=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who an API key stands for."""

    key_id: str
    tenant: str
    role: Role
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How the operation log names it."""
        return f"key:{self.key_id}"


class Backup(Request, frozen=True, kw_only=True):
    """to: directory to make on the machine of the engine."""

    to: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]


class BackedUp(Response, frozen=True, kw_only=True):
    """steps: what is left to the operator, such as pg_dump of an external database."""

    to: str
    at_us: int
    last_seqs: dict[str, int]
    steps: list[str] = msgspec.field(default_factory=list[str])


class LedgerHead(Response, frozen=True, kw_only=True):
    """A ledger's last state. origin: its number; size: leaves; root: of the Merkle tree over them, hexadecimal."""

    origin: int
    size: int
    root: str


class Restored(Response, frozen=True, kw_only=True):
    """A directory made from a backup. Scans and redemptions between backup_at_us and restored_at_us may repeat.

    reapplied: commands a newer database still knew, by tenant. series: how many open a new epoch with their next order.
    old_ledger: what the first leaf of the directory's new ledger names.
    """

    to: str
    backup_at_us: int
    restored_at_us: int
    reapplied: dict[str, int]
    series: int
    old_ledger: LedgerHead


class AcceptRestore(Request, frozen=True, kw_only=True):
    """The operator knows that scans and redemptions since the backup may repeat; claims are allowed again."""


class StatusRequest(Request, frozen=True, kw_only=True):
    pass


class Alarm(Response, frozen=True, kw_only=True):
    """Something an operator should act on. kind: stable code."""

    kind: Literal["slots_low", "serials_low", "outbox_waiting", "restored", "poisoned"]
    message: str
    tenant: str | None = None
    subject: str | None = None


class Status(Response, frozen=True, kw_only=True):
    """engine: the engine's own status. waiting: outbox rows not yet applied, by tenant."""

    version: str
    kind: Literal["managed", "standalone"]
    ready: bool
    database: str | None
    engine: msgspec.Raw
    waiting: dict[str, int]
    alarms: list[Alarm]
