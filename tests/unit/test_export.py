"""Exports hold exactly an order's codes, in every form, whatever interrupts them.

Method: rows are compared with codes encoded one by one; the job process is killed at random moments and its damaged
drafts are tampered with; the bytes must be those of an export that nothing disturbed.
"""

import asyncio
import csv
import io
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from imp.codes import SlotCipher
from imp.errors import Busy, Conflict, CorruptData, InvalidInput, StorageError
from imp.issuing.export import job as jobs
from imp.issuing.export import run as running
from imp.issuing.export.job import ExportJob, JobFace
from imp.issuing.export.manifest import manifest_path, verify
from imp.issuing.export.names import Names, only_writer
from imp.issuing.export.process import Keys, run_job
from imp.issuing.export.progress import rows_done
from imp.issuing.export.rows import Rows, csv_header, csv_rows
from imp.issuing.export.run import run
from imp.issuing.export.stream import csv_pieces, parquet_pieces

KEYS = {"outer": bytes(range(16)), "inner": bytes(range(16, 32))}
SLOTS = {"outer": 5, "inner": 9}
PREFIX = "https://id.example.com/"
LINES = ("csv", "csv.zst", "txt")


def make_job(form: str = "csv", *, faces: tuple[str, ...] = ("outer",), span: int = 1_000, **more: object) -> ExportJob:
    """A job over `span` serials; left_out ranges are taken off its count."""
    fields: dict[str, object] = {
        "tenant": "acme",
        "order": "first",
        "series": "tins",
        "epoch": 0,
        "format": "base32",
        "faces": [{"face": face, "slot": SLOTS[face]} for face in faces],
        "first_serial": 900,
        "span": span,
        "left_out": [],
        "link_prefix": PREFIX,
        "form": form,
        "codes_per_chunk": 100,
        **more,
    }
    fields["count"] = span - sum(count for _, count in fields["left_out"])
    return jobs.check(msgspec.json.decode(msgspec.json.encode(fields), type=ExportJob))


def ciphers(job: ExportJob) -> dict[str, SlotCipher]:
    return {face.face: SlotCipher(job.format, face.slot, KEYS[face.face]) for face in job.faces}


def keys(job: ExportJob) -> list[tuple[str, int, bytes]]:
    return [(face.face, face.slot, KEYS[face.face]) for face in job.faces]


def expected(job: ExportJob) -> list[tuple[int, list[str]]]:
    """(index, codes) of every item, one by one."""
    ranges = msgspec.json.decode(job.left_out)
    gone = {serial for first, count in ranges for serial in range(first, first + count)}
    return [
        (serial - job.first_serial, [cipher.encode(serial).decode() for cipher in ciphers(job).values()])
        for serial in range(job.first_serial, job.first_serial + job.span)
        if serial not in gone
    ]


def export(job: ExportJob, folder: Path, name: str | None = None) -> Path:
    names = Names(folder / (name or f"out.{job.form}"))
    jobs.save(job, names.job)
    run(job, names, ciphers(job), lambda _rows, _count: None)
    return names.target


def quiet(_rows: int, _count: int) -> None:
    pass


@pytest.mark.parametrize("form", ["base32", "digits"])
@pytest.mark.parametrize("faces", [("outer",), ("outer", "inner")])
def test_csv_lists_every_item_once_with_its_codes_and_links(tmp_path: Path, form: str, faces: tuple[str, ...]) -> None:
    job = make_job(faces=faces, format=form, left_out=[(900, 1), (905, 3), (990, 120), (1_899, 1)])
    rows = list(csv.reader(io.StringIO(export(job, tmp_path).read_text("ascii"))))
    assert rows[0] == csv_header(job).decode().strip().split(",")
    assert rows[1:] == [
        [str(index), *(cell for code in codes for cell in (code, PREFIX + code))] for index, codes in expected(job)
    ]


