"""Make a fresh clone runnable: virtual environment, RocksDB, native module. Unchanged work is skipped.

    python3 tools/setup.py [dev] [bench] [load]

Without a name it installs what running needs; each name adds the packages of that purpose (requirements/<name>.txt).
Runs on any Python from 3.8; the interpreter for the virtual environment, 3.12 or newer, is looked for.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import build_rocksdb
import prerequisites
from console import Stop, main_with_stop, run_quietly, say

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
PIP_INSTALL = [str(VENV_PYTHON), *"-m pip install --disable-pip-version-check --no-input --quiet".split()]
BUILD = ROOT / "build"
MODULE = ROOT / "imp" / "_core.abi3.so"
MODULE_STAMP = BUILD / "module.stamp"
CARGO_CONFIG = ROOT / ".cargo" / "config.toml"
CARGO_CONFIG_HEAD = "# Written by tools/setup.py; do not edit.\n"
PURPOSES = ("run", "dev", "bench", "load")


def digest_of(paths, *words):
    """SHA-256 over words and the names and contents of files, as hex."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode() + b"\0")
    for path in sorted(paths):
        digest.update(str(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_done(stamp, digest):
    """Whether the step that left `stamp` was last done with the same inputs."""
    return stamp.exists() and stamp.read_text("utf-8") == digest


def mark_done(stamp, digest):
    """Note that a step is done with these inputs."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest, "utf-8")


def make_venv():
    """Create .venv, again if the interpreter it was made with is gone or the clone was moved."""
    probe = "import sys, pip; print(sys.prefix)"
    if (prerequisites.output_of(str(VENV_PYTHON), "-c", probe) or "").strip() == str(VENV):
        return
    python = prerequisites.interpreter()
    say(f"creating .venv with {python}")
    shutil.rmtree(str(VENV), ignore_errors=True)
    run_quietly([python, "-m", "venv", str(VENV)], "create the virtual environment")


def install_packages(purpose):
    """Install the hash-pinned packages of one purpose into .venv."""
    lock = ROOT / "requirements" / (purpose + ".txt")
    stamp = VENV / "installed" / purpose
    digest = digest_of([lock])
    if is_done(stamp, digest):
        return
    pinned = sum("==" in line for line in lock.read_text("utf-8").splitlines())
    say(f"installing {pinned} Python packages ({lock.relative_to(ROOT)})")
    # The lock is complete, so pip has nothing to resolve.
    command = [*PIP_INSTALL, "--require-hashes", "--no-deps", "-r", str(lock)]
    run_quietly(command, f"install {lock.relative_to(ROOT)}")
    mark_done(stamp, digest)


def rocksdb_folder():
    """Folders (library, headers) of RocksDB built once per user, or None when the crate has to build it itself."""
    crate, lz4 = build_rocksdb.crate_folders(ROOT)
    try:
        return build_rocksdb.library_folder(crate, lz4), crate / "rocksdb" / "include"
    except build_rocksdb.CannotBuild as reason:
        say(f"RocksDB cannot be built the fast way: {reason}")
        say("the crate builds it instead, which takes 12 to 30 minutes on two cores")
        return None


def cargo_config(rocksdb):
    """Text of .cargo/config.toml: the environment that any cargo command in this clone needs."""
    where = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site_packages = prerequisites.output_of(str(VENV_PYTHON), "-c", where).strip()
    compiler_include = (prerequisites.output_of(prerequisites.cxx_compiler(), "-print-file-name=include") or "").strip()
    entries = {
        "LIBCLANG_PATH": str(Path(site_packages, "clang", "native")),
        "PYO3_PYTHON": str(VENV_PYTHON),  # one interpreter for every build: another one rebuilds PyO3
    }
    if Path(compiler_include, "stddef.h").exists():  # the libclang wheel comes without the compiler's own headers
        entries["BINDGEN_EXTRA_CLANG_ARGS"] = "-I" + compiler_include
    if rocksdb:
        entries.update(ROCKSDB_LIB_DIR=str(rocksdb[0]), ROCKSDB_INCLUDE_DIR=str(rocksdb[1]), ROCKSDB_STATIC="1")
    quoted = (f"{name} = '{value}'\n" for name, value in sorted(entries.items()))
    return CARGO_CONFIG_HEAD + "[env]\n" + "".join(quoted)


def write_cargo_config(text):
    """Write .cargo/config.toml, unless it is the user's own."""
    if CARGO_CONFIG.exists():
        present = CARGO_CONFIG.read_text("utf-8")
        if present == text:
            return
        if not present.startswith(CARGO_CONFIG_HEAD):
            raise Stop(".cargo/config.toml is your own: move it to cargo's home folder, the set-up writes this one")
    CARGO_CONFIG.parent.mkdir(exist_ok=True)
    CARGO_CONFIG.write_text(text, "utf-8")


def module_inputs():
    """Files whose change makes a new native module necessary."""
    crates = (ROOT / "core_rs" / "src", ROOT / "core_rs" / "py")
    sources = [path for crate in crates for path in crate.rglob("*") if path.is_file()]
    names = ("Cargo.toml", "Cargo.lock", "core_rs/Cargo.toml", "pyproject.toml")
    return sources + [ROOT / name for name in names]


def module_digest():
    """What the native module is built from: sources, compiler, interpreter."""
    return digest_of(module_inputs(), prerequisites.output_of("rustc", "--version") or "", str(VENV_PYTHON.resolve()))


def module_is_built():
    """Whether the module is that of the present sources, and all that later cargo commands need is still there."""
    if not (MODULE.exists() and CARGO_CONFIG.exists() and is_done(MODULE_STAMP, module_digest())):
        return False
    return all(Path(path).exists() for path in re.findall(r"'(?:-I)?(/[^']+)'", CARGO_CONFIG.read_text("utf-8")))


def build_module(rocksdb):
    """Build imp._core in release profile beside the Python sources."""
    write_cargo_config(cargo_config(rocksdb))
    say("building the native module (release profile)")
    run_maturin_step([str(VENV / "bin" / "maturin"), "develop", "--release", "--skip-install"])
    mark_done(MODULE_STAMP, module_digest())


def run_maturin_step(command):
    """Run a command that builds the native module, its output shown."""
    # Its own target folder: sharing one with `cargo test` makes each rebuild what the other built.
    search = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    environment = dict(os.environ, VIRTUAL_ENV=str(VENV), PATH=search, CARGO_TARGET_DIR=str(BUILD / "maturin"))
    environment.pop("CONDA_PREFIX", None)  # maturin refuses two environments at once
    if subprocess.run(command, cwd=str(ROOT), env=environment).returncode != 0:
        raise Stop("the native module did not build; the compiler's message is above")


def register_package():
    """Make `import imp` and the command `imp` work in .venv: an editable install of the package as it was built."""
    stamp = VENV / "installed" / "imp-platform"
    digest = digest_of([ROOT / "pyproject.toml", ROOT / "Cargo.toml"])
    if is_done(stamp, digest):
        return
    say("installing the command imp into .venv")
    run_maturin_step([*PIP_INSTALL, "--no-deps", "--no-build-isolation", "--editable", "."])
    mark_done(stamp, digest)


def main():
    """Set up for the purposes named on the command line."""
    purposes = sys.argv[1:]
    if not set(purposes) <= set(PURPOSES):
        raise Stop(f"unknown purpose; choose from {', '.join(PURPOSES)}")
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "setup.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not MODULE.exists():
            prerequisites.check(ROOT)
        make_venv()
        with ThreadPoolExecutor(1) as background:
            # RocksDB compiles while packages download.
            rocksdb = None if module_is_built() else background.submit(rocksdb_folder)
            for purpose in ["run", *(purpose for purpose in purposes if purpose != "run")]:
                install_packages(purpose)
            if rocksdb:
                build_module(rocksdb.result())
        register_package()


if __name__ == "__main__":
    main_with_stop(main)
