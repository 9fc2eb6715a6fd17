"""Goal: the set-up tells what it needs and rebuilds what changed, nothing else.

Method: the tools' functions on made-up machines: a PATH of small scripts, a crate of a few files. No compiler runs;
the real build is what every other test stands on.
"""

import re
import stat
import subprocess
import sys
from pathlib import Path

import build_rocksdb
import console
import prerequisites
import pytest
import run_tests
import setup
import system_packages

ROOT = Path(__file__).resolve().parents[2]


def put_program(folder: Path, name: str, script: str) -> Path:
    """An executable shell script called `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program: the folder is its whole PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("CXX", "PYENV_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return programs


def test_each_missing_prerequisite_is_one_sentence_with_the_command(machine: Path) -> None:
    put_program(machine, "apt-get", "exit 0")
    with pytest.raises(console.Stop) as stopped:
        prerequisites.check(ROOT)
    sentences = [line for line in str(stopped.value).splitlines() if line.startswith("  - ")]
    assert len(sentences) == 4
    assert [sentence.count(": install it with `") for sentence in sentences] == [1, 1, 1, 1]
    assert "apt-get install g++" in sentences[1]


def test_old_rust_is_named_with_its_version(machine: Path) -> None:
    put_program(machine, "cargo", "exit 0")
    put_program(machine, "rustc", "echo 'rustc 1.63.0 (4b91a6ea7 2022-08-08)'")
    sentence = prerequisites.rust_missing(ROOT)
    assert sentence is not None
    assert "1.63" in sentence
    assert "rustup update" in sentence


def test_rust_of_the_workspace_is_enough(machine: Path) -> None:
    put_program(machine, "cargo", "exit 0")
    put_program(machine, "rustc", "echo 'rustc {}.{}.0 (0000000 2025-01-01)'".format(*prerequisites.rust_oldest(ROOT)))
    assert prerequisites.rust_missing(ROOT) is None


def test_interpreter_is_found_behind_an_older_python3(machine: Path) -> None:
    """An old `python3`, pyenv's shim that refuses, and the right one in pyenv's versions, under a changed HOME."""
    put_program(machine, "python3", "printf '3 11\\n/usr/bin/python3\\nvenv\\n'")
    shims = machine.parent / "pyenv" / "shims"
    put_program(shims, "python3.13", "exit 127")
    wanted = machine.parent / "pyenv" / "versions" / "3.12.1" / "bin"
    found = put_program(wanted, "python3", f"printf '3 12\\n{wanted}/python3\\nvenv\\n'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{shims}:{machine}")
        assert prerequisites.interpreter() == str(found)


def test_interpreter_without_venv_is_named(machine: Path) -> None:
    put_program(machine, "python3.13", "printf '3 13\\n/usr/bin/python3.13\\n'; exit 1")
    with pytest.raises(console.Stop, match=r"apt-get install python3\.13-venv"):
        prerequisites.interpreter()


def test_this_interpreter_describes_itself() -> None:
    about = subprocess.run(
        [sys.executable, "-c", prerequisites.ABOUT], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert about == ["{} {}".format(*sys.version_info[:2]), sys.executable, "venv"]


@pytest.fixture
def crate(tmp_path: Path, machine: Path) -> tuple[Path, Path]:
    """A crate of forty sources, and the LZ4 crate beside it; the compiler accepts everything."""
    put_program(machine, "g++", "echo 'g++ 12.2.0'")
    crate, lz4 = tmp_path / "librocksdb-sys-1.0", tmp_path / "lz4-sys-1.0"
    names = [f"db/part_{number}.cc" for number in range(40)]
    for name in [*names, "util/build_version.cc", "include/rocksdb/db.h"]:
        file = crate / "rocksdb" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("//" * (len(name) * 7 % 50), "utf-8")
    (crate / "rocksdb_lib_sources.txt").write_text("\n".join([*names, "util/build_version.cc"]), "utf-8")
    (crate / "build_version.cc").touch()
    (lz4 / "liblz4/lib").mkdir(parents=True)
    (lz4 / "liblz4/lib/lz4.h").touch()
    return crate, lz4


def test_unity_files_include_every_source_once_in_order(crate: tuple[Path, Path]) -> None:
    recipe = build_rocksdb.Recipe(*crate)
    units = recipe.units()
    assert len(units) == build_rocksdb.GROUPS + 1
    included = re.findall(r'#include "(.*)"', "".join(text for name, text in units.items() if name != "version"))
    assert included == recipe.sources
    assert "util/build_version.cc" not in included
    assert units["version"] == f'#include "{crate[0]}/build_version.cc"\n'


@pytest.mark.parametrize("change", ["header", "source list", "compiler", "flags"])
def test_cache_key_follows_everything_that_shapes_the_library(
    crate: tuple[Path, Path], machine: Path, change: str
) -> None:
    recipe = build_rocksdb.Recipe(*crate)
    before = recipe.key()
    assert build_rocksdb.Recipe(*crate).key() == before
    if change == "header":
        (crate[0] / "rocksdb/include/rocksdb/db.h").write_text("changed", "utf-8")
    elif change == "source list":
        recipe.sources = recipe.sources[1:]
    elif change == "compiler":
        put_program(machine, "g++", "echo 'g++ 13.1.0'")
    else:
        recipe.flags = [*recipe.flags, "-O3"]
    assert recipe.key() != before


def test_cached_library_is_used_without_a_build(crate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(crate[0].parent / "cache"))
    folder = build_rocksdb.cache_root() / "rocksdb" / build_rocksdb.Recipe(*crate).key()
    folder.mkdir(parents=True)
    (folder / "librocksdb.a").touch()
    assert build_rocksdb.library_folder(*crate) == folder


def test_failed_unit_is_reported_and_the_finished_ones_are_kept(
    crate: tuple[Path, Path], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt compiles only what the first one left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(crate[0].parent / "cache"))
    compile_script = (
        'for last; do :; done; case "$*" in *%s*) echo "disk full"; exit 1;; esac; '
        'case "$1" in --version|-dumpmachine) ;; *) : > "$last";; esac'
    )
    put_program(machine, "ar", ': > "$2"')
    put_program(machine, "g++", compile_script % "unity_7.cc")
    with pytest.raises(build_rocksdb.CannotBuild, match="unity_7 did not compile:\ndisk full"):
        build_rocksdb.library_folder(*crate)
    put_program(machine, "g++", compile_script % "unity_0.cc")
    assert (build_rocksdb.library_folder(*crate) / "librocksdb.a").exists()


def test_user_s_own_cargo_config_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "CARGO_CONFIG", tmp_path / "config.toml")
    setup.write_cargo_config(setup.CARGO_CONFIG_HEAD + "[env]\n")
    setup.write_cargo_config(setup.CARGO_CONFIG_HEAD + "[env]\nA = '1'\n")
    (tmp_path / "config.toml").write_text("[net]\noffline = true\n", "utf-8")
    with pytest.raises(console.Stop, match="your own"):
        setup.write_cargo_config(setup.CARGO_CONFIG_HEAD)
    assert (tmp_path / "config.toml").read_text("utf-8") == "[net]\noffline = true\n"


def test_locks_are_hashed_and_name_no_machine() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text("utf-8")
        pins = re.findall(r"^([a-z0-9-]+(?:\[.*\])?)==", text, re.MULTILINE)
        assert pins
        assert len(pins) == len(set(pins))
        assert len(re.findall(r"==[^\n]*\\\n    --hash=sha256:", text)) == len(pins)
        assert not re.search(r"://|--find-links|--index|^-", text, re.MULTILINE)


def test_packages_have_one_version_in_all_locks() -> None:
    versions: dict[str, set[str]] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^([a-z0-9-]+)==([^ ;]+)", path.read_text("utf-8"), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert not {name: found for name, found in versions.items() if len(found) > 1}


def test_missing_system_package_is_named_to_other_users(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(machine, "apt-get", "echo must not run; exit 1")
    monkeypatch.setattr(system_packages, "FOLDERS", [])
    monkeypatch.setattr(system_packages.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["system_packages.py", "wrk", "redis"])
    with pytest.raises(console.Stop, match=r"^wrk and redis missing: install with `sudo apt-get .* wrk redis-server`"):
        system_packages.main()


def test_programs_of_postgresql_are_found_in_the_folder_of_their_version(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = machine.parent / "postgresql" / "17" / "bin"
    monkeypatch.setattr(system_packages, "FOLDERS", [str(folder)])
    put_program(machine, "psql", "exit 0")
    put_program(folder, "initdb", "exit 0")
    assert not system_packages.is_installed("postgresql")
    put_program(folder, "postgres", "exit 0")
    assert system_packages.is_installed("postgresql")


def test_skipped_tests_are_named_with_their_reason(tmp_path: Path) -> None:
    report = tmp_path / "pytest.xml"
    case = '<testcase><skipped message="{}"/></testcase>'
    cases = [case.format(reason) for reason in ("no PostgreSQL", "no Chromium", "no PostgreSQL")]
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}<testcase/></testsuite></testsuites>", "utf-8")
    assert run_tests.not_run(report) == ["NOT RUN: 1 tests: no Chromium", "NOT RUN: 2 tests: no PostgreSQL"]


def test_summary_line_counts_cargo_results() -> None:
    line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s"
    found = run_tests.CARGO_RESULT.match(line)
    assert found is not None
    total = run_tests.Tally(*map(int, found.groups())) + run_tests.Tally(3)
    assert str(total) == "15 passed, 1 failed, 2 skipped"
