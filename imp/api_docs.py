"""The API's own description: OpenAPI as JSON, and a page that shows it without scripts and without other hosts."""

import base64
import hashlib
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final, override

from litestar import Litestar, Request, Response, Router
from litestar._openapi.plugin import OpenAPIPlugin  # the only keeper of the description as plain values
from litestar.datastructures import ResponseHeader
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.serialization import default_serializer, encode_json

from imp import __version__, problems

_STYLE: Final = (Path(__file__).parent / "api_docs.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SECURITY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"

_TAGS: Final = {
    "scan": "What a code is, and whether a scan of it is believable.",
    "registry": "Scan domains, products, series.",
    "issuing": "Orders of codes and imports of foreign ones.",
    "governance": "State commands and API keys.",
    "operation": "Health and figures.",
}

_ABOUT: Final = (
    "Times are microseconds since the Unix epoch (UTC) unless a name says otherwise. Routes under /v1 need an API key"
    " (`Authorization: Bearer KEY`); a key carries its tenant, and what another tenant owns does not exist for it."
    " Every error is a problem document (RFC 9457) with a stable `type`. 503 carries `Retry-After`."
)


def openapi_config() -> OpenAPIConfig:
    """OpenAPI at /docs/openapi.json and its page at /docs."""
    router = Router(
        "/docs",
        route_handlers=[],
        include_in_schema=False,
        after_request=_problem_when_missing,
        response_headers=[
            ResponseHeader("content-security-policy", value=_SECURITY),
            ResponseHeader("referrer-policy", value="no-referrer"),
        ],
    )
    return OpenAPIConfig(
        title="IMP",
        version=__version__,
        description=_ABOUT,
        tags=[Tag(name, description) for name, description in _TAGS.items()],
        components=Components(
            security_schemes={
                "api_key": SecurityScheme(
                    type="http", scheme="bearer", description="An API key made by `imp key create`."
                )
            }
        ),
        use_handler_docstrings=True,
        openapi_router=router,
        render_plugins=[_Page(path="/"), _Json()],
    )


async def _problem_when_missing(response: Response[Any]) -> Response[Any]:
    if response.status_code == 404:
        return problems.respond(problems.problem(problems.NO_ROUTE, problems.NO_ROUTE_DETAIL))
    return response


def render_docs(app: Litestar) -> None:
    """Render page and JSON now, because that takes longer than a request may hold the loop."""
    docs = app.plugins.get(OpenAPIPlugin)
    for plugin in docs.openapi_config.render_plugins:
        if isinstance(plugin, _Json | _Page):
            plugin.keep(docs.provide_openapi_schema())


class _Json(JsonRenderPlugin):
    """The description as JSON, rendered once."""

    kept: bytes = b""

    def keep(self, described: dict[str, Any]) -> None:
        self.kept = encode_json(described, default_serializer)

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self.kept


class _Page(OpenAPIRenderPlugin):
    """The description as one page, rendered once."""

    kept: bytes = b""

    def keep(self, described: dict[str, Any]) -> None:
        # The round trip turns enums and other values of the description into plain JSON types.
        plain = json.loads(encode_json(described, default_serializer))
        self.kept = "".join(_document(plain)).encode()

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self.kept


def _document(schema: dict[str, Any]) -> Iterator[str]:
    info = schema["info"]
    title = f"{escape(info['title'])} API {escape(info['version'])}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
    yield f"<header><h1>{title}</h1><p>{_text(info['description'])}</p>"
    yield '<p><a href="/docs/openapi.json">OpenAPI as JSON</a></p></header><main>'
    for tag in schema["tags"]:
        yield f'<section><h2 id="{escape(tag["name"])}">{escape(tag["name"])}</h2><p>{_text(tag["description"])}</p>'
        for path, method, operation in _operations(schema):
            if tag["name"] in operation.get("tags", ()):
                yield from _operation(path, method, operation)
        yield "</section>"
    yield '<section><h2 id="schemas">schemas</h2>'
    for name, component in sorted(schema["components"]["schemas"].items()):
        yield from _component(name, component)
    yield "</section></main></body></html>"


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method in ("get", "put", "post", "patch", "delete"):
            if method in item:
                yield path, method, item[method]


def _operation(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    summary = _text(operation.get("summary", ""))
    yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {summary}</summary>"
    yield f"<p>{_text(operation.get('description', ''))}</p>"
    if operation.get("security"):
        yield "<p>Needs an API key.</p>"
    rows = [
        (parameter["name"], parameter["in"], parameter.get("required", False), parameter.get("schema", {}))
        for parameter in operation.get("parameters", ())
    ]
    yield from _table("Parameters", rows)
    body = operation.get("requestBody")
    if body:
        yield from _contents("Request body", body)
    for status, response in sorted(operation.get("responses", {}).items()):
        yield from _contents(f"{status} {response.get('description', '')}", response)
    yield "</details>"


def _contents(title: str, holder: dict[str, Any]) -> Iterator[str]:
    yield f"<h4>{_text(title)}</h4>"
    for media_type, content in holder.get("content", {}).items():
        yield f"<p><code>{escape(media_type)}</code> {_kind(content.get('schema', {}))}</p>"


def _component(name: str, component: dict[str, Any]) -> Iterator[str]:
    yield f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
    yield f"<p>{_text(component.get('description', ''))}</p>"
    required = component.get("required", ())
    rows = [(key, "", key in required, value) for key, value in component.get("properties", {}).items()]
    yield from _table("Properties", rows)
    if not rows:
        yield f"<p>{_kind(component)}</p>"
    yield "</details>"


def _table(title: str, rows: list[tuple[str, str, bool, dict[str, Any]]]) -> Iterator[str]:
    if not rows:
        return
    yield f"<h4>{title}</h4><table>"
    for name, place, required, schema in rows:
        need = "required" if required else "optional"
        about = _text(schema.get("description", ""))
        yield f"<tr><th><code>{escape(name)}</code></th><td>{place} {need}</td><td>{_kind(schema)}</td>"
        yield f"<td>{about}</td></tr>"
    yield "</table>"


_LIMITS: Final = (
    "minimum",
    "maximum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "default",
)


def _kind(schema: dict[str, Any]) -> str:
    """A schema in one line: type, link to its component, limits."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for word, joint in (("oneOf", " | "), ("anyOf", " | "), ("allOf", " &amp; ")):
        if word in schema:
            return joint.join(_kind(one) for one in schema[word])
    if "enum" in schema:
        kind = " | ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    elif "const" in schema:
        kind = f"<code>{escape(json.dumps(schema['const']))}</code>"
    elif schema.get("type") == "array":
        kind = f"list of {_kind(schema.get('items', {}))}"
    else:
        kind = escape(str(schema.get("type", "any")))
    limits = ", ".join(f"{name} {json.dumps(schema[name])}" for name in _LIMITS if schema.get(name) is not None)
    return f"{kind} <small>{escape(limits)}</small>" if limits else kind


def _text(text: str) -> str:
    """Plain text with `code` between backquotes as HTML."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
