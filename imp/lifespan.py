"""What a worker opens before the first request and closes after the last."""

import asyncio
import gc
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import structlog
from litestar import Litestar

from imp import __version__, logs, runfile
from imp.clock import system_clock
from imp.degrade import LoopLag
from imp.directory import Directory
from imp.errors import Conflict, ImpError
from imp.settings import Settings

type Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

log = structlog.stdlib.get_logger("imp.server")


def serving(settings: Settings, address: str, lag: LoopLag, report: Callable[[ImpError], None]) -> Lifespan:
    """The lifespan of a worker that serves a data directory at `address`; `report` hears why a start-up fails.

    The directory is opened here, in the worker: a store opened before a fork would have two owners.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        try:
            directory = await _open_managed(settings)
        except ImpError as error:
            report(error)
            raise
        except Exception as error:
            log.exception("cannot open the data directory")
            report(ImpError(f"cannot open {settings.directory}: {error}"))
            raise
        run = _new_run(address)
        app.state.directory = directory
        app.state.admin_token = run.admin_token
        watch = asyncio.create_task(lag.watch(), name="loop-lag")
        try:
            runfile.write(settings.directory, run)
            logs.hear_granian()
            gc.collect()
            gc.freeze()  # what lives from here on lives as long as the process: no collection needs to look at it
            log.info("serving", address=address, directory=str(settings.directory), pid=run.pid)
            yield
        finally:
            runfile.remove(settings.directory, run.pid)
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await directory.close()
            log.info("stopped", directory=str(settings.directory))

    return lifespan


async def _open_managed(settings: Settings) -> Directory:
    directory = await Directory.open(settings.directory, settings)
    if directory.kind != "managed":
        await directory.close()
        raise Conflict(
            f"{settings.directory} is a standalone directory: it takes commands without a database and cannot be"
            " served; make a managed one with 'imp init'"
        )
    return directory


def _new_run(address: str) -> runfile.RunFile:
    pid = os.getpid()
    ticks = runfile.start_ticks(pid)
    return runfile.RunFile(
        address=address,
        pid=pid,
        start_ticks=ticks or 0,
        started_at_us=system_clock(),
        admin_token=runfile.new_token(),
        version=__version__,
    )
