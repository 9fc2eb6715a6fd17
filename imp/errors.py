"""The one tree of errors IMP raises on purpose, and what each kind means at a door (HTTP status, exit code).

Kinds the core knows are defined by the core; kinds that only governance knows are defined here. Callers tell errors
apart by class, never by message text.
"""

from typing import NamedTuple

import msgspec

from imp._core import (
    Busy,
    Conflict,
    CorruptData,
    EngineClosed,
    ImpError,
    IncompatibleData,
    InvalidInput,
    NotFound,
    Poisoned,
    StorageError,
    StoreLocked,
    WrongSecret,
)

__all__ = [
    "Busy",
    "Conflict",
    "CorruptData",
    "EngineClosed",
    "Forbidden",
    "ImpError",
    "IncompatibleData",
    "InvalidInput",
    "Kind",
    "NotFound",
    "OutOfStep",
    "Poisoned",
    "Refused",
    "StorageError",
    "StoreLocked",
    "Unauthenticated",
    "WrongSecret",
    "error_of",
    "invalid",
    "invalid_request",
    "kind_of",
]


class Refused(ImpError):
    """A command was considered and refused; the refusal is stored and final for its event id.

    reason: stable code of the refusal. report: the stored report as JSON bytes, b"" when none was stored.
    """

    def __init__(self, reason: str, message: str, report: bytes = b"") -> None:
        super().__init__(message)
        self.reason = reason
        self.report = report


class Unauthenticated(ImpError):
    """No API key, or one that is unknown or revoked."""


class Forbidden(ImpError):
    """The API key is good but its scopes do not cover the request."""


class OutOfStep(ImpError):
    """The engine and the SQL database do not tell the same history; the message names the way out."""


class Kind(NamedTuple):
    """What an error means at a door.

    slug: last part of the problem `type` (RFC 9457), stable API. status: HTTP status. exit_code: exit code of the CLI:
    1 unexpected, 2 not acceptable, 3 refused, 4 not found, 5 busy or locked, 6 storage or data.
    """

    slug: str
    status: int
    exit_code: int
    title: str


# The first class that fits decides, so subclasses stand before their bases.
_KINDS: tuple[tuple[type[ImpError], Kind], ...] = (
    (InvalidInput, Kind("invalid-input", 400, 2, "The request is not acceptable")),
    (Unauthenticated, Kind("unauthenticated", 401, 3, "A valid API key is needed")),
    (Forbidden, Kind("forbidden", 403, 3, "The API key does not allow this")),
    (NotFound, Kind("not-found", 404, 4, "Nothing of that name")),
    (Conflict, Kind("conflict", 409, 3, "The request contradicts something already accepted")),
    (Refused, Kind("refused", 422, 3, "The command was refused")),
    (Busy, Kind("busy", 503, 5, "Try again in a moment")),
    (StoreLocked, Kind("locked", 503, 5, "Another process owns the data directory")),
    (Poisoned, Kind("poisoned", 503, 6, "The engine stopped writing")),
    (EngineClosed, Kind("closed", 503, 6, "The engine is closed")),
    (WrongSecret, Kind("wrong-secret", 500, 6, "The master secret is not this directory's")),
    (IncompatibleData, Kind("incompatible-data", 500, 6, "The data was written by a newer version")),
    (CorruptData, Kind("corrupt-data", 500, 6, "Stored data is damaged")),
    (OutOfStep, Kind("out-of-step", 500, 6, "Engine and database do not agree")),
    (StorageError, Kind("storage", 503, 6, "The file system refused")),
)
_UNEXPECTED = Kind("internal", 500, 1, "Something unexpected happened")


def kind_of(error: BaseException) -> Kind:
    """The kind of an error; anything IMP did not raise on purpose is `internal` (500, exit code 1)."""
    return next((kind for cls, kind in _KINDS if isinstance(error, cls)), _UNEXPECTED)


def error_of(slug: str, message: str) -> ImpError:
    """The error a problem tells of, at the other side of a door; an unknown slug gives a plain ImpError."""
    cls = next((cls for cls, kind in _KINDS if kind.slug == slug), ImpError)
    if cls is Refused:
        return Refused("refused", message)
    error = cls(message)
    if isinstance(error, InvalidInput):
        error.field = message.partition(":")[0]
    return error


def invalid(field: str, message: str) -> InvalidInput:
    """An InvalidInput that names its field; the message says what would be accepted."""
    error = InvalidInput(f"{field}: {message}")
    error.field = field
    return error


def invalid_request(error: msgspec.DecodeError) -> InvalidInput:
    """The InvalidInput of a request msgspec could not decode.

    msgspec names the place as a path such as `$.quantity`.
    """
    message, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".") or "request"
    return invalid(field, message.removeprefix(f"{field}: "))
