"""Settings of one process, read once from the environment (`IMP_*`) and passed on."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import msgspec

from imp.errors import invalid, invalid_request

__all__ = ["Settings", "without_settings"]

_PREFIX = "IMP_"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a data directory is opened and served. Every field is an environment variable: `IMP_` + the name in capitals.

    Lists are comma-separated there, truth values are `true`/`false`.
    """

    directory: Path = Path("var/imp")
    """The data directory."""
    database_url: str | None = None
    """SQLAlchemy address of the governance database; without one, SQLite inside the data directory."""
    secret: str | None = None
    """Master secret as 64 hexadecimal digits."""
    secret_file: Path | None = None
    """File with the master secret, readable by its owner only; default: `secret` in the data directory."""
    secret_kms: str | None = None
    """`module:callable` that returns the 32 bytes of the master secret (adapter of a key management service)."""
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    trusted_proxies: tuple[str, ...] = ()
    """CIDR blocks whose X-Forwarded-For is believed."""
    default_domain: str | None = None
    """Scan domain that answers for unknown hosts; for demonstrations only."""
    cookie_secure: bool = True
    """Set `Secure` on the device cookie."""
    utc_offset_minutes: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    """Offset from UTC of the times that pages show; China Standard Time unless set."""
    session_us: Annotated[int, msgspec.Meta(ge=1_000_000, le=86_400_000_000)] = 600_000_000
    """Length of a scan session from its start."""
    flush_interval_us: Annotated[int, msgspec.Meta(ge=1_000, le=10_000_000)] = 50_000
    """Longest time a scan may stay unflushed to disk."""
    block_cache_bytes: Annotated[int, msgspec.Meta(ge=8_388_608)] = 268_435_456
    open_timeout_us: Annotated[int, msgspec.Meta(ge=0, le=600_000_000)] = 10_000_000
    """How long opening waits for a dying owner of the directory."""
    log_level: str = "info"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: object) -> Self:
        """Settings from `IMP_*` variables; overrides that are not None win (command line options).

        Raises InvalidInput naming an unknown variable or the one whose value is not accepted.
        """
        environment = os.environ if environment is None else environment
        names = set(cls.__struct_fields__)
        values: dict[str, object] = {}
        for variable, text in environment.items():
            if not variable.startswith(_PREFIX):
                continue
            name = variable.removeprefix(_PREFIX).lower()
            if name not in names:
                raise invalid(variable, f"no such setting; known are {', '.join(sorted(names))}")
            values[name] = text.split(",") if name == "trusted_proxies" and text else text or None
        values = {name: value for name, value in values.items() if value is not None}
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return msgspec.convert(values, cls, strict=False, dec_hook=_from_text)
        except msgspec.ValidationError as error:
            raise invalid_request(error) from None

    def __repr__(self) -> str:
        """Never shows the secret or the password inside the database address."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["secret"] = None if self.secret is None else "…"
        shown["database_url"] = None if self.database_url is None else self.database_url.split("://")[0] + "://…"
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def without_settings() -> dict[str, str]:
    """The environment for processes that need no setting: what secrets and passwords `IMP_*` holds stays here."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}


def _from_text(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    raise NotImplementedError(kind)
