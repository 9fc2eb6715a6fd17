"""What locust loads: users, the shape, the judgement at the end. `python -m loadtest` starts it.

LOADTEST_STAGE: file with the stage. LOADTEST_SHAPE, LOADTEST_USERS, LOADTEST_SECONDS: of the run.
"""

import os
from pathlib import Path
from typing import Any

import msgspec
from locust import LoadTestShape, events
from locust.stats import StatsEntry

from loadtest.levels import LEVELS, Seen, broken
from loadtest.shapes import SHAPES
from loadtest.stage import Stage
from loadtest.summary import summary
from loadtest.users import FIELD, Attacker, Consumer, Integrator, RetryingConsumer

__all__ = ["Attacker", "Consumer", "Integrator", "RetryingConsumer", "Shape"]

_USERS = int(os.environ["LOADTEST_USERS"])
_SECONDS = int(os.environ["LOADTEST_SECONDS"])
_SHAPE = SHAPES[os.environ["LOADTEST_SHAPE"]]


class Shape(LoadTestShape):
    """The shape chosen, over the time of the run."""

    def tick(self) -> tuple[int, float] | None:
        """Users wanted now and how many may start a second; None at the end."""
        elapsed = self.get_run_time() / _SECONDS
        return None if elapsed >= 1 else (_SHAPE.users(elapsed, _USERS), float(_USERS))


@events.init.add_listener
def read_stage(**_: Any) -> None:
    """Read what users need to know."""
    FIELD.stage = msgspec.json.decode(Path(os.environ["LOADTEST_STAGE"]).read_bytes(), type=Stage)


@events.quitting.add_listener
def judge(environment: Any, **_: Any) -> None:
    """Compare with the service levels, print, set the exit code."""
    entries = sorted(environment.stats.entries.values(), key=lambda entry: entry.name)
    kinds = [_seen(entry, FIELD.wrong[entry.name]) for entry in entries]
    users = [_of_user(user, entries) for user in LEVELS]
    faults = [fault for user in users for fault in broken(user)]
    errors = [f"{error.name}: {error.error} ({error.occurrences} times)" for error in environment.stats.errors.values()]
    print("\n".join(summary(kinds, users, errors, faults)), flush=True)
    environment.process_exit_code = 1 if faults else 0


def _of_user(user: str, entries: list[StatsEntry]) -> Seen:
    """All requests of one kind of user together."""
    total, wrong = StatsEntry(None, user, ""), 0
    for entry in entries:
        if entry.name.startswith(f"{user}: "):
            total.extend(entry)
            wrong += FIELD.wrong[entry.name]
    return _seen(total, wrong)


def _seen(entry: StatsEntry, wrong: int) -> Seen:
    p50, p95, p99 = (float(entry.get_response_time_percentile(share) or 0) for share in (0.5, 0.95, 0.99))
    return Seen(entry.name, entry.num_requests, max(entry.num_failures - wrong, 0), wrong, p50, p95, p99)
