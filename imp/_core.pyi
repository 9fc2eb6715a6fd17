"""The native core: codes, state, scans.

Times are microseconds since the Unix epoch (UTC), texts that are scanned are bytes.
"""

from collections.abc import Buffer
from typing import Literal, final

__all__ = [
    "BATCH_CODES_MAX",
    "COMMAND_KINDS",
    "FF1",
    "NOT_A_CODE_MALFORMED",
    "NOT_A_CODE_MISTYPED",
    "NOT_A_CODE_OTHER_SLOT",
    "REASONS",
    "VERDICTS",
    "Busy",
    "Conflict",
    "CorruptData",
    "Engine",
    "EngineClosed",
    "EngineOptions",
    "ImpError",
    "IncompatibleData",
    "InvalidInput",
    "NotFound",
    "Parsed",
    "Poisoned",
    "ScanContext",
    "SlotCipher",
    "StorageError",
    "StoreLocked",
    "WordFilter",
    "WrongSecret",
    "__version__",
    "aes_blocks",
    "alias_hash",
    "guess_odds",
    "normalise_alias",
    "normalise_carrier",
    "parse",
]

class ImpError(Exception):
    """Root of every error IMP raises on purpose."""

class InvalidInput(ImpError, ValueError):
    """An argument or a key of a command is outside what is accepted; `field` names it."""

    field: str

class NotFound(ImpError, LookupError):
    """Nothing of that name belongs to this tenant."""

class Conflict(ImpError):
    """The request contradicts something already accepted under the same id."""

class Busy(ImpError):
    """Push-back: the same call may be repeated after a moment."""

class Poisoned(ImpError):
    """A write or flush failed earlier; the engine stopped writing until it is reopened."""

class StorageError(ImpError, OSError):
    """The file system refused: disk full, no permission, read-only …"""

class CorruptData(ImpError):
    """Stored bytes do not have the form they were written in."""

class StoreLocked(ImpError):
    """Another process owns the directory; the message names its pid and host."""

class WrongSecret(ImpError):
    """The master secret is not the one the directory was made with."""

class IncompatibleData(ImpError):
    """The directory was written by a newer version of IMP."""

class EngineClosed(ImpError):
    """The engine was closed."""

@final
class EngineOptions:
    """How an engine is opened. Frozen.

    store: "rocks" keeps state in the directory, "memory" forgets it at close (tests).
    create: make the directory's store when there is none; otherwise a missing store is an error.
    session_us: length of a session from its start. flush_interval_us: longest time a scan stays unflushed.
    open_timeout_us: how long opening waits for a dying owner of the directory.
    trusted_proxies: CIDR blocks whose X-Forwarded-For is believed. default_domain: host answering for unknown hosts
    (demo mode only).
    cookie_secure: set `Secure` on the device cookie. utc_offset_minutes: offset from UTC of the times that pages show.
    """

    def __new__(
        cls,
        *,
        store: Literal["rocks", "memory"] = "rocks",
        create: bool = False,
        session_us: int = 600_000_000,
        flush_interval_us: int = 50_000,
        block_cache_bytes: int = 268_435_456,
        open_timeout_us: int = 10_000_000,
        trusted_proxies: list[str] = ...,
        default_domain: str | None = None,
        cookie_secure: bool = True,
        utc_offset_minutes: int = 480,
    ) -> EngineOptions: ...

@final
class ScanContext:
    """Who scans, from where and how it counts. Frozen.

    role: "consumer" | "dealer" | "store" | "inspector" | "system" | "risk". channel: small number the caller gives to
    its channel.
    device: opaque device id of an API caller (≤ 128 bytes); address and user_agent form the device when there is none.
    idempotency_key: scoped to `caller`, who is whoever authenticated (both ≤ 128 bytes).
    position: (latitude °, longitude °, accuracy m, "wgs84" | "gcj02"). count=False looks without counting.
    gtin / lot: what the scanned link claims; a mismatch answers `mistyped`. now_us: engine clock override for replay
    and tests.
    """

    def __new__(
        cls,
        *,
        role: str = "consumer",
        channel: int = 0,
        device: bytes | None = None,
        address: str | None = None,
        user_agent: bytes | None = None,
        position: tuple[float, float, int, str] | None = None,
        language: Literal["zh", "en"] = "zh",
        idempotency_key: bytes | None = None,
        caller: bytes | None = None,
        caller_at_us: int | None = None,
        count: bool = True,
        gtin: bytes | None = None,
        lot: bytes | None = None,
        now_us: int | None = None,
    ) -> ScanContext: ...

