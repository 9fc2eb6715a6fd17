"""Run every static check and name those that fail; the exit code is 1 if any did."""

import os
import subprocess
import sys
from pathlib import Path

from console import main_with_stop, say

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = (
    ("Python lints", [str(BIN / "ruff"), "check", "."]),
    ("Python format", [str(BIN / "ruff"), "format", "--check", "."]),
    ("Python types", [str(BIN / "basedpyright")]),
    ("stub of the native module", [str(BIN / "stubtest"), "imp._core", "--mypy-config-file", "pyproject.toml"]),
    ("Rust format", ["cargo", "fmt", "--all", "--check"]),
    ("Rust lints", ["cargo", "clippy", "--locked", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
)


def main():
    """Run all checks, so that one run shows everything there is to mend."""
    failed = []
    for name, command in CHECKS:
        say(name)
        if subprocess.run(command, cwd=str(ROOT), env=dict(os.environ, MYPYPATH=str(ROOT))).returncode != 0:
            failed.append(name)
    if failed:
        print("lint failed: {}".format(", ".join(failed)))
        return 1
    print(f"lint passed: {len(CHECKS)} checks")
    return 0


if __name__ == "__main__":
    main_with_stop(main)
