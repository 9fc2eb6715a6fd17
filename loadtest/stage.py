"""The directory that is loaded, and what its users know of it."""

import asyncio
import random
from pathlib import Path

import msgspec

from imp.codes import SlotCipher
from imp.commands import CODES_PER_ORDER_MAX, Activate, Freeze, Recall, Scope, StateCommand, Void
from imp.control import Control
from imp.directory import Directory
from imp.governance.schemas import ApplyCommand, CreateKey
from imp.issuing.schemas import IssueOrder
from imp.registry.schemas import AddDomain, AddTenant, OpenSeries, PutProduct
from imp.settings import Settings

TENANT, HOST, SERIES = "load", "id.load.example", "tins"
GTIN, LOT = "6901234500011", "LJ250406"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODES_PER_USER_SECOND = 5
"""More than a user takes."""
_OTHERS = 1_000
_STATES: dict[str, type[Freeze | Void | Recall] | None] = {
    "inactive": None,
    "frozen": Freeze,
    "void": Void,
    "recalled": Recall,
}
"""Verdict of an order that nobody may use, and the command that makes it so."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What users need. fresh: active codes nobody has scanned. others: codes by the verdict they must get."""

    host: str
    gtin: str
    lot: str
    key: str
    fresh: list[str]
    others: dict[str, list[str]]

    def __repr__(self) -> str:
        """Without the API key."""
        return f"Stage({len(self.fresh)} fresh codes)"


def codes_needed(users: int, seconds: int) -> int:
    """Fresh codes that last for a load."""
    return min(users * seconds * CODES_PER_USER_SECOND + 1_000, CODES_PER_ORDER_MAX)


def build(path: Path, fresh: int) -> Stage:
    """Make the directory in `path`."""
    settings = Settings(directory=path)
    Directory.init(path, settings)
    return asyncio.run(_fill(path, settings, fresh))


async def _fill(path: Path, settings: Settings, fresh: int) -> Stage:
    async with await Directory.open(path, settings) as directory:
        control = directory.control.acting("load")
        await control.add_tenant("", AddTenant(tenant=TENANT, name="Load"))
        await control.add_domain(TENANT, AddDomain(host=HOST))
        await control.put_product(TENANT, PutProduct(product="tea", name="明前龙井 绿茶 250克", gtin=GTIN))
        await control.open_series(TENANT, OpenSeries(series=SERIES, domain=HOST))
        await _issue(control, "fresh", fresh, [Activate(scope=Scope(order="fresh"), reason="delivered")])
        for state, command in _STATES.items():
            scope = Scope(order=state)
            commands: list[StateCommand] = []
            if command is not None:
                commands = [Activate(scope=scope, reason="delivered"), command(scope=scope, reason="load test")]
            await _issue(control, state, _OTHERS, commands)
        scopes = ("scan", "read")
        key = await control.create_key(TENANT, CreateKey(name="load", role="system", scopes=scopes))
        [(_face, slot, cipher_key)] = directory.engine.export_keys(TENANT, "fresh")
    cipher = SlotCipher("base32", slot, cipher_key)
    orders = {state: _codes(cipher, fresh + number * _OTHERS, _OTHERS) for number, state in enumerate(_STATES)}
    invented = {"unknown": _forged(slot), "mistyped": _mistyped(orders["inactive"]), "malformed": _malformed()}
    return Stage(
        host=HOST, gtin=GTIN, lot=LOT, key=key.secret, fresh=_codes(cipher, 0, fresh), others=orders | invented
    )


async def _issue(control: Control, order: str, quantity: int, commands: list[StateCommand]) -> None:
    # Without the word list every serial is issued, so the codes are known from their serials.
    request = IssueOrder(order=order, series=SERIES, quantity=quantity, product="tea", lot=LOT, word_list=0)
    await control.issue_order(TENANT, request)
    for command in commands:
        await control.apply_command(TENANT, ApplyCommand(command=command))


def _codes(cipher: SlotCipher, first: int, count: int) -> list[str]:
    text, width = cipher.encode_range(first, count).decode(), cipher.code_len
    return [text[at : at + width] for at in range(0, len(text), width)]


def _forged(slot: int) -> list[str]:
    """Made by somebody who knows everything but the key; half of them under a slot that does not exist."""
    known = _codes(SlotCipher("base32", slot, b"not the key here"), 0, _OTHERS // 2)
    return known + _codes(SlotCipher("base32", (slot + 1) % 1_024, b"not the key here"), 0, _OTHERS // 2)


def _mistyped(codes: list[str]) -> list[str]:
    """Codes with one character replaced."""
    rng = random.Random(1)
    typed: list[str] = []
    for code in codes:
        at = rng.randrange(len(code))
        wrong = rng.choice(ALPHABET.replace(code[at], ""))
        typed.append(code[:at] + wrong + code[at + 1 :])
    return typed


def _malformed() -> list[str]:
    """Not written like a code at all."""
    rng = random.Random(2)
    return ["".join(rng.choices(ALPHABET, k=rng.choice([1, 7, 14, 16, 19, 40]))) for _ in range(_OTHERS)]
