"""Goal: the small parts around a server hold by themselves. Method: each alone, without a server."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, get, post
from litestar.datastructures import State
from litestar.testing import RequestFactory, TestClient
from structlog.testing import capture_logs

from imp import api_docs, runfile
from imp.app import create_app
from imp.asgi import HEADERS_BYTES_MAX, LATENCY_BUCKETS, Front, ScanLatency
from imp.auth import admin_only
from imp.degrade import LoopLag
from imp.errors import (
    Busy,
    CorruptData,
    EngineClosed,
    Forbidden,
    ImpError,
    InvalidInput,
    NotFound,
    Poisoned,
    StorageError,
    StoreLocked,
    Unauthenticated,
)
from imp.metrics import Metrics
from imp.problems import EXCEPTION_HANDLERS, INTERNAL_DETAIL, on_operator_error
from imp.server import address_of, bind, raise_failure, report_failure

# run file --------------------------------------------------------------------------------------------


def run_of(pid: int, ticks: int) -> runfile.RunFile:
    """A run file of some process."""
    return runfile.RunFile(
        address="127.0.0.1:1", pid=pid, start_ticks=ticks, started_at_us=1, admin_token=runfile.new_token(), version="0"
    )


def test_run_file_comes_back_whole(tmp_path: Path) -> None:
    """What was written is read, privately, with nothing else left in the folder."""
    run = run_of(os.getpid(), runfile.start_ticks(os.getpid()) or 0)
    runfile.write(tmp_path, run)
    assert runfile.read(tmp_path) == runfile.live(tmp_path) == run
    assert stat.S_IMODE((tmp_path / runfile.RUN_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [runfile.RUN_FILE]


def test_run_file_of_another_process_stays(tmp_path: Path) -> None:
    """Only the process that wrote it removes it."""
    runfile.write(tmp_path, run_of(os.getpid(), 1))
    runfile.remove(tmp_path, os.getpid() + 1)
    assert runfile.read(tmp_path) is not None
    runfile.remove(tmp_path, os.getpid())
    runfile.remove(tmp_path, os.getpid())
    assert runfile.read(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid":"x"}', b"\xff"])
def test_damaged_run_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    """A torn or foreign file is no live server."""
    (tmp_path / runfile.RUN_FILE).write_bytes(content)
    assert runfile.live(tmp_path) is None


# description -----------------------------------------------------------------------------------------


@asynccontextmanager
async def opening_nothing(_app: Litestar) -> AsyncIterator[None]:
    """A lifespan without a data directory."""
    yield


def test_the_description_is_rendered_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for page and JSON only send bytes: rendering takes tens of milliseconds on the loop of the scans."""
    app = create_app(opening_nothing, LoopLag(), ScanLatency())
    with TestClient(app) as client:
        monkeypatch.setattr(api_docs, "encode_json", None)
        monkeypatch.setattr(api_docs, "_document", None)
        assert b"/v1/scans/batch" in client.get("/docs").content
        assert "/v1/scans/batch" in client.get("/docs/openapi.json").json()["paths"]


# front -----------------------------------------------------------------------------------------------


@get("/v1/thing")
async def thing() -> str:
    """A control-plane route."""
    return "control"


def front_with(scan_http: Callable[..., Any]) -> tuple[Front, ScanLatency]:
    """A front over an application with one route."""
    latency = ScanLatency()
    app = Litestar([thing], logging_config=None, openapi_config=None, exception_handlers=EXCEPTION_HANDLERS)
    return Front(app, lambda: scan_http, latency), latency


def only_single(_method: str, path: bytes, _query: bytes, _headers: Any, _peer: str | None) -> Any:
    """Stands for the engine: one segment is a scan."""
    return (200, [(b"content-type", b"text/plain")], b"scan") if path.count(b"/") == 1 else None


def test_front_parts_scans_from_the_rest() -> None:
    """What the engine answers is sent, the rest is Litestar's; only scans are measured."""
    front, latency = front_with(only_single)
    with TestClient(front) as client:  # type: ignore[arg-type]
        assert client.get("/ABC").text == "scan"
        assert client.get("/v1/thing").text == "control"
        assert client.post("/ABC").status_code == 404
    assert sum(latency.counts) == 1
    assert len(latency.counts) == LATENCY_BUCKETS


