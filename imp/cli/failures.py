"""What a failure says: `error: what happened`, `hint: what to do`, an exit code, and with --json one document."""

import json
import re
import sys
import traceback

import click

INTERRUPTED = 130
USAGE = 2
STORAGE = 6

_HINT_INSIDE = re.compile(r"[;.] hint: ")
_HINTS = {
    "locked": "stop the other process, or let this command reach its server: run.json must be readable for this user",
    "busy": "repeat the command in a moment",
    "wrong-secret": "set IMP_SECRET, IMP_SECRET_FILE or IMP_SECRET_KMS to the secret the directory was made with",
    "incompatible-data": "use the version of IMP that wrote the directory, or a newer one",
    "corrupt-data": "restore the last backup into a new directory: imp restore --help",
    "storage": "check free space and permissions with: imp doctor",
    "poisoned": "free the disk or repair it, then restart the server; nothing acknowledged is lost",
    "closed": "repeat the command in a moment; the server was stopping or not ready",
    "unauthenticated": "the server does not know this token; restart the server or remove a stale run.json",
}


class Hinted(Exception):
    """An error with a hint that fits this place better than the general one."""

    def __init__(self, error: BaseException, hint: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.hint = hint


def report(error: BaseException, *, as_json: bool) -> int:
    """Print what happened to standard error (and as JSON to standard output); returns the exit code."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    slug, message, hint, code = _told(error)
    message, *inner = _HINT_INSIDE.split(message, maxsplit=1)
    hint = inner[0] if inner else hint
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    if as_json:
        document = {"error": slug, "message": message, "hint": hint, "exit_code": code}
        click.echo(json.dumps(document, ensure_ascii=False))
    return code


def _told(error: BaseException) -> tuple[str, str, str | None, int]:
    """(kind, message, hint, exit code)."""
    hint = None
    if isinstance(error, Hinted):
        error, hint = error.error, error.hint
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted", "interrupted", hint, INTERRUPTED
    if isinstance(error, click.UsageError):
        asked = error.ctx.command_path if error.ctx else "imp"
        return "usage", error.format_message(), hint or f"see: {asked} --help", USAGE
    if isinstance(error, click.ClickException):
        return "usage", error.format_message(), hint, USAGE
    from imp.errors import ImpError, kind_of  # noqa: PLC0415  # loads the native module, which usage errors do without

    kind = kind_of(error)
    if isinstance(error, ImpError):
        return kind.slug, str(error), hint or _HINTS.get(kind.slug), kind.exit_code
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return "storage", f"{place}{error.strerror or error}", hint or _HINTS["storage"], STORAGE
    traceback.print_exception(error, file=sys.stderr)
    return kind.slug, f"unexpected: {type(error).__name__}: {error}", "please report this with the lines above", 1
