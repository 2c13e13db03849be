"""A small synchronous client of a Kubernetes API server, for fixtures: JSON in, JSON out."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .processes import ServerError

Json = dict[str, Any]

_RESETS = 3
_PAUSE_SECONDS = 1


class ApiError(ServerError):
    """The API server refused a request."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Say what was refused.

        Args:
            message: What was asked and what the server said.
            status: HTTP status code of the answer.
        """
        super().__init__(message)
        self.status = status


class Api:
    """Requests with the identity of a kubeconfig's current context."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Read the kubeconfig.

        Args:
            config: A kubeconfig with a token, a client certificate or neither. Programs that make credentials are
                not run.

        Raises:
            ServerError: If it names something that it does not hold.
        """
        try:
            contexts = _named(config["contexts"], "context")
            context = contexts[config["current-context"]]
            cluster = _named(config["clusters"], "cluster")[context["cluster"]]
            user = _named(config["users"], "user")[context["user"]]
            self.server: str = cluster["server"]
        except (KeyError, TypeError) as exc:
            raise ServerError(f"The kubeconfig lacks {exc}.") from exc
        self._token: str | None = user.get("token")
        self._ssl = _ssl_context(cluster, user) if self.server.startswith("https:") else None
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._ssl is not None:
            handlers.append(urllib.request.HTTPSHandler(context=self._ssl))
        self._opener = urllib.request.build_opener(*handlers)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout_seconds: float = 30,
    ) -> Any:
        """Send a request and return the answer: parsed, if it is JSON, else its text.

        Args:
            method: HTTP method.
            path: Path below the server's address, such as `/api/v1/nodes`.
            body: What to send as JSON.
            query: Parameters of the query.
            content_type: Type of the body; a patch says with it which kind it is.
            timeout_seconds: Seconds to wait for each part of the answer.

        Raises:
            ApiError: If the answer is an error, with the server's message.
            OSError: If there is no answer.
        """
        url = self.server.rstrip("/") + path
        if query:
            url += "?" + urllib.parse.urlencode(query)
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self._open(request, timeout_seconds) as answer:
                text = answer.read().decode("utf-8", "replace")
                is_json = answer.headers.get_content_type() == "application/json"
        except urllib.error.HTTPError as exc:
            with exc:
                said = exc.read().decode("utf-8", "replace")
            raise ApiError(f"{method} {path}: {exc.code} {_message(said)}", exc.code) from exc
        return json.loads(text) if is_json else text

    def _open(self, request: urllib.request.Request, timeout_seconds: float) -> Any:
        """Send a request; what may be sent twice is sent again where the server, busy, resets the connection."""
        resets = _RESETS if request.get_method() in ("GET", "PATCH") else 0
        while True:
            try:
                return self._opener.open(request, timeout=timeout_seconds)
            except urllib.error.HTTPError:
                raise
            except urllib.error.URLError as exc:
                if not resets or not isinstance(exc.reason, ConnectionResetError):
                    raise
            resets -= 1
            time.sleep(_PAUSE_SECONDS)

    def get(self, path: str, **query: str) -> Any:
        """Read an object, or a list of them."""
        return self.request("GET", path, query=query)

    def post(self, path: str, body: object) -> Any:
        """Create an object."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        """Change an object by a merge patch."""
        return self.request("PATCH", path, body, content_type="application/merge-patch+json")

    def delete(self, path: str, **query: str) -> Any:
        """Delete an object; parameters are those of the query, such as `gracePeriodSeconds="0"`."""
        return self.request("DELETE", path, query=query)


def _named(items: list[Json], key: str) -> dict[str, Json]:
    return {item["name"]: item[key] for item in items}


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def _pem(holder: Json, name: str) -> str | None:
    """Return a PEM text that a kubeconfig holds, or names the file of."""
    if data := holder.get(f"{name}-data"):
        return base64.b64decode(data).decode()
    path = holder.get(name)
    return None if path is None else Path(path).read_text(encoding="utf-8")


def _ssl_context(cluster: Json, user: Json) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority"))
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    if certificate is not None and key is not None:
        with tempfile.NamedTemporaryFile(
            "w", suffix=".pem"
        ) as file:  # OpenSSL reads files only; this one is ours alone
            file.write(certificate + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context
