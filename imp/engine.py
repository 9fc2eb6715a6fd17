"""The engine's Python face; the native core is imported here, in imp.codes, imp.errors and imp itself only.

`Engine` serves batch jobs: one tenant, plain calls, typed results. Servers use `NativeEngine` through imp.directory.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Buffer, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from imp import commands
from imp._core import REASONS, VERDICTS, EngineOptions, ScanContext
from imp._core import Engine as NativeEngine
from imp.errors import Conflict, EngineClosed, invalid
from imp.governance import schemas as governance
from imp.issuing import schemas as issuing
from imp.marker import MARKER_NAME
from imp.registry import schemas as registry
from imp.results import Answer, ExportPlan, Lookup, Order, Report
from imp.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from imp.directory import Directory
    from imp.secret import Secret

__all__ = ["REASONS", "VERDICTS", "Engine", "EngineOptions", "NativeEngine", "ScanContext", "open_native"]

ScopeLike = str | tuple[str, int, int] | Sequence[str | bytes] | commands.Scope
"""Items: an order id, (order id, first index, count), or codes."""

_ROW = [
    ("verdict", "u1"),
    ("is_first", "u1"),
    ("recorded", "u1"),
    ("reason", "u1"),
    ("scans", "<u4"),
    ("first_at_us", "<i8"),
]


def open_native(
    path: Path,
    secret: "Secret",
    settings: Settings,
    *,
    create: bool = False,
    store: Literal["rocks", "memory"] = "rocks",
) -> NativeEngine:
    """Open an engine's store as the settings say."""
    options = EngineOptions(
        store=store,
        create=create,
        session_us=settings.session_us,
        flush_interval_us=settings.flush_interval_us,
        block_cache_bytes=settings.block_cache_bytes,
        open_timeout_us=settings.open_timeout_us,
        trusted_proxies=list(settings.trusted_proxies),
        default_domain=settings.default_domain,
        cookie_secure=settings.cookie_secure,
        utc_offset_minutes=settings.utc_offset_minutes,
    )
    return NativeEngine.open(str(path), secret.reveal(), options)


