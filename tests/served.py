"""What tests of a served directory stand on: codes of every kind in a data directory, and real server processes."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imp import runfile
from imp.codes import SlotCipher
from imp.commands import Activate, Freeze, Recall, Replace, Scope, Void
from imp.directory import Directory
from imp.governance.schemas import ApplyCommand, CreateKey
from imp.issuing.schemas import ImportAliases, IssueOrder
from imp.registry.schemas import AddDomain, AddTenant, OpenSeries, PutProduct
from imp.results import Order
from imp.settings import Settings

CASES = json.loads((Path(__file__).parent / "cases" / "http_scans.json").read_text("utf-8"))
HOST = CASES["world"]["host"]
TENANT = "brand"
CODES_PER_KIND = 200
START_TIMEOUT_S = 30
SERVE = """
import sys
from imp import errors
from imp.server import serve
from imp.settings import Settings
try:
    sys.exit(serve(Settings.from_environment()))
except errors.ImpError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(errors.kind_of(error).exit_code)
"""
"""A server as the command line starts one, without the command line."""


class Pool:
    """Codes of one kind; every taker gets another one."""

    def __init__(self, codes: list[str]) -> None:
        self._codes = iter(codes)

    def take(self) -> str:
        """A code nobody else has."""
        return next(self._codes)


@dataclass
class World:
    """A closed data directory and the codes in it by kind, as tests/cases/http_scans.json names them."""

    path: Path
    keys: dict[str, str]
    pools: dict[str, Pool]
    order_codes: dict[str, list[str]] = field(default_factory=dict)


class Server:
    """A server process on a port of its own."""

    def __init__(self, path: Path, **environment: str) -> None:
        self.path = path
        settings = {"IMP_DIRECTORY": str(path), "IMP_PORT": "0", "IMP_LOG_LEVEL": "info", **environment}
        self.log = path.parent / f"{path.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> "Server":
        """Wait for the run file this server writes when it is ready."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            run = runfile.live(self.path)
            if run is not None and parent_of(run.pid) == self.process.pid:
                self.run = run
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.run.address.rpartition(":")[2])

    @property
    def url(self) -> str:
        """Root of its addresses."""
        return f"http://{self.run.address}"

    def wait(self, timeout_s: float = 20) -> int:
        """Wait for its end; gives the exit code."""
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """End it as a supervisor does."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def clean_up(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def parent_of(pid: int) -> int | None:
    """Parent of a running process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


@dataclass
class Answer:
    """A raw HTTP answer; header names in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """All lines of a header joined, None when there is none."""
        values = [value for found, value in self.headers if found == name]
        return ", ".join(values) if values else None


def exchange(port: int, method: str, target: str, headers: list[tuple[str, str]], body: bytes = b"") -> Answer:
    """One request exactly as given, on a connection of its own; nothing is added but the length of a body."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        found = [(name.lower(), value) for name, value in answer.getheaders()]
        return Answer(answer.status, found, answer.read())


async def make_small_world(path: Path) -> World:
    Directory.init(path)
    async with await Directory.open(path, Settings(directory=path)) as directory:
        maker = _Maker(directory)
        await maker.begin()
        await maker.order("plain", "plain", 3_000)
        await maker.apply(Activate(scope=Scope(order="plain"), reason="test"))
        keys = {
            "all": await maker.key("all", "consumer", ("scan", "read", "command", "export", "issue", "write", "keys"))
        }
        return World(path, keys, {}, maker.codes)


async def make_world(path: Path) -> World:
    Directory.init(path)
    async with await Directory.open(path, Settings(directory=path)) as directory:
        maker = _Maker(directory)
        await maker.begin()
        pools = await maker.fill()
        keys = {
            "all": await maker.key("all", "consumer", ("scan", "read", "command", "export", "issue", "write", "keys")),
            "read": await maker.key("read", "consumer", ("read",)),
            "risk": await maker.key("risk", "risk", ("scan", "read")),
            "other": await maker.other_tenant(),
        }
        return World(path, keys, pools, maker.codes)


