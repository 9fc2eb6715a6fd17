"""What is scanned: first scans all over the issued codes, repeats that favour a few codes, forged codes."""

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.engine.stock import SLOT
from imp.codes import SlotCipher
from imp.engine import VERDICTS

SHARES = (0.6, 0.3, 0.1)
"""First scans, repeats, forged codes."""
CODE_BYTES = 15
ROW = np.dtype(
    [("verdict", "u1"), ("is_first", "u1"), ("recorded", "u1"), ("reason", "u1"), ("scans", "<u4"), ("at", "<i8")]
)
"""A row of `scan_many`."""
_FORGER = SlotCipher("base32", SLOT, b"not the key here")
_STRIDE = 2_654_435_761
"""Prime, so that multiples of it visit every serial once: first scans are scattered over all orders."""


class Kind(IntEnum):
    FIRST = 0
    REPEAT = 1
    FORGED = 2


class Mix(NamedTuple):
    """Scans to make. ranks: of the item, by order of first scan; touched: items scanned once all of it is done."""

    texts: bytes
    kinds: NDArray[np.uint8]
    ranks: NDArray[np.int64]
    touched: int

    def __len__(self) -> int:
        return len(self.kinds)


def serials(ranks: NDArray[np.int64], issued: int) -> list[int]:
    """Serial of the item that is scanned first as the rank-th."""
    if math.gcd(_STRIDE, issued) != 1:
        raise ValueError(f"{issued} codes cannot be scattered by {_STRIDE}")
    return [rank * _STRIDE % issued for rank in ranks.tolist()]


def draw(cipher: SlotCipher, issued: int, count: int, *, touched: int, seed: int) -> Mix:
    """`count` scans on `issued` codes of which `touched` have been scanned.

    A repeat is of the item with rank r with a probability that falls as 1/r (Zipf's law), over all items scanned
    until then.
    """
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, size=count, p=SHARES).astype(np.uint8)
    if touched == 0:
        kinds[0] = Kind.FIRST
    is_first = kinds == Kind.FIRST
    known = touched + np.cumsum(is_first) - is_first  # items scanned before each scan
    ranks = np.where(is_first, known, np.exp(rng.random(count) * np.log(np.maximum(known, 1))).astype(np.int64) - 1)
    codes = map(cipher.encode, serials(ranks, issued))
    invented = rng.integers(0, 2**60, size=count)
    texts = b"".join(
        _FORGER.encode(int(invented[at])) if kind == Kind.FORGED else code
        for at, (kind, code) in enumerate(zip(kinds.tolist(), codes, strict=True))
    )
    return Mix(texts, kinds, ranks, int(known[-1] + is_first[-1]))


def forged(count: int, *, seed: int) -> bytes:
    """Codes with the right slot and check, made with another key."""
    first = int(np.random.default_rng(seed).integers(0, 2**59))
    return _FORGER.encode_range(first, count)


def check(mix: Mix, rows: bytes) -> int:
    """Raise unless the answers are right; returns how many scans were answered unrecorded (push-back of the store)."""
    seen = np.frombuffer(rows, dtype=ROW)
    expected = {Kind.FIRST: {"genuine"}, Kind.REPEAT: {"genuine", "repeat"}, Kind.FORGED: {"unknown"}}
    for kind, verdicts in expected.items():
        found = {VERDICTS[verdict] for verdict in np.unique(seen["verdict"][mix.kinds == kind])}
        if not found <= verdicts:
            raise AssertionError(f"{kind.name.lower()} scans answered {found - verdicts}")
    issued = mix.kinds != Kind.FORGED
    return int((seen["recorded"][issued] == 0).sum())
