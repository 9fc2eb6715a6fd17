"""Every command is documented, quick to show its help, and fails in the same shape.

Method: walk the commands; compare exit codes with the table of the guide; raise each error inside a command.
"""

import re
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

from imp import errors
from imp.cli import entry
from imp.cli.failures import Hinted, report
from imp.errors import ImpError, error_of, kind_of

ROOT = Path(__file__).resolve().parents[2]
HELP_CPU_S_MAX = 0.3


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """All commands below a group."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


ALL = commands(entry.imp)


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_says_what_it_does(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    assert command.help.strip().split("\n")[0].endswith("."), "a sentence comes first"
    if isinstance(command, click.Group):
        return
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--dir" in options or path[0] == "bench"
    assert "--json" in options or path[0] == "serve"


def test_help_answers_at_once_and_loads_neither_core_nor_database() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    script = (
        "import sys\nfrom imp.cli import main\n"
        "try: main(['--help'])\n"
        "finally: print([name for name in ('imp._core', 'sqlalchemy', 'numpy', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < HELP_CPU_S_MAX
    assert all(f"  {name} " in done.stdout for name in entry.COMMANDS)
    assert "Exit codes:" in done.stdout


def test_the_guide_lists_the_exit_codes_of_the_help() -> None:
    guide = (ROOT / "docs" / "guides" / "operating.md").read_text("utf-8")
    told = dict(re.findall(r"^  (\d+)  (.*)$", entry.EXIT_CODES, re.MULTILINE))
    table = dict(re.findall(r"^\| (\d+) \| (.*) \|$", guide, re.MULTILINE))
    assert told == table
    codes = {kind_of(error).exit_code for error in every_error()}
    assert codes <= {int(code) for code in told}


def every_error() -> list[ImpError]:
    """One of each class."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ImpError)]
    return [cls("reason", "told") if cls is errors.Refused else cls("told") for cls in classes]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_has_its_way_back_from_its_kind(error: ImpError) -> None:
    assert type(error_of(kind_of(error).slug, "told")) is type(error)


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (errors.NotFound("no order of that name"), 4, ["error: no order of that name"]),
        (errors.Conflict("taken; hint: choose another"), 3, ["error: taken", "hint: choose another"]),
        (Hinted(errors.Busy("full"), "wait"), 5, ["error: full", "hint: wait"]),
        (PermissionError(13, "Permission denied", "a.csv"), 6, ["error: a.csv: Permission denied", "hint:"]),
        (click.UsageError("no such option"), 2, ["error: no such option", "hint: see: imp --help"]),
        (KeyboardInterrupt(), 130, ["error: interrupted"]),
        (ValueError("surprise"), 1, ["ValueError: surprise", "error: unexpected: ValueError: surprise", "hint:"]),
    ],
)
def test_a_failure_says_what_happened_and_what_to_do(
    error: BaseException, code: int, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(error, as_json=True) == code
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == len(lines)
    assert all(told.startswith(line) for told, line in zip(err.splitlines(), lines, strict=True))
    assert f'"exit_code": {code}' in out
