"""Exports, imports, backups: what goes into files and comes out of them by command."""

import asyncio
import csv
import json
from pathlib import Path

import pytest

from imp.carriers import REFUSED_LINES_MAX
from imp.cli import importing
from imp.directory import Directory
from imp.issuing.export import service
from imp.issuing.export.job import load, save
from imp.issuing.export.manifest import verify
from imp.issuing.export.names import Names
from imp.issuing.export.schemas import Export
from imp.settings import Settings


@pytest.mark.parametrize("form", ["csv", "csv.zst", "parquet", "txt"])
def test_export_writes_every_form_and_says_what_it_wrote(brand: Path, imp, tmp_path: Path, form: str) -> None:
    target = tmp_path / f"out.{form}"
    assert imp("export", "spring", "--to", target, "--dry-run", "--json").json["count"] == 1_000
    assert not target.exists()
    manifest = imp("export", "spring", "--to", target, "--json").json
    assert manifest == json.loads((tmp_path / f"out.{form}.manifest.json").read_text())
    assert (manifest["count"], manifest["form"], manifest["bytes"]) == (1_000, form, target.stat().st_size)
    verify(target)
    taken = imp("export", "spring", "--to", target, code=3)
    assert "exists" in taken.err


def test_export_leaves_void_items_out_and_refuses_frozen_ones(
    brand: Path, imp, codes: list[str], tmp_path: Path
) -> None:
    imp("state", "void", codes[1], codes[3], "--reason", "x", "--yes")
    imp("export", "spring", "--to", tmp_path / "a.csv")
    indexes = [row["index"] for row in csv.DictReader((tmp_path / "a.csv").read_text().splitlines())]
    assert len(indexes) == 998
    assert indexes[:3] == ["0", "2", "4"]
    imp("state", "freeze", codes[7], "--reason", "x", "--yes")
    refused = imp("export", "spring", "--to", tmp_path / "b.csv", code=3)
    assert "--include-frozen" in refused.err
    assert not list(tmp_path.glob("b.csv*"))
    assert imp("export", "spring", "--to", tmp_path / "b.csv", "--include-frozen", "--json").json["count"] == 998


def test_links_are_short_or_gs1_digital_links_or_as_wished(brand: Path, imp, codes: list[str], tmp_path: Path) -> None:
    def first_link(*options: str) -> str:
        target = tmp_path / f"{len(options)}{options[:1]}.txt"
        imp("export", "spring", "--to", target, *options)
        return target.read_text().split("\t")[0]

    assert first_link() == f"https://id.acme.example/{codes[0]}"
    assert first_link("--digital-link") == f"https://id.acme.example/01/06901234500011/10/L1/21/{codes[0]}"
    assert first_link("--link-prefix", "http://localhost:1/") == f"http://localhost:1/{codes[0]}"
    assert "link_prefix" in imp("export", "spring", "--to", tmp_path / "x.csv", "--link-prefix", "id", code=2).err


def test_images_by_command(brand: Path, imp, tmp_path: Path) -> None:
    imp("issue", "few", "--series", "tins", "--quantity", 3)
    imp("export", "few", "--to", tmp_path / "few.png", "--symbol", "datamatrix")
    assert len(list((tmp_path / "few.png").iterdir())) == 3
    imp("issue", "many", "--series", "tins", "--quantity", 1_001)
    assert "1,000" in imp("export", "many", "--to", tmp_path / "many.svg", code=2).err


