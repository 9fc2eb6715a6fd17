"""Build the static RocksDB library that the crate `librocksdb-sys` vendors, in minutes instead of half an hour.

A unity build: the crate's own source files are included into a few generated ones, so that RocksDB's headers are
compiled eight times instead of three hundred. Sources, defines and headers are the crate's; only the grouping differs.
The library lands in a cache per user, shared by all clones:

    ${XDG_CACHE_HOME:-~/.cache}/imp-platform/rocksdb/<key>/librocksdb.a

The key covers everything that shapes the library: crate version, sources, headers, flags, compiler and architecture.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import prerequisites
from console import Stop, main_with_stop, say, sign_of_life

GROUPS = 8
MEMORY_PER_JOB_BYTES = 3 << 30  # the largest group peaks near 2 GiB
# What the crate's build script defines on Linux for `default-features = false, features = ["lz4"]`.
FLAGS = (
    "-O2 -std=c++20 -fPIC -w -include cstdint -DNDEBUG -DLZ4=1 -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION -DOS_LINUX "
    "-DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX -DROCKSDB_SCHED_GETCPU_PRESENT -DROCKSDB_AUXV_GETAUXVAL_PRESENT "
    "-DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT"
).split()


class CannotBuild(Exception):
    """The unity build is not possible here; the crate can still build RocksDB itself, more slowly."""


def cache_root():
    """The folder of this user's build cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imp-platform"


def crate_folders(root):
    """Folders of the vendored sources, as cargo fetched them: (librocksdb-sys, lz4-sys).

    Raises Stop if cargo cannot fetch the workspace's dependencies.
    """
    command = ["cargo", "metadata", "--format-version", "1"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=str(root))
    if result.returncode != 0:
        raise Stop("could not fetch the Rust dependencies; cargo's message is above")
    packages = {
        package["name"]: Path(package["manifest_path"]).parent for package in json.loads(result.stdout)["packages"]
    }
    return packages["librocksdb-sys"], packages["lz4-sys"]


def cpu_flags(machine):
    """Compiler flags for the instructions RocksDB's checksums need, where this processor has them.

    Without them CRC-32C of every block and log record is computed by table.
    """
    try:
        present = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        present = set()
    if machine == "x86_64":
        return [flag for flag, name in (("-msse4.2", "sse4_2"), ("-mpclmul", "pclmulqdq")) if name in present]
    if machine == "aarch64" and {"crc32", "aes", "pmull"} <= present:
        return ["-march=armv8-a+crc+crypto"]
    return []


class Recipe:
    """Everything that determines the library."""

    def __init__(self, crate, lz4):
        if sys.platform != "linux":
            raise CannotBuild(f"it is written for Linux, this is {sys.platform}")
        self.crate = crate
        self.compiler = prerequisites.cxx_compiler()
        if self.compiler is None:
            raise CannotBuild("no compiler for C++20 was found")
        self.flags = FLAGS + cpu_flags(platform.machine())
        self.includes = [crate / "rocksdb/include", crate / "rocksdb", lz4 / "liblz4/lib", crate]
        listed = (crate / "rocksdb_lib_sources.txt").read_text("utf-8").split()
        self.sources = [source for source in listed if source != "util/build_version.cc"]
        files = [*self.includes, *(crate / "rocksdb" / source for source in self.sources)]
        missing = [path for path in files if not path.exists()]
        if missing:
            raise CannotBuild(f"the crate has no {missing[0]}")

    def key(self):
        """Sixteen hex digits that change with anything that shapes the library."""
        digest = hashlib.sha256()
        version = prerequisites.output_of(self.compiler, "--version") or ""
        target = prerequisites.output_of(self.compiler, "-dumpmachine") or ""
        parts = [self.crate.name, version.partition("\n")[0], target, *self.flags, *self.sources, str(GROUPS)]
        digest.update("\0".join(parts).encode())
        for folder in (self.crate / "rocksdb/include", self.includes[2]):
            for header in sorted(folder.rglob("*.h")):
                digest.update(str(header.relative_to(folder)).encode() + b"\0" + header.read_bytes())
        return digest.hexdigest()[:16]

    def units(self):
        """The generated files: name → text. Sources keep their order and are split by size."""
        sizes = [(self.crate / "rocksdb" / source).stat().st_size for source in self.sources]
        groups, filled = [[]], 0
        for source, size in zip(self.sources, sizes):
            if filled + size > sum(sizes) / GROUPS and len(groups) < GROUPS:
                groups.append([])
                filled = 0
            groups[-1].append(source)
            filled += size
        units = {f"unity_{i}": "".join(f'#include "{source}"\n' for source in group) for i, group in enumerate(groups)}
        units["version"] = '#include "{}"\n'.format(self.crate / "build_version.cc")
        return units

    def compile(self, unit, folder):
        """Compile one generated file in `folder`; an object already there is kept, so an interrupted build resumes."""
        finished = folder / (unit + ".o")
        if finished.exists():
            return finished
        unfinished = folder / (unit + ".o.unfinished")
        includes = [f"-I{path}" for path in self.includes]
        source = folder / (unit + ".cc")
        command = [self.compiler, *self.flags, *includes, "-c", str(source), "-o", str(unfinished)]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if result.returncode != 0:
            first_errors = "\n".join(result.stdout.splitlines()[:20])
            raise CannotBuild(f"{unit} did not compile:\n{first_errors}")
        unfinished.rename(finished)
        return finished


def jobs():
    """How many compilers run at once: one per core, as far as memory goes, and no more than there are groups."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // MEMORY_PER_JOB_BYTES, GROUPS))


def compile_into(recipe, folder):
    """Compile all units and the archive in `folder`."""
    units = recipe.units()
    for name, text in units.items():
        source = folder / (name + ".cc")
        if not source.exists() or source.read_text("utf-8") != text:
            source.write_text(text, "utf-8")
    finished = []

    def compile_one(name):
        finished.append(recipe.compile(name, folder))
        say(f"  RocksDB: part {len(finished)} of {len(units)} compiled")

    progress = sign_of_life(lambda: f"compiling RocksDB, {len(finished)} of {len(units)} parts done")
    with progress, ThreadPoolExecutor(jobs()) as pool:
        tasks = [pool.submit(compile_one, name) for name in units]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
    archive = folder / "librocksdb.a"
    with contextlib.suppress(FileNotFoundError):
        archive.unlink()
    result = subprocess.run(["ar", "crs", str(archive), *map(str, sorted(finished))], stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise CannotBuild(f"ar failed: {result.stderr.strip()}")
    for path in folder.iterdir():
        if path != archive:
            path.unlink()


def library_folder(crate, lz4):
    """The cache folder that holds librocksdb.a for these sources and this machine, built if it is not there yet.

    Safe against other builds of the same user: one builds, the others wait, and the folder appears whole by a rename.
    Raises CannotBuild.
    """
    recipe = Recipe(crate, lz4)
    folder = cache_root() / "rocksdb" / recipe.key()
    if (folder / "librocksdb.a").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is building RocksDB; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            say(f"building RocksDB once for this user, about 3 minutes on two cores ({jobs()} jobs)")
            partial = folder.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            compile_into(recipe, partial)
            partial.rename(folder)
            say(f"RocksDB is built, cached in {folder}")
    return folder


def main():
    """Print the folder of the library, building it if needed."""
    try:
        print(library_folder(*crate_folders(Path(__file__).resolve().parent.parent)))
    except CannotBuild as reason:
        raise Stop(f"RocksDB cannot be built this way: {reason}") from None


if __name__ == "__main__":
    main_with_stop(main)