def test_compressed_csv_is_the_csv_in_one_frame_per_chunk(tmp_path: Path) -> None:
    plain = export(make_job(left_out=[(950, 60)]), tmp_path).read_bytes()
    packed = export(make_job("csv.zst", left_out=[(950, 60)]), tmp_path)
    with packed.open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read() == plain
    frames = packed.read_bytes().count(bytes.fromhex("28b52ffd"))
    assert frames == 10


def test_printer_lines_have_the_print_string_the_readable_text_and_the_place_on_the_roll(tmp_path: Path) -> None:
    job = make_job("txt", faces=("outer", "inner"), left_out=[(901, 2)], labels_per_roll=300)
    lines = export(job, tmp_path).read_text("ascii").splitlines()
    assert len(lines) == job.count
    for row, (line, (_, codes)) in enumerate(zip(lines, expected(job), strict=True)):
        outer, outer_read, inner, inner_read, place = line.split("\t")
        assert [outer, inner] == [PREFIX + code for code in codes]
        assert [outer_read, inner_read] == [" ".join(code[at : at + 4] for at in range(0, 15, 4)) for code in codes]
        assert place == f"{row // 300 + 1}-{row % 300 + 1:03}"


def test_parquet_has_a_row_group_per_chunk_and_says_what_it_is(tmp_path: Path) -> None:
    job = make_job("parquet", faces=("outer", "inner"), left_out=[(1_000, 100), (1_105, 1)])
    file = pq.ParquetFile(export(job, tmp_path))
    assert file.num_row_groups == 9, "the chunk that is left out whole has no group"
    assert file.read().to_pydict() == {
        "index": [index for index, _ in expected(job)],
        "outer_code": [codes[0] for _, codes in expected(job)],
        "inner_code": [codes[1] for _, codes in expected(job)],
    }
    about = file.schema_arrow.metadata
    assert about[b"imp.order"] == b"first"
    assert about[b"imp.link_prefix"] == PREFIX.encode()


@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("symbol", ["qr", "datamatrix"])
def test_images_hold_the_link_and_are_named_by_item(tmp_path: Path, form: str, symbol: str) -> None:
    job = make_job(form, faces=("outer", "inner"), span=12, symbol=symbol, left_out=[(903, 1)])
    folder = export(job, tmp_path)
    files = sorted(path.name for path in folder.iterdir())
    wanted = {
        f"{index:02}-{face}-{code}.{form}": PREFIX + code
        for index, codes in expected(job)
        for face, code in zip(("outer", "inner"), codes, strict=True)
    }
    assert files == sorted(wanted)
    if form == "png":
        for name, link in wanted.items():
            found = zxingcpp.read_barcodes(_grey(folder / name))
            assert [barcode.text for barcode in found] == [link]
            assert found[0].format == (
                zxingcpp.BarcodeFormat.QRCode if symbol == "qr" else zxingcpp.BarcodeFormat.DataMatrix
            )
    verify(folder)


def _grey(path: Path) -> np.ndarray:
    """Pixels of an 8-bit grey PNG without filters."""
    import struct
    import zlib

    data = path.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    length = struct.unpack(">I", data[33:37])[0]
    lines = np.frombuffer(zlib.decompress(data[41 : 41 + length]), dtype=np.uint8).reshape(height, width + 1)
    return np.ascontiguousarray(lines[:, 1:])


@given(
    span=st.integers(1, 400),
    chunk=st.integers(1, 130),
    cuts=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 60)), max_size=12),
    first=st.integers(0, 2_000),
)
def test_any_left_out_ranges_leave_exactly_the_others(
    span: int, chunk: int, cuts: list[tuple[int, int]], first: int
) -> None:
    gone = {place for start, count in cuts for place in range(start, min(start + count, span))}
    ranges: list[tuple[int, int]] = []
    for place in sorted(gone):
        if ranges and first + place == sum(ranges[-1]) and place % 7:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
        else:
            ranges.append((first + place, 1))
    job = make_job(span=span, first_serial=first, left_out=ranges, codes_per_chunk=chunk)
    rows = Rows(job, ciphers(job))
    wanted = expected(job)
    text = b"".join(csv_rows(job, piece) for piece in rows.chunks()).decode()
    assert [line.split(",")[:2] for line in text.splitlines()] == [[str(index), codes[0]] for index, codes in wanted]
    assert [row for piece in rows.chunks() for row in piece.row.tolist()] == list(range(len(wanted)))