class _Maker:
    """Fills a directory through the control verbs."""

    def __init__(self, directory: Directory) -> None:
        self.engine = directory.engine
        self.control = directory.control
        self.codes: dict[str, list[str]] = {}

    async def begin(self) -> None:
        await self.control.add_tenant("", AddTenant(tenant=TENANT, name="Brand"))
        await self.control.add_domain(TENANT, AddDomain(host=HOST))
        await self.control.put_product(TENANT, PutProduct(**CASES["world"]["product"]))
        for series, format_, faces, pairing in (
            ("plain", "base32", ("outer",), "single"),
            ("digits", "digits", ("outer",), "single"),
            ("paired", "base32", ("outer", "inner"), "same_serial"),
            ("foreign", "base32", (), "single"),
        ):
            asked = OpenSeries(series=series, domain=HOST, format=format_, faces=faces, pairing=pairing)
            await self.control.open_series(TENANT, asked)

    async def order(self, order: str, series: str, quantity: int = CODES_PER_KIND, **more: Any) -> None:
        asked = IssueOrder(order=order, series=series, quantity=quantity, word_list=0, **more)
        issued = await self.control.issue_order(TENANT, asked)
        self.codes[order] = self.encode(issued.order)

    def encode(self, order: Order) -> list[str]:
        """Codes of the order's first face, in its order."""
        plan = json.loads(self.engine.export_plan(TENANT, order.order))
        _, slot, key = self.engine.export_keys(TENANT, order.order)[0]
        cipher = SlotCipher(plan["format"], slot, key)
        return [cipher.encode(order.first_serial + index).decode() for index in range(order.quantity)]

    async def apply(self, command: Any) -> Any:
        return await self.control.apply_command(TENANT, ApplyCommand(command=command))

    async def key(self, name: str, role: Any, scopes: Any, tenant: str = TENANT) -> str:
        return (await self.control.create_key(tenant, CreateKey(name=name, role=role, scopes=scopes))).secret

    async def other_tenant(self) -> str:
        await self.control.add_tenant("", AddTenant(tenant="other", name="Other"))
        await self.control.add_domain("other", AddDomain(host="other.example.com"))
        return await self.key(
            "other", "consumer", ("scan", "read", "command", "export", "issue", "write", "keys"), "other"
        )

    async def fill(self) -> dict[str, Pool]:
        """All kinds of codes that the case table names."""
        about = {"product": CASES["world"]["product"]["product"], "lot": CASES["world"]["lot"]}
        for name in ("active", "inactive", "frozen", "void", "recalled", "replaced", "successor"):
            await self.order(name, "plain", **about)
        await self.order("expired", "plain", **about, expires_at_us=1_000_000)
        await self.order("plain", "plain")
        await self.order("digits", "digits", **about)
        await self.order("outer", "paired", **about)
        aliases = [f"ALIAS{number:07}" for number in range(CODES_PER_KIND)]
        texts = [CASES["world"]["odd_alias"], *aliases]
        await self.control.import_aliases(TENANT, ImportAliases(order="alias", series="foreign", texts=texts))
        for order in ("active", "frozen", "expired", "recalled", "replaced", "plain", "digits", "outer", "alias"):
            await self.apply(Activate(scope=Scope(order=order), reason="test"))
        await self.apply(Freeze(scope=Scope(order="frozen"), reason="test"))
        await self.apply(Recall(scope=Scope(order="recalled"), reason="test"))
        await self.apply(Void(scope=Scope(order="void"), reason="test"))
        await self.apply(Replace(old=self.codes["replaced"], new=self.codes["successor"], reason="test"))
        pools = {name: Pool(codes) for name, codes in self.codes.items() if name not in ("active", "successor")}
        half = CODES_PER_KIND // 2
        active = self.codes["active"]
        return pools | {
            "active": Pool(active[half:]),
            "seen": Pool(self.scanned(active[: half // 2])),
            "mistyped": Pool([_one_off(code) for code in active[half // 2 : half]]),
            "unissued": Pool(self.unissued()),
            "strange": Pool(self.strange()),
            "alias": Pool(aliases),
        }

    def scanned(self, codes: list[str]) -> list[str]:
        """The same codes after another device's first check."""
        for code in codes:
            self.engine.http(
                "GET", f"/{code}".encode(), b"", [(b"host", HOST.encode()), (b"user-agent", b"first")], "192.0.2.1"
            )
        return codes

    def unissued(self) -> list[str]:
        _, slot, key = self.engine.export_keys(TENANT, "plain")[0]
        cipher = SlotCipher("base32", slot, key)
        return [cipher.encode(10_000_000 + number).decode() for number in range(CODES_PER_KIND)]

    def strange(self) -> list[str]:
        """Well-formed codes of a slot that nobody opened."""
        taken = {slot for order in ("plain", "outer") for _, slot, _ in self.engine.export_keys(TENANT, order)}
        slot = next(number for number in range(1_024) if number not in taken)
        cipher = SlotCipher("base32", slot, bytes(16))
        return [cipher.encode(number).decode() for number in range(CODES_PER_KIND)]


def _one_off(code: str) -> str:
    """The code with its fifth character changed: the check character finds that."""
    return code[:4] + ("0" if code[4] != "0" else "1") + code[5:]
