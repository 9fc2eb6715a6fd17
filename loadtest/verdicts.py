"""What an answer must say, and how an answer differs."""

import msgspec

from imp.results import Answer


class Expected(msgspec.Struct, frozen=True):
    """is_first, scans: None where they are not checked."""

    verdict: str
    is_first: bool | None = None
    scans: int | None = None


FIRST = Expected("genuine", is_first=True, scans=1)
SAME_SESSION = Expected("genuine", is_first=True)
REPEAT = Expected("repeat", is_first=False)


def difference(body: bytes, expected: Expected) -> str | None:
    """What is wrong with an answer, None when it is as expected."""
    try:
        answer = msgspec.json.decode(body, type=Answer)
    except msgspec.DecodeError as error:
        return f"no answer: {error}"
    for name in expected.__struct_fields__:
        wanted, found = getattr(expected, name), getattr(answer, name)
        if wanted is not None and wanted != found:
            return f"{name} is {found!r}, expected {wanted!r}"
    return None
