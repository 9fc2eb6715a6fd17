"""Governance over the API: state commands and API keys."""

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from imp.auth import needs
from imp.commands import Id
from imp.control import Control
from imp.errors import Forbidden
from imp.governance import schemas
from imp.governance.schemas import Principal
from imp.results import Report
from imp.wire import PageSize


class Commands(Controller):
    """Changes of state: activate, freeze, unfreeze, void, replace, recall."""

    path = "/commands"
    tags = ("governance",)

    @post(opt=needs("apply_command"), status_code=200, summary="Apply a state command")
    async def apply_command(
        self,
        data: JSONBody[schemas.ApplyCommand],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> Report:
        """Apply a command durably, all of it or nothing; repeating an `event_id` answers the stored report."""
        return await control.apply_command(principal.tenant, data)

    @post("/preview", opt=needs("preview_command"), status_code=200, summary="Preview a state command")
    async def preview_command(
        self,
        data: JSONBody[schemas.PreviewCommand],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> Report:
        """The report applying would give now; nothing is stored. A refusal is a report here, not an error."""
        return await control.preview_command(principal.tenant, data)


class Keys(Controller):
    """API keys of the tenant."""

    path = "/keys"
    tags = ("governance",)

    @post(opt=needs("create_key"), summary="Make an API key")
    async def create_key(
        self,
        data: JSONBody[schemas.CreateKey],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.CreatedKey:
        """The secret is in this answer only. A key cannot make one that may do more than itself."""
        beyond = set(data.scopes) - principal.scopes
        if beyond:
            raise Forbidden(f"this API key lacks {', '.join(sorted(beyond))} itself and cannot give it")
        if data.role not in (principal.role, "consumer"):
            raise Forbidden(f"an API key with the role {principal.role!r} cannot give the role {data.role!r}")
        return await control.create_key(principal.tenant, data)

    @get(opt=needs("list_keys"), summary="List API keys")
    async def list_keys(
        self,
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
        after: FromQuery[Id | None] = None,
        limit: FromQuery[PageSize] = 50,
        include_revoked: FromQuery[bool] = False,  # a query parameter has no position
    ) -> schemas.KeyPage:
        """API keys without their secrets, oldest first; `after` is the `next` of the page before."""
        asked = schemas.ListKeys(after=after, limit=limit, include_revoked=include_revoked)
        return await control.list_keys(principal.tenant, asked)

    @delete("/{key:str}", opt=needs("revoke_key"), status_code=200, summary="Revoke an API key")
    async def revoke_key(
        self,
        key: FromPath[str],
        control: NamedDependency[Control],
        principal: NamedDependency[Principal],
    ) -> schemas.ApiKey:
        """The key stops working at once; revoking it again is harmless."""
        return await control.revoke_key(principal.tenant, schemas.RevokeKey(id=key))
