"""Databases and directories for the integration tests: SQLite files, and a PostgreSQL server on a Unix socket."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from imp.database import Database
from imp.directory import Directory
from imp.migrations import migrate
from imp.registry import schemas as registry
from imp.settings import Settings

SECRET = bytes(range(32)).hex()


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings(secret=SECRET)


@pytest.fixture(scope="session")
def postgres_socket() -> Generator[Path]:
    """Folder of the Unix socket of a PostgreSQL server that lives as long as the tests."""
    programs = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
    initdb = shutil.which("initdb") or (programs and str(programs / "initdb"))
    server = shutil.which("postgres") or (programs and str(programs / "postgres"))
    if not initdb or not server:
        told = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    # The server refuses to run as root, and a socket's path has at most 107 characters.
    as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="imp-pg-", dir="/tmp"))
    try:
        if as_owner:
            shutil.chown(folder, "postgres", "postgres")
        data = str(folder / "data")
        make = [*as_owner, initdb, "-D", data, "-U", "imp", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run(make, check=True, capture_output=True, cwd="/")
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", f"unix_socket_directories={folder}"]
        with subprocess.Popen(
            [*as_owner, server, "-D", data, *options], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            _wait_until_ready(process)
            yield folder
            process.terminate()
            process.communicate(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if b"ready to accept connections" in line:
            return
    pytest.fail("PostgreSQL did not start")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    socket = request.getfixturevalue("postgres_socket")
    name = f"t{uuid.uuid4().hex}"
    create = ["psql", "-h", str(socket), "-U", "imp", "-d", "postgres", "-qc", f"CREATE DATABASE {name}"]
    subprocess.run(create, check=True, capture_output=True)
    return f"postgresql://imp@/{name}?host={socket}"


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """An empty governance database with the schema of this version."""
    opened = Database(database_url)
    await migrate(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def managed(tmp_path: Path, settings: Settings, clock: Clock) -> AsyncGenerator[Directory]:
    """An open managed directory with tenant `acme`, scan domain `a.example` and product `tea`."""
    path = tmp_path / "managed"
    Directory.init(path, settings)
    async with await Directory.open(path, settings, clock=clock) as directory:
        await furnish(directory)
        yield directory


async def furnish(directory: Directory, tenant: str = "acme", host: str = "a.example") -> None:
    """Give a directory a tenant, a scan domain and a product."""
    control = directory.control
    if directory.managed is not None:
        await control.add_tenant("", registry.AddTenant(tenant=tenant, name=tenant.title()))
    await control.add_domain(tenant, registry.AddDomain(host=host))
    await control.put_product(tenant, registry.PutProduct(product="tea", name="\u8336"))
