"""Scanning texts through `scan_many` as changing devices, with the time of the calls alone."""

import time

from bench.engine.stock import TENANT
from imp.engine import NativeEngine, ScanContext

CODES_PER_CALL = 1_000
"""Also the scans of one device: the next call is another device, so repeats are other people's."""
_AGENT = b"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"


def device(number: int) -> ScanContext:
    """Context of a consumer's phone with its own address."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return ScanContext(device=b"device-%d" % number, address=address, user_agent=_AGENT)


class Scanned:
    """What came of scanning a buffer."""

    def __init__(self) -> None:
        self.rows = bytearray()
        self.seconds = 0.0


def scan_all(engine: NativeEngine, texts: bytes, *, first_device: int, width: int = 15) -> Scanned:
    """Scan all texts in calls of CODES_PER_CALL on this one thread."""
    scanned, view, step = Scanned(), memoryview(texts), CODES_PER_CALL * width
    for number, at in enumerate(range(0, len(texts), step)):
        piece, context = view[at : at + step], device(first_device + number)
        began = time.perf_counter()
        rows = engine.scan_many(TENANT, piece, context, width)
        scanned.seconds += time.perf_counter() - began
        scanned.rows += rows
    return scanned
