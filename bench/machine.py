"""What the figures were taken on: commit, processor, memory, kernel, versions."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

import imp

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "granian", "litestar", "uvloop", "msgspec", "numpy", "rocksdict", "redis",
    "fastfpe", "ff3", "sqids", "hashids", "fastnanoid", "uuid-utils",
)  # fmt: skip
PROGRAMS = {
    "nginx": (["nginx", "-v"], r"nginx/([\d.]+)"),
    "redis-server": (["redis-server", "--version"], r"v=([\d.]+)"),
    "wrk": (["wrk", "--version"], r"wrk \D*([\d.]+)"),
    "rustc": (["rustc", "--version"], r"rustc ([\d.]+)"),
}
CRATES = ("rocksdb", "librocksdb-sys", "aes", "pyo3")
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
"""Debian keeps servers where only root's PATH looks."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine and what was built on it. Nothing in it names the machine."""

    commit: str
    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    disk: str
    versions: dict[str, str]


def describe(directory: Path) -> Machine:
    """This machine; `directory` lies on the disk that is measured."""
    return Machine(
        commit=_commit(),
        cpu=_first(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()) or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int(_first(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()) or 0) / 2**20, 1),
        kernel=platform.release(),
        disk=_file_system(directory),
        versions={"imp": imp.__version__, "python": platform.python_version()} | _packages() | _programs() | _crates(),
    )


def _commit() -> str:
    """Short hash, with + when tracked files differ from it."""
    commit = _output("git", "rev-parse", "--short", "HEAD").strip() or "unknown"
    return commit + ("+" if _output("git", "status", "--porcelain", "--untracked-files=no").strip() else "")


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=dict(os.environ, PATH=SEARCH),
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found.group(1) if found else None


def _file_system(directory: Path) -> str:
    """Type of the file system that holds `directory`: the longest mount point above it."""
    path, best = str(directory.resolve()), ("", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if path.startswith(mount.rstrip("/") + "/") and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1]


def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _programs() -> dict[str, str]:
    found = {name: _first(pattern, _output(*command)) for name, (command, pattern) in PROGRAMS.items()}
    return {name: number for name, number in found.items() if number}


def _crates() -> dict[str, str]:
    lock = (ROOT / "Cargo.lock").read_text("utf-8")
    found = {name: _first(rf'name = "{name}"\nversion = "([^"]+)"', lock) for name in CRATES}
    return {name: number for name, number in found.items() if number}
