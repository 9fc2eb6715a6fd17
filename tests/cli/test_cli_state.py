"""Commands on state do what they say, show it first where it is dangerous, and leave nothing when refused.

Method: each command on a real directory; counts and answers read back by other commands.
"""

from pathlib import Path

import pytest

from imp.commands import CODES_PER_LIST_MAX


def states(imp, order: str = "spring") -> dict[str, int]:
    return {name: count for name, count in imp("order", "show", order, "--json").json["by_state"].items() if count}


def test_from_nothing_to_a_first_scan(brand: Path, imp, codes: list[str]) -> None:
    assert imp("scan", codes[0], "--json").json["verdict"] == "inactive"
    report = imp("state", "activate", "--order", "spring", "--first", 0, "--count", 10, "--reason", "x", "--json").json
    assert report["changed"] == 10
    first, again = (imp("scan", codes[0], "--device", "d", "--json").json for _ in range(2))
    assert (first["verdict"], first["is_first"], first["product"]["gtin"]) == ("genuine", True, "6901234500011")
    assert (again["is_first"], again["scans"]) == (True, 2), "the same session"
    assert imp("scan", codes[0], "--device", "other", "--json").json["verdict"] == "repeat"
    found = imp("lookup", codes[0], "--json").json
    assert (found["state"], found["order"], found["index"]) == ("active", "spring", 0)
    both = imp("scan", codes[1], "nothing at all", "--no-count", "--json").json
    assert [answer["verdict"] for answer in both] == ["genuine", "malformed"]
    assert states(imp) == {"issued": 990, "active": 10}


def test_plain_output_is_lines_for_other_programs(brand: Path, imp) -> None:
    shown = dict(line.split(": ", 1) for line in imp("order", "show", "spring").out.splitlines())
    assert shown["quantity"] == "1000"
    assert shown["states"] == "1,000 issued"
    names, row = (line.split("\t") for line in imp("order", "list").out.splitlines())
    assert dict(zip(names, row, strict=True))["order"] == "spring"
    assert imp("order", "list", "--json").json["orders"][0]["order"] == "spring"


@pytest.mark.parametrize("command", ["freeze", "void", "recall"])
def test_dangerous_commands_show_first_and_need_a_yes(brand: Path, imp, command: str) -> None:
    asked = ("state", command, "--order", "spring", "--reason", "x")
    assert imp(*asked, "--dry-run", "--json").json["changed"] == 1_000
    refused = imp(*asked, code=2)
    assert "1,000 items would change" in refused.err
    assert "--yes" in refused.err
    assert states(imp) == {"issued": 1_000}
    assert imp(*asked, "--yes", "--json").json["changed"] == 1_000


def test_holds_are_removed_by_their_id_wholly_or_in_part(brand: Path, imp) -> None:
    report = imp(
        "state", "freeze", "--order", "spring", "--first", 5, "--count", 20, "--reason", "x", "--yes", "--json"
    ).json
    assert states(imp) == {"issued": 980, "frozen": 20}
    imp("state", "unfreeze", "--hold", report["hold"], "--order", "spring", "--first", 5, "--count", 5, "--reason", "y")
    assert states(imp) == {"issued": 985, "frozen": 15}
    imp("state", "unfreeze", "--hold", report["hold"], "--reason", "y")
    assert states(imp) == {"issued": 1_000}
    assert imp("state", "unfreeze", "--hold", "0" * 32, "--reason", "y", code=None).code in (3, 4)


def test_a_file_of_codes_is_taken_whole_or_not_at_all(brand: Path, imp, codes: list[str], tmp_path: Path) -> None:
    listed = tmp_path / "codes.txt"
    listed.write_text("\n".join([*codes[:3], "", "NOT-A-CODE"]) + "\n")
    refused = imp("state", "activate", "--codes-file", listed, "--reason", "x", code=3)
    assert "NOT-A-CODE" in refused.err
    assert states(imp) == {"issued": 1_000}
    listed.write_text("\n".join([*codes[:3], "x" * 65]))
    assert "line 4" in imp("state", "activate", "--codes-file", listed, "--reason", "x", code=2).err
    listed.write_bytes(b"\xff\xfe\n")
    assert "line 1" in imp("state", "activate", "--codes-file", listed, "--reason", "x", code=2).err
    listed.write_text("A\n" * (CODES_PER_LIST_MAX + 1))
    assert f"{CODES_PER_LIST_MAX:,}" in imp("state", "activate", "--codes-file", listed, "--reason", "x", code=2).err
    listed.write_text("\n".join(codes[:3]))
    assert imp("state", "activate", "--codes-file", listed, "--reason", "x", "--json").json["changed"] == 3


