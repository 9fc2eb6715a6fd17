"""Job: counting the same scans in Redis through redis-py, one HINCRBY per scan over a Unix socket, nothing kept."""

import tempfile
import time
from pathlib import Path

import msgspec
import redis

from bench.engine.mix import CODE_BYTES, draw
from bench.engine.scans_job import Rates
from bench.engine.stock import SLOT
from bench.processes import answer_job, running, wait_until
from imp.codes import SlotCipher


class RedisWork(msgspec.Struct, frozen=True):
    issued: int
    scans: int


def measure(asked: RedisWork) -> Rates:
    """Start a server, count."""
    drawn = draw(SlotCipher("base32", SLOT, bytes(16)), asked.issued, asked.scans, touched=0, seed=2)
    codes = [drawn.texts[at : at + CODE_BYTES] for at in range(0, len(drawn.texts), CODE_BYTES)]
    with tempfile.TemporaryDirectory(prefix="imp-bench-") as folder:  # a socket's path is short
        path, log = Path(folder, "redis.sock"), Path(folder, "redis.log")
        command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
        with running([*command, "--dir", folder], log) as server:
            wait_until(path.exists, "listening", server, log)
            with redis.Redis(unix_socket_path=str(path)) as client:
                client.ping()
                began = time.perf_counter()
                for code in codes:
                    client.hincrby(code, "n", 1)
                return Rates(asked.scans / (time.perf_counter() - began))


if __name__ == "__main__":
    answer_job(RedisWork, measure)
