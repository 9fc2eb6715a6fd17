"""Requests and responses of the registry: tenants, domains, products, series."""

from typing import Annotated, Literal

import msgspec

from imp.commands import Face, FaceSlot, Format, Gtin, Host, Id, Level, Link, LongText, Pairing, Text
from imp.results import CatalogueKeySpace
from imp.wire import CommandRequest, PageRequest, Request, Response


class AddTenant(Request, frozen=True, kw_only=True):
    tenant: Id
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Tenant(Response, frozen=True, kw_only=True):
    tenant: str
    name: str
    created_at_us: int


class ListTenants(PageRequest, frozen=True, kw_only=True):
    pass


class Tenants(Response, frozen=True, kw_only=True):
    tenants: list[Tenant]
    next: str | None = None


class AddDomain(CommandRequest, frozen=True, kw_only=True):
    """Make a host name the tenant's scan domain; a host belongs to one tenant for ever."""

    host: Host


class Domain(Response, frozen=True, kw_only=True):
    host: str
    free_slots: dict[str, int]
    """Slots still free by format."""


class PutProduct(CommandRequest, frozen=True, kw_only=True):
    """Add a product or replace what is known of it."""

    product: Id
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    gtin: Gtin | None = None
    name_en: Text | None = None
    brand: Text | None = None
    brand_en: Text | None = None
    recall_instructions: LongText | None = None
    link: Link | None = None


class Product(Response, frozen=True, kw_only=True):
    product: str
    name: str
    gtin: str | None = None
    name_en: str | None = None
    brand: str | None = None
    brand_en: str | None = None
    recall_instructions: str | None = None
    link: str | None = None


class GetProduct(Request, frozen=True, kw_only=True):
    product: Id


class ListProducts(PageRequest, frozen=True, kw_only=True):
    pass


class Products(Response, frozen=True, kw_only=True):
    products: list[Product]
    next: str | None = None


class OpenSeries(CommandRequest, frozen=True, kw_only=True):
    """Open a series under a scan domain. No faces: a keyless series for imported foreign codes."""

    series: Id
    domain: Host
    format: Format = "base32"
    level: Level = "item"
    pairing: Pairing = "single"
    key_bits: Literal[128, 256] = 128
    faces: Annotated[tuple[Face, ...], msgspec.Meta(max_length=2)] = ("outer",)


class RenewSeries(CommandRequest, frozen=True, kw_only=True):
    """Open the next epoch of a series: fresh slots, fresh nonce, serials from 0. Codes already issued stay good."""

    series: Id


class KeySpace(Response, frozen=True, kw_only=True):
    """One epoch of a series and the slots its faces got."""

    series: str
    epoch: int
    domain: str
    format: str
    level: str
    pairing: str
    key_bits: int
    faces: list[FaceSlot]


class ListSeries(PageRequest, frozen=True, kw_only=True):
    pass


class Series(Response, frozen=True, kw_only=True):
    """A series with its latest epoch. issued / capacity count serials of that epoch."""

    series: str
    domain: str
    format: str
    level: str
    pairing: str
    key_bits: int
    epoch: int
    faces: list[FaceSlot]
    issued: int
    capacity: int


class SeriesPage(Response, frozen=True, kw_only=True):
    series: list[Series]
    next: str | None = None


def series_of(space: CatalogueKeySpace) -> Series:
    """A series as its newest epoch shows it."""
    return Series(
        series=space.series,
        domain=space.domain,
        format=space.format,
        level=space.level,
        pairing=space.pairing,
        key_bits=space.key_bits,
        epoch=space.epoch,
        faces=[FaceSlot(face.face, face.slot) for face in space.faces],
        issued=space.issued,
        capacity=space.capacity,
    )
