"""Goal: the figures mean what they say. Method: the parts of the measuring harness against cases with known answers."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench import abba, table
from bench.engine import mix
from bench.engine.rocksdict_job import event, record
from bench.engine.scanning import device
from bench.engine.stock import SLOT, TENANT, stocked
from bench.figure import Figure, at_least, at_most
from bench.http.open_loop import drive
from bench.http.wrk import Target
from bench.machine import ROOT, Machine, describe
from bench.processes import ChildFailed, job, output_of, running
from bench.report import Result, lines, load, shown
from bench.spread import ratios, spread
from imp.codes import SlotCipher

MACHINE = Machine(
    commit="abc1234", cpu="CPU", cores=2, memory_gib=8.0, kernel="6.1", disk="ext4", versions={"imp": "0.1.0"}
)


# rounds ---------------------------------------------------------------------------------------------------------------


def test_rounds_go_forwards_and_backwards() -> None:
    """ABBA: over an even number of rounds all stand at the same mean position, so drift hits all alike."""
    assert abba.order(["a", "b"], 2) == ["a", "b", "b", "a"]
    turns = abba.order(["a", "b", "c"], 6)
    positions = {name: [at for at, turn in enumerate(turns) if turn == name] for name in "abc"}
    assert {len(found) for found in positions.values()} == {6}
    assert len({sum(found) for found in positions.values()}) == 1


def test_results_stay_in_the_order_they_were_taken() -> None:
    numbers = iter(range(6))
    assert abba.interleave({"a": lambda: next(numbers), "b": lambda: next(numbers)}, 3) == {
        "a": [0, 3, 4],
        "b": [1, 2, 5],
    }


def test_interval_holds_the_median_in_nineteen_of_twenty_cases() -> None:
    """Six rounds need all of them (96.9 %), twelve leave out two at each end (96.1 %); tables of the sign test."""
    six, twelve = spread([3, 1, 2, 6, 5, 4]), spread(range(12))
    assert (six.low, six.median, six.high, six.rounds) == (1, 3.5, 6, 6)
    assert (twelve.low, twelve.high) == (2, 9)
    samples = np.random.default_rng(7).exponential(size=(4_000, 12))
    true_median = np.log(2)
    held = sum(found.low <= true_median <= found.high for found in map(spread, samples.tolist()))
    assert held / len(samples) > 0.95


def test_ratios_cancel_what_slows_a_whole_round_down() -> None:
    found = ratios([10, 5, 20], [5, 2.5, 10])
    assert (found.low, found.median, found.high) == (2, 2, 2)


# what is scanned ------------------------------------------------------------------------------------------------------


def test_mix_has_the_shares_it_promises() -> None:
    """60 % first scans, each of another code; repeats of scanned codes only, few of them often; 10 % forged."""
    cipher = SlotCipher("base32", SLOT, bytes(16))
    drawn = mix.draw(cipher, 1_000_000, 20_000, touched=500, seed=3)
    shares = np.bincount(drawn.kinds, minlength=3) / len(drawn)
    assert np.allclose(shares, mix.SHARES, atol=0.02)
    texts = [drawn.texts[at : at + mix.CODE_BYTES] for at in range(0, len(drawn.texts), mix.CODE_BYTES)]
    firsts = [text for text, kind in zip(texts, drawn.kinds, strict=True) if kind == mix.Kind.FIRST]
    assert len(set(firsts)) == len(firsts) == drawn.touched - 500
    known = 500
    for kind, rank in zip(drawn.kinds.tolist(), drawn.ranks.tolist(), strict=True):
        assert rank == known if kind == mix.Kind.FIRST else 0 <= rank < known
        known += kind == mix.Kind.FIRST
    repeated = np.bincount(drawn.ranks[drawn.kinds == mix.Kind.REPEAT])
    assert repeated[0] > 20 * repeated.mean()


def test_wrong_answers_stop_a_measurement() -> None:
    drawn = mix.draw(SlotCipher("base32", SLOT, bytes(16)), 1_000, 50, touched=0, seed=3)
    rows = np.zeros(50, dtype=mix.ROW)
    rows["verdict"] = 8
    with pytest.raises(AssertionError, match="first scans answered"):
        mix.check(drawn, rows.tobytes())


def test_rocksdict_writes_what_the_engine_writes(tmp_path: Path) -> None:
    """Lengths of keys, records and events, read from a checkpoint of the engine by rocksdict in another process."""
    with stocked(tmp_path / "engine", 1_000) as stock:
        code = stock.cipher.encode(0)
        for number in range(2):
            stock.engine.scan(TENANT, code, device(number))
        stock.engine.scan(TENANT, stock.cipher.encode(1), device(0))
        stock.engine.checkpoint(str(tmp_path / "copy"))
    read = (
        "import rocksdict, sys\n"
        "families = {name: rocksdict.Options(raw_mode=True) for name in rocksdict.Rdict.list_cf(sys.argv[1])}\n"
        "db = rocksdict.Rdict(sys.argv[1], rocksdict.Options(raw_mode=True), column_families=families,\n"
        "    access_type=rocksdict.AccessType.read_only())\n"
        "for name in ('scan', 'event'):\n"
        "    print(sorted((len(key), len(value)) for key, value in db.get_column_family(name).items()))\n"
    )
    written = output_of([sys.executable, "-c", read, str(tmp_path / "copy")]).decode().splitlines()
    assert written[0] == str(sorted((10, len(record(scans))) for scans in (1, 2)))
    # A repeat's event names its reason, one byte.
    assert written[1] == str(sorted((10, len(event(1, 1)) + extra) for extra in (0, 0, 1)))


# processes ------------------------------------------------------------------------------------------------------------


def test_a_child_ends_with_its_block(tmp_path: Path) -> None:
    with running(["sleep", "60"], tmp_path / "log") as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGTERM


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys, time\nfrom bench.processes import running\n"
        "with running(['sleep', '60'], pathlib.Path(sys.argv[1])) as process:\n"
        "    print(process.pid, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        # From here on it is tied: setpriv has become sleep.
        wait_until(lambda: Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"sleep"))
        parent.kill()
    wait_until(lambda: not is_running(child))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_failed_job_says_why(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="exit code 3\nno such thing"):
        output_of([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(ChildFailed, match="took longer than 0 s"):
        output_of(["sleep", "60"], timeout_s=0.2)
    with pytest.raises(ChildFailed, match="ValidationError"):
        job("bench.engine.reopen_job", msgspec.defstruct("Wrong", [("path", str)])(str(tmp_path)), dict)


# open model -----------------------------------------------------------------------------------------------------------


class Stalling(threading.Thread):
    """A server that answers at once, except that it answers nobody for `stall_s` after its first `before` answers."""

    def __init__(self, before: int, stall_s: float) -> None:
        super().__init__(daemon=True)
        self._before, self._stall_s = before, stall_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._lock = threading.Lock()
        self._answered = 0
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        body = b'{"verdict":"genuine"}'
        with connection:
            while connection.recv(4_096):
                with self._lock:
                    self._answered += 1
                    if self._answered == self._before:
                        time.sleep(self._stall_s)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def stalling() -> Iterator[Stalling]:
    server = Stalling(before=300, stall_s=0.5)
    server.start()
    yield server
    server.close()


def test_a_stall_is_charged_to_every_request_that_was_due(stalling: Stalling, tmp_path: Path) -> None:
    """400 requests a second for 2 s, half a second of silence: about 200 requests wait, 100 of them over 0.25 s."""
    codes = tmp_path / "codes"
    codes.write_bytes(b"A\nB\n")
    observed = drive(Target(stalling.address, "host", "/", str(codes)), rate=400, seconds=2, start=0)
    assert (observed.sent, observed.unanswered, observed.wrong) == (800, 0, 0)
    assert observed.latency.count == 600  # without the first half second
    assert observed.latency.max_us >= 450_000
    assert observed.latency.p95_us >= 250_000  # a generator that waits for answers would see one slow request


# results --------------------------------------------------------------------------------------------------------------


def result() -> Result:
    rate = Figure(
        name="scans", value=100.0, unit="scans/s", durability="wal", spread=spread([90, 100, 110]), headline=True
    )
    rate = rate.beside("peer", 200.0, durability="none", goal=at_least(0.7)).beside("limit", 1_000.0)
    delay = Figure(name="p99", value=12.3, unit="ms", goal=at_most(20), headline=True, method="open model", notes=["n"])
    return Result(
        group="http", command="python -m bench http", at=0, seconds=9.0, machine=MACHINE, figures=[rate, delay]
    )


def test_a_goal_is_met_at_its_bound() -> None:
    assert at_least(0.7).is_met_by(0.7)
    assert not at_least(0.7).is_met_by(0.699)
    assert at_most(20).is_met_by(20)
    assert (str(at_least(20_000_000)), str(at_most(0.5))) == ("≥ 20,000,000", "≤ 0.5")
    assert not result().figures[0].is_met
    assert result().figures[1].is_met


def test_a_missed_goal_is_printed_as_missed() -> None:
    printed = "\n".join(lines(result()))
    assert "0.50 x  peer (200 scans/s)  durability: none  goal ≥ 0.7 x: NOT MET" in printed
    assert "p99: 12.3 ms  goal ≤ 20: met" in printed
    page, readme = table.page([result()]), table.readme_table([result()])
    assert "| – peer | 200 scans/s |  | none | 0.50 | ≥ 0.7 ×: **NOT MET** |" in page
    assert "| scans | 100 scans/s | peer: 200 scans/s | 0.50 | ≥ 0.7 ×: **NOT MET** |" in readme
    assert "limit" in page
    assert "limit" not in readme


def test_three_digits_are_shown() -> None:
    assert [shown(value) for value in (0, 0.1234, 1.234, 12.34, 123.4, 1_234_567.0)] == [
        "0",
        "0.123",
        "1.23",
        "12.3",
        "123",
        "1,234,567",
    ]


def test_the_table_replaces_what_stood_between_the_markers() -> None:
    readme = f"before\n{table.START}\nold\n{table.END}\nafter\n"
    replaced = table.with_table(readme, table.readme_table([result()]))
    assert replaced.startswith(f"before\n{table.START}\n| measured")
    assert replaced.endswith(f"{table.END}\nafter\n")
    assert "old" not in replaced
    with pytest.raises(ValueError, match="markers"):
        table.with_table("no markers", "")


def test_published_figures_are_the_measured_ones() -> None:
    """docs/measurements.md and the README's table say what bench/results says."""
    results = load()
    assert table.PAGE.read_text("utf-8") == table.page(results)
    readme = table.README.read_text("utf-8")
    assert table.with_table(readme, table.readme_table(results)) == readme


def test_the_machine_is_described_without_its_name(tmp_path: Path) -> None:
    described = describe(tmp_path)
    assert described.cpu
    assert described.memory_gib > 0
    assert described.versions["imp"]
    assert socket.gethostname() not in msgspec.json.encode(described).decode()
