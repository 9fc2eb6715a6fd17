"""What must be on the machine before the set-up can start, and how to get each missing thing."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from console import Stop

PYTHON_OLDEST = (3, 12)  # below 3.12 `import imp` finds the standard library's module
PYTHON_TRIED = ((3, 13), (3, 12), (3, 14))  # in order of preference

INSTALL = {  # package manager: how it installs the package that holds …
    "apt-get": {
        "c++": "apt-get install g++",
        "ar": "apt-get install binutils",
        "python": "apt-get install python3.13 python3.13-venv",
    },
    "dnf": {"c++": "dnf install gcc-c++", "ar": "dnf install binutils", "python": "dnf install python3.13"},
    "pacman": {"c++": "pacman -S gcc", "ar": "pacman -S binutils", "python": "pacman -S python"},
    "brew": {"c++": "xcode-select --install", "ar": "xcode-select --install", "python": "brew install python@3.13"},
}
INSTALL_RUST = "`curl -sSf https://sh.rustup.rs | sh`"  # distributions' own packages are often too old


def how_to_install(what):
    """The command that installs `what` with the package manager found here."""
    for tool, commands in INSTALL.items():
        if shutil.which(tool):
            return "`{}`".format(commands[what])
    return "your system's package manager"


def output_of(*command):
    """Standard output of a command, or None if it cannot be run or fails."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


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
        return "Rust {}.{} or newer is missing: install it with {}".format(oldest[0], oldest[1], INSTALL_RUST)
    if (int(found.group(1)), int(found.group(2))) < oldest:
        return "Rust {} is too old, {}.{} or newer is needed: update it with `rustup update`".format(
            found.group(0), oldest[0], oldest[1])
    return None


def cxx_compiler():
    """The first C++ compiler of $CXX, g++, c++, clang++ that compiles C++20, or None."""
    for name in filter(None, (os.environ.get("CXX"), "g++", "c++", "clang++")):
        path = shutil.which(name)
        if not path:
            continue
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.cc")
            source.write_text("#include <concepts>\n#include <string>\ntemplate <std::integral T> T same(T t) { return t; }\n"
                              "int main() { return same(0) + int(std::string().size()); }\n", "utf-8")
            if output_of(path, "-std=c++20", "-c", str(source), "-o", str(Path(folder, "probe.o"))) is not None:
                return path
    return None


def interpreter_candidates():
    """Paths of Python interpreters in order of preference: PATH, then pyenv's versions, then what uv knows."""
    names = ["python{}.{}".format(*version) for version in PYTHON_TRIED] + ["python3", "python"]
    found = [shutil.which(name) for name in names]
    roots = [os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"]
    # A changed HOME hides pyenv's root; its shims on the PATH still lead to it.
    roots += [Path(folder).parent for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder).name == "shims"]
    for version in PYTHON_TRIED:
        for root in filter(None, roots):
            found += sorted(Path(root).glob("versions/{}.{}*/bin/python3".format(*version)), reverse=True)
    if shutil.which("uv"):
        for version in PYTHON_TRIED:
            found.append((output_of("uv", "python", "find", "--no-python-downloads", "{}.{}".format(*version)) or "").strip())
    return [str(path) for path in found if path]


def interpreter():
    """A Python that is new enough and can make virtual environments.

    Raises Stop with one sentence if there is none.
    """
    without_venv = None
    for path in interpreter_candidates():
        probe = output_of(path, "-c", "import sys; print(*sys.version_info[:2]); import ensurepip, venv; print(sys.executable)")
        lines = (probe or "").splitlines()
        if len(lines) == 2 and tuple(map(int, lines[0].split())) in PYTHON_TRIED:
            return lines[1]
        if probe is None and output_of(path, "-c", "import sys; sys.exit(sys.version_info[:2] < {})".format(PYTHON_OLDEST)) is not None:
            without_venv = path
    if without_venv:
        raise Stop("{} cannot make virtual environments: install its venv module, on Debian with `apt-get install {}-venv`".format(
            without_venv, Path(without_venv).name))
    raise Stop("Python {}.{} or newer is missing (this is {}.{}): install it with {}, `pyenv install 3.13` or `uv python install 3.13`".format(
        PYTHON_OLDEST[0], PYTHON_OLDEST[1], sys.version_info[0], sys.version_info[1], how_to_install("python")))


def check(root):
    """Raise Stop with one sentence for each missing prerequisite."""
    missing = [rust_missing(root)]
    if cxx_compiler() is None:
        missing.append("A C++20 compiler is missing (g++ 10 or newer, or clang++ 12 or newer): install it with {}".format(how_to_install("c++")))
    if not shutil.which("ar"):
        missing.append("The archiver `ar` is missing: install it with {}".format(how_to_install("ar")))
    try:
        interpreter()
    except Stop as stop:
        missing.append(str(stop))
    missing = [sentence for sentence in missing if sentence]
    if missing:
        raise Stop("the set-up needs more than this machine has:\n  - " + "\n  - ".join(missing))
