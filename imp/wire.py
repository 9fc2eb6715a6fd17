"""What every request and response of the control plane has in common."""

import hashlib
from collections.abc import Callable
from typing import Annotated

import msgspec

from imp.commands import EventId, Id

PAGE_SIZE_MAX = 200

CALLER_TEXT_BYTES_MAX = 128
"""Longest opaque text of a caller: a device, an idempotency key. In UTF-8, because that is what the engine keeps."""

PageSize = Annotated[int, msgspec.Meta(ge=1, le=PAGE_SIZE_MAX)]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a verb is asked. Unknown keys are refused."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a verb answers."""


class CommandRequest(Request, frozen=True, kw_only=True):
    """A request that becomes a command. event_id: the caller's own id; repeating it returns the stored result."""

    event_id: EventId | None = None


class PageRequest(Request, frozen=True, kw_only=True):
    """after: the last id of the page before."""

    after: Id | None = None
    limit: PageSize = 50


def check_caller_texts(**texts: str | None) -> None:
    """Refuse opaque texts of a caller that are empty or too long; for `__post_init__`, which tells of it as 400."""
    for name, text in texts.items():
        if text is not None and not 1 <= (size := len(text.encode())) <= CALLER_TEXT_BYTES_MAX:
            raise ValueError(f"{name}: {size} bytes; 1 to {CALLER_TEXT_BYTES_MAX} are accepted")


def cut[R](rows: list[R], limit: int, key: Callable[[R], str]) -> tuple[list[R], str | None]:
    """A page out of one row more than its limit: its rows, and the id to go on after when there are more."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], key(rows[limit - 1])


def digest_of(request: CommandRequest) -> bytes:
    """SHA-256 of what a request asks for: its kind and every field but the event id."""
    content = msgspec.structs.replace(request, event_id=None)
    return hashlib.sha256(
        type(request).__name__.encode() + msgspec.json.encode(content, order="deterministic")
    ).digest()
