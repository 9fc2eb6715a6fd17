"""Interleaved rounds: A B B A … so that a machine that warms up, slows down or gets busy hits all alike."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.processes import job

ROUNDS = 6
"""Of each side of a comparison. Single runs spread by ±7 %; with fewer no interval holds the median with 95 %."""


def order(names: Sequence[str], rounds: int) -> list[str]:
    """Whose turn it is: forwards, backwards, forwards … `rounds` times each."""
    turns: list[str] = []
    for number in range(rounds):
        turns += names if number % 2 == 0 else reversed(names)
    return turns


def interleave[T](turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Results of `rounds` turns of each, in the order they were taken."""
    taken: dict[str, list[T]] = {name: [] for name in turns}
    for name in order(list(turns), rounds):
        taken[name].append(turns[name]())
    return taken


def job_turn[T](parent: Path, module: str, request: msgspec.Struct, response: type[T]) -> Callable[[], T]:
    """A turn that is a job in a directory of its own (the field `path` of its request), removed afterwards.

    No turn inherits memory or files from another.
    """

    def turn() -> T:
        with fresh_directory(parent) as path:
            return job(module, msgspec.structs.replace(request, path=str(path)), response)

    return turn


@contextmanager
def fresh_directory(parent: Path) -> Iterator[Path]:
    """A new empty directory below `parent` that disappears."""
    path = Path(tempfile.mkdtemp(prefix="round-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
