"""How a key space comes to its slots and nonce.

At random, because a restored backup may not know those given out since.
"""

import random
import secrets
from collections.abc import Sequence

from imp.commands import Face, FaceSlot, OpenKeySpace
from imp.errors import Conflict, invalid
from imp.registry import schemas

__all__ = ["DRAW", "FIRST_EPOCH", "SLOT_COUNTS", "check_series", "draw_slots", "key_space_command"]

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
    expected = 2 if request.pairing == "same_serial" else 1
    if request.faces and len(request.faces) != expected:
        raise invalid("pairing", "single and associated series have one face, same_serial has two")


def draw_slots(draw: random.Random, format_name: str, taken: set[int], faces: Sequence[Face]) -> list[FaceSlot]:
    """A free slot per face, at random. Conflict when the scan domain has none left."""
    free = sorted(set(range(SLOT_COUNTS[format_name])) - taken)
    if len(free) < len(faces):
        raise Conflict(f"the scan domain has {len(free)} free {format_name} slots left; hint: add another scan domain")
    return [FaceSlot(face, slot) for face, slot in zip(faces, draw.sample(free, len(faces)), strict=True)]


def key_space_command(
    request: schemas.OpenSeries, epoch: int, slots: list[FaceSlot], draw: random.Random
) -> OpenKeySpace:
    """The command that opens an epoch, with a fresh nonce. Keyless ones have neither format nor key."""
    keyed = bool(slots)
    return OpenKeySpace(
        series=request.series,
        epoch=epoch,
        domain=request.domain,
        level=request.level,
        pairing=request.pairing,
        faces=slots,
        format=request.format if keyed else None,
        key_bits=request.key_bits if keyed else None,
        nonce=draw.randbytes(16).hex() if keyed else None,
    )