def test_streams_give_the_bytes_of_the_files(tmp_path: Path) -> None:
    job = make_job(left_out=[(905, 3)])
    assert b"".join(csv_pieces(job, ciphers(job))) == export(job, tmp_path).read_bytes()
    table = make_job("parquet", left_out=[(905, 3)])
    streamed = b"".join(parquet_pieces(table, ciphers(table)))
    assert pq.read_table(io.BytesIO(streamed)).equals(pq.read_table(export(table, tmp_path)))


@pytest.mark.parametrize("form", ["csv", "csv.zst", "txt", "parquet"])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path: Path, form: str) -> None:
    job = make_job(form, span=60_000, codes_per_chunk=500, left_out=[(950, 60), (31_000, 4_000)])
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    calm = export(job, tmp_path / "calm")
    names = Names(tmp_path / "killed" / calm.name)
    jobs.save(job, names.job)
    moments = random.Random(form)
    kills = 0
    while names.job.exists() and _killed(
        names, job, after_lines=moments.randint(8, 40), wait_s=moments.random() * 0.03
    ):
        kills += 1
        assert not names.target.exists() or verify(names.target), "under its name it is whole"
    assert kills >= 2
    assert names.target.read_bytes() == calm.read_bytes()
    assert verify(names.target) == verify(calm)
    assert sorted(path.name for path in names.target.parent.iterdir()) == [calm.name, manifest_path(calm).name]


def _killed(names: Names, job: ExportJob, *, after_lines: int, wait_s: float) -> bool:
    """Run the job process and kill it after some lines of progress; False when it finished before."""
    command = [sys.executable, "-m", "imp.issuing.export", str(names.job)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        given_keys = Keys(tuple((face, slot, key.hex()) for face, slot, key in keys(job)))
        process.stdin.write(msgspec.json.encode(given_keys))
        process.stdin.close()
        for _ in range(after_lines):
            if b'"finished"' in process.stdout.readline():
                return False
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() != 0


@pytest.mark.parametrize("form", LINES)
@pytest.mark.parametrize(
    "damage", ["torn progress", "lost tail", "changed byte", "extra bytes", "no part", "other job"]
)
def test_damaged_drafts_are_noticed_and_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, damage: str
) -> None:
    (tmp_path / "calm").mkdir()
    job = make_job(form)
    calm = export(job, tmp_path / "calm")
    names = Names(tmp_path / calm.name)
    _interrupt(job, names, monkeypatch, chunks=6)
    assert rows_done(names.progress) == 600
    part = names.part.read_bytes()
    match damage:
        case "torn progress":
            names.progress.write_bytes(names.progress.read_bytes()[:-7])
        case "lost tail":
            names.part.write_bytes(part[:-150])
        case "changed byte":
            names.part.write_bytes(part[:200] + bytes([part[200] ^ 1]) + part[201:])
        case "extra bytes":
            names.part.write_bytes(part + b"written but not noted")
        case "no part":
            names.part.unlink()
        case _:
            other = make_job(form, first_serial=901)
            jobs.save(other, names.job)
            run(other, names, ciphers(other), quiet)
            assert names.target.read_bytes() != calm.read_bytes()
            return
    run(job, names, ciphers(job), quiet)
    assert names.target.read_bytes() == calm.read_bytes()


def _interrupt(job: ExportJob, names: Names, monkeypatch: pytest.MonkeyPatch, *, chunks: int) -> None:
    """Run a job whose disk is full after some chunks."""
    jobs.save(job, names.job)
    left = iter(range(chunks))

    def room(_near: Path, _size: int) -> None:
        if next(left, None) is None:
            raise StorageError("full")

    with monkeypatch.context() as patched:
        patched.setattr(running, "_need_room", room)
        with pytest.raises(StorageError):
            run(job, names, ciphers(job), quiet)


