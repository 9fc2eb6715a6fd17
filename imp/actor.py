"""Who acts: the name that goes with a command into the outbox and the ledger (`cli:root`, `key:…`, `engine`)."""

import os
import pwd
from typing import Final

from imp.errors import InvalidInput, invalid

__all__ = ["ACTOR_BYTES_MAX", "accepted_actor", "local_user"]

ACTOR_BYTES_MAX: Final = 128
"""The engine takes no longer name."""


def accepted_actor(actor: str) -> str:
    """The actor as it is. Raises InvalidInput unless it is 1 to 128 bytes of UTF-8 without control characters.

    To be asked before a command commits: the engine refuses such a name afterwards.
    """
    try:
        size = len(actor.encode())
    except UnicodeEncodeError:
        size = 0
    is_control = any(ord(character) < 0x20 or 0x7F <= ord(character) <= 0x9F for character in actor)
    if not 1 <= size <= ACTOR_BYTES_MAX or is_control:
        raise invalid("actor", f"accepted are 1 to {ACTOR_BYTES_MAX} bytes of text without control characters")
    return actor


def local_user() -> str:
    """The actor of a command run on this machine: `cli:NAME`, or `cli:uid:N` for a user without a usable name.

    The kernel says who it is: `$LOGNAME` says what somebody put there.
    """
    number = os.getuid()
    try:
        return accepted_actor(f"cli:{pwd.getpwuid(number).pw_name}")
    except (KeyError, InvalidInput):
        return f"cli:uid:{number}"
