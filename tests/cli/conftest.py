"""The command line, called in this process: quick, and its exits become values."""

import json
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from imp.cli import main

ABOUT = ("--product", "tea", "--lot", "L1", "--no-word-filter")


class Result(NamedTuple):
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not count."""
    for name in list(os.environ):
        if name.startswith("IMP_"):
            monkeypatch.delenv(name)


def call(capsys: pytest.CaptureFixture[str] | None, *arguments: object, code: int | None = 0) -> Result:
    """Call `imp`; `code` is the exit code it must have, None for any."""
    if capsys is not None:
        capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr() if capsys is not None else ("", "")
    result = Result(int(ended.value.code or 0), out, err)
    assert code in (None, result.code), result
    return result


@pytest.fixture
def imp(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `imp` with arguments; `code` is the exit code it must have."""
    return partial(call, capsys)


@pytest.fixture(scope="session")
def brand_made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one tenant and an order of 1,000 codes."""
    path = tmp_path_factory.mktemp("made") / "brand"
    for arguments in (
        ("init",),
        ("tenant", "add", "acme", "--name", "Acme"),
        ("domain", "add", "id.acme.example"),
        ("product", "put", "tea", "--name", "茶", "--gtin", "6901234500011"),
        ("series", "open", "tins", "--domain", "id.acme.example"),
        ("issue", "spring", "--series", "tins", "--quantity", 1_000, *ABOUT),
    ):
        call(None, *arguments, "--dir", path)
    return path


@pytest.fixture
def brand(brand_made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, chosen by IMP_DIRECTORY."""
    path = Path(shutil.copytree(brand_made_once, tmp_path / "brand"))
    monkeypatch.setenv("IMP_DIRECTORY", str(path))
    return path


@pytest.fixture
def codes(brand: Path, imp: Run, tmp_path: Path) -> list[str]:
    """The codes of the order, by index."""
    imp("export", "spring", "--to", tmp_path / "codes.csv")
    return [line.split(",")[1] for line in (tmp_path / "codes.csv").read_text().splitlines()[1:]]
