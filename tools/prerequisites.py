"""What must be on the machine before the set-up can start, and how to get each missing thing."""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from console import Stop

PYTHON_OLDEST = (3, 12)  # below 3.12 `import imp` finds the standard library's module
PYTHON_TRIED = ((3, 13), (3, 12), (3, 14))  # in order of preference

# What an interpreter tells about itself: version, path, and "venv" if it can make virtual environments.
ABOUT = "import sys; print(*sys.version_info[:2]); print(sys.executable); import ensurepip, venv; print('venv')"

INSTALL = {  # package manager: how it installs the package that holds …
    "apt-get": {"c++": "apt-get install g++", "ar": "apt-get install binutils"},
    "dnf": {"c++": "dnf install gcc-c++", "ar": "dnf install binutils"},
    "pacman": {"c++": "pacman -S gcc", "ar": "pacman -S binutils"},
    "brew": {"c++": "xcode-select --install", "ar": "xcode-select --install"},
}
# Distributions' own packages of these are often too old.
INSTALL_RUST = "`curl -sSf https://sh.rustup.rs | sh`"
INSTALL_PYTHON = "`curl -LsSf https://astral.sh/uv/install.sh | sh` and `uv python install 3.13`"


def how_to_install(what):
    """The command that installs `what` with the package manager found here."""
    for tool, commands in INSTALL.items():
        if shutil.which(tool):
            return f"`{commands[what]}`"
    return "your system's package manager"


def output_of(*command):
    """Standard output of a command, or None if it cannot be run or fails without having printed anything."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 or result.stdout else None


def rust_oldest(root):
    """The oldest Rust that the workspace accepts, from Cargo.toml, as (major, minor)."""
    found = re.search(r'^rust-version = "(\d+)\.(\d+)"', (root / "Cargo.toml").read_text("utf-8"), re.MULTILINE)
    return int(found.group(1)), int(found.group(2))


def rust_missing(root):
    """One sentence if cargo or rustc is absent or too old, else None."""
    oldest = rust_oldest(root)
    version = output_of("rustc", "--version") if shutil.which("cargo") else None
    found = re.search(r"(\d+)\.(\d+)", version or "")
    if not found:
        return f"Rust {oldest[0]}.{oldest[1]} or newer is missing: install it with {INSTALL_RUST}"
    if (int(found.group(1)), int(found.group(2))) < oldest:
        needed = f"{oldest[0]}.{oldest[1]}"
        return f"Rust {found.group(0)} is too old, {needed} or newer is needed: update it with `rustup update`"
    return None


def cxx_compiler():
    """The first C++ compiler of $CXX, g++, c++, clang++ that compiles C++20, or None."""
    for name in filter(None, (os.environ.get("CXX"), "g++", "c++", "clang++")):
        path = shutil.which(name)
        if not path:
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.cc")
            source.write_text(
                "#include <concepts>\n#include <string>\ntemplate <std::integral T> T same(T t) { return t; }\n"
                "int main() { return same(0) + int(std::string().size()); }\n",
                "utf-8",
            )
            if output_of(path, "-std=c++20", "-c", str(source), "-o", str(Path(folder, "probe.o"))) is not None:
                return path
    return None


def interpreter_candidates():
    """Paths of Python interpreters in order of preference: PATH, then pyenv's versions, then what uv knows."""
    names = ["python{}.{}".format(*version) for version in PYTHON_TRIED] + ["python3", "python"]
    found = [shutil.which(name) for name in names]
    roots = [os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"]
    # A changed HOME hides pyenv's root; its shims on the PATH still lead to it.
    roots += [
        Path(folder).parent for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder).name == "shims"
    ]
    for version in PYTHON_TRIED:
        for root in filter(None, roots):
            found += sorted(Path(root).glob("versions/{}.{}*/bin/python3".format(*version)), reverse=True)
    uv = shutil.which("uv") or str(Path.home() / ".local/bin/uv")
    for version in PYTHON_TRIED:
        found.append((output_of(uv, "python", "find", "--no-python-downloads", "{}.{}".format(*version)) or "").strip())
    return [str(path) for path in found if path]


def interpreter():
    """A Python that is new enough and can make virtual environments.

    Raises Stop with one sentence if there is none.
    """
    without_venv = None
    for path in interpreter_candidates():
        about = (output_of(path, "-c", ABOUT) or "").splitlines()
        if len(about) < 2 or tuple(map(int, about[0].split())) not in PYTHON_TRIED:
            continue
        if about[2:] == ["venv"]:
            return about[1]
        without_venv = without_venv or about[1]
    if without_venv:
        package = f"{Path(without_venv).name}-venv"
        raise Stop(f"{without_venv} has no venv module: install it, on Debian with `apt-get install {package}`")
    oldest = ".".join(map(str, PYTHON_OLDEST))
    present = platform.python_version()
    raise Stop(f"Python {oldest} or newer is missing (this is {present}): install it with {INSTALL_PYTHON}")


def check(root):
    """Raise Stop with one sentence for each missing prerequisite."""
    missing = [rust_missing(root)]
    if cxx_compiler() is None:
        missing.append(f"A C++20 compiler is missing (g++ 10, clang++ 12): install it with {how_to_install('c++')}")
    if not shutil.which("ar"):
        missing.append(f"The archiver `ar` is missing: install it with {how_to_install('ar')}")
    try:
        interpreter()
    except Stop as stop:
        missing.append(str(stop))
    missing = [sentence for sentence in missing if sentence]
    if missing:
        raise Stop("the set-up needs more than this machine has:\n  - " + "\n  - ".join(missing))
