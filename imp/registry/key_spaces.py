"""How a key space comes to its slots and nonce.

At random, because a restored backup may not know those given out since.
"""

import random
import secrets
from collections.abc import Iterable, Sequence

from imp.commands import Face, FaceSlot, OpenKeySpace
from imp.errors import Conflict, invalid
from imp.registry import schemas

__all__ = ["DRAW", "FIRST_EPOCH", "SLOT_COUNTS", "check_series", "draw_slots", "in_order", "key_space_command"]

DRAW: random.Random = secrets.SystemRandom()
"""Where slots and nonces are drawn from; tests may pass a seeded one."""
SLOT_COUNTS: dict[str, int] = {"base32": 1_024, "digits": 100}
"""Slots a scan domain has by format (two clear characters)."""
FIRST_EPOCH = 1


def check_series(request: schemas.OpenSeries) -> None:
    """Faces and pairing must fit.

    Two faces of one serial are `same_serial`; associated faces come from a series each.
    """
    if len(set(request.faces)) != len(request.faces):
        raise invalid("faces", "a face is named once")
    accepted = {"single": (0, 1), "associated": (1,), "same_serial": (2,)}[request.pairing]
    if len(request.faces) not in accepted:
        raise invalid("pairing", "same_serial has two faces, associated one, single one or (for foreign codes) none")


def in_order(faces: Iterable[Face]) -> list[Face]:
    """Faces as they are always listed: outer before inner."""
    return sorted(faces, key=("outer", "inner").index)


def draw_slots(draw: random.Random, format_name: str, taken: set[int], faces: Sequence[Face]) -> list[FaceSlot]:
    """A free slot per face, at random. Conflict when the scan domain has none left."""
    free = sorted(set(range(SLOT_COUNTS[format_name])) - taken)
    if len(free) < len(faces):
        raise Conflict(f"the scan domain has {len(free)} free {format_name} slots left; hint: add another scan domain")
    return [FaceSlot(face, slot) for face, slot in zip(in_order(faces), draw.sample(free, len(faces)), strict=True)]


def key_space_command(
    request: schemas.OpenSeries, epoch: int, slots: list[FaceSlot], draw: random.Random
) -> OpenKeySpace:
    """The command that opens an epoch, with a fresh nonce."""
    return OpenKeySpace(
        series=request.series,
        epoch=epoch,
        domain=request.domain,
        level=request.level,
        pairing=request.pairing,
        faces=slots,
        format=request.format,
        key_bits=request.key_bits,
        nonce=draw.randbytes(16).hex(),
    )