def test_front_is_closed_outside_the_lifespan() -> None:
    """Before start-up and after shutdown scans get 503 with Retry-After."""
    front, _ = front_with(only_single)
    client = TestClient(front)  # type: ignore[arg-type]
    with client:
        assert client.get("/ABC").status_code == 200
    answer = client.get("/ABC")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:imp:problem:closed"


class Panic(BaseException):
    """A panic of the native core is no Exception."""


@pytest.mark.parametrize(
    ("error", "status", "slug"), [(Panic("at x.rs:1"), 500, "internal"), (EngineClosed("closed"), 503, "closed")]
)
def test_a_panic_costs_one_request(error: BaseException, status: int, slug: str) -> None:
    """The request gets a problem document, the next one is answered."""
    failing = iter([error])

    def scan_http(*asked: Any) -> Any:
        for once in failing:
            raise once
        return only_single(*asked)

    front, _ = front_with(scan_http)
    with TestClient(front) as client:  # type: ignore[arg-type]
        answer = client.get("/ABC")
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:imp:problem:{slug}")
        assert "x.rs" not in answer.text
        assert client.get("/ABC").text == "scan"


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 431)])
def test_front_limits_headers(over: int, status: int) -> None:
    """Header bytes at the limit and one above it."""
    front, _ = front_with(only_single)
    with TestClient(front) as client:  # type: ignore[arg-type]
        used = sum(len(name) + len(value) for name, value in client.headers.multi_items()) + len("hosttestserver.local")
        answer = client.get("/v1/thing", headers={"x": "a" * (HEADERS_BYTES_MAX - used - 1 + over)})
        assert answer.status_code == status


# errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (Poisoned("SECRET flush of /srv/imp failed"), 503, "restart the server"),
        (StorageError("SECRET postgresql://imp@db/imp: disk full"), 503, "cannot write"),
        (StoreLocked("SECRET process 7 on db1"), 503, "not open"),
        (EngineClosed("SECRET closed"), 503, "not open"),
        (Busy("ask again"), 503, "ask again"),
        (CorruptData("SECRET /srv/imp/engine"), 500, INTERNAL_DETAIL),
        (ImpError("SECRET inside"), 500, INTERNAL_DETAIL),
        (ZeroDivisionError("SECRET value"), 500, INTERNAL_DETAIL),
        (NotFound("there is no order 'a'"), 404, "there is no order 'a'"),
    ],
)
def test_what_an_error_tells(error: Exception, status: int, detail: str) -> None:
    """A fault of the server says nothing of its inside, whatever its kind; what may pass carries Retry-After."""

    @post("/", status_code=200)
    async def fail() -> None:
        raise error

    app = Litestar([fail], exception_handlers=EXCEPTION_HANDLERS, logging_config=None, openapi_config=None)
    with TestClient(app, raise_server_exceptions=False) as client, capture_logs() as logged:
        answer = client.post("/")
    assert answer.status_code == status
    assert detail in answer.json()["detail"]
    assert "SECRET" not in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)
    assert len(logged) == (status >= 500 and not isinstance(error, Busy)), "server faults are in the log"


def test_the_operator_is_told_everything() -> None:
    """The admin door answers as a command without a server would: with the cause."""

    @post("/", status_code=200, exception_handlers={ImpError: on_operator_error})
    async def fail() -> None:
        raise StorageError("/srv/imp: disk full")

    app = Litestar([fail], exception_handlers=EXCEPTION_HANDLERS, logging_config=None, openapi_config=None)
    with TestClient(app, raise_server_exceptions=False) as client, capture_logs() as logged:
        answer = client.post("/")
    assert (answer.status_code, answer.json()["detail"], len(logged)) == (503, "/srv/imp: disk full", 1)


