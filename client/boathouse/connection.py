"""The way to the workspace: where it is, who one is there, requests that are tried again safely."""

from __future__ import annotations

import os
import sys
import time
import uuid
from typing import Any
from urllib.parse import urljoin

import requests
import requests.adapters

TRIES = 6
PASSING = (429, 500, 502, 503, 504)
TIMEOUT_SECONDS = (10, 120)


class BoathouseError(Exception):
    """What the workspace answered instead: `status`, a stable `code`, and `fields` with a sentence each."""

    def __init__(self, message: str, *, status: int = 0, code: str = "", fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.fields = status, code, fields or {}


class Client:
    """One workspace, as somebody. `url` and `token` default to what the environment says."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        self.url = (url or _found("BOATHOUSE_URL", "MLFLOW_TRACKING_URI") or "").rstrip("/")
        self.token = token or _found("BOATHOUSE_TOKEN", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD") or ""
        if not self.url.startswith(("http://", "https://")):
            raise BoathouseError("Say where the workspace is: set BOATHOUSE_URL, such as http://127.0.0.1:8000.")
        if not self.token:
            raise BoathouseError("Say who you are: set BOATHOUSE_TOKEN to a token of the workspace.")
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=16))
        # The workspace is addressed directly, and the token must not follow to where a proxy setting or .netrc points.
        self._session.trust_env = False

    def get(self, path: str, **query: Any) -> Any:
        """The answer to GET below /api/v1/."""
        return self.request("GET", path, params=query).json()

    def post(self, path: str, json: Any = None, *, key: str | None = None) -> Any:
        """The answer to POST below /api/v1/. It is done once, also when it has to be sent again; `key` makes that last."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return _content(self.request("POST", path, json={} if json is None else json, headers=headers))

    def patch(self, path: str, json: Any) -> Any:
        """The answer to PATCH below /api/v1/."""
        return _content(self.request("PATCH", path, json=json))

    def delete(self, path: str) -> Any:
        """The answer to DELETE below /api/v1/."""
        return _content(self.request("DELETE", path))

    def list(self, path: str, **query: Any) -> Any:
        """Every item of a list, page after page."""
        token = ""
        while token is not None:
            answer = self.get(path, **query, **({"page_token": token} if token else {}))
            yield from answer["items"]
            token = answer["next_token"]

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """One answer with a good status; network failures and passing faults are tried again, others raise BoathouseError."""
        url = urljoin(self.url + "/", path if path.startswith("/") else f"api/v1/{path}")
        headers = {"Authorization": f"Bearer {self.token}", **self._run_header(), **options.pop("headers", {})}
        body = options.get("data")
        for attempt in range(1, TRIES + 1):
            if body is not None and hasattr(body, "seek"):
                body.seek(0)
            try:
                answer = self._session.request(
                    method, url, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options
                )
            except (requests.ConnectionError, requests.Timeout) as failure:
                if attempt == TRIES:
                    raise BoathouseError(f"{self.url} does not answer: {failure}") from failure
                time.sleep(_pause(attempt))
                continue
            if answer.status_code in PASSING and attempt < TRIES:
                time.sleep(min(30.0, float(answer.headers.get("Retry-After") or _pause(attempt))))
                continue
            if answer.status_code >= 300:
                raise _error(answer)
            return answer
        raise AssertionError("unreachable")

    def _run_header(self) -> dict[str, str]:
        """Names the MLflow run that is active here and kept in this workspace, so that what is read belongs to it."""
        mlflow = sys.modules.get("mlflow")
        active = getattr(mlflow, "active_run", lambda: None)()
        if mlflow is None or active is None or mlflow.get_tracking_uri().rstrip("/") != self.url:
            return {}
        return {"X-Boathouse-Run": active.info.run_id}


_default: dict[tuple[str | None, ...], Client] = {}


def default_client() -> Client:
    """The client that the environment describes; the same one while that stays so."""
    names = (
        "BOATHOUSE_URL",
        "BOATHOUSE_TOKEN",
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_TOKEN",
        "MLFLOW_TRACKING_PASSWORD",
    )
    key = (str(os.getpid()), *(os.environ.get(name) for name in names))
    if key not in _default:
        _default.clear()
        _default[key] = Client()
    return _default[key]


def _found(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _pause(attempt: int) -> float:
    return float(min(8.0, 0.2 * 2**attempt))


def _content(answer: requests.Response) -> Any:
    return answer.json() if answer.content else None


def _error(answer: requests.Response) -> BoathouseError:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    message = (
        body.get("detail")
        or body.get("message")
        or f"{answer.request.method} {answer.url} answered {answer.status_code}."
    )
    return BoathouseError(
        str(message),
        status=answer.status_code,
        code=str(body.get("code") or body.get("error_code") or ""),
        fields=body.get("fields"),
    )
