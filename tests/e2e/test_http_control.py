"""Goal: the control plane does what its description says and refuses what it must, always as a problem document.
Method: requests to a real server that serves a directory with codes of every kind.
"""

import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import msgspec
import pyarrow.csv
import pyarrow.parquet
import pytest
from served import CODES_PER_KIND, HOST, Server, World, exchange

from imp.problems import MEDIA_TYPE, TYPE_PREFIX
from imp.scan.schemas import SCANS_PER_BATCH_MAX
from imp.wire import CALLER_TEXT_BYTES_MAX

BODY_BYTES_MAX = 1024 * 1024
EVENT = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def client(server: Server, world: World) -> Iterator[httpx.Client]:
    """A client with the key that may do everything. A lagging loop asks for a repeat, so repeats are allowed."""
    with Repeating(base_url=server.url, headers={"authorization": f"Bearer {world.keys['all']}"}, timeout=20) as made:
        yield made


class Repeating(httpx.Client):
    """Repeats what the server asks to repeat, as a good client does."""

    def request(self, *args: Any, **kwargs: Any) -> httpx.Response:
        """Send, and send again while the answer is 503 with Retry-After."""
        for _ in range(10):
            answer = super().request(*args, **kwargs)
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                break
        return answer


def as_key(key: str) -> dict[str, str]:
    """Headers of another API key."""
    return {"authorization": f"Bearer {key}"}


