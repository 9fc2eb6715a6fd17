"""What every group gets: where to work, how much to do, how to say what it is doing."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run of `python -m bench`. directory: empty, on the disk that is measured. is_quick: smoke test, no claims."""

    directory: Path
    is_quick: bool
    began: float = field(default_factory=time.monotonic)

    def choose[T](self, full: T, quick: T) -> T:
        """A size, by the kind of run."""
        return quick if self.is_quick else full

    def say(self, what: str) -> None:
        """Progress, on standard error."""
        print(f"  [{time.monotonic() - self.began:4.0f} s] {what}", file=sys.stderr, flush=True)
