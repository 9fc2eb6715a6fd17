"""Throughput from wrk: 64 connections in a closed loop, one thread on the generator's core."""

import os
from pathlib import Path

import msgspec

from bench.cores import LOAD_CORE
from bench.processes import ChildFailed, output_of

CONNECTIONS = 64
_SCRIPT = "bench/http/codes.lua"


class Target(msgspec.Struct, frozen=True):
    """Where requests go. host: of the Host header. prefix: of the path before the code."""

    address: str
    host: str
    prefix: str
    codes_file: str


class Throughput(msgspec.Struct, frozen=True):
    """Of one wrk run. failures: requests without an answer of 200."""

    requests: int
    per_s: float
    failures: int
    p50_us: float
    p99_us: float


def command(target: Target, seconds: float) -> list[str]:
    """The command that `closed_loop` runs."""
    return [
        *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(round(seconds), 1)}s", "--latency", "-s", _SCRIPT),
        f"http://{target.address}",
    ]


def closed_loop(target: Target, seconds: float, start: int) -> Throughput:
    """Send as fast as answers come, beginning with code `start`. Raises ChildFailed when an answer is not 200."""
    environment = {"CODES": target.codes_file, "PREFIX": target.prefix, "HOST": target.host, "START": str(start)}
    settings = [f"{name}={value}" for name, value in environment.items()]
    output = _output(["env", *settings, *command(target, seconds)], timeout_s=seconds + 20)
    fields = next(line for line in output.decode().splitlines() if line.startswith("RESULT ")).split()[1:]
    requests, took_us, failures, p50_us, p99_us = map(int, fields)
    if failures or not requests:
        raise ChildFailed(f"{failures} of {requests} requests to {target.address} failed\n{output.decode()}")
    return Throughput(requests, requests / took_us * 1e6, failures, p50_us, p99_us)


def _output(arguments: list[str], timeout_s: float) -> bytes:
    """Output of wrk, which at rare times never ends after a run: it is then run once more."""
    try:
        return output_of(arguments, core=LOAD_CORE, timeout_s=timeout_s)
    except ChildFailed:
        return output_of(arguments, core=LOAD_CORE, timeout_s=timeout_s)


def write_codes(path: Path, codes: list[bytes]) -> str:
    """A file for Target.codes_file, in an order in which serials are scattered."""
    stride = 7_919 if len(codes) % 7_919 else 7_907
    with path.open("wb") as file:
        file.writelines(codes[number * stride % len(codes)] + b"\n" for number in range(len(codes)))
    return os.fspath(path)
