"""Make sure that programs which tests and benchmarks work with are installed.

    python tools/system_packages.py wrk nginx-lua redis chromium postgresql

Root on Debian gets missing ones installed; anyone else gets one sentence with the command, and exit code 1.
"""

import os
import shutil
import sys
from pathlib import Path

from console import Stop, main_with_stop, run_quietly, say

PROGRAMS = {  # name: (programs, files, Debian packages)
    "wrk": (["wrk"], [], ["wrk"]),
    "nginx-lua": (
        ["nginx"],
        ["/usr/lib/nginx/modules/ngx_http_lua_module.so", "/usr/share/lua/5.1/nginx/redis.lua"],
        ["nginx", "libnginx-mod-http-lua", "lua-nginx-redis"],
    ),
    "redis": (["redis-server"], [], ["redis-server"]),
    "chromium": (["chromium"], [], ["chromium"]),
    "postgresql": (["initdb", "postgres", "psql"], [], ["postgresql"]),
}
# Debian keeps some programs where only root's PATH looks, and those of PostgreSQL in a folder of their version.
FOLDERS = ["/usr/sbin", "/usr/local/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]


def is_installed(name):
    """Whether every program and file of one entry is there."""
    programs, files, _packages = PROGRAMS[name]
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), *FOLDERS])
    return all(shutil.which(program, path=search) for program in programs) and all(
        Path(file).exists() for file in files
    )


def main():
    """Install or name what is missing."""
    unknown = [name for name in sys.argv[1:] if name not in PROGRAMS]
    if unknown:
        raise Stop(f"unknown program {unknown[0]}; choose from {', '.join(PROGRAMS)}")
    missing = [name for name in sys.argv[1:] if not is_installed(name)]
    if not missing:
        return 0
    packages = [package for name in missing for package in PROGRAMS[name][2]]
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if not (shutil.which("apt-get") and os.geteuid() == 0):
        raise Stop(
            f"{' and '.join(missing)} missing: install with `sudo {' '.join(install)}`, or your system's equivalent"
        )
    say("installing system packages: {}".format(" ".join(packages)))
    # RUNLEVEL=1 keeps the packages from starting their services: the peers are started by who compares with them.
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    run_quietly(["apt-get", "update"], "update the package lists", env=environment)
    run_quietly(install, "install {}".format(" ".join(packages)), env=environment)
    return 0


if __name__ == "__main__":
    main_with_stop(main)
