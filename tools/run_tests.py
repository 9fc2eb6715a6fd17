"""Run every test, Rust then Python, and end with a plain summary.

Both runs happen even if the first fails. A run without a single test counts as failed. Tests that did not run are named
with the reason.
"""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from console import main_with_stop, say

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build" / "pytest.xml"
CARGO_RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")


class Tally:
    """Counts of one run."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __add__(self, other):
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run_cargo():
    """`cargo test` of the core; the seam crate has no tests of its own, Python tests it."""
    command = ["cargo", "test", "--locked", "--workspace", "--exclude", "imp-py", "--no-fail-fast"]
    tally = Tally()
    with subprocess.Popen(command, cwd=str(ROOT), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            result = CARGO_RESULT.match(line)
            if result:
                tally += Tally(*map(int, result.groups()))
    return tally, process.returncode


def run_pytest():
    """pytest over tests/; its summary names skipped tests."""
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-rs", "--junit-xml", str(REPORT), *sys.argv[1:]]
    code = subprocess.run(command, cwd=str(ROOT), env=dict(os.environ, PYTHONUNBUFFERED="1")).returncode
    tally = Tally()
    if REPORT.exists():
        for suite in ET.parse(str(REPORT)).iter("testsuite"):
            total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
            failed = int(suite.get("failures")) + int(suite.get("errors"))
            tally += Tally(total - failed - skipped, failed, skipped)
    return tally, code


def not_run(report):
    """One line for each reason why tests of a report were skipped."""
    reasons = Counter(skipped.get("message") for skipped in ET.parse(str(report)).iter("skipped"))
    return [f"NOT RUN: {count} tests: {reason}" for reason, count in sorted(reasons.items())]


def main():
    """Exit code 0 only if both runs passed and each ran a test."""
    lines, total, is_good = [], Tally(), True
    for name, run in (("Rust", run_cargo), ("Python", run_pytest)):
        say(f"{name} tests")
        began = time.monotonic()
        tally, code = run()
        total += tally
        is_good = is_good and code == 0 and tally.passed > 0 and tally.failed == 0
        ended = "" if code == 0 else f", exit code {code}"
        lines.append(f"{name:<7} {tally} in {time.monotonic() - began:.0f} s{ended}")
    print("\n" + "\n".join(lines))
    for line in not_run(REPORT) if REPORT.exists() else ():
        print(line)
    print(total, flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    main_with_stop(main)