@final
class Engine:
    """One opened data directory: the only owner of its state. Thread-safe."""

    @staticmethod
    def open(path: str, secret: bytes, options: EngineOptions) -> Engine:
        """Open (or with `create` make) the directory's store; `secret` is the 32-byte master secret."""
    def close(self) -> None:
        """Flush and close; later calls raise EngineClosed."""
    def apply(self, tenant: str, event_id: str, seq: int, at_us: int, actor: str, command: bytes) -> bytes:
        """Apply one JSON command durably; returns the JSON report (status "applied" or "refused").

        seq must be last_seq(tenant) + 1; a known event_id returns its stored report; a gap, or a used seq with
        another id, raises Conflict.
        """
    def preview(self, tenant: str, at_us: int, command: bytes) -> bytes:
        """The report `apply` would give now; nothing is stored."""
    def last_seq(self, tenant: str) -> int:
        """Last applied seq of the tenant, 0 before the first."""
    def last_seqs(self) -> dict[str, int]:
        """Last applied seq of every tenant that has one."""
    def applied(self, tenant: str, event_id: str) -> bytes | None:
        """Stored report of an applied command."""
    def scan(self, tenant: str, text: bytes, context: ScanContext) -> bytes:
        """Scan one code and return the ready-to-send JSON answer (the same bytes every door gives)."""
    def scan_many(self, tenant: str, texts: Buffer | list[bytes], context: ScanContext, width: int = 15) -> bytes:
        """Scan many codes with the GIL released; the answer is 16-byte rows, little endian:

        verdict u8, is_first u8 (0 no, 1 yes, 2 null), recorded u8, reason u8 (first reason), scans u32, first_at_us
        i64 (0 = none).
        A buffer holds texts of `width` bytes each.
        """
    def lookup(self, tenant: str, text: bytes, role: str = "system") -> bytes:
        """All that is known of a code as JSON, without counting.

        JSON: state, lifecycle, holds, order, index, serial, faces with their counters. Only role "risk" reads why a
        text is unknown.
        """
    def http(
        self, method: str, raw_path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], peer: str | None
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        """Answer an HTTP scan request.

        None when the path is not a scan (control plane). Header names are lower case.
        """
    def order(self, tenant: str, order: str) -> bytes:
        """One order as JSON: series, product, lot, quantity, first_serial, counts by state, holds."""
    def orders(self, tenant: str) -> bytes:
        """All orders of the tenant as a JSON array, oldest first, as `order` gives them."""
    def catalogue(self, tenant: str) -> bytes:
        """Domains, key spaces (series, epoch, slots, issued, capacity) and products of the tenant as JSON."""
    def key_space(self, tenant: str, series: str) -> bytes:
        """The latest key space of a series, as `catalogue` gives it. Raises NotFound."""
    def renew_ledger(self, actor: str, at_us: int, reason: str) -> bytes:
        """Start the next ledger, whose first leaf names the head of the old one: for a restored copy.

        JSON of the old head: origin, size, root (hexadecimal).
        """
    def export_plan(self, tenant: str, order: str, include_frozen: bool = False) -> bytes:
        """What an export job needs besides keys, as JSON.

        It holds format, faces with slots, epoch, serial ranges left out (void, skipped), count.

        Refuses (Conflict) orders with frozen or recalled items unless include_frozen.
        """
    def export_keys(self, tenant: str, order: str) -> list[tuple[str, int, bytes]]:
        """(face, slot, key) per face of the order, for a job process; hand them over by pipe only."""
    def checkpoint(self, path: str) -> None:
        """Write a consistent copy of the store to a new directory."""
    def durable(self) -> None:
        """Wait until everything written so far is on disk."""
    def status(self) -> bytes:
        """Readiness, poison cause, format version, orders, codes issued, ledger head, last seqs, as JSON.

        Also the latest and the durable sequence: their distance is the flush lag in operations.
        """
    def metrics(self) -> bytes:
        """Prometheus text: verdict counts, unrecorded scans, dropped events, flush lag, RocksDB gauges.

        The flush lag is `undurable_operations` beside the times of the last and the longest flush.
        """

VERDICTS: tuple[str, ...]
"""Verdict names by their number in `scan_many` rows."""
REASONS: tuple[str, ...]
"""Reason codes by their number in `scan_many` rows."""
COMMAND_KINDS: tuple[str, ...]
"""Names a command's `command` key may have."""
__version__: str
"""Version of the core, the same as the distribution's."""

BATCH_CODES_MAX: int
"""Most codes of one batch call."""
NOT_A_CODE_MALFORMED: int
"""`decode_many`: not written like a code."""
NOT_A_CODE_MISTYPED: int
"""`decode_many`: the check character does not fit."""
NOT_A_CODE_OTHER_SLOT: int
"""`decode_many`: a code of another slot or format."""

