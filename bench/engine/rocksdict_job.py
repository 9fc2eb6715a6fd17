"""Job: the store work of the same scans through rocksdict: per scan one read, and one batch of record and event.

Keys, records and events have the bytes the engine writes (imp-core: state/record.rs, event/encode.rs) and are made
before the clock starts, so the time is the store's and rocksdict's alone. Runs in a process of its own, in a directory
of its own: two copies of RocksDB in one process corrupt each other.
"""

import struct
import time
from pathlib import Path

import msgspec
import rocksdict
import xxhash

from bench.engine.mix import Kind, Mix, draw, serials
from bench.engine.scans_job import Rates
from bench.engine.stock import SLOT
from bench.processes import answer_job
from imp.codes import SlotCipher

_STRIPES = 256
_FAMILIES = ("scan", "event")
_CACHE_BYTES, _MEMTABLE_BYTES = 256 << 20, 32 << 20
_SESSION = struct.pack("<QQI", 0x1122334455667788, 0x99AABBCCDDEEFF00, 0)


class StoreWork(msgspec.Struct, frozen=True):
    path: str
    issued: int
    warm_up: int
    scans: int


def record(scans: int) -> bytes:
    """A scan record as the engine would store it after that many sessions: 46 to 106 bytes."""
    kept = min(scans, 4)
    overflow = int(scans > 4)
    head = struct.pack("<BBIIqq", 1, overflow | kept << 5, scans, scans, 1_767_225_600_000_000, 1_767_225_660_000_000)
    return head + _SESSION * kept


def event(serial: int, scans: int) -> bytes:
    """The event of a consumer's scan of an issued code, 61 bytes."""
    head = struct.pack("<BBBBBqIIQQ8s", 1, 15, 0, 0, 0, 1_767_225_600_000_000, 1, scans, 7, 9, b"\x04\x0a\0\0\0\0\0\0")
    return head + struct.pack("<I", 1) + serial.to_bytes(5, "little") + b"\0" + b"\0"


class Operation(msgspec.Struct, frozen=True):
    key: bytes
    record: bytes
    event_key: bytes
    event: bytes


def operations(mix: Mix, issued: int, counts: dict[int, int], seqs: list[int]) -> list[Operation]:
    """What the scans of a mix ask of the store. counts (by serial) and seqs (by stripe) go on from mix to mix."""
    wanted: list[Operation] = []
    for kind, serial in zip(mix.kinds.tolist(), serials(mix.ranks, issued), strict=True):
        if kind == Kind.FORGED:
            continue
        counts[serial] = counts.get(serial, 0) + 1
        key = struct.pack(">I", 1) + serial.to_bytes(5, "big") + b"\0"
        stripe = xxhash.xxh3_64_intdigest(key) % _STRIPES
        event_key = struct.pack(">HQ", stripe, seqs[stripe])
        seqs[stripe] += 1
        wanted.append(Operation(key, record(counts[serial]), event_key, event(serial, counts[serial])))
    return wanted


def family_options() -> rocksdict.Options:
    """As the engine's families: whole-key filter of 10 bits, LZ4, the same memtables and cache."""
    table = rocksdict.BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_block_cache(rocksdict.Cache(_CACHE_BYTES))
    options = rocksdict.Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    return options


def run(db: rocksdict.Rdict, wanted: list[Operation]) -> float:
    """Seconds that the operations take."""
    records = db.get_column_family("scan")
    scan, events = db.get_column_family_handle("scan"), db.get_column_family_handle("event")
    began = time.perf_counter()
    for operation in wanted:
        records.get(operation.key)
        batch = rocksdict.WriteBatch(raw_mode=True)
        batch.put(operation.key, operation.record, scan)
        batch.put(operation.event_key, operation.event, events)
        db.write(batch)
    return time.perf_counter() - began


def measure(asked: StoreWork) -> Rates:
    """Warm up, then do the store work of the scans; forged codes cost the store nothing, and count as scans."""
    cipher = SlotCipher("base32", SLOT, bytes(16))
    counts: dict[int, int] = {}
    seqs = [0] * _STRIPES
    warm = draw(cipher, asked.issued, asked.warm_up, touched=0, seed=1)
    drawn = draw(cipher, asked.issued, asked.scans, touched=warm.touched, seed=2)
    before = operations(warm, asked.issued, counts, seqs)
    wanted = operations(drawn, asked.issued, counts, seqs)
    base = rocksdict.Options(raw_mode=True)
    base.create_if_missing(True)
    base.create_missing_column_families(True)
    base.set_max_background_jobs(2)
    base.set_max_total_wal_size(128 << 20)
    families = {name: family_options() for name in _FAMILIES}
    db = rocksdict.Rdict(str(Path(asked.path) / "rocksdict"), base, column_families=families)
    try:
        run(db, before)
        return Rates(asked.scans / run(db, wanted))
    finally:
        db.close()


if __name__ == "__main__":
    answer_job(StoreWork, measure)
