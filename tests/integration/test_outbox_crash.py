"""Goal: a SIGKILL between SQL commit and engine, or engine and stored result, loses nothing and doubles nothing.

Method: a child process kills itself at that very point; the parent opens what it left.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from imp.directory import Directory
from imp.governance import schemas as governance
from imp.issuing import schemas as issuing
from imp.registry import schemas as registry
from imp.settings import Settings
from tests.integration.conftest import Clock, furnish

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from imp.directory import Directory
from imp.governance.relay import Relay
from imp.issuing.schemas import IssueOrder
from imp.settings import Settings

apply = Relay._apply

def apply_and_die(self, row):
    if sys.argv[2] == "after":
        apply(self, row)
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with await Directory.open(Path(sys.argv[1]), Settings(secret=sys.argv[3])) as directory:
        Relay._apply = apply_and_die
        await directory.control.issue_order("acme", IssueOrder(order="o", series="caps", quantity=7))

asyncio.run(main())
"""


@pytest.mark.parametrize(("point", "reapplied"), [("before", {"acme": 1}), ("after", {})])
async def test_a_kill_around_the_engine_applies_exactly_once(
    tmp_path: Path, settings: Settings, clock: Clock, point: str, reapplied: dict[str, int]
) -> None:
    path = tmp_path / "d"
    Directory.init(path, settings)
    async with await Directory.open(path, settings, clock=clock) as directory:
        await furnish(directory)
        await directory.control.open_series("acme", registry.OpenSeries(series="caps", domain="a.example"))
    child = [sys.executable, "-c", CHILD, str(path), point, str(settings.secret)]
    killed = await asyncio.to_thread(subprocess.run, child, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    async with await Directory.open(path, settings, clock=clock) as directory:
        assert directory.reapplied == reapplied
        order = await directory.control.get_order("acme", issuing.GetOrder(order="o"))
        assert (order.quantity, order.first_serial) == (7, 0)
        again = issuing.IssueOrder(order="o", series="caps", quantity=7)
        assert (await directory.control.issue_order("acme", again)).order == order
        assert (await directory.control.status("", governance.StatusRequest())).waiting == {}
        assert directory.engine.last_seq("acme") == 4
