"""Goal: what cannot be meant is refused with its field named, and what is encoded is what the engine takes.

Method: examples at and beyond every limit, and the core's own list of commands.
"""

import random
from typing import get_args

import msgspec
import pytest

from imp import _core, errors
from imp.commands import CODES_PER_LIST_MAX, COMMAND_BYTES_MAX, Activate, Command, Replace, Scope, encode
from imp.errors import Conflict, InvalidInput, Refused, error_of, invalid_request, kind_of
from imp.governance.status import running_low
from imp.registry.key_spaces import check_series, draw_slots, in_order
from imp.registry.schemas import OpenSeries
from imp.results import Catalogue, CatalogueKeySpace, PlannedFace, report_of


def refused_field(content: object, type_: object = Command) -> str:
    with pytest.raises(msgspec.ValidationError) as refusal:
        msgspec.json.decode(msgspec.json.encode(content), type=type_)
    return invalid_request(refusal.value).field


def test_every_command_of_the_core_has_its_struct() -> None:
    kinds = {struct.__struct_config__.tag for struct in get_args(Command)}
    assert kinds == set(_core.COMMAND_KINDS)


def test_unset_fields_are_not_sent() -> None:
    command = Activate(scope=Scope(order="o"), reason="r")
    assert encode(command) == b'{"command":"activate","scope":{"order":"o"},"reason":"r"}'


@pytest.mark.parametrize(
    "scope",
    [{}, {"order": "o", "codes": ["c"]}, {"order": "o", "first": 0}, {"codes": ["c"], "first": 0, "count": 1}],
)
def test_a_scope_is_an_order_a_range_or_a_list(scope: dict[str, object]) -> None:
    assert refused_field({"command": "void", "scope": scope, "reason": "r"}) == "scope"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 20_000_001}, "quantity"),
        ({"order": "a b"}, "order"),
        ({"order": "x" * 65}, "order"),
        ({"order": "ok\n"}, "order"),
        ({"lot": "x" * 21}, "lot"),
        ({"colour": "red"}, "request"),
    ],
)
def test_limits_of_an_order(change: dict[str, object], field: str) -> None:
    content = {"command": "issue", "order": "o", "series": "s", "quantity": 20_000_000}
    msgspec.json.decode(msgspec.json.encode(content), type=Command)
    assert refused_field(content | change) == field


def test_lists_have_a_limit() -> None:
    Scope(codes=["c"] * CODES_PER_LIST_MAX)
    content = {"command": "void", "scope": {"codes": ["c"] * (CODES_PER_LIST_MAX + 1)}, "reason": "r"}
    assert refused_field(content) == "scope.codes"
    texts = ["\x01" * 64] * CODES_PER_LIST_MAX  # escaped, each takes six times its size
    with pytest.raises(InvalidInput, match=str(COMMAND_BYTES_MAX)):
        encode(Replace(old=texts, new=texts, reason="r"))


def test_faces_fit_their_pairing() -> None:
    for pairing, faces in (("single", ()), ("single", ("inner",)), ("same_serial", ("inner", "outer"))):
        check_series(OpenSeries(series="s", domain="d", pairing=pairing, faces=faces))
    for pairing, faces in (("single", ("inner", "outer")), ("same_serial", ("outer",)), ("associated", ())):
        with pytest.raises(InvalidInput):
            check_series(OpenSeries(series="s", domain="d", pairing=pairing, faces=faces))
    with pytest.raises(InvalidInput):
        check_series(OpenSeries(series="s", domain="d", pairing="same_serial", faces=("outer", "outer")))
    assert in_order(["inner", "outer"]) == ["outer", "inner"]


def test_slots_are_drawn_from_the_free_ones() -> None:
    draw = random.Random(1)
    drawn = draw_slots(draw, "digits", set(range(98)), ["inner", "outer"])
    assert [face.face for face in drawn] == ["outer", "inner"]
    assert {face.slot for face in drawn} == {98, 99}
    with pytest.raises(Conflict, match="1 free digits slots"):
        draw_slots(draw, "digits", set(range(99)), ["inner", "outer"])


def key_space(issued: int, epoch: int = 1, slot: int = 0) -> CatalogueKeySpace:
    return CatalogueKeySpace(
        key_space=epoch,
        series="caps",
        epoch=epoch,
        domain="d.example",
        format="digits",
        level="item",
        pairing="single",
        key_bits=128,
        nonce="",
        faces=[PlannedFace(face="outer", slot=slot)],
        issued=issued,
        capacity=1_000,
    )


def test_running_low_is_told_in_time() -> None:
    def kinds(*spaces: CatalogueKeySpace) -> list[str]:
        return [alarm.kind for alarm in running_low("t", Catalogue(domains=[], key_spaces=list(spaces), products=[]))]

    assert kinds(key_space(800)) == []
    assert kinds(key_space(801)) == ["serials_low"]
    assert kinds(key_space(801), key_space(0, epoch=2)) == []
    assert kinds(*(key_space(0, slot=slot) for slot in range(90))) == []
    assert kinds(*(key_space(0, slot=slot) for slot in range(91))) == ["slots_low"]


def test_a_refused_report_is_raised_with_its_reason() -> None:
    assert report_of(b'{"status":"applied","changed":3}').changed == 3
    with pytest.raises(Refused, match="no such") as refusal:
        report_of(b'{"status":"refused","reason":"unknown_order","message":"no such"}')
    assert refusal.value.reason == "unknown_order"


def test_every_error_has_a_kind_and_comes_back_from_its_slug() -> None:
    raised = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    kinds = [cls for cls in raised if issubclass(cls, errors.ImpError) and cls is not errors.ImpError]
    for cls in kinds:
        error = cls("r", "m") if cls is Refused else cls("field: m")
        kind = kind_of(error)
        assert kind.slug != "internal", cls
        assert type(error_of(kind.slug, "field: m")) is cls
    assert kind_of(ValueError()).status == 500
