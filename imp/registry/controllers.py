"""Registry over the API: scan domains, products, series."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from imp.auth import needs
from imp.commands import Id
from imp.control import Control
from imp.governance.schemas import Principal
from imp.registry import schemas
from imp.wire import PageSize


class Domains(Controller):
    """Host names under which the tenant's codes live."""

    path = "/domains"
    tags = ("registry",)

    @post(opt=needs("add_domain"), summary="Add a scan domain")
    async def add_domain(
        self,
        data: JSONBody[schemas.AddDomain],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.Domain:
        """Make a host name the tenant's own; 409 when another tenant has it."""
        return await control.add_domain(principal.tenant, data)


class Products(Controller):
    """What the codes are on."""

    path = "/products"
    tags = ("registry",)

    @post(opt=needs("put_product"), status_code=200, summary="Add or replace a product")
    async def put_product(
        self,
        data: JSONBody[schemas.PutProduct],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.Product:
        """Answers to scans show the new product from now on."""
        return await control.put_product(principal.tenant, data)

    @get(opt=needs("list_products"), summary="List products")
    async def list_products(
        self,
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
        after: FromQuery[Id | None] = None,
        limit: FromQuery[PageSize] = 50,
    ) -> schemas.Products:
        """Products by id; `after` is the `next` of the page before."""
        return await control.list_products(principal.tenant, schemas.ListProducts(after=after, limit=limit))

    @get("/{product:str}", opt=needs("get_product"), summary="Get a product")
    async def get_product(
        self,
        product: FromPath[Id],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.Product:
        """One product of the tenant."""
        return await control.get_product(principal.tenant, schemas.GetProduct(product=product))


class SeriesRoutes(Controller):
    """Families of serials with their keys and slots."""

    path = "/series"
    tags = ("registry",)

    @post(opt=needs("open_series"), summary="Open a series")
    async def open_series(
        self,
        data: JSONBody[schemas.OpenSeries],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.KeySpace:
        """Slots and nonce are drawn at random; the same request again answers the same series."""
        return await control.open_series(principal.tenant, data)

    @post("/renewals", opt=needs("renew_series"), summary="Open the next epoch of a series")
    async def renew_series(
        self,
        data: JSONBody[schemas.RenewSeries],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.KeySpace:
        """Fresh slots and keys; codes already issued stay good."""
        return await control.renew_series(principal.tenant, data)

    @get(opt=needs("list_series"), summary="List series")
    async def list_series(
        self,
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
        after: FromQuery[Id | None] = None,
        limit: FromQuery[PageSize] = 50,
    ) -> schemas.SeriesPage:
        """Series by id, each with its latest epoch."""
        return await control.list_series(principal.tenant, schemas.ListSeries(after=after, limit=limit))
