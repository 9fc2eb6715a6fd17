"""`python -m bench [groups] [--quick] [--json]`: measure, print, and write bench/results."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from bench import machine, report
from bench.codes_group import figures as codes
from bench.engine.group import figures as engine
from bench.figure import Figure
from bench.growth.group import figures as growth
from bench.http.group import figures as http
from bench.processes import ChildFailed
from bench.run import Run

GROUPS: dict[str, Callable[[Run], Iterator[Figure]]] = {
    "codes": codes,
    "engine": engine,
    "http": http,
    "growth": growth,
}


def main() -> int:
    """Run the groups asked for; exit code 1 when one could not be measured. Goals missed are said, not an error."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are stopped and directories removed
    asked.dir.mkdir(parents=True, exist_ok=True)
    described, failed, found = machine.describe(asked.dir), [], []
    for name in asked.groups or GROUPS:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        try:
            found.append(_measure(name, asked, described))
        except ChildFailed as error:
            failed.append(name)
            print(f"error: {name}: {error}", file=sys.stderr)
    if asked.json:
        print(msgspec.json.encode(found).decode())
    return 1 if failed else 0


def _measure(name: str, asked: argparse.Namespace, described: machine.Machine) -> report.Result:
    directory, began = Path(tempfile.mkdtemp(prefix="bench-", dir=asked.dir)), time.monotonic()
    try:
        figures = list(GROUPS[name](Run(directory, asked.quick)))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    command = f"python -m bench {name}{' --quick' if asked.quick else ''}"
    found = report.result(name, command, began, described, figures)
    if not asked.quick:
        report.save(found)
    if not asked.json:
        print("\n".join(report.lines(found)), end="\n\n", flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description="Measure IMP beside its peers, in one run.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; writes no results")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of lines")
    parser.add_argument(
        "--dir", type=Path, default=machine.ROOT / "var" / "bench", help="folder on the disk to measure [var/bench]"
    )
    asked = parser.parse_args()
    unknown = [name for name in asked.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}; choose from {', '.join(GROUPS)}")
    return asked


if __name__ == "__main__":
    sys.exit(main())