def check_problem(answer: httpx.Response, status: int, slug: str) -> Any:
    """The answer is this problem and says nothing about the inside of the server."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), answer.text
    told = answer.json()
    assert (told["type"], told["status"]) == (TYPE_PREFIX + slug, status)
    assert told["title"]
    assert told["detail"]
    assert not re.search(r"Traceback|\.py|File \"|imp\.|litestar|msgspec", answer.text), answer.text
    return told


# keys and rights -------------------------------------------------------------------------------------


def routes_that_need_a_key(client: httpx.Client) -> list[tuple[str, str]]:
    """Every route under /v1, from the server's own description."""
    paths = client.get("/docs/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, item in paths.items() if path.startswith("/v1/") for method in item]
    assert len(found) >= 20
    return found


def test_every_route_refuses_strangers(client: httpx.Client, server: Server) -> None:
    """No key, a wrong scheme and an unknown key get 401 before anything of the request is looked at."""
    for method, path in routes_that_need_a_key(client):
        for headers in ({}, {"authorization": "Basic aW1wOmltcA=="}, {"authorization": "Bearer imp_nobody"}):
            answer = httpx.request(method, server.url + path, headers=headers, content=b"not even JSON")
            check_problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_every_route_wants_its_scope(client: httpx.Client, world: World) -> None:
    """A key with the scope `read` reads and nothing else; the refusal says what is missing."""
    for method, path in routes_that_need_a_key(client):
        answer = client.request(method, path, headers=as_key(world.keys["read"]), content=b"{}")
        if answer.status_code == 403:
            assert "lacks the scope" in check_problem(answer, 403, "forbidden")["detail"]
        else:
            assert method == "GET", path
            assert answer.status_code in {200, 400, 404}  # names in braces are not always acceptable names


def test_other_tenants_things_do_not_exist(client: httpx.Client, world: World) -> None:
    """Another tenant's key finds neither order, product nor code; commanding them is as commanding nothing."""
    other = as_key(world.keys["other"])
    product = client.get("/v1/products").json()["products"][0]["product"]
    code = world.order_codes["active"][0]
    for path in ("/v1/orders/active", "/v1/orders/active/codes", f"/v1/products/{product}"):
        assert client.get(path).status_code == 200, path
        check_problem(client.get(path, headers=other), 404, "not-found")
    freeze = {"command": {"command": "freeze", "scope": {"order": "active"}, "reason": "x"}}
    refused = check_problem(client.post("/v1/commands", json=freeze, headers=other), 422, "refused")
    freeze["command"]["scope"]["order"] = "nothing"
    assert check_problem(client.post("/v1/commands", json=freeze), 422, "refused")["reason"] == refused["reason"]
    assert client.post("/v1/scans", json={"code": code}, headers=other).json()["verdict"] == "unknown"
    assert client.get("/v1/orders", headers=other).json()["orders"] == []


def test_keys_give_no_more_than_they_have(client: httpx.Client) -> None:
    """A key makes keys within its own scopes and role; a revoked key stops at once."""
    check_problem(client.post("/v1/keys", json={"name": "x", "role": "risk", "scopes": ["scan"]}), 403, "forbidden")
    made = client.post("/v1/keys", json={"name": "x", "role": "consumer", "scopes": ["scan", "keys"]})
    assert made.status_code == 201
    secret, key = made.json()["secret"], made.json()["key"]["id"]
    beyond = client.post(
        "/v1/keys", json={"name": "y", "role": "consumer", "scopes": ["export"]}, headers=as_key(secret)
    )
    check_problem(beyond, 403, "forbidden")
    assert secret not in client.get("/v1/keys").text
    assert client.delete(f"/v1/keys/{key}").json()["revoked_at_us"]
    check_problem(client.post("/v1/scans", json={"code": "x"}, headers=as_key(secret)), 401, "unauthenticated")


# scans -----------------------------------------------------------------------------------------------


def test_scan_counts_and_look_up_does_not(client: httpx.Client, world: World) -> None:
    """POST /v1/scans counts, an idempotency key counts once, GET /v1/codes never does."""
    code = world.pools["active"].take()
    body = {"code": code, "device": "phone-1", "idempotency_key": "a"}
    first = client.post("/v1/scans", json=body).json()
    assert (first["verdict"], first["is_first"], first["scans"]) == ("genuine", True, 1)
    assert client.post("/v1/scans", json=body).json() == first
    other = client.post("/v1/scans", json={"code": code, "device": "phone-2"}).json()
    assert (other["verdict"], other["is_first"], other["scans"]) == ("repeat", False, 2)
    client.post("/v1/scans", json={"code": code, "count": False})
    for _ in range(2):
        known = client.get(f"/v1/codes/{code}").json()
        assert (known["state"], known["order"], known["faces"][0]["scans"]) == ("active", "active", 2)


@pytest.mark.parametrize("field", ["idempotency_key", "device"])
@pytest.mark.parametrize("text", ["k" * CALLER_TEXT_BYTES_MAX, "é" * (CALLER_TEXT_BYTES_MAX // 2)])
def test_texts_of_callers_have_a_limit_in_bytes(client: httpx.Client, world: World, field: str, text: str) -> None:
    """128 bytes of UTF-8 are taken, one more is refused by name, alone and inside a batch."""
    body = {"code": world.pools["active"].take(), field: text}
    assert client.post("/v1/scans", json=body).json()["scans"] == 1
    body[field] += "k"
    for path, asked in (("/v1/scans", body), ("/v1/scans/batch", {"scans": [body]})):
        told = check_problem(client.post(path, json=asked), 400, "invalid-input")
        assert field in told["detail"]
        assert "128" in told["detail"]
    for rest in ("", None):
        answer = client.post("/v1/scans", json={**body, field: rest})
        assert answer.status_code == (200 if rest is None else 400)


def test_idempotency_keys_belong_to_their_caller(client: httpx.Client, world: World) -> None:
    """The same key of another API key is another scan; of the same one it is none."""
    body = {"code": world.pools["active"].take(), "device": "d", "idempotency_key": "k" * CALLER_TEXT_BYTES_MAX}
    for key, scans in (("all", 1), ("all", 1), ("risk", 2), ("risk", 2)):
        answer = client.post("/v1/scans", json={**body, "role": "consumer"}, headers=as_key(world.keys[key]))
        assert answer.json()["scans"] == scans, answer.text


def test_only_risk_reads_why_a_code_is_unknown(client: httpx.Client, world: World) -> None:
    """Forged codes and unknown slots look alike to everybody else: the reason would tell a forger what to guess."""
    forged, strange = world.pools["unissued"].take(), world.pools["strange"].take()
    seen = {code: client.get(f"/v1/codes/{code}").json() for code in (forged, strange)}
    assert [(found["state"], found["reason"]) for found in seen.values()] == [("unknown", None)] * 2
    risk = as_key(world.keys["risk"])
    assert client.get(f"/v1/codes/{forged}", headers=risk).json()["reason"] == "serial_not_issued"
    assert client.get(f"/v1/codes/{strange}", headers=risk).json()["reason"] == "slot_unknown"


def test_scan_takes_all_of_its_context(client: httpx.Client, world: World) -> None:
    """Every field of a scan is taken; a mismatching GTIN answers as the link would."""
    body = {
        "code": world.pools["active"].take(),
        "channel": 7,
        "address": "192.0.2.9",
        "user_agent": "app/1",
        "position": {"lat": 31.23, "lon": 121.47, "accuracy_m": 15, "datum": "gcj02"},
        "language": "en",
        "at_us": 1_700_000_000_000_000,
        "gtin": "04006381333931",
    }
    answer = client.post("/v1/scans", json=body).json()
    assert (answer["verdict"], answer["reasons"]) == ("mistyped", ["gtin_mismatch"])
    assert client.post("/v1/scans", json={**body, "gtin": None}).json()["is_first"] is True


def test_batch_answers_in_order(client: httpx.Client, world: World) -> None:
    """Each answer of a batch has the bytes the code would get alone."""
    codes = [world.pools["unissued"].take(), "ABC", world.pools["void"].take(), world.pools["mistyped"].take()]
    alone = [client.post("/v1/scans", json={"code": code}).content for code in codes]
    batch = client.post("/v1/scans/batch", json={"scans": [{"code": code} for code in codes]})
    assert batch.content == b'{"answers":[' + b",".join(alone) + b"]}"


@pytest.mark.parametrize(
    ("count", "status"), [(0, 400), (1, 200), (SCANS_PER_BATCH_MAX, 200), (SCANS_PER_BATCH_MAX + 1, 400)]
)
def test_batch_limits(client: httpx.Client, count: int, status: int) -> None:
    """1 to 1,000 scans a batch."""
    answer = client.post("/v1/scans/batch", json={"scans": [{"code": "ABC"}] * count})
    assert answer.status_code == status, answer.text
    if status == 200:
        assert len(answer.json()["answers"]) == count


def test_roles_cannot_be_borrowed(client: httpx.Client, world: World) -> None:
    """A consumer's key cannot ask as risk staff, also not inside a batch; the risk key may, and reads the reason."""
    code = world.pools["unissued"].take()
    check_problem(client.post("/v1/scans", json={"code": code, "role": "risk"}), 403, "forbidden")
    mixed = {"scans": [{"code": code}, {"code": code, "role": "risk"}]}
    check_problem(client.post("/v1/scans/batch", json=mixed), 403, "forbidden")
    assert client.post("/v1/scans", json={"code": code}).json()["reasons"] == []
    assert client.post("/v1/scans", json={"code": code}, headers=as_key(world.keys["risk"])).json()["reasons"] != []


# orders, commands, registry --------------------------------------------------------------------------


def test_an_order_from_series_to_activation(client: httpx.Client) -> None:
    """Registry, order, preview, activation over the API alone; repeats answer the same."""
    assert client.post("/v1/domains", json={"host": "two.example.com"}).status_code == 201
    series = client.post("/v1/series", json={"series": "api", "domain": "two.example.com"})
    assert series.status_code == 201, series.text
    assert client.post("/v1/products", json={"product": "p1", "name": "水"}).json()["name"] == "水"
    assert client.get("/v1/products/p1").json()["product"] == "p1"
    asked = {"order": "api-1", "series": "api", "quantity": 500, "product": "p1"}
    issued = client.post("/v1/orders", json=asked)
    assert issued.status_code == 201, issued.text
    assert client.post("/v1/orders", json=asked).json()["order"] == issued.json()["order"]
    check_problem(client.post("/v1/orders", json={**asked, "quantity": 501}), 409, "conflict")
    activate = {"command": {"command": "activate", "scope": {"order": "api-1"}, "reason": "shipped"}}
    assert client.post("/v1/commands/preview", json=activate).json()["changed"] == 500
    assert client.get("/v1/orders/api-1").json()["by_state"]["issued"] == 500
    report = client.post("/v1/commands", json={**activate, "event_id": EVENT})
    assert report.json()["changed"] == 500, report.text
    assert client.post("/v1/commands", json={**activate, "event_id": EVENT}).json() == report.json()
    assert client.get("/v1/orders/api-1").json()["by_state"]["active"] == 500
    assert "api-1" in [order["order"] for order in client.get("/v1/orders", params={"limit": 200}).json()["orders"]]


def test_refusal_carries_its_reason(client: httpx.Client) -> None:
    """A refused command is 422 with the engine's stable reason."""
    activate = {"command": {"command": "activate", "scope": {"order": "void"}, "reason": "too late"}}
    told = check_problem(client.post("/v1/commands", json=activate), 422, "refused")
    assert re.fullmatch(r"[a-z_]+", told["reason"])


def test_codes_stream_as_csv_and_parquet(client: httpx.Client, world: World) -> None:
    """The streamed rows are exactly the order's codes; frozen orders need to be asked for; void ones are left out."""
    codes = world.order_codes["digits"]
    csv = client.get("/v1/orders/digits/codes")
    assert csv.headers["content-type"].startswith("text/csv")
    table = pyarrow.csv.read_csv(io.BytesIO(csv.content), convert_options=_AS_TEXT)
    assert table["code"].to_pylist() == codes
    assert table["link"].to_pylist() == [f"https://{HOST}/{code}" for code in codes]
    parquet = client.get("/v1/orders/digits/codes", params={"form": "parquet"})
    assert pyarrow.parquet.read_table(io.BytesIO(parquet.content))["code"].to_pylist() == codes
    check_problem(client.get("/v1/orders/frozen/codes"), 409, "conflict")
    asked = client.get("/v1/orders/frozen/codes", params={"include_frozen": "true"})
    assert len(asked.text.splitlines()) == CODES_PER_KIND + 1
    check_problem(client.get("/v1/orders/digits/codes", params={"form": "txt"}), 400, "invalid-input")
    check_problem(client.get("/v1/orders/nothing/codes"), 404, "not-found")


_AS_TEXT = pyarrow.csv.ConvertOptions(column_types={"code": "string"})


# problems and limits


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/v1/nothing", b"", 404, "not-found"),
        ("GET", "/a/b/c", b"", 404, "not-found"),
        ("GET", "/", b"", 404, "not-found"),
        ("GET", "/docs/nothing", b"", 404, "not-found"),
        ("GET", "/v1/orders/nothing", b"", 404, "not-found"),
        ("PUT", "/v1/orders", b"{}", 405, "method-not-allowed"),
        ("POST", "/ABCDEFGHJKMNPQR", b"", 405, "method-not-allowed"),
        ("POST", "/v1/scans", b"", 400, "invalid-input"),
        ("POST", "/v1/scans", b"{", 400, "invalid-input"),
        ("POST", "/v1/scans", b"[]", 400, "invalid-input"),
        ("POST", "/v1/scans", b'{"code":"x","cod":"y"}', 400, "invalid-input"),
        ("POST", "/v1/scans", b'{"code":7}', 400, "invalid-input"),
        ("POST", "/v1/scans", b'{"code":"\xff"}', 400, "invalid-input"),
        ("POST", "/v1/scans", b'{"code":"\\ud800"}', 400, "invalid-input"),
        ("POST", "/v1/orders", b'{"order":"a b","series":"plain","quantity":1}', 400, "invalid-input"),
        ("POST", "/v1/orders", b'{"order":"o","series":"plain","quantity":0}', 400, "invalid-input"),
        ("POST", "/v1/orders", b'{"order":"o","series":"plain","quantity":20000001}', 400, "invalid-input"),
        ("POST", "/v1/orders", b'{"order":"o","series":"nothing","quantity":1}', 404, "not-found"),
        ("POST", "/v1/commands", b'{"command":{"command":"explode"}}', 400, "invalid-input"),
        ("POST", "/v1/commands", b'{"command":{"command":"void","scope":{},"reason":"x"}}', 400, "invalid-input"),
        ("GET", "/v1/orders?limit=0", b"", 400, "invalid-input"),
        ("GET", "/v1/orders?limit=201", b"", 400, "invalid-input"),
        ("GET", "/v1/orders?limit=x", b"", 400, "invalid-input"),
    ],
)
def test_errors_are_problems(
    client: httpx.Client, *, method: str, path: str, body: bytes, status: int, slug: str
) -> None:
    """Wrong routes, methods, bodies and values; nothing of the inside shows."""
    check_problem(client.request(method, path, content=body), status, slug)


def test_the_wrong_field_is_named(client: httpx.Client) -> None:
    """An unacceptable value is told with its place in the request."""
    told = check_problem(
        client.post("/v1/scans", json={"code": "x", "position": {"lat": 91, "lon": 0, "accuracy_m": 1}}),
        400,
        "invalid-input",
    )
    assert "lat" in told["field"]


def test_body_limit(client: httpx.Client) -> None:
    """A body of 1 MiB is read, one byte more is 413; with and without a length announced."""
    filler = b'{"code":"x","cod":"' + b"a" * BODY_BYTES_MAX
    exact = filler[: BODY_BYTES_MAX - 2] + b'"}'
    check_problem(client.post("/v1/scans", content=exact), 400, "invalid-input")
    check_problem(client.post("/v1/scans", content=exact + b" "), 413, "body-too-large")
    check_problem(client.post("/v1/scans", content=iter([exact, b" "])), 413, "body-too-large")


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/v1/orders", 200)])
def test_header_limit_of_the_control_plane(server: Server, world: World, path: str, status: int) -> None:
    """16 KiB of header names and values pass, one byte more is 431, on every route."""
    headers = [("Host", HOST), ("Authorization", f"Bearer {world.keys['all']}")]
    used = sum(len(name) + len(value) for name, value in headers) + len("x-long")
    fits = exchange(server.port, "GET", path, [*headers, ("x-long", "a" * (16_384 - used))])
    assert fits.status == status
    beyond = exchange(server.port, "GET", path, [*headers, ("x-long", "a" * (16_385 - used))])
    assert beyond.status == 431
    assert beyond.json()["type"] == f"{TYPE_PREFIX}headers-too-large"


# operation


def test_health_and_metrics(client: httpx.Client, server: Server) -> None:
    """Alive, ready, and the figures a dashboard needs, under route templates and never under paths with values."""
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/readyz").json() == {"ready": True}
    assert "Disallow: /" in httpx.get(f"{server.url}/robots.txt").text
    client.get("/v1/orders/active")
    text = httpx.get(f"{server.url}/metrics").text
    for name in (
        "imp_scan_http_seconds_bucket",
        "imp_loop_lag_seconds",
        "imp_control_request_seconds",
        "process_resident",
    ):
        assert name in text
    assert 'route="/v1/orders/{order}"' in text
    assert "/v1/orders/active" not in text


def test_scan_latency_adds_up(server: Server) -> None:
    """The histogram counts every scan once and its buckets only rise."""
    before = histogram(server)
    for _ in range(5):
        exchange(server.port, "GET", "/ABC", [("Host", HOST)])
    after = histogram(server)
    assert after[-1] - before[-1] == 5
    assert after == sorted(after)


def histogram(server: Server) -> list[float]:
    """Cumulative counts of the scan latency."""
    text = httpx.get(f"{server.url}/metrics").text
    return [float(value) for value in re.findall(r"^imp_scan_http_seconds_bucket\{.*\} (\S+)$", text, re.MULTILINE)]


def test_description_is_complete_and_local(client: httpx.Client) -> None:
    """OpenAPI names every scan door, the page loads nothing from elsewhere and runs no script."""
    described = client.get("/docs/openapi.json").json()
    assert {"/{code}", "/01/{gtin}/21/{code}", "/v1/scans", "/v1/scans/batch", "/v1/codes/{code}"} <= set(
        described["paths"]
    )
    assert not [path for path in described["paths"] if "admin" in path]
    page = client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<script|<link|<img|<iframe|src=|@import|url\(|href=.(?![#/])", page.text)
    for path in described["paths"]:
        assert path in page.text
    for reference in set(re.findall(r'href="#([^"]+)"', page.text)):
        assert f'id="{reference}"' in page.text
    json.dumps(described)


# the admin door


def admin(server: Server, verb: str, body: bytes = b"{}", tenant: str = "brand", **headers: str) -> httpx.Response:
    """A verb through the admin door."""
    sent = {"authorization": f"Bearer {server.run.admin_token}", **headers}
    return httpx.post(
        f"{server.url}/v1/admin/{verb}", params={"tenant": tenant}, content=body, headers=sent, timeout=20
    )


def test_admin_door_runs_every_verb(server: Server) -> None:
    """The token of run.json opens it; verbs answer as they do without a server."""
    assert admin(server, "get_order", b'{"order":"active"}').json()["quantity"] == CODES_PER_KIND
    assert admin(server, "status", tenant="").json()["kind"] == "managed"
    assert admin(server, "list_tenants", tenant="").json()["tenants"][0]["tenant"] == "brand"
    check_problem(admin(server, "explode"), 400, "invalid-input")
    check_problem(admin(server, "get_order", b'{"ordr":1}'), 400, "invalid-input")
    check_problem(admin(server, "get_order", b'{"order":"nothing"}'), 404, "not-found")


def test_admin_door_records_who_ran_the_command(server: Server) -> None:
    """Its actor comes with the request, not from the server's user; one the engine would not take is refused first."""
    body = msgspec.json.encode({"product": "by-hand", "name": "By hand"})
    sent = {"authorization": f"Bearer {server.run.admin_token}"}

    def put(actor: str) -> httpx.Response:
        asked = {"tenant": "brand", "actor": actor}
        return httpx.post(f"{server.url}/v1/admin/put_product", params=asked, content=body, headers=sent, timeout=20)

    for actor in ("two\nlines", "x" * 129):
        check_problem(put(actor), 400, "invalid-input")
    assert put("cli:packer").status_code == 200
    with closing(sqlite3.connect(f"file:{server.path / 'sql.sqlite3'}?mode=ro", uri=True)) as database:
        (actor,) = database.execute("SELECT actor FROM outbox ORDER BY at_us DESC, seq DESC LIMIT 1").fetchone()
    assert actor == "cli:packer"


def test_admin_door_is_for_this_machine_only(server: Server, world: World) -> None:
    """A wrong token is 401; a request that came through a proxy is 403 even with the right one; API keys are none."""
    check_problem(admin(server, "status", tenant="", authorization="Bearer nothing"), 401, "unauthenticated")
    check_problem(
        admin(server, "status", tenant="", authorization=f"Bearer {world.keys['all']}"), 401, "unauthenticated"
    )
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
        check_problem(admin(server, "status", tenant="", **{name: "192.0.2.1"}), 403, "forbidden")


def test_logs_hold_no_secrets(server: Server, world: World) -> None:
    """Neither keys nor the admin token are in the server's log."""
    written = server.log.read_text()
    for secret in (*world.keys.values(), server.run.admin_token, (world.path / "secret").read_text().strip()):
        assert secret not in written
