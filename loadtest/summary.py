"""A run in plain lines."""

from collections.abc import Iterator, Sequence

from loadtest.levels import Seen

_ERRORS_SHOWN = 10


def summary(
    kinds: Sequence[Seen], users: Sequence[Seen], errors: Sequence[str], faults: Sequence[str]
) -> Iterator[str]:
    """Tables by kind of request and by kind of user, errors, and the judgement."""
    for title, rows in (("request", kinds), ("user", users)):
        yield f"{title:<40}{'count':>9}{'failed':>8}{'wrong':>7}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}"
        for row in rows:
            times = f"{row.p50_ms:>9.0f}{row.p95_ms:>9.0f}{row.p99_ms:>9.0f}"
            yield f"{row.name:<40}{row.requests:>9,}{row.failed:>8,}{row.wrong:>7,}{times}"
        yield ""
    for error in errors[:_ERRORS_SHOWN]:
        yield f"error: {error}"
    for fault in faults:
        yield f"broken: {fault}"
    total = f"{sum(user.requests for user in users):,} requests"
    yield f"{total}: service levels held" if not faults else f"{total}: service levels broken: {len(faults)}"
