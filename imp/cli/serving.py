"""`imp serve`."""

from pathlib import Path

import click

from imp.cli import output
from imp.cli.options import settings_of
from imp.server import serve


@click.command("serve")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Data directory [IMP_DIRECTORY, var/imp].")
@click.option("--host", help="Address to listen at [IMP_HOST, 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen at; 0 takes a free one [IMP_PORT, 8000].")
@click.option("--trusted-proxy", "proxies", multiple=True, help="CIDR block whose X-Forwarded-For is believed.")
@click.option("--default-domain", help="Scan domain that answers for unknown hosts; for demonstrations only.")
@click.option("--insecure-cookie", is_flag=True, help="Device cookie without Secure, for plain http.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
def serve_(
    *,
    directory: Path | None,
    host: str | None,
    port: int | None,
    proxies: tuple[str, ...],
    default_domain: str | None,
    insecure_cookie: bool,
    log_level: str | None,
) -> int:
    """Answer scans and the API over HTTP until SIGTERM or Ctrl-C.

    Other commands on the same directory go through this server while it lives.
    """
    settings = settings_of(
        directory,
        host=host,
        port=port,
        trusted_proxies=list(proxies) or None,
        default_domain=default_domain,
        cookie_secure=False if insecure_cookie else None,
        log_level=log_level,
    )
    return serve(
        settings, lambda address: output.note(f"serving {settings.directory} at http://{address}/ until Ctrl-C")
    )
