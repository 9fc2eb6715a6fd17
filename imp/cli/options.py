"""Options that many commands share, and the session they describe."""

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from imp.cli import output
from imp.cli.door import Door, ask, opened, tenant_of
from imp.settings import Settings

type Command = Callable[..., Any]

_dir = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Data directory [IMP_DIRECTORY, var/imp]."
)
_tenant = click.option("--tenant", help="Brand owner; may be left out while there is only one.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
event_option = click.option(
    "--event-id", help="Id of this act, 32 hex digits; repeating it repeats the answer, not the act."
)


def settings_of(directory: Path | None, **overrides: object) -> Settings:
    """Settings from the environment and the options given."""
    return Settings.from_environment(None, directory=directory, **overrides)


def directory_options(command: Command) -> Command:
    """--dir and --json."""
    return _dir(_json(command))


class Session:
    """An open directory and how the caller wants its answers."""

    def __init__(self, door: Door, tenant: str | None, *, as_json: bool) -> None:
        self.door = door
        self.as_json = as_json
        self._wanted = tenant

    @functools.cached_property
    def tenant(self) -> str:
        """The tenant of this command."""
        return tenant_of(self.door, self._wanted)

    def ask[T](self, verb: str, request: msgspec.Struct, response: type[T]) -> T:
        """Run a verb for the tenant."""
        return ask(self.door, verb, self.tenant, request, response)

    def answer[T](self, verb: str, request: msgspec.Struct, response: type[T], show: Callable[[T], None]) -> None:
        """Run a verb for the tenant and print its answer: as it is with --json, otherwise by `show`."""
        self.print(self.door.raw(verb, self.tenant, request), response, show)

    def print[T](self, answer: bytes, response: type[T], show: Callable[[T], None]) -> None:
        """Print an answer."""
        if self.as_json:
            output.document(answer)
        else:
            show(msgspec.json.decode(answer, type=response))


@contextmanager
def session(directory: Path | None, tenant: str | None, *, as_json: bool) -> Generator[Session]:
    """Open the directory for one command."""
    with opened(settings_of(directory)) as door:
        yield Session(door, tenant, as_json=as_json)


def with_session(command: Command) -> Command:
    """Give a command --dir, --tenant, --json and an open session as its first argument."""

    @functools.wraps(command)
    def run(directory: Path | None, tenant: str | None, as_json: bool, **arguments: Any) -> Any:
        with session(directory, tenant, as_json=as_json) as opened_session:
            return command(opened_session, **arguments)

    return _dir(_tenant(_json(run)))
