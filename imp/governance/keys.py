"""API keys: made once, shown once, kept as a SHA-256.

A key is `imp_` + 8 characters to find it by + `_` + 256 random bits. A slow password hash would add nothing: random
bits cannot be guessed from a dictionary.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from typing import cast

from sqlalchemy import select, tuple_

from imp.clock import Clock
from imp.database import Database, TenantRepository
from imp.errors import NotFound, Unauthenticated
from imp.governance.models import ApiKeyEntry
from imp.governance.schemas import ApiKey, CreatedKey, CreateKey, KeyPage, ListKeys, Principal, Role
from imp.registry.models import TenantEntry
from imp.wire import cut

__all__ = ["ApiKeys"]

_KEY_BYTES = 32
_PREFIX_BYTES = 5
_KNOWN_MAX = 10_000
_TRUST_US = 5_000_000


class ApiKeyRepository(TenantRepository[ApiKeyEntry]):
    model_type = ApiKeyEntry


class ApiKeys:
    """Making, listing, revoking and checking the API keys of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[int, Principal]] = {}
        self._revocations = 0

    async def create(self, tenant: str, request: CreateKey) -> CreatedKey:
        """Make a key."""
        prefix = base64.b32encode(secrets.token_bytes(_PREFIX_BYTES)).decode().lower()
        secret = f"imp_{prefix}_{base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode().rstrip('=')}"
        row = ApiKeyEntry(
            tenant=tenant,
            id=uuid.uuid4().hex,
            name=request.name,
            prefix=prefix,
            digest=_digest(secret),
            role=request.role,
            scopes=",".join(sorted(set(request.scopes))),
            created_at_us=self._clock(),
            revoked_at_us=None,
        )
        async with self._database.writing(tenant) as session:
            if await session.scalar(select(TenantEntry)) is None:
                raise NotFound(f"there is no tenant {tenant!r}")
            session.add(row)
        return CreatedKey(key=_shown(row), secret=secret)

    async def list(self, tenant: str, request: ListKeys) -> KeyPage:
        """Keys of a tenant, oldest first."""
        place = tuple_(ApiKeyEntry.created_at_us, ApiKeyEntry.id)
        statement = select(ApiKeyEntry).order_by(ApiKeyEntry.created_at_us, ApiKeyEntry.id).limit(request.limit + 1)
        if not request.include_revoked:
            statement = statement.where(ApiKeyEntry.revoked_at_us.is_(None))
        async with self._database.reading(tenant) as session:
            if request.after is not None:
                last = await ApiKeyRepository(session).get_one_or_none(id=request.after)
                if last is None:
                    raise NotFound(f"there is no API key {request.after!r}")
                statement = statement.where(place > (last.created_at_us, last.id))
            found = [_shown(row) for row in await session.scalars(statement)]
        rows, following = cut(found, request.limit, lambda key: key.id)
        return KeyPage(keys=rows, next=following)

    async def revoke(self, tenant: str, key_id: str) -> ApiKey:
        """Revoke a key at once."""
        try:
            async with self._database.writing(tenant) as session:
                row = await ApiKeyRepository(session).get_one_or_none(id=key_id)
                if row is None:
                    raise NotFound(f"there is no API key {key_id!r}")
                row.revoked_at_us = row.revoked_at_us or self._clock()
        finally:  # also when the caller gave up: the commit may have happened
            self._revocations += 1
            self._known.clear()
        return _shown(row)

    async def authenticate(self, secret: str) -> Principal:
        """Who a key stands for. Raises Unauthenticated; the answer is the same for unknown, wrong and revoked keys."""
        digest, now_us = _digest(secret), self._clock()
        known = self._known.get(digest)
        if known is not None and now_us - known[0] < _TRUST_US:
            return known[1]
        parts = secret.split("_", 2)
        revocations = self._revocations
        row = None
        if len(parts) == 3 and parts[0] == "imp":
            async with self._database.reading(None) as session:
                row = await session.scalar(select(ApiKeyEntry).where(ApiKeyEntry.prefix == parts[1]))
        if row is None or row.revoked_at_us is not None or not hmac.compare_digest(row.digest, digest):
            raise Unauthenticated("this API key is not known; hint: Authorization: Bearer imp_…")
        principal = Principal(
            key_id=row.id, tenant=row.tenant, role=cast("Role", row.role), scopes=frozenset(row.scopes.split(","))
        )
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        if revocations == self._revocations:  # otherwise the row may be from before its revocation
            self._known[digest] = (now_us, principal)
        return principal


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _shown(row: ApiKeyEntry) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        role=row.role,
        scopes=row.scopes.split(","),
        created_at_us=row.created_at_us,
        revoked_at_us=row.revoked_at_us,
    )
