"""Service levels: what a run must hold. Times include the generator's own, which shares the machine."""

from collections.abc import Iterator, Mapping

import msgspec


class Level(msgspec.Struct, frozen=True):
    """Times in ms. Shares of requests: failed at all; answered with a wrong verdict."""

    p95_ms: float
    p99_ms: float
    failed_share: float
    wrong_share: float


class Seen(msgspec.Struct, frozen=True):
    """What became of some requests. failed: without a usable answer; wrong: with a wrong verdict."""

    name: str
    requests: int
    failed: int
    wrong: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


SCANS = Level(p95_ms=50, p99_ms=100, failed_share=0.001, wrong_share=0)
API = Level(p95_ms=100, p99_ms=250, failed_share=0.001, wrong_share=0)
LEVELS: Mapping[str, Level] = {"attacker": SCANS, "consumer": SCANS, "integrator": API, "retrying consumer": SCANS}
"""By kind of user."""


def broken(user: Seen) -> Iterator[str]:
    """The levels that one kind of user saw broken, each in one sentence."""
    level = LEVELS[user.name]
    if not user.requests:
        yield f"{user.name}: no request, so nothing is proved"
    for name, found, limit in (("p95", user.p95_ms, level.p95_ms), ("p99", user.p99_ms, level.p99_ms)):
        if found > limit:
            yield f"{user.name}: {name} {found:.0f} ms, at most {limit:.0f} ms"
    shares = (("failed", user.failed, level.failed_share), ("answered wrongly", user.wrong, level.wrong_share))
    for name, count, share in shares:
        if count > share * user.requests:
            yield f"{user.name}: {count} of {user.requests} {name}, at most {share:.1%}"