def test_an_unfinished_export_is_finished_or_thrown_away(brand: Path, imp, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    directory = asyncio.run(_planned(brand, target))
    assert load(Names(target).job) == directory
    imp("state", "void", "--order", "spring", "--first", 0, "--count", 5, "--reason", "x", "--yes")
    differing = imp("export", "spring", "--to", target, "--labels-per-roll", 7, code=3)
    assert "labels_per_roll" in differing.err
    assert "--restart" in differing.err
    assert imp("export", "spring", "--to", target, "--json").json["count"] == 1_000, "the job file is followed"
    other = tmp_path / "other.csv"
    save(directory, Names(other).job)
    assert imp("export", "spring", "--to", other, "--restart", "--json").json["count"] == 995
    assert sorted(path.name for path in tmp_path.glob("out.csv*")) == ["out.csv", "out.csv.manifest.json"]


async def _planned(brand: Path, target: Path):
    """Leave a job file as an export does that was killed at its beginning."""
    async with await Directory.open(brand, Settings()) as directory:
        job = service.plan_job(directory.engine, "acme", Export(order="spring", to=str(target), form="csv"))
    save(job, Names(target).job)
    return job


@pytest.fixture
def old_labels(brand: Path, imp) -> str:
    imp("series", "open", "old", "--domain", "id.acme.example", "--foreign")
    return "old"


def test_import_takes_texts_and_they_scan(old_labels: str, imp, tmp_path: Path) -> None:
    file = tmp_path / "labels 2019.txt"
    file.write_text("QS-1\n\n  QS-2  \nqs-1\n")
    assert imp("import", file, "--set", old_labels, "--dry-run", "--json").json["texts"] == 3
    imp("order", "show", "labels-2019", code=4)
    done = imp("import", file, "--set", old_labels, "--product", "tea", "--json").json
    assert (done["texts"], len(done["orders"])) == (3, 1)
    assert imp("import", file, "--set", old_labels, "--product", "tea", "--json").json == done, "again changes nothing"
    imp("state", "activate", "--order", "labels-2019", "--reason", "x")
    assert imp("scan", "QS-2", "--json").json["verdict"] == "genuine"
    assert imp("scan", "qs-2", "--json").json["verdict"] != "genuine", "case matters unless told otherwise"


def test_flaws_are_named_by_line_and_nothing_is_imported(
    old_labels: str, imp, tmp_path: Path, codes: list[str]
) -> None:
    file = tmp_path / "old.txt"
    file.write_bytes(b"good\n" + b"x" * 65 + b"\ntab\there\ngood\n\xff\n")
    refused = imp("import", file, "--set", old_labels, code=2)
    assert [line for line in (2, 3, 4, 5) if f"old.txt:{line}: " in refused.err] == [2, 3, 4, 5]
    assert "nothing was" in refused.err
    for only_look in ((), ("--dry-run",)):  # scripts learn by the exit code, and which lines by the document
        told = imp("import", file, "--set", old_labels, *only_look, "--json", code=2).json
        assert [line for line, *_ in told["refused"]] == [2, 3, 4, 5]
        assert (told["refused_count"], told["orders"], told["error"]) == (4, [], "invalid-input")
    file.write_text("first\nsecond\n")
    imp("import", file, "--set", old_labels, "--order", "a")
    for taken, line in (("metrics", 2), ("second", 3), (codes[0], 4)):
        file.write_text("new\n" + "\n" * (line - 2) + taken + "\n")
        for options in (("--dry-run",), ()):
            refused = imp("import", file, "--set", old_labels, "--order", "b", *options, code=2)
            assert f"old.txt:{line}: {taken}" in refused.err
    imp("order", "show", "b", code=4)


def test_case_may_be_folded(old_labels: str, imp, tmp_path: Path) -> None:
    file = tmp_path / "old.txt"
    file.write_text("Abc-1\n")
    imp("import", file, "--set", old_labels, "--fold-case")
    imp("state", "activate", "--order", "old", "--reason", "x")
    assert imp("scan", "aBC-1", "--json").json["verdict"] == "genuine"


def test_csv_columns_and_carriers(old_labels: str, imp, tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text('name,"uid"\n"one\nline",04:A2:3B:12:9C:54:80\ntwo,04a23b129c5481\nthree,04A2\n', "utf-8-sig")
    refused = imp("import", file, "--set", old_labels, "--column", "uid", "--carrier", "nfc_uid", code=2)
    assert "tags.csv:5: 04A2" in refused.err
    assert "none of name, uid" in imp("import", file, "--set", old_labels, "--column", "tid", code=2).err
    file.write_text("name,uid\none,04:A2:3B:12:9C:54:80\ntwo,04a23b129c5481\n")
    imp("import", file, "--set", old_labels, "--column", "uid", "--carrier", "nfc_uid")
    assert imp("lookup", "04a23b129c5480", "--json").json["order"] == "tags"
    assert "columns" in imp("import", _text(tmp_path, "a\n"), "--set", old_labels, "--column", "uid", code=2).err
    hint = imp("import", _text(tmp_path, "04A23B129C5482\n"), "--set", old_labels, "--order", "b", "--dry-run")
    assert "--carrier nfc_uid" in hint.err
    file.write_text('uid\n"unclosed\n')
    assert "not a CSV" in imp("import", file, "--set", old_labels, code=2).err


def _text(folder: Path, text: str) -> Path:
    path = folder / "tags.txt"
    path.write_text(text)
    return path


def test_long_files_become_numbered_orders(
    old_labels: str, imp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CODES_PER_LIST_MAX", 100)
    file = _text(tmp_path, "".join(f"old-{number}\n" for number in range(250)))
    done = imp("import", file, "--set", old_labels, "--json").json
    orders = [(issued["order"]["order"], issued["order"]["quantity"]) for issued in done["orders"]]
    assert orders == [("tags-0001", 100), ("tags-0002", 100), ("tags-0003", 50)]
    file.write_text("x\n" * (REFUSED_LINES_MAX + 50))
    refused = imp("import", file, "--set", old_labels, "--order", "x", code=2)
    assert f"… and {REFUSED_LINES_MAX + 49 - 20:,} more" in refused.err


def test_a_backup_becomes_a_directory_again(brand: Path, imp, codes: list[str], tmp_path: Path) -> None:
    imp("state", "activate", "--order", "spring", "--reason", "x")
    imp("scan", codes[0])
    copy, again = tmp_path / "copy", tmp_path / "again"
    assert imp("backup", copy, "--json").json["to"] == str(copy)
    imp("backup", copy, code=3)
    restore = ("restore", copy, "--dir", again, "--secret", brand / "secret")
    assert imp(*restore, "--dry-run", "--json").json["kind"] == "managed"
    assert not again.exists()
    assert "--yes" in imp(*restore, code=2).err
    assert imp(*restore, "--yes", "--json").json["series"] == 1
    assert imp("scan", codes[0], "--dir", again, "--device", "d", "--json").json["verdict"] == "repeat"
    before = imp("series", "list", "--dir", again, "--json").json["series"][0]["epoch"]
    imp("issue", "summer", "--series", "tins", "--quantity", 5, "--dir", again)
    assert imp("series", "list", "--dir", again, "--json").json["series"][0]["epoch"] == before + 1
    imp("restore", "--accept", "--dir", again, "--yes")
    imp("restore", copy, "--dir", again, "--secret", brand / "secret", "--yes", code=3)
    imp("restore", code=2)
    imp("restore", "--accept", "--dir", brand, "--yes", code=3)
