"""The built front-end files, served in front of Django: names with a hash are kept by browsers for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import drf_spectacular_sidecar
from django.conf import settings
from servestatic import ServeStaticASGI

_DIST = settings.BASE_DIR / "static" / "dist"


async def _nothing(scope: dict[str, Any], receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send(
        {"type": "http.response.body", "body": b"No such file. Is the front-end bundle built? make up builds it."}
    )


def _hashed(path: str, url: str) -> bool:
    return url.startswith("/static/assets/")


def _headers(headers: Any, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"


serve = ServeStaticASGI(
    _nothing,
    root=_DIST if _DIST.exists() else None,
    prefix="static/",
    autorefresh=settings.DEVELOPMENT,
    immutable_file_test=_hashed,
    add_headers_function=_headers,
    allow_all_origins=False,
)
# The API's documentation page brings its own files, so that no page loads anything from another host.
_SWAGGER = Path(drf_spectacular_sidecar.__file__).parent / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"
serve.add_files(_SWAGGER, prefix="static/drf_spectacular_sidecar/swagger-ui-dist")
