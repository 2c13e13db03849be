"""A client of sgqlc that does not show its token, and gets a new one from an App when the last one ends."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING, Any, cast

from sgqlc.endpoint.http import HTTPEndpoint

from prefect_integration_kit.git_hosts import warn_of_exposure

from ._endpoint import is_urlopen_replaced
from ._hosts import server_of
from ._http import TIMEOUT_SECONDS, USER_AGENT, certificates
from ._login import api_header, is_app, token_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._login import Credentials

__all__ = ["GitHubEndpoint"]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: urllib would take the token along to any host."""

    def redirect_request(self, *_: Any) -> None:
        """Let the answer be what it is."""


class GitHubEndpoint(HTTPEndpoint):
    """An endpoint for one block of credentials."""

    def __init__(self, credentials: Credentials) -> None:
        """Prepare it; nothing is sent.

        Args:
            credentials: Who asks.

        Raises:
            ValueError: If `ca_bundle` is no certificate.
        """
        self._credentials = credentials
        url = server_of(credentials.base_url).graphql
        warn_of_exposure(credentials.logger, url, verify=credentials.verify)
        context = certificates(credentials)
        if isinstance(context, bool):
            context = ssl._create_unverified_context()  # noqa: S323, SLF001 - `verify` is off  # pyright: ignore[reportPrivateUsage]
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Stay)
        headers = {"User-Agent": USER_AGENT, **({} if is_app(credentials) else api_header(token_of(credentials)))}
        urlopen = None if is_urlopen_replaced() else opener.open
        super().__init__(url, headers, TIMEOUT_SECONDS, urlopen=urlopen)  # pyright: ignore[reportUnknownMemberType]

    def __call__(
        self,
        query: Any,
        variables: Any = None,
        operation_name: str | None = None,
        extra_headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send an operation; see `sgqlc.endpoint.http.HTTPEndpoint`. Errors are data of the answer."""
        if is_app(self._credentials):
            extra_headers = {**api_header(token_of(self._credentials)), **(extra_headers or {})}
        plain = cast("Callable[..., Any]", super().__call__)  # pyright: ignore[reportUnknownMemberType]
        given = {"operation_name": operation_name, "extra_headers": extra_headers, "timeout": timeout}
        return plain(query, variables, **{name: value for name, value in given.items() if value is not None})

    def __str__(self) -> str:
        return f"GitHubEndpoint({self.url!r})"

    __repr__ = __str__
