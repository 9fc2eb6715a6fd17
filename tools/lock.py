"""Compile the hash-pinned package lists in requirements/ from pyproject.toml. Needs `uv`.

    python3 tools/lock.py [--upgrade]

All purposes are resolved together first, so that a package has one version everywhere; each file then holds what its
purpose needs. Neither index addresses nor link folders of the machine get into the files.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import prerequisites
from console import Stop, main_with_stop

ROOT = Path(__file__).resolve().parent.parent
PURPOSES = {  # file: groups of pyproject.toml
    "run": ["build"],
    "dev": ["dev"],
    "bench": ["bench"],
    "load": ["load"],
}
HEAD = "# Compiled by tools/lock.py from pyproject.toml; do not edit.\n"


def compile_list(output, constraints, arguments):
    """Run `uv pip compile` with everything that would leak this machine's set-up into the file switched off."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    command = "uv pip compile --quiet --universal --python-version 3.12 --no-python-downloads --generate-hashes".split()
    command += "--no-header --no-annotate --no-emit-index-url --no-emit-find-links".split()
    command += ["--python", prerequisites.interpreter(), "--output-file", str(output), *arguments]
    for path in constraints:
        command += ["--constraint", str(path)]
    if subprocess.run(command, cwd=str(ROOT), env=environment).returncode != 0:
        raise Stop("uv could not resolve the packages; its message is above")


def main():
    """Write requirements/*.txt."""
    if not shutil.which("uv"):
        raise Stop("uv is missing: install it with `pip install uv`")
    groups = ["--group=pyproject.toml:" + group for names in PURPOSES.values() for group in names]
    with tempfile.TemporaryDirectory() as folder:
        every = Path(folder, "every.txt")
        present = [] if "--upgrade" in sys.argv else sorted((ROOT / "requirements").glob("*.txt"))
        compile_list(every, present, ["pyproject.toml", *groups])
        for purpose, names in PURPOSES.items():
            path = Path(folder, purpose + ".txt")
            sources = ["pyproject.toml"] if purpose == "run" else []
            compile_list(path, [every], sources + ["--group=pyproject.toml:" + name for name in names])
            text = re.sub(r"(?m)^(#.*|--.*)\n", "", path.read_text("utf-8"))
            (ROOT / "requirements" / (purpose + ".txt")).write_text(HEAD + text, "utf-8")


if __name__ == "__main__":
    main_with_stop(main)