def test_strict_and_repeated_commands(brand: Path, imp, codes: list[str]) -> None:
    event = "ab" * 16
    act = ("state", "void", codes[0], "--reason", "x", "--yes", "--json")
    first = imp(*act, "--event-id", event).json
    assert imp(*act, "--event-id", event).json == first, "the same act, the same answer"
    assert imp(*act).json["already"] == 1
    assert imp("state", "activate", codes[0], "--reason", "x", "--json", code=3).json["error"] == "refused"
    imp("state", "activate", "--order", "spring", "--strict", "--reason", "x", code=3)
    report = imp("state", "activate", "--order", "spring", "--reason", "x", "--json").json
    assert (report["changed"], report["skipped"]) == (999, 1)


def test_replace_takes_pairs_from_a_file(brand: Path, imp, codes: list[str], tmp_path: Path) -> None:
    imp("state", "activate", "--order", "spring", "--first", 0, "--count", 2, "--reason", "x")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"{codes[0]},{codes[500]}\n\n{codes[1]}\t{codes[501]}\n")
    assert imp("state", "replace", pairs, "--reason", "smudged", "--dry-run", "--json").json["status"] == "applied"
    imp("state", "replace", pairs, "--reason", "smudged", "--yes")
    verdicts = [imp("scan", code, "--json").json["verdict"] for code in (codes[0], codes[500])]
    assert verdicts == ["void", "genuine"]
    pairs.write_text(f"{codes[2]}\n")
    assert "line 1" in imp("state", "replace", pairs, "--reason", "x", "--yes", code=2).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("state", "activate", "--reason", "x"),
        ("state", "activate", "--order", "spring", "--first", 0, "--reason", "x"),
        ("state", "activate", "--order", "spring", "ABC", "--reason", "x"),
        ("state", "activate", "--order", "spring"),
        ("scan",),
        ("series", "open", "s", "--domain", "id.acme.example", "--foreign", "--face", "inner"),
        ("issue", "order", "--series", "tins", "--quantity", 0),
        ("issue", "order", "--series", "tins", "--quantity", 20_000_001),
        ("issue", "not an id", "--series", "tins", "--quantity", 1),
        ("nothing",),
    ],
)
def test_wrong_usage_exits_with_two(brand: Path, imp, arguments: tuple[object, ...]) -> None:
    refused = imp(*arguments, code=2)
    assert refused.err.startswith("error: ")
    assert refused.out == ""


def test_what_is_missing_or_contradicts(brand: Path, imp) -> None:
    assert imp("order", "show", "nothing", "--json", code=4).json["error"] == "not-found"
    imp(
        "issue",
        "spring",
        "--series",
        "tins",
        "--quantity",
        1_000,
        "--product",
        "tea",
        "--lot",
        "L1",
        "--no-word-filter",
    )
    imp("issue", "spring", "--series", "tins", "--quantity", 7, code=3)
    imp("tenant", "add", "other", "--name", "Other")
    assert "acme, other" in imp("order", "list", code=2).err
    assert imp("order", "list", "--tenant", "other", "--json").json["orders"] == []
    imp("order", "show", "spring", "--tenant", "other", code=4)


def test_registry_and_keys(brand: Path, imp) -> None:
    assert imp("tenant", "list", "--json").json["tenants"][0]["tenant"] == "acme"
    assert imp("product", "show", "tea", "--json").json["name"] == "茶"
    assert "tea" in imp("product", "list").out
    opened = imp("series", "open", "cakes", "--domain", "id.acme.example", "--pairing", "same_serial", "--json").json
    assert [face["face"] for face in opened["faces"]] == ["outer", "inner"]
    assert imp("series", "renew", "cakes", "--yes", "--json").json["epoch"] == opened["epoch"] + 1
    assert "--yes" in imp("series", "renew", "cakes", code=2).err
    assert len(imp("series", "list", "--json").json["series"]) == 2
    made = imp("key", "create", "shop", "--scope", "scan", "--json").json
    assert made["key"]["prefix"] in made["secret"]
    assert made["secret"] not in imp("key", "list", "--json").out
    imp("key", "revoke", made["key"]["id"], "--yes")
    assert imp("key", "list", "--json").json["keys"] == []
    assert len(imp("key", "list", "--all", "--json").json["keys"]) == 1
