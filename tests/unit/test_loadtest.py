"""Goal: a load run fails when the server does. Method: its judgement on made-up runs, its stage on a real engine."""

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from imp.directory import Directory
from imp.engine import ScanContext
from imp.settings import Settings
from loadtest.levels import LEVELS, Level, Seen, broken
from loadtest.shapes import SHAPES
from loadtest.stage import TENANT, Stage, build, codes_needed
from loadtest.summary import summary
from loadtest.verdicts import FIRST, REPEAT, Expected, difference

GOOD = Seen(name="consumer", requests=10_000, failed=0, wrong=0, p50_ms=2, p95_ms=50, p99_ms=100)


def changed(**fields: float) -> Seen:
    return msgspec.structs.replace(GOOD, **fields)


def test_levels_hold_at_their_bounds() -> None:
    assert LEVELS["consumer"] == Level(p95_ms=50, p99_ms=100, failed_share=0.001, wrong_share=0)
    assert not list(broken(changed(failed=10)))


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (changed(p95_ms=51), "consumer: p95 51 ms, at most 50 ms"),
        (changed(p99_ms=101), "consumer: p99 101 ms, at most 100 ms"),
        (changed(failed=11), "consumer: 11 of 10000 failed, at most 0.1%"),
        (changed(wrong=1), "consumer: 1 of 10000 answered wrongly, at most 0.0%"),
        (changed(requests=0), "consumer: no request, so nothing is proved"),
    ],
)
def test_each_broken_level_is_one_sentence(seen: Seen, sentence: str) -> None:
    assert list(broken(seen)) == [sentence]


def test_the_summary_ends_with_the_judgement() -> None:
    assert list(summary([GOOD], [GOOD], [], []))[-1] == "10,000 requests: service levels held"
    said = list(summary([GOOD], [GOOD], ["one"], ["two"]))
    assert said[-3:] == ["error: one", "broken: two", "10,000 requests: service levels broken: 1"]


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_stay_within_the_users_and_reach_them(name: str) -> None:
    users = [SHAPES[name].users(at / 1_000, 200) for at in range(1_001)]
    assert min(users) >= 1
    assert max(users) == 200


def test_a_campaign_multiplies_the_users_within_a_twentieth_of_the_run() -> None:
    assert SHAPES["spike"].users(0.4, 200) == 40
    assert SHAPES["spike"].users(0.45, 200) == 200


@pytest.mark.parametrize(
    ("body", "expected", "says"),
    [
        (b'{"verdict":"genuine","is_first":true,"scans":1}', FIRST, None),
        (b'{"verdict":"genuine","is_first":true,"scans":2}', FIRST, "scans is 2, expected 1"),
        (b'{"verdict":"genuine","is_first":false,"scans":2}', REPEAT, "verdict is 'genuine', expected 'repeat'"),
        (b'{"verdict":"genuine","is_first":null}', FIRST, "is_first is None, expected True"),
        (b'{"verdict":"void"}', Expected("void"), None),
        (b"<html>", FIRST, "no answer: JSON is malformed: invalid character (byte 0)"),
    ],
)
def test_an_answer_that_differs_is_told_apart(body: bytes, expected: Expected, says: str | None) -> None:
    assert difference(body, expected) == says


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Stage]:
    path = tmp_path_factory.mktemp("load") / "directory"
    return path, build(path, codes_needed(10, 5))


def test_every_code_of_the_stage_gets_the_verdict_it_stands_for(built: tuple[Path, Stage]) -> None:
    path, stage = built

    async def verdicts(sampled: dict[str, list[str]]) -> dict[str, set[str]]:
        async with await Directory.open(path, Settings(directory=path)) as directory:
            scan, context = directory.engine.scan, ScanContext(device=b"phone")
            return {
                verdict: {msgspec.json.decode(scan(TENANT, text.encode(), context))["verdict"] for text in texts}
                for verdict, texts in sampled.items()
            }

    rng = random.Random(1)
    sampled = {verdict: rng.sample(texts, 200) for verdict, texts in {**stage.others, "genuine": stage.fresh}.items()}
    assert asyncio.run(verdicts(sampled)) == {verdict: {verdict} for verdict in sampled}


def test_the_stage_hides_its_key(built: tuple[Path, Stage]) -> None:
    assert built[1].key not in repr(built[1])