@final
class FF1:
    """Format-preserving encryption FF1 over AES (NIST SP 800-38G, algorithms 7 and 8). Frozen.

    key: 16, 24 or 32 bytes. radix: 2 to 65,536. tweak: up to 65,535 bytes. Raises InvalidInput otherwise.
    """

    def __new__(cls, key: bytes, radix: int, tweak: bytes = b"") -> FF1: ...
    def encrypt(self, numerals: list[int]) -> list[int]:
        """Encipher numerals 0 to radix - 1, most significant first; the result has as many.

        Raises InvalidInput for a numeral out of range, radix ** length below 1,000,000, or halves of 2**127 and more.
        """
    def decrypt(self, numerals: list[int]) -> list[int]:
        """The inverse of `encrypt`, with the same limits."""

@final
class SlotCipher:
    """The permutation of one slot: serials to codes and back. Frozen; share it between threads.

    format: "base32" (15 characters, slots 0 to 1,023) or "digits" (20 digits, slots 0 to 99). key: 16 or 32 bytes.
    """

    def __new__(cls, format: str, slot: int, key: bytes) -> SlotCipher: ...  # noqa: A002
    @property
    def format(self) -> str:
        """Name of the format."""
    @property
    def slot(self) -> int:
        """The slot its codes name."""
    @property
    def code_len(self) -> int:
        """Bytes of one code."""
    @property
    def domain(self) -> int:
        """Number of serials: 2**60 or 10**17."""
    def encode(self, serial: int) -> bytes:
        """The code of one serial. Raises InvalidInput for a serial outside the domain."""
    def encode_range(self, first: int, count: int, threads: int = 1) -> bytes:
        """The codes of `count` serials from `first` on, one after the other, `code_len` bytes each; releases the GIL.

        count: up to BATCH_CODES_MAX. threads: 1 to 256; the bytes do not depend on it. Raises InvalidInput.
        """
    def decode(self, text: bytes) -> int | None:
        """What a text deciphers to; None when it is no code of this slot (`parse` says why).

        A code nobody issued deciphers too: compare the number with the issued watermark.
        """
    def decode_many(self, texts: Buffer | list[bytes], threads: int = 1) -> bytes:
        """`decode` for many texts with the GIL released: a little-endian u64 each, the number or NOT_A_CODE_*.

        A buffer of bytes (uint8) holds texts of `code_len` bytes each; a list holds texts of any length. Raises
        InvalidInput when the buffer is no whole number of texts.
        """

@final
class Parsed:
    """What a text says before any key is asked. Frozen.

    failure: None for a well-formed code, else "mistyped" (check does not fit), "empty", "too_long" (over 64 bytes),
    "length" (neither 15 nor 20 characters) or "alphabet". format: name, also when mistyped. slot, body: numbers of a
    well-formed code. text: the text in canonical characters without separators, "" when malformed.
    """

    @property
    def failure(self) -> str | None: ...
    @property
    def format(self) -> str | None: ...
    @property
    def slot(self) -> int | None: ...
    @property
    def body(self) -> int | None: ...
    @property
    def text(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class WordFilter:
    """A version of the list of words that no code may spell: 0 is empty, 1 built in; versions never change. Frozen."""

    def __new__(cls, version: int) -> WordFilter: ...
    def matches(self, text: bytes) -> bool:
        """Whether the normalised text of a base32 code spells a word; digits codes never do."""

def parse(text: bytes) -> Parsed:
    """Read a code: ignore case, spaces, hyphens; O reads as 0, I and L as 1; then length, alphabet, check."""

def guess_odds(format: str, planned: int) -> tuple[float, str]:  # noqa: A002
    """Odds that one guess hits one of `planned` codes of a key space: (tries per hit, "ok" | "warn" | "refuse").

    Worse than 1:1,000,000 warns, worse than 1:10,000 is refused. The guesser knows a slot and makes the check fit.
    """

def alias_hash(normalised: bytes) -> int:
    """XXH3-128 (seed 0) of a normalised foreign text: the key of the alias table."""

def normalise_alias(text: bytes, fold_case: bool = False) -> bytes:
    """The form in which a foreign text is stored and looked up: trimmed, in upper case where `fold_case` (ASCII only).

    Raises InvalidInput for an empty text, more than 64 bytes, or anything but UTF-8 without control characters.
    """

def normalise_carrier(carrier: str, text: bytes, fold_case: bool = False) -> bytes:
    """`normalise_alias` for a carrier: "text", or "epc", "tid", "nfc_uid": upper-case hexadecimal, no separators."""

def aes_blocks(key: bytes, count: int) -> bytes:
    """Encipher at least `count` blocks with raw AES, 64 side by side, with the GIL released; returns one block.

    For benchmarks: a code takes ten blocks, so this rate divided by ten bounds the rate of codes.
    """
