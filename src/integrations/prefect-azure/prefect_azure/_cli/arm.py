"""Read resources from Azure Resource Manager as documents, whatever provider they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect_integration_kit.waiting import Backoff, retry

from .._apps.rest import send
from .._endpoints import CLOUDS, endpoint_for
from .._identity import access_token
from ..errors import AzureInvalidRequest, azure_errors, is_transient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..credentials import AzureContainerInstanceCredentials

Json = dict[str, Any]

_BACKOFF = Backoff(deadline_seconds=30.0)


class Arm:
    """What one identity can see.

    Args:
        credentials: The identity.
    """

    def __init__(self, credentials: AzureContainerInstanceCredentials) -> None:
        cloud = CLOUDS[credentials.cloud]
        own = endpoint_for(credentials.endpoints, "arm")
        self._credentials = credentials
        self._url = own.url if own is not None else cloud.arm
        self._scope = cloud.arm_scope

    def sign_in(self) -> None:
        """Get a token.

        Raises:
            AzureError: If there is none.
        """
        access_token(self._credentials, self._scope)

    def get(self, path: str, api_version: str, subject: str) -> Json:
        """Read one resource.

        Args:
            path: Its resource ID.
            api_version: Version of its provider's API.
            subject: What it is, for messages.

        Raises:
            AzureError: If Azure refuses, or does not answer.
        """
        return self._get(f"{self._url}{path}?api-version={api_version}", subject)

    def list(self, path: str, api_version: str, subject: str) -> Iterator[Json]:
        """Read a list, page by page. Raises what `get` raises.

        Args:
            path: Of the list.
            api_version: Version of its provider's API.
            subject: What it is, for messages.
        """
        url = f"{self._url}{path}?api-version={api_version}"
        while url:
            page = self._get(url, subject)
            yield from page.get("value") or ()
            url = str(page.get("nextLink") or "")
            if url and urlsplit(url).netloc != urlsplit(self._url).netloc:
                raise AzureInvalidRequest(f"{subject}: its next page is elsewhere.", subject=subject)

    def _get(self, url: str, subject: str) -> Json:
        def work() -> Json:
            token = access_token(self._credentials, self._scope)
            with azure_errors(subject):
                answer = send("GET", url, token)
                answer.raise_for_status()
                return answer.json()

        return retry(work, is_transient=is_transient, backoff=_BACKOFF)
