"""Goal: the repository stays readable. Method: read every file and compare it with the rules of CONTRIBUTING.md."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import imp

ROOT = Path(__file__).resolve().parent.parent
LINES_MAX = 500
COLUMNS_MAX = 120
CODE = {".py", ".pyi", ".rs"}
TEXT = CODE | {".md", ".toml", ".html", ".sh", ".mako", ".lua", ".conf", ".yml", ".yaml", ""}
# Written by a program, or somebody else's words.
NOT_OURS = ("Cargo.lock", "LICENSE", "requirements/", "tests/vectors/", "tests/fixtures/", "bench/results/")
BANNED_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
BANNED_WORDS = {
    "unfinished work": r"\b(TODO|FIXME)\b",
    "path of one machine": r"(?<![\w.])/(work|root|home/\w+)/",
    "address of a registry": r"\b(pypi\.org|pythonhosted\.org|crates\.io|deb\.debian\.org|registry\.npmjs\.org)\b",
    "merge left-over": r"^(<{7}|>{7}) ",
}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Modules that something other than an import starts.
STARTED_BY_NAME = re.compile(
    r"(^|/)(__main__|__init__|conftest|test_\w+|env|locustfile)\.py$|migrations/versions/|^tools/"
)


@cache
def tracked() -> tuple[str, ...]:
    """Paths git knows or would add, so that a new file is checked before it is committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return tuple(path for path in listed if (ROOT / path).is_file())


def read(path: str) -> str:
    """Text of one tracked file."""
    return (ROOT / path).read_text("utf-8")


def ours(suffixes: set[str]) -> list[str]:
    """Tracked files with these suffixes that people here wrote."""
    return [path for path in tracked() if Path(path).suffix in suffixes and not path.startswith(NOT_OURS)]


def test_files_are_short_enough_to_read() -> None:
    """At most 500 lines a file: beyond that it holds two concepts."""
    long = {path: count for path in ours(CODE) if (count := read(path).count("\n")) > LINES_MAX}
    assert not long


def test_lines_fit_the_screen() -> None:
    """At most 120 columns in code; a raw string (an answer's bytes, a drawing) stays in one piece."""
    assert not [
        f"{path}:{number}"
        for path in ours(CODE)
        for number, line in enumerate(read(path).splitlines(), 1)
        if len(line) > COLUMNS_MAX and 'r#"' not in line
    ]


def test_names_say_what_is_inside() -> None:
    """No drawers for everything: a reader guesses the file from the concept."""
    assert not [path for path in tracked() if BANNED_NAMES & {part.split(".")[0].lower() for part in Path(path).parts}]


def test_nothing_unfinished_and_nothing_of_one_machine() -> None:
    """Banned words, with the rule each breaks."""
    files = [path for path in ours(TEXT) if path != "tests/test_tidy.py"]
    assert not [
        f"{path}: {rule}: {found.group()}"
        for path in files
        for rule, pattern in BANNED_WORDS.items()
        if (found := re.search(pattern, read(path), re.MULTILINE))
    ]


def test_relative_links_lead_somewhere() -> None:
    """Every relative link in a Markdown file names a file that exists."""
    assert not [
        f"{path}: {target}"
        for path in ours({".md"})
        for target in LINK.findall(read(path))
        if not re.match(r"[a-z]+:|#", target) and not (ROOT / path).parent.joinpath(target.split("#")[0]).exists()
    ]


def imported_by(path: str) -> set[str]:
    """Dotted names of all modules, and possible modules, that a Python file imports."""
    package = Path(path).parent.parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def test_every_python_module_is_used() -> None:
    """A module that nothing imports, starts or names in a string is dead."""
    python = ours({".py"})
    imported = set().union(*(imported_by(path) for path in python))
    named = "\n".join(read(path) for path in [*python, "pyproject.toml", "Makefile"])
    # Tests import what they share from the folder tests itself.
    names = {path: path.removeprefix("tests/").removesuffix(".py").replace("/", ".") for path in python}
    modules = {path: name for path, name in names.items() if not STARTED_BY_NAME.search(path)}
    assert not [path for path, name in modules.items() if name not in imported and f'"{name}' not in named]


def test_the_native_core_has_the_importers_the_documents_name() -> None:
    """ARCHITECTURE.md and CONTRIBUTING.md list who imports imp._core."""
    package = [path for path in ours({".py"}) if path.startswith("imp/")]
    importers = {path for path in package if "imp._core" in imported_by(path)}
    assert importers == {"imp/__init__.py", "imp/codes.py", "imp/engine.py", "imp/errors.py"}
    for document in ("ARCHITECTURE.md", "CONTRIBUTING.md"):
        assert all(f"`{path}`" in read(document) for path in importers)


def test_every_rust_file_is_a_module() -> None:
    """A Rust file below src that no `mod` declares is never compiled."""
    dead = []
    for path in ours({".rs"}):
        name = Path(path).parent.name if path.endswith("mod.rs") else Path(path).stem
        folder = Path(path).parent.parent if path.endswith("mod.rs") else Path(path).parent
        above = [*folder.glob("*.rs"), folder.with_suffix(".rs")] if (folder := ROOT / folder) else []
        declared = any(re.search(rf"\bmod {name};", file.read_text("utf-8")) for file in above if file.exists())
        if "/src/" in path and name != "lib" and not declared:
            dead.append(path)
    assert not dead


def test_version_is_written_once() -> None:
    """Cargo.toml's workspace version is the distribution's, and the change log knows it."""
    cargo = tomllib.loads(read("Cargo.toml"))["workspace"]["package"]["version"]
    assert imp.__version__ == cargo
    assert f"## {cargo}" in read("CHANGELOG.md")
    assert "version" not in tomllib.loads(read("pyproject.toml"))["project"]
