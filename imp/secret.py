"""Where the 32-byte master secret comes from.

It is never logged nor shown by `repr`; keep it apart from the backups.
"""

import importlib
import os
import secrets
import stat
from pathlib import Path
from typing import final

from imp.errors import NotFound, StorageError, invalid
from imp.settings import Settings

__all__ = ["SECRET_BYTES", "Secret", "is_elsewhere", "make_secret_file", "read_secret", "read_secret_file"]

SECRET_BYTES = 32
_FILE_BYTES_MAX = 1_024


@final
class Secret:
    """A master secret that does not show itself."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes, source: str = "secret") -> None:
        if len(value) != SECRET_BYTES:
            raise invalid(
                source, f"the master secret has {SECRET_BYTES} bytes, written as {2 * SECRET_BYTES} hexadecimal digits"
            )
        self._bytes = value

    def reveal(self) -> bytes:
        """The 32 bytes, for the engine only."""
        return self._bytes

    def __repr__(self) -> str:
        return "Secret(…)"


def read_secret(directory: Path, settings: Settings) -> Secret:
    """The master secret as the settings say, otherwise the file `secret` in the data directory.

    Raises InvalidInput when more than one source is set, when a file can be read by others, or when the text is not a
    secret.
    """
    sources = [name for name in ("secret", "secret_file", "secret_kms") if getattr(settings, name) is not None]
    if len(sources) > 1:
        raise invalid(sources[1], f"set only one of {', '.join('IMP_' + name.upper() for name in sources)}")
    if settings.secret is not None:
        return _from_text(settings.secret, "secret")
    if settings.secret_kms is not None:
        return _from_service(settings.secret_kms)
    return read_secret_file(settings.secret_file or directory / "secret")


def is_elsewhere(settings: Settings) -> bool:
    """Whether the settings take the secret from outside the data directory."""
    return any(value is not None for value in (settings.secret, settings.secret_file, settings.secret_kms))


def read_secret_file(path: Path) -> Secret:
    """The master secret in a file that only its owner may read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(
            f"there is no master secret at {path}; hint: copy the file there or set IMP_SECRET_FILE"
        ) from None
    except OSError as error:
        raise StorageError(f"the master secret at {path} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            raise invalid("secret_file", f"{path} is not a file")
        if mode & 0o077:
            shown = f"{mode & 0o777:04o}"
            raise invalid("secret_file", f"others can read {path} (mode {shown}); hint: chmod 600 {path}")
        text = file.read(_FILE_BYTES_MAX)
    return _from_text(text.decode("ascii", "replace"), "secret_file")


def make_secret_file(path: Path, secret: Secret | None = None) -> Secret:
    """Write a secret (a fresh random one unless given) to a new file with mode 0600, synced to disk."""
    secret = secret or Secret(secrets.token_bytes(SECRET_BYTES))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.reveal().hex() + "\n")
        file.flush()
        os.fsync(descriptor)
    return secret


def _from_text(text: str, source: str) -> Secret:
    try:
        value = bytes.fromhex(text.strip())
    except ValueError:
        value = b""  # the length check below says what is accepted, without showing what was given
    return Secret(value, source)


def _from_service(adapter: str) -> Secret:
    module, _, name = adapter.partition(":")
    try:
        call = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise invalid("secret_kms", f"cannot load {adapter!r} ({error}); accepted is module:callable") from None
    return Secret(bytes(call()), "secret_kms")
