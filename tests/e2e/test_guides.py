"""The guides are right. Method: run their commands, in their order, in an empty folder."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
ROOT = GUIDES.parents[1]


def blocks(guide: str, language: str) -> str:
    """All code blocks of a language, joined."""
    found = re.findall(rf"^```{language}\n(.*?)^```", (GUIDES / guide).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found, f"{guide} has no {language} block"
    return "\n".join(found)


def environment(folder: Path) -> dict[str, str]:
    """A shell whose `imp` and `python3` are those under test and whose settings are nobody's."""
    shim = folder / "bin"
    shim.mkdir()
    (shim / "imp").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imp "$@"\n')
    (shim / "imp").chmod(0o755)
    (shim / "python3").symlink_to(sys.executable)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMP_")}
    return {**kept, "PATH": f"{shim}:{kept['PATH']}", "PYTHONPATH": str(ROOT)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_operating_guide(tmp_path: Path) -> None:
    script = blocks("operating.md", "sh").replace("8000", str(free_port()))
    work = tmp_path / "work"
    work.mkdir()
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, check=False, cwd=work, env=environment(tmp_path), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"verdict":"genuine"' in done.stdout


def test_batch_guide(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    command = [sys.executable, "-c", blocks("batch-jobs.md", "python")]
    done = subprocess.run(
        command, check=False, cwd=work, env=environment(tmp_path), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