class Engine:
    """One tenant's codes in a data directory that this process owns. Calls may come from any thread.

    A directory that is not there yet is made as a standalone one: state without a governance database. In a managed
    directory (`imp init`) the same calls write their commands to the outbox first, so database and engine stay
    together.
    """

    def __init__(self, directory: "Directory", loop: "_Loop", tenant: str) -> None:
        self._directory = directory
        self._loop = loop
        self._tenant = tenant
        self._control = directory.control.acting("engine")
        self._core = directory.engine
        self._context = ScanContext()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        tenant: str = "default",
        secret: bytes | None = None,
        settings: Settings | None = None,
        create: bool = True,
    ) -> Self:
        """Open a data directory, making a standalone one when there is none (unless create=False).

        secret: the 32-byte master secret; without it, the settings or the file `secret` in the directory, which is
        made with the directory. settings: `IMP_*` of the environment unless given. Raises StoreLocked when another
        process owns the directory, WrongSecret, NotFound.
        """
        from imp.directory import Directory  # noqa: PLC0415 - imports this module

        path, settings = Path(path), _settings(settings, secret)
        if create and not (path / MARKER_NAME).exists():
            try:
                Directory.init(path, settings, standalone=True)
            except Conflict:
                if not (path / MARKER_NAME).exists():  # otherwise another process made it meanwhile
                    raise
        return cls._start(Directory.open(path, settings), tenant)

    @classmethod
    def in_memory(cls, *, tenant: str = "default", secret: bytes, settings: Settings | None = None) -> Self:
        """An engine that forgets everything at close."""
        from imp.directory import Directory  # noqa: PLC0415 - imports this module

        return cls._start(Directory.in_memory(_settings(settings, secret)), tenant)

    @classmethod
    def _start(cls, opening: Coroutine[Any, Any, "Directory"], tenant: str) -> Self:
        loop = _Loop()
        try:
            return cls(loop.run(opening), loop, tenant)
        except BaseException:
            loop.close()
            raise

    def for_tenant(self, tenant: str) -> Self:
        """The same open directory for another tenant; closing either closes both."""
        return type(self)(self._directory, self._loop, tenant)

    def close(self) -> None:
        """Flush and close. Later calls, and those of other threads that still wait, raise EngineClosed."""
        self._loop.close(self._directory.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # catalogue ----------------------------------------------------------------------------------------------------

    def domain(self, host: str) -> registry.Domain:
        """Make a host name the tenant's scan domain."""
        return self._loop.run(self._control.add_domain(self._tenant, registry.AddDomain(host=host)))

    def product(self, product: str, name: str, **fields: Any) -> registry.Product:
        """Add or replace a product; fields as in imp.registry.schemas.PutProduct."""
        return self._loop.run(
            self._control.put_product(self._tenant, registry.PutProduct(product=product, name=name, **fields))
        )

    def series(
        self,
        series: str,
        *,
        domain: str,
        format: commands.Format = "base32",  # noqa: A002 - the word of this field everywhere
        faces: Sequence[commands.Face] = ("outer",),
        level: commands.Level = "item",
        pairing: commands.Pairing = "single",
        key_bits: Literal[128, 256] = 128,
    ) -> registry.KeySpace:
        """Open a series; the same again answers the same. No faces: a keyless series for imported foreign codes."""
        request = registry.OpenSeries(
            series=series,
            domain=domain,
            format=format,
            faces=tuple(faces),
            level=level,
            pairing=pairing,
            key_bits=key_bits,
        )
        return self._loop.run(self._control.open_series(self._tenant, request))

    def renew(self, series: str) -> registry.KeySpace:
        """Open a series' next epoch with fresh slots and keys."""
        return self._loop.run(self._control.renew_series(self._tenant, registry.RenewSeries(series=series)))

    # orders -------------------------------------------------------------------------------------------------------

    def issue(
        self,
        order: str,
        *,
        series: str,
        quantity: int,
        product: str | None = None,
        lot: str | None = None,
        expires_at_us: int | None = None,
        word_list: Literal[0, 1] = 1,
    ) -> Order:
        """Issue 1–20,000,000 codes; the same order again answers the same."""
        request = issuing.IssueOrder(
            order=order,
            series=series,
            quantity=quantity,
            product=product,
            lot=lot,
            expires_at_us=expires_at_us,
            word_list=word_list,
        )
        return self._loop.run(self._control.issue_order(self._tenant, request)).order

    def import_aliases(self, order: str, texts: Sequence[str], *, series: str, **fields: Any) -> Order:
        """Take foreign codes in as an order of a keyless series; fields as in imp.issuing.schemas.ImportAliases."""
        request = issuing.ImportAliases(order=order, series=series, texts=list(texts), **fields)
        return self._loop.run(self._control.import_aliases(self._tenant, request)).order

    def order(self, order: str) -> Order:
        """One order with exact counts by state."""
        return msgspec.json.decode(self._core.order(self._tenant, order), type=Order)

    def orders(self) -> list[Order]:
        """All orders, oldest first."""
        return msgspec.json.decode(self._core.orders(self._tenant), type=list[Order])

    def export_plan(self, order: str, *, include_frozen: bool = False) -> ExportPlan:
        """What deriving an order's codes takes besides keys. Conflict when items are frozen, unless include_frozen."""
        return msgspec.json.decode(self._core.export_plan(self._tenant, order, include_frozen), type=ExportPlan)

    def export_keys(self, order: str) -> list[tuple[str, int, bytes]]:
        """(face, slot, key) per face of an order. Keys open every code of the series: hand them on by pipe only."""
        return self._core.export_keys(self._tenant, order)

    def codes(self, order: str, *, face: commands.Face | None = None, include_frozen: bool = False) -> bytes:
        """An order's codes in one buffer of fixed width (15 bytes base32, 20 digits), void and skipped ones left out.

        face: which one; may be omitted when there is one.
        """
        from imp.codes import SlotCipher  # noqa: PLC0415 - not every job needs codes

        plan = self.export_plan(order, include_frozen=include_frozen)
        keys = [row for row in self.export_keys(order) if face in (None, row[0])]
        if len(keys) != 1:
            faces = ", ".join(row.face for row in plan.faces)
            raise invalid("face", f"order {order!r} has faces {faces}; name one of them")
        cipher = SlotCipher(plan.format, keys[0][1], keys[0][2])
        return b"".join(cipher.encode_range(first, count) for first, count in kept_ranges(plan))

    # state --------------------------------------------------------------------------------------------------------

    def activate(self, scope: ScopeLike, *, reason: str, strict: bool = False) -> Report:
        """Release items for use."""
        return self.apply(commands.Activate(scope=_scope(scope), reason=reason, strict=strict))

    def void(self, scope: ScopeLike, *, reason: str, strict: bool = False) -> Report:
        """Take items out of use for ever."""
        return self.apply(commands.Void(scope=_scope(scope), reason=reason, strict=strict))

    def freeze(self, scope: ScopeLike, *, reason: str, strict: bool = False) -> Report:
        """Hold items; the report names the hold."""
        return self.apply(commands.Freeze(scope=_scope(scope), reason=reason, strict=strict))

    def recall(self, scope: ScopeLike, *, reason: str, instructions: str | None = None, strict: bool = False) -> Report:
        """Call items back, void ones included; the report names the hold."""
        return self.apply(commands.Recall(scope=_scope(scope), reason=reason, instructions=instructions, strict=strict))

    def unfreeze(self, hold: str, *, reason: str, scope: ScopeLike | None = None, strict: bool = False) -> Report:
        """Remove a hold (freeze or recall), wholly or for a scope."""
        part = None if scope is None else _scope(scope)
        return self.apply(commands.Unfreeze(hold=hold, scope=part, reason=reason, strict=strict))

    def replace(self, old: Sequence[str], new: Sequence[str], *, reason: str) -> Report:
        """old[i] becomes void and new[i] takes its place."""
        return self.apply(commands.Replace(old=list(old), new=list(new), reason=reason))

    def apply(self, command: commands.StateCommand, *, event_id: str | None = None) -> Report:
        """Apply a state command durably. Raises Refused; repeating an event_id answers the stored report."""
        request = governance.ApplyCommand(command=command, event_id=event_id)
        return self._loop.run(self._control.apply_command(self._tenant, request))

    def preview(self, command: commands.StateCommand) -> Report:
        """The report applying would give now; nothing is stored."""
        request = governance.PreviewCommand(command=command)
        return self._loop.run(self._control.preview_command(self._tenant, request))

    # scans --------------------------------------------------------------------------------------------------------

    def scan(self, code: str | bytes, context: ScanContext | None = None) -> Answer:
        """Scan one code: an answer for every text, never an exception about the text."""
        return msgspec.json.decode(self.scan_json(code, context), type=Answer)

    def scan_json(self, code: str | bytes, context: ScanContext | None = None) -> bytes:
        """The answer as the JSON bytes every door gives."""
        return self._core.scan(self._tenant, _text(code), context or self._context)

    def scan_many(
        self, codes: Buffer | list[bytes], context: ScanContext | None = None, *, width: int = 15
    ) -> "np.ndarray[Any, Any]":
        """Scan many codes at once: a buffer of `width` bytes each, or a list.

        Returns a NumPy array with the fields verdict (number into VERDICTS), is_first (0, 1, 2: does not count),
        recorded, reason (number into REASONS), scans and first_at_us (0: none).
        """
        import numpy as np  # noqa: PLC0415 - jobs that only issue do not wait for it

        rows = self._core.scan_many(self._tenant, codes, context or self._context, width)
        return np.frombuffer(rows, dtype=_ROW)

    def lookup(self, code: str | bytes, *, role: governance.Role = "system") -> Lookup:
        """All that is known of a code, without counting a scan; only role "risk" reads why a code is unknown."""
        return msgspec.json.decode(self._core.lookup(self._tenant, _text(code), role), type=Lookup)

    def durable(self) -> None:
        """Wait until every scan so far is on disk."""
        self._core.durable()

    def backup(self, to: str | Path) -> governance.BackedUp:
        """Copy the directory's state to a new directory."""
        return self._loop.run(self._control.backup("", governance.Backup(to=str(to))))

    def status(self) -> governance.Status:
        """Readiness and alarms."""
        return self._loop.run(self._control.status("", governance.StatusRequest()))


def kept_ranges(plan: ExportPlan) -> list[tuple[int, int]]:
    """(first serial, count) of what an export prints, in order."""
    ranges: list[tuple[int, int]] = []
    at = plan.first_serial
    for first, count in (*plan.left_out, (plan.first_serial + plan.span, 0)):
        if first > at:
            ranges.append((at, first - at))
        at = first + count
    return ranges


class _Loop:
    """An event loop in its own thread, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._workers = self._new_workers()
        self._callers: set[asyncio.Task[Any]] = set()
        self._turn = threading.Lock()
        self._is_open = True
        self._thread = threading.Thread(target=self._loop.run_forever, name="imp-engine", daemon=True)
        self._thread.start()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the loop and wait for it."""
        with self._turn:
            if not self._is_open:
                work.close()
                raise EngineClosed("the engine is closed")
            future = asyncio.run_coroutine_threadsafe(self._called(work), self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise EngineClosed("the engine was closed meanwhile; the call may or may not have taken effect") from None

    def close(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """End the calls that wait, let the work they began in threads finish, run `last`, end the loop."""
        with self._turn:
            was_open, self._is_open = self._is_open, False
        if not was_open:
            if last is not None:
                last.close()
            self._thread.join()  # whoever closes first does the work
            return
        try:
            begun = self._in_loop(self._end_callers())
            begun.shutdown()
            if last is not None:
                self._in_loop(last)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._workers.shutdown()
            self._loop.close()

    async def _called[T](self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(work)
        self._callers.add(task)
        try:
            return await task
        finally:
            self._callers.discard(task)

    async def _end_callers(self) -> concurrent.futures.Executor:
        """Cancel what callers wait for; the relay's own tasks go on. Returns the threads that may still be busy."""
        for task in self._callers:
            task.cancel()
        await asyncio.gather(*self._callers, return_exceptions=True)
        begun, self._workers = self._workers, self._new_workers()
        return begun

    def _new_workers(self) -> concurrent.futures.ThreadPoolExecutor:
        workers = concurrent.futures.ThreadPoolExecutor(thread_name_prefix="imp-engine")
        self._loop.set_default_executor(workers)
        return workers

    def _in_loop[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _settings(settings: Settings | None, secret: bytes | None) -> Settings:
    settings = settings or Settings.from_environment()
    if secret is None:
        return settings
    return msgspec.structs.replace(settings, secret=secret.hex(), secret_file=None, secret_kms=None)


def _scope(scope: ScopeLike) -> commands.Scope:
    if isinstance(scope, commands.Scope):
        return scope
    if isinstance(scope, str):
        return commands.Scope(order=scope)
    if isinstance(scope, tuple) and len(scope) == 3 and isinstance(scope[1], int) and isinstance(scope[2], int):
        return commands.Scope(order=str(scope[0]), first=scope[1], count=scope[2])
    return commands.Scope(codes=[code.decode() if isinstance(code, bytes) else str(code) for code in scope])


def _text(code: str | bytes) -> bytes:
    return code.encode() if isinstance(code, str) else code
