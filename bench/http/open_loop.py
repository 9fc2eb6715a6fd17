"""Latency under an open model: requests leave at a fixed rate whether or not answers come.

Every latency counts from the moment a request was due, so a server that stalls is charged for all requests that were
due meanwhile (no coordinated omission). One process drives many connections with epoll and spins on its own core
between two due times. A request takes an idle connection; when none is idle it waits, and its clock runs.
"""

import gc
import re
import select
import socket
import time
from pathlib import Path

import msgspec

from bench.cores import LOAD_CORE
from bench.http.wrk import Target
from bench.latency import Latency, latency_of
from bench.processes import answer_job, job

CONNECTIONS = 256
DRAIN_S = 3.0
"""How long after the last due time answers are waited for."""
WARM_UP_S = 0.5
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_RECEIVE_BYTES = 65_536


class OpenLoop(msgspec.Struct, frozen=True):
    """A load. start: number of the first code."""

    target: Target
    rate: float
    seconds: float
    start: int


class Observed(msgspec.Struct, frozen=True):
    """What came back. The first WARM_UP_S are left out of `latency`.

    unanswered: at the end; they are in `latency` with the time they had waited. wrong: other than 200 with the verdict
    genuine. lag_p99_us: how late the generator itself was with requests that found an idle connection.
    """

    latency: Latency
    rate: float
    sent: int
    unanswered: int
    wrong: int
    lag_p99_us: float


def drive(target: Target, rate: float, seconds: float, start: int) -> Observed:
    """Run a load in a process of its own on the generator's core."""
    return job("bench.http.open_loop", OpenLoop(target, rate, seconds, start), Observed, core=LOAD_CORE)


class _Connection:
    """One kept-alive connection with at most one request under way. due_ns: of that request."""

    __slots__ = ("due_ns", "received", "socket")

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.due_ns = 0


class _Generator:
    def __init__(self, asked: OpenLoop) -> None:
        target = asked.target
        codes = Path(target.codes_file).read_bytes().split()
        self._codes = codes[asked.start % len(codes) :] + codes[: asked.start % len(codes)]
        self._before = f"GET {target.prefix}".encode()
        self._after = (
            f" HTTP/1.1\r\nHost: {target.host}\r\nAccept: application/json\r\n"
            "User-Agent: Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36\r\n\r\n"
        ).encode()
        self._interval_ns = 1e9 / asked.rate
        self._total = int(asked.rate * asked.seconds)
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._next = 0
        self._missed = False
        self.times_ns: list[int] = []
        self.lags_ns: list[int] = []
        self.wrong = 0
        for _ in range(CONNECTIONS):
            connection = _Connection(target.address)
            self._connections[connection.socket.fileno()] = connection
            self._poll.register(connection.socket, select.EPOLLIN)
            self._idle.append(connection)

    def run(self) -> Observed:
        """Send everything, wait for the answers."""
        start_ns = time.perf_counter_ns() + 1_000_000
        deadline_ns = start_ns + int(self._total * self._interval_ns + DRAIN_S * 1e9)
        now_ns = start_ns
        while len(self.times_ns) < self._total and now_ns < deadline_ns:
            self._send_due(start_ns)
            for number, _events in self._poll.poll(0):
                self._receive(self._connections[number])
            now_ns = time.perf_counter_ns()
        return self._observed(start_ns, now_ns)

    def _send_due(self, start_ns: int) -> None:
        """Send what is due, as far as connections are idle."""
        now_ns = time.perf_counter_ns()
        while self._next < self._total and (due_ns := start_ns + int(self._next * self._interval_ns)) <= now_ns:
            if not self._idle:
                self._missed = True
                return
            connection = self._idle.pop()
            connection.due_ns = due_ns
            connection.socket.send(self._before + self._codes[self._next % len(self._codes)] + self._after)
            self._next += 1
            if not self._missed:
                self.lags_ns.append(now_ns - due_ns)
        self._missed = False

    def _receive(self, connection: _Connection) -> None:
        data = connection.received + connection.socket.recv(_RECEIVE_BYTES)
        head, end, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n") if end else None
        if not end or (length and len(body) < int(length.group(1))):
            if len(data) == len(connection.received):
                raise ConnectionError("the server closed a connection")
            connection.received = data
            return
        self.times_ns.append(time.perf_counter_ns() - connection.due_ns)
        if not data.startswith(b"HTTP/1.1 200") or b'"verdict":"genuine"' not in body:
            self.wrong += 1
        connection.received = b""
        self._idle.append(connection)

    def _observed(self, start_ns: int, now_ns: int) -> Observed:
        answered = len(self.times_ns)
        warm_up = min(int(WARM_UP_S * 1e9 / self._interval_ns), answered // 2)
        idle = set(map(id, self._idle))
        under_way = (waiting.due_ns for waiting in self._connections.values() if id(waiting) not in idle)
        unsent = (start_ns + int(number * self._interval_ns) for number in range(self._next, self._total))
        waited_ns = [now_ns - due_ns for due_ns in (*under_way, *unsent)]
        return Observed(
            latency=latency_of(self.times_ns[warm_up:] + waited_ns),
            rate=answered / ((now_ns - start_ns) / 1e9),
            sent=self._next,
            unanswered=len(waited_ns),
            wrong=self.wrong,
            lag_p99_us=latency_of(self.lags_ns).p99_us,
        )


def measure(asked: OpenLoop) -> Observed:
    """One run without Python's collector."""
    generator = _Generator(asked)
    gc.collect()
    gc.disable()
    return generator.run()


if __name__ == "__main__":
    answer_job(OpenLoop, measure)
