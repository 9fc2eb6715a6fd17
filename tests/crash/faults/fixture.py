"""Writes tests/fixtures/v<format version>: a small engine directory, and beside it all that must be found in it.

Run once per released format version, from the repository: `PYTHONPATH=tests python -m crash.faults.fixture`. What is
there is never written again: that old directories open is the promise that the tests keep.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from crash.faults.driven import AT_US, TENANT, Driven, open_key_space

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
RIVAL = "rival"
SECOND_US = 1_000_000
FOREIGN = ["OLD-77-x", "E2801160600002", "中文-1"]
# RocksDB writes these anew at every opening.
NOT_DATA = ("LOCK", "LOG*", "OWNER*", "OPTIONS-*", "IDENTITY")


def fill_tables(driven: Driven) -> None:
    """Commands of every kind, and scans that leave records of every form."""
    for command in (
        {"command": "set_domain", "host": "c.example"},
        {
            "command": "set_product",
            "product": "tea",
            "gtin": "6901234567892",
            "name": "茶",
            "brand": "山",
            "name_en": "Tea",
        },
        open_key_space("pairs", [{"face": "outer", "slot": 1}, {"face": "inner", "slot": 2}], pairing="same_serial"),
        open_key_space("pallets", [{"face": "outer", "slot": 3}], format="digits", level="pallet", key_bits=256),
        open_key_space("old", []),
        {"command": "issue", "order": "spring", "series": "pairs", "product": "tea", "lot": "L1", "quantity": 1_000},
        {"command": "issue", "order": "pallets", "series": "pallets", "quantity": 4},
        {"command": "issue", "order": "late", "series": "pairs", "quantity": 5, "expires_at_us": AT_US + SECOND_US},
        {"command": "issue", "order": "clean", "series": "pairs", "quantity": 2_000, "word_list": 1},
        {"command": "import_aliases", "order": "foreign", "series": "old", "product": "tea", "texts": FOREIGN},
    ):
        driven.apply(command)

    def part(first: int, count: int) -> dict[str, Any]:
        return {"order": "spring", "first": first, "count": count}

    inner = driven.codes("spring", "inner")
    for scope in (part(0, 900), {"order": "pallets"}, {"order": "late"}, {"order": "foreign"}):
        driven.apply({"command": "activate", "scope": scope, "reason": "released"})
    driven.apply({"command": "void", "scope": part(10, 5), "reason": "spoilt"})
    driven.apply({"command": "freeze", "scope": part(20, 30), "reason": "leak"}, "leak")
    driven.apply({"command": "unfreeze", "hold": "leak", "scope": part(40, 5), "reason": "checked"})
    driven.apply({"command": "recall", "scope": part(60, 3), "reason": "mould", "instructions": "还给商店"}, "mould")
    driven.apply({"command": "replace", "old": inner[70:72], "new": inner[900:902], "reason": "torn labels"})
    driven.apply({"command": "set_domain", "host": "r.example"}, tenant=RIVAL)
    scan_some(driven, inner, AT_US)


def scan_some(driven: Driven, inner: list[str], now_us: int) -> None:
    """Sessions up to overflow, a position, an idempotency key, foreign codes, items that are not active."""
    for device in range(6):
        driven.scan(inner[0], f"phone {device}", now_us=now_us + device * SECOND_US)
    at = (31.2304, 121.4737, 30, "wgs84")
    driven.scan(inner[1], position=at, idempotency_key="key", caller="shop", now_us=now_us, address="203.0.113.9")
    for text in (*driven.codes("pallets")[:2], *FOREIGN, inner[11], inner[25], inner[61], inner[70]):
        driven.scan(text, now_us=now_us)


def fill_journal(driven: Driven) -> None:
    """What is found in the journal only, since the process is killed after it."""
    driven.apply({"command": "freeze", "scope": {"order": "pallets"}, "reason": "flood"}, "flood")
    scan_some(driven, driven.codes("spring", "inner")[100:200], AT_US + 60 * SECOND_US)


def found(driven: Driven) -> dict[str, Any]:
    """All that can be asked of the directory without changing it."""
    status = driven.status()
    stays = ("format_version", "epoch", "tenants", "orders", "codes_issued", "aliases", "last_seqs")
    names = [order["order"] for order in driven.ask("orders", tenant=TENANT)]
    inner = driven.codes("spring", "inner")
    scanned = [*inner[:2], *driven.codes("pallets")[:2], *FOREIGN, *inner[100:102]]
    others = [inner[index] for index in (11, 25, 41, 61, 70, 900, 999)] + driven.codes("spring")[:1]
    return {
        "status": {key: status[key] for key in (*stays, "ledger_origin", "ledger_leaves", "ledger_root")},
        "orders": {name: driven.ask("order", tenant=TENANT, order=name) for name in names},
        "catalogue": {tenant: driven.ask("catalogue", tenant=tenant) for tenant in (TENANT, RIVAL)},
        "lookups": {text: driven.ask("lookup", tenant=TENANT, text=text) for text in [*scanned, *others]},
        "reports": {
            event: driven.ask("applied", tenant=TENANT, event_id=event) for event in ("leak", "mould", "flood")
        },
    }


def main() -> None:
    """Tables from a checkpoint, a journal from a killed process on top of them."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first", Path(folder) / "second"
        with Driven(first).open() as driven:
            fill_tables(driven)
            driven.ask("checkpoint", path=str(second))
        with Driven(second).open() as driven:
            fill_journal(driven)
            expected = found(driven)
            driven.ask("durable")
        target = FIXTURES / f"v{expected['status']['format_version']}"
        shutil.copytree(second, target / "engine", ignore=shutil.ignore_patterns(*NOT_DATA))
    (target / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
