"""The command line, called in this process: quick, and its exits become values."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from imp.cli import main


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
    import os

    for name in list(os.environ):
        if name.startswith("IMP_"):
            monkeypatch.delenv(name)


@pytest.fixture
def imp(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `imp` with arguments; `code` is the exit code it must have."""

    def run(*arguments: object, code: int | None = 0) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        result = Result(int(ended.value.code or 0), out, err)
        assert code in (None, result.code), result
        return result

    return run


@pytest.fixture
def brand(tmp_path: Path, imp: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, chosen by IMP_DIRECTORY, with one tenant and an order of 1,000 codes."""
    path = tmp_path / "brand"
    monkeypatch.setenv("IMP_DIRECTORY", str(path))
    imp("init")
    imp("tenant", "add", "acme", "--name", "Acme")
    imp("domain", "add", "id.acme.example")
    imp("product", "put", "tea", "--name", "茶", "--gtin", "6901234500011")
    imp("series", "open", "tins", "--domain", "id.acme.example")
    imp(
        "issue",
        "spring",
        "--series",
        "tins",
        "--quantity",
        1_000,
        "--product",
        "tea",
        "--lot",
        "L1",
        "--no-word-filter",
    )
    return path


@pytest.fixture
def codes(brand: Path, imp: Run, tmp_path: Path) -> list[str]:
    """The codes of the order, by index."""
    imp("export", "spring", "--to", tmp_path / "codes.csv")
    return [line.split(",")[1] for line in (tmp_path / "codes.csv").read_text().splitlines()[1:]]
