"""A managed data directory to serve: active codes to scan, one large order to export, an API key."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from imp.codes import SlotCipher
from imp.commands import Activate, Scope
from imp.directory import Directory
from imp.governance.schemas import ApplyCommand, CreateKey
from imp.issuing.schemas import IssueOrder
from imp.registry.schemas import AddDomain, AddTenant, OpenSeries, PutProduct
from imp.settings import Settings

TENANT, HOST = "bench", "id.bench.example"
SCANNED, EXPORTED = "scanned", "exported"
"""Orders: the one whose codes are scanned, and the large one."""


class Made(NamedTuple):
    """What a load needs to know. codes: of the order that is scanned. key: of an API client that may do everything."""

    path: Path
    codes: list[bytes]
    key: str


def make(path: Path, scanned: int, exported: int) -> Made:
    """A new directory with `scanned` active codes and an order of `exported` codes (0: none)."""
    settings = Settings(directory=path)
    Directory.init(path, settings)
    return asyncio.run(_fill(path, settings, scanned, exported))


async def _fill(path: Path, settings: Settings, scanned: int, exported: int) -> Made:
    async with await Directory.open(path, settings) as directory:
        control = directory.control.acting("bench")
        await control.add_tenant("", AddTenant(tenant=TENANT, name="Bench"))
        await control.add_domain(TENANT, AddDomain(host=HOST))
        product = PutProduct(product="tea", name="明前龙井 绿茶 250克", gtin="6901234500011", brand="青山茶业")
        await control.put_product(TENANT, product)
        await control.open_series(TENANT, OpenSeries(series="tins", domain=HOST))
        for order, quantity in ((SCANNED, scanned), (EXPORTED, exported)):
            if quantity:
                request = IssueOrder(
                    order=order, series="tins", quantity=quantity, product="tea", lot="LJ250406", word_list=0
                )
                await control.issue_order(TENANT, request)
        activate = Activate(scope=Scope(order=SCANNED), reason="delivered")
        await control.apply_command(TENANT, ApplyCommand(command=activate))
        scopes = ("scan", "read", "command")
        created = await control.create_key(TENANT, CreateKey(name="bench", role="system", scopes=scopes))
        [(_face, slot, key)] = directory.engine.export_keys(TENANT, SCANNED)
        buffer = SlotCipher("base32", slot, key).encode_range(0, scanned)
    return Made(path, [buffer[at : at + 15] for at in range(0, len(buffer), 15)], created.secret)
