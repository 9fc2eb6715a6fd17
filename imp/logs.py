"""Logs of a server: one event per line on standard error, JSON for machines or plain for people.

Nothing here logs request bodies, headers, keys or secrets; events carry names, ids and counts only.
"""

import logging
import sys
from typing import Any

import structlog

_LOGGERS_OF_OTHERS = dict.fromkeys(("sqlalchemy", "alembic", "aiosqlite", "asyncio"), logging.WARNING)


def configure(level: str, *, plain: bool | None = None) -> None:
    """Send logs of this process to standard error from `level` on; `plain` defaults to whether that is a terminal."""
    plain = sys.stderr.isatty() if plain is None else plain
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if plain
        else [_tracebacks(), structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, at_least in _LOGGERS_OF_OTHERS.items():
        logging.getLogger(name).setLevel(max(at_least, root.level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _tracebacks() -> Any:
    """Tracebacks without local variables: those hold request bodies, keys and secrets."""
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return structlog.processors.ExceptionRenderer(transform)


def hear_granian() -> None:
    """Log Granian's errors (a request that failed below the application); its notices of starting only repeat ours."""
    logging.getLogger("_granian").setLevel(logging.ERROR)