def test_failure_of_the_worker_reaches_the_parent() -> None:
    """The class of the error survives the pipe; silence means that nothing failed."""
    for error in (Poisoned("a flush failed"), None):
        reading, writing = os.pipe()
        if error is not None:
            report_failure(writing, error)
        os.close(writing)
        if error is None:
            raise_failure(reading)
        else:
            with pytest.raises(Poisoned, match="a flush failed"):
                raise_failure(reading)
        os.close(reading)


# admin door, port, metrics, logs ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "host", "token", "refusal"),
    [
        ("127.0.0.1", "127.0.0.1:8000", "right", None),
        ("127.0.0.1", "localhost:8000", "right", None),
        ("::1", "[::1]:8000", "right", None),
        ("127.0.0.1", "127.0.0.1:8000", "wrong", Unauthenticated),
        ("127.0.0.1", "127.0.0.1:8000", "", Unauthenticated),
        ("127.0.0.1", "id.acme.example", "right", Forbidden),
        ("127.0.0.1", "127.0.0.1.acme.example", "right", Forbidden),
        ("127.0.0.1", "", "right", Forbidden),
        ("127.0.0.1", "[", "right", Forbidden),
        ("10.0.0.5", "127.0.0.1:8000", "right", Forbidden),
        ("10.0.0.5", "10.0.0.5:8000", "right", Forbidden),
        ("192.0.2.7", "127.0.0.1:8000", "right", Forbidden),
    ],
)
def test_admin_door(address: str, host: str, token: str, refusal: type[ImpError] | None) -> None:
    """From loopback to loopback with the right token, nothing else; the server's other address, 10.0.0.5, is not."""
    app = Litestar(logging_config=None, openapi_config=None, state=State({"admin_token": "right"}))
    request = RequestFactory(app=app).post("/", headers={"authorization": f"Bearer {token}", "host": host})
    request.scope.update(client=(address, 40_000), server=("10.0.0.5", 8_000))
    with pytest.raises(refusal) if refusal else nullcontext():
        admin_only(request, thing)


def test_a_bound_port_is_exclusive() -> None:
    """Port 0 takes a free one; a second listener is told which port to try."""
    with bind("127.0.0.1", 0) as listener:
        address = address_of(listener)
        port = int(address.rpartition(":")[2])
        assert address == f"127.0.0.1:{port}"
        with pytest.raises(ImpError, match=f"PORT={port + 1}"):
            bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_of_elsewhere_is_told(host: str) -> None:
    """An address that is not this machine's, or none at all, is the host's fault: another port would not help."""
    with pytest.raises(InvalidInput, match="address of this machine") as told:
        bind(host, 0)
    assert told.value.field == "host"


def test_listening_everywhere_is_reached_at_loopback() -> None:
    """A wildcard address is no address to connect to."""
    with bind("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("127.0.0.1:")


def test_latency_histogram_is_cumulative() -> None:
    """Fast scans fall into the first bucket shown, slow ones into +Inf; the sum is in seconds."""
    latency = ScanLatency()
    latency.counts[0], latency.counts[5], latency.counts[40] = 3, 2, 1
    latency.total_ns = 1_500_000_000
    text = Metrics(latency, LoopLag()).render(b"engine_figure 1\n").decode()
    assert 'imp_scan_http_seconds_bucket{le="1.6384e-05"} 3.0' in text
    assert 'imp_scan_http_seconds_bucket{le="+Inf"} 6.0' in text
    assert "imp_scan_http_seconds_sum 1.5" in text
    assert text.endswith("engine_figure 1\n")


LOG_A_FAILURE = """
import structlog
from imp import logs

def fail():
    password = "hunter" + "2"
    raise ValueError(len(password))

logs.configure("info")
try:
    fail()
except ValueError:
    structlog.stdlib.get_logger("imp.test").exception("failed", order="o-1")
"""


def test_tracebacks_hold_no_local_variables() -> None:
    """A logged failure is one line of JSON that tells where it was, not with which values."""
    run = subprocess.run([sys.executable, "-c", LOG_A_FAILURE], check=True, capture_output=True, text=True)
    line = json.loads(run.stderr)
    assert (line["event"], line["order"], line["level"]) == ("failed", "o-1", "error")
    assert line["exception"][0]["frames"][-1]["name"] == "fail"
    assert "hunter2" not in run.stderr
