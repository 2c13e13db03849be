"""Requests to GitHub's GraphQL API: `run` and its async form `arun`. Nothing here knows the schema.

Both send one document with its variables and return the answer's `data`, waiting for rate limits and trying again what
fails for a moment; what changes something is never sent twice once GitHub may have begun with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.git_hosts import warn_of_exposure

from ._answers import Answer, answer_of, data_of
from ._documents import changes_something
from ._endpoint import own_endpoint
from ._hosts import server_of
from ._http import arepeat, client_options, network_errors, repeat
from ._login import api_header, atoken_of, forget_token, secrets_of, token_of
from .errors import GitHubAuthenticationFailed, GitHubInvalidRequest

if TYPE_CHECKING:
    import httpx

    from ._login import Credentials


def run(
    query: str, variables: Mapping[str, Any] | None, credentials: Credentials, *, error_key: str = "errors"
) -> dict[str, Any]:
    """Send a GraphQL document and return the `data` of the answer.

    Args:
        query: A document with one operation.
        variables: Its variables, by name as the document declares them, without `$`. Values are what JSON knows, dates
            and times, and input objects of sgqlc.
        credentials: Who asks, and which GitHub.
        error_key: The key of the answer that errors stand under. With another one than GitHub's, errors are not looked
            at, and fields that failed are `None`.

    Returns:
        The fields that were asked for, by name (or alias) as in the document: `{"repository": {"id": "…"}}`.

    Raises:
        GitHubError: Of the class that tells what is wrong. Errors in the answer are raised with their path.
    """
    if (endpoint := own_endpoint(credentials)) is not None:
        return _answered(endpoint(query, dict(variables or {})), query, error_key)
    request = _Request(query, variables, credentials, error_key)
    import httpx

    with httpx.Client(**client_options(credentials)) as client:
        try:
            return repeat(lambda: request.send(client), credentials)
        except GitHubAuthenticationFailed:
            if not request.may_ask_again():
                raise
        return repeat(lambda: request.send(client), credentials)


async def arun(
    query: str, variables: Mapping[str, Any] | None, credentials: Credentials, *, error_key: str = "errors"
) -> dict[str, Any]:
    """Async form of `run`; it does not block the event loop."""
    if (endpoint := own_endpoint(credentials)) is not None:
        return _answered(await asyncio.to_thread(endpoint, query, dict(variables or {})), query, error_key)
    request = _Request(query, variables, credentials, error_key)
    import httpx

    async with httpx.AsyncClient(**client_options(credentials)) as client:
        try:
            return await arepeat(lambda: request.asend(client), credentials)
        except GitHubAuthenticationFailed:
            if not request.may_ask_again():
                raise
        return await arepeat(lambda: request.asend(client), credentials)


def _answered(body: Any, query: str, error_key: str) -> Any:
    data_of(Answer(200, body=body), "GitHub's API", changes=changes_something(query), error_key=error_key)
    return body["data"]


class _Request:
    """One document on its way; what both faces share."""

    def __init__(
        self, query: str, variables: Mapping[str, Any] | None, credentials: Credentials, error_key: str
    ) -> None:
        server = server_of(credentials.base_url)
        self._url = server.graphql
        self._subject = f"GitHub's API at {server.host}"
        self._content = _written(query, variables)
        self._changes = changes_something(query)
        self._credentials = credentials
        self._error_key = error_key
        self._token = ""
        warn_of_exposure(credentials.logger, server.graphql, verify=credentials.verify)

    def send(self, client: httpx.Client) -> dict[str, Any]:
        self._token = token_of(self._credentials)
        headers = self._headers()
        with network_errors(self._subject, self._secrets(), changes=self._changes):
            response = client.post(self._url, content=self._content, headers=headers)
        return self._read(response)

    async def asend(self, client: httpx.AsyncClient) -> dict[str, Any]:
        self._token = await atoken_of(self._credentials)
        headers = self._headers()
        with network_errors(self._subject, self._secrets(), changes=self._changes):
            response = await client.post(self._url, content=self._content, headers=headers)
        return self._read(response)

    def may_ask_again(self) -> bool:
        """Say whether there can be another token than the one that was refused; nothing was done with that."""
        return forget_token(self._credentials, self._token)

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", **api_header(self._token)}

    def _secrets(self) -> list[str]:
        return [*secrets_of(self._credentials), self._token]

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        return data_of(answer_of(response), self._subject, changes=self._changes, error_key=self._error_key)


def _written(query: str, variables: Mapping[str, Any] | None) -> bytes:
    body = {"query": query, "variables": dict(variables or {})}
    try:
        return json.dumps(body, default=_plain).encode()
    except (TypeError, ValueError) as exc:
        raise GitHubInvalidRequest(
            f"The variables of the operation cannot be written as JSON ({exc}). Give texts, numbers, lists and "
            "dictionaries."
        ) from exc


def _plain(value: Any) -> Any:
    """Write what JSON does not know."""
    if isinstance(value, date):  # a datetime, too
        return value.isoformat()
    if hasattr(value, "__to_json_value__"):  # an input object of sgqlc
        return value.__to_json_value__()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[Any, Any]", value))
    if isinstance(value, Iterable) and not isinstance(value, bytes | bytearray):
        return list(cast("Iterable[Any]", value))
    raise TypeError(f"a {type(value).__name__} among them")
