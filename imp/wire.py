"""What every request and response of the control plane has in common."""

from collections.abc import Callable
from typing import Annotated

import msgspec

from imp.commands import EventId, Id

PAGE_SIZE_MAX = 200

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


def cut[R](rows: list[R], limit: int, key: Callable[[R], str]) -> tuple[list[R], str | None]:
    """A page out of one row more than its limit: its rows, and the id to go on after when there are more."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], key(rows[limit - 1])
