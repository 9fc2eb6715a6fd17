"""Start a writing process, kill it at a random moment, keep what it said."""

import json
import os
import random
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from crash import writer
from crash.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
RUN_S_MIN, RUN_S_MAX = 0.05, 0.6
ITEMS_ASKED = 20_000


def run_s() -> float:
    """How long the next process lives, s: early deaths are likelier, and more of them fit in a minute."""
    return RUN_S_MIN + (RUN_S_MAX - RUN_S_MIN) * random.random() ** 2


class Process:
    """A writer and its pipe."""

    def __init__(self, plan: writer.Plan) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", writer.__name__, json.dumps(vars(plan))],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions, self._pipe = self._process.stdin, self._process.stdout
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._questions.close()
        self._pipe.close()

    def read_until(self, kind: str) -> list[list[Any]]:
        """All lines up to the first of this kind, which is the last."""
        lines: list[list[Any]] = []
        deadline = time.monotonic() + PATIENCE_S
        while not (lines and lines[-1][0] == kind):
            while b"\n" not in self._unread:
                more = self._read(deadline - time.monotonic())
                if not more:
                    raise AssertionError(f"the writer ended or fell silent before it said {kind}")
                self._unread += more
            line, self._unread = self._unread.split(b"\n", 1)
            lines.append(json.loads(line))
        return lines

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the engine holds."""
        self._questions.write(json.dumps(question).encode() + b"\n")
        return self.read_until("facts")[-1][1]

    def write_until_killed(self, seconds: float) -> list[list[Any]]:
        """Let it write, kill it that long after it is ready; every whole line it wrote."""
        self._questions.write(b"{}\n")
        lines = self.read_until("ready")
        parts = [self._unread]
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            more = self._read(left)
            if more == b"":
                raise AssertionError("the writer ended by itself")
            parts.append(more or b"")
        self.kill()
        while more := self._pipe.read(1 << 20):
            parts.append(more)
        *whole, _torn = b"".join(parts).split(b"\n")
        return lines + [json.loads(line) for line in whole]

    def end(self) -> int:
        """Let it close its engine; the exit code."""
        self._questions.close()
        return self._process.wait(PATIENCE_S)

    def kill(self) -> None:
        """SIGKILL, and wait until the kernel has taken everything from it."""
        self._process.kill()
        self._process.wait()

    def _read(self, seconds: float) -> bytes | None:
        """What the pipe holds, b"" at its end, None when nothing came in time."""
        is_there, _, _ = select.select([self._pipe], [], [], max(0.0, seconds))
        return self._pipe.read(1 << 20) if is_there else None


class Drill:
    """One directory over many killed processes, with the journal of all of them."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.directory, self._options = directory, options
        self.journal = Journal()
        self.cycles = 0
        self.open_s: list[float] = []

    def process(self) -> Process:
        """A writer that opens the directory now."""
        return Process(writer.Plan(str(self.directory), f"{self.cycles}", **self._options))

    def cycle(self, seconds: float | None = None) -> None:
        """Reopen and compare, write, kill after so long or at a random moment."""
        with self.process() as process:
            self._check(process, self.journal.question())
            self.journal.read(process.write_until_killed(seconds or run_s()))
        self.cycles += 1

    def kill_while_opening(self) -> None:
        """Kill a process somewhere between its start and the end of its recovery."""
        with self.process() as process:
            time.sleep(random.uniform(0.05, 0.4))
            process.kill()

    def check_all(self) -> None:
        """Compare every code and every command, then close as one should."""
        with self.process() as process:
            self._check(process, self.journal.question_about([], self.journal.commands))
            serials = sorted(self.journal.items)
            for at in range(0, len(serials), ITEMS_ASKED):
                findings = self.journal.compare(process.ask(self.journal.question_about(serials[at:][:ITEMS_ASKED])))
                assert not findings, findings[:10]
            assert process.end() == 0

    def _check(self, process: Process, question: dict[str, Any]) -> None:
        self.open_s.append(process.read_until("opened")[-1][1])
        findings = self.journal.compare(process.ask(question))
        assert not findings, f"after {self.cycles} kills: {findings[:10]}"