@pytest.mark.parametrize("chunks", [3, 10])
def test_parquet_goes_on_from_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int) -> None:
    (tmp_path / "calm").mkdir()
    job = make_job("parquet")
    calm = export(job, tmp_path / "calm")
    names = Names(tmp_path / calm.name)
    _interrupt(job, names, monkeypatch, chunks=chunks)
    names.table_part(1).write_bytes(b"damaged")
    run(job, names, ciphers(job), quiet)
    assert names.target.read_bytes() == calm.read_bytes()


def test_a_kill_before_cleaning_up_leaves_a_finished_export(tmp_path: Path) -> None:
    job = make_job()
    target = export(job, tmp_path)
    jobs.save(job, Names(target).job)
    manifest = run(job, Names(target), ciphers(job), quiet)
    assert manifest == verify(target)
    assert not Names(target).job.exists()


def test_files_are_private_and_nothing_is_overwritten(tmp_path: Path) -> None:
    target = export(make_job(), tmp_path)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        target.name: 0o600,
        manifest_path(target).name: 0o600,
    }
    before = target.read_bytes()
    with pytest.raises(Conflict, match="exists"):
        export(make_job(first_serial=7), tmp_path)
    assert target.read_bytes() == before
    target.write_bytes(before[:-1])
    with pytest.raises(CorruptData):
        verify(target)


def test_two_processes_do_not_write_one_export(tmp_path: Path) -> None:
    job = make_job()
    names = Names(tmp_path / "out.csv")
    jobs.save(job, names.job)
    with only_writer(names), pytest.raises(Busy):
        run(job, names, ciphers(job), quiet)


def test_the_job_process_refuses_keys_of_another_order(tmp_path: Path) -> None:
    job = make_job()
    names = Names(tmp_path / "out.csv")
    jobs.save(job, names.job)
    with pytest.raises(InvalidInput, match="keys"):
        asyncio.run(run_job(names.job, [("outer", SLOTS["outer"] + 1, KEYS["outer"])]))
    assert asyncio.run(run_job(names.job, keys(job))) == verify(names.target)


def test_keys_stay_out_of_texts() -> None:
    secret = KEYS["outer"].hex()
    assert secret not in repr(Keys((("outer", 5, secret),)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"faces": []}, "faces"),
        ({"span": 0}, "span"),
        ({"first_serial": 2**40}, "span"),
        ({"link_prefix": "id.example.com"}, "link_prefix"),
        ({"link_prefix": "https://id.example.com/x y/"}, "link_prefix"),
        ({"left_out": [(905, 2), (906, 1)]}, "left_out"),
        ({"left_out": [(890, 2)]}, "left_out"),
        ({"left_out": [(1_899, 2)]}, "left_out"),
        ({"left_out": [(905, 0)]}, "left_out"),
        ({"form": "png", "span": jobs.IMAGES_MAX + 1}, "form"),
        ({"codes_per_chunk": 0}, "codes_per_chunk"),
    ],
)
def test_a_job_that_cannot_be_is_refused_by_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        jobs.left_out_ranges(make_job(**change))


@pytest.mark.parametrize("text", [b'"x"', b"{}", b"null", b"[1,2]", b"[[1]]", b"[[1,2,3]]", b"[[-1,1]]", b"[[1.5,2]]"])
def test_what_is_left_out_must_be_ranges(text: bytes) -> None:
    with pytest.raises(InvalidInput, match="left_out"):
        jobs.left_out_ranges(msgspec.structs.replace(make_job(), left_out=msgspec.Raw(text)))


def test_a_thousand_images_are_the_most() -> None:
    assert make_job("png", span=jobs.IMAGES_MAX).count == jobs.IMAGES_MAX


def test_a_job_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "out.csv.job.json").write_text('{"version": 1}')
    with pytest.raises(CorruptData, match="job file"):
        jobs.load(tmp_path / "out.csv.job.json")


def test_a_face_is_what_the_job_says() -> None:
    assert make_job(faces=("inner",)).faces == (JobFace("inner", SLOTS["inner"]),)
