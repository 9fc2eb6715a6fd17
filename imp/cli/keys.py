"""`imp key`: API keys of a tenant."""

from typing import get_args

import click
import msgspec

from imp.cli import output
from imp.cli.options import Session, with_session, yes_option
from imp.cli.registry import after_option, limit_option, say_next
from imp.governance.schemas import ApiKey, CreatedKey, CreateKey, KeyPage, KeyScope, ListKeys, RevokeKey, Role

_ROLES: tuple[Role, ...] = get_args(Role)
_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)


@click.group("key")
def key_() -> None:
    """API keys: who may use /v1, and for what."""


@key_.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(_ROLES), default="system", show_default=True, help="Role its scans are made in."
)
@click.option(
    "--scope", "scopes", type=click.Choice(_SCOPES), multiple=True, default=("scan", "read"), show_default=True
)
@with_session
def create_key(opened: Session, name: str, role: str, scopes: tuple[str, ...]) -> None:
    """Make an API key for NAME. Its secret is shown this once and stored nowhere."""
    request = msgspec.convert({"name": name, "role": role, "scopes": list(scopes)}, CreateKey)
    opened.answer("create_key", request, CreatedKey, _show_created)


@key_.command("list")
@click.option("--all", "include_revoked", is_flag=True, help="Revoked ones too.")
@after_option
@limit_option
@with_session
def list_keys(opened: Session, after: str | None, limit: int, include_revoked: bool) -> None:
    """API keys, oldest first, without their secrets."""
    request = ListKeys(after=after, limit=limit, include_revoked=include_revoked)
    opened.answer("list_keys", request, KeyPage, _show_keys)


@key_.command("revoke")
@click.argument("key_id", metavar="ID")
@yes_option
@with_session
def revoke_key(opened: Session, key_id: str, yes: bool) -> None:
    """Revoke the API key ID at once and for ever."""
    output.confirm(f"revoke {key_id}? whoever uses it is locked out at once", yes=yes)
    opened.answer("revoke_key", RevokeKey(id=key_id), ApiKey, _show_key)


def _show_created(created: CreatedKey) -> None:
    _show_key(created.key)
    output.facts([("secret", created.secret)])
    output.note("keep the secret: it is not shown again")


def _show_key(key: ApiKey) -> None:
    revoked = output.day_time(key.revoked_at_us)
    output.facts([("id", key.id), ("name", key.name), ("role", key.role), ("scopes", key.scopes), ("revoked", revoked)])


def _show_keys(page: KeyPage) -> None:
    rows = [
        (
            key.id,
            key.name,
            key.prefix + "…",
            key.role,
            key.scopes,
            output.day_time(key.created_at_us),
            output.day_time(key.revoked_at_us),
        )
        for key in page.keys
    ]
    output.table("", ("id", "name", "begins", "role", "scopes", "created", "revoked"), rows)
    say_next(page.next)
