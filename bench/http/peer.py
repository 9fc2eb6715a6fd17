"""The peer: nginx with Lua in front of Redis, both on the server's core, with answers as long as IMP's."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.cores import SERVER_CORE
from bench.processes import free_port, running, wait_until

_TEMPLATE = Path(__file__).with_name("nginx.conf")
_SPLIT = b'"is_first":'


@contextmanager
def nginx_lua_redis(folder: Path, answer: bytes) -> Iterator[str]:
    """Address of the running peer: /scan/CODE counts in Redis, /static/CODE answers a constant.

    answer: IMP's answer to a first scan; the peer's are the same but for counts.
    """
    port, redis_port = free_port(), free_port()
    head, _, rest = answer.partition(_SPLIT)
    tail = rest[rest.index(b',"first_at"') :]
    config = _TEMPLATE.read_text("utf-8")
    filled = {
        "FOLDER": str(folder),
        "PORT": str(port),
        "REDIS_PORT": str(redis_port),
        "ANSWER_HEAD": (head + _SPLIT).decode(),
        "ANSWER_TAIL": tail.decode(),
    }
    for name, value in filled.items():
        config = config.replace(f"@{name}@", value)
    config_file, log = folder / "nginx.conf", folder / "peer.log"
    config_file.write_text(config, "utf-8")
    redis_command = [
        "redis-server",
        "--bind",
        "127.0.0.1",
        "--port",
        str(redis_port),
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    with ExitStack() as stack:
        redis = stack.enter_context(running(redis_command, log, core=SERVER_CORE))
        wait_until(lambda: is_listening(redis_port), "listening", redis, log)
        command = ["nginx", "-p", str(folder), "-e", str(folder / "nginx.log"), "-c", str(config_file)]
        nginx = stack.enter_context(running(command, log, core=SERVER_CORE))
        wait_until(lambda: is_listening(port), "listening", nginx, log)
        yield f"127.0.0.1:{port}"


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections at a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
