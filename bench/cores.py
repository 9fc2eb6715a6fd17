"""Server and generator on different cores, so that neither takes the other's time."""

import os
from collections.abc import Sequence

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = _CORES[0]
LOAD_CORE = _CORES[-1]
ARE_APART = SERVER_CORE != LOAD_CORE


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command on one core. Its children inherit that."""
    return ["taskset", "--cpu-list", str(core), *command]
