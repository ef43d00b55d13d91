"""The API page: Swagger UI from a Python package, served from here, with a policy that lets it load nothing from elsewhere.

The bundled release (4.15) knows OpenAPI 3.0 only, and the document, which says 3.1, uses nothing that 3.0 has not. So the
page reads ``/openapi.json``, the only document there is, gives the viewer 3.0 as its number in memory, and shows the true one.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.gateway.exchange import Incoming, Reply
from services.kernel.errors import BadSettings, Refused

_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)
_KEPT = (b"cache-control", b"public, max-age=3600")
_ASSETS: Mapping[str, bytes] = {
    "swagger-ui.css": b"text/css; charset=utf-8",
    "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
    "favicon-32x32.png": b"image/png",
}
_START = """\
window.onload = async () => {
  const reply = await fetch("/openapi.json");
  if (!reply.ok) {
    document.getElementById("page").textContent = `/openapi.json: ${reply.status}`;
    return;
  }
  const told = await reply.json();
  const stamped = (React, text) =>
    React.createElement("small", { className: "version-stamp" }, React.createElement("pre", { className: "version" }, text));
  const trueVersion = () => ({
    wrapComponents: {
      VersionStamp: (_, { React }) => ({ version }) =>
        React.createElement("span", null, stamped(React, version), stamped(React, `OpenAPI ${told.openapi}`)),
    },
  });
  window.ui = SwaggerUIBundle({
    spec: { ...told, openapi: "3.0.3" }, dom_id: "#page", deepLinking: true, validatorUrl: null, plugins: [trueVersion],
    defaultModelsExpandDepth: 0, tryItOutEnabled: false, syntaxHighlight: { activated: false },
  });
};
"""
_PAGE = """\
<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>IPX 接口 · API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</head>
<body><div id="page"></div><p class="swagger-ui wrapper"><a href="/openapi.json">/openapi.json</a></p></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """The API document, the page that shows it, and what the page needs."""

    document: bytes
    assets: Mapping[str, tuple[bytes, bytes]]

    async def openapi(self, incoming: Incoming) -> Reply:
        """``GET /openapi.json``."""
        return Reply(200, self.document)

    async def page(self, incoming: Incoming) -> Reply:
        """``GET /docs``."""
        return Reply(200, _PAGE.encode(), b"text/html; charset=utf-8", (_POLICY,))

    async def asset(self, incoming: Incoming) -> Reply:
        """``GET /docs/{name}``; refuses ``not-found`` any name but the few that the page uses."""
        name = incoming.path_values["name"]
        if name == "start.js":
            return Reply(200, _START.encode(), b"text/javascript; charset=utf-8", (_KEPT,))
        found = self.assets.get(name)
        if found is None:
            raise Refused("not-found", f"the page has no part {name[:60]!r}")
        return Reply(200, found[1], found[0], (_KEPT,))


def load_pages(document: Mapping[str, Any]) -> Pages:
    """The pages over an API document; reads the viewer's files once. ``BadSettings`` when they are not installed."""
    vendored = _vendored()
    try:
        assets = {name: (kind, (vendored / name).read_bytes()) for name, kind in _ASSETS.items()}
    except OSError as error:
        raise BadSettings(f"the API page's viewer is not whole: {error}") from error
    return Pages(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), assets)


def _vendored() -> Path:
    found = importlib.util.find_spec("swagger_ui_bundle")
    folders = sorted(Path(found.origin).parent.glob("vendor/swagger-ui-*")) if found and found.origin else []
    if not folders:
        raise BadSettings("the package swagger-ui-bundle is not installed")
    return folders[-1]
