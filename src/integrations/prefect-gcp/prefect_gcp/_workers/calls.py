"""Calls to Google's REST APIs, repeated when they fail in a way that passes; the token's renewal is a part of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry

from .._rest import in_thread, rest_service
from ..errors import gcp_errors, is_transient

if TYPE_CHECKING:
    from ..credentials import GcpCredentials
    from ..settings import CloudRunRetrySettings

Kind = Literal["create", "submit", "read"]
"""Which of the settings count for a call."""


class Calls:
    """Calls to one API, by one identity.

    Args:
        credentials: The identity.
        api: Google's name of the API.
        version: Of the API.
        region: For APIs whose address is that of a region.
        settings: How often, and after which delays, calls are repeated.
        clock: Time.
    """

    def __init__(
        self,
        credentials: GcpCredentials,
        api: str,
        version: str,
        *,
        region: str | None,
        settings: CloudRunRetrySettings,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.credentials = credentials
        self.clock = clock
        self._api = api
        self._version = version
        self._region = region
        self._settings = settings

    async def once(self, build: Callable[[Any], Any], subject: str, *, secrets: Iterable[str] = ()) -> dict[str, Any]:
        """Call once.

        Args:
            build: Makes the request of the API's client.
            subject: What it is about, for messages.
            secrets: Values that messages must not repeat.

        Raises:
            GcpError: If Google refuses, or does not answer.
        """

        def work() -> dict[str, Any]:
            service = rest_service(self.credentials, self._api, self._version, region=self._region)
            request = build(service)
            with gcp_errors(subject, account=str(getattr(request.http, "account", "")), secrets=secrets):
                return request.execute(num_retries=0) or {}

        return await in_thread(work)

    async def repeated(
        self, build: Callable[[Any], Any], subject: str, *, kind: Kind = "read", secrets: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Call until it succeeds, fails for good, or was tried as often as the settings say."""
        return await aretry(
            lambda: self.once(build, subject, secrets=secrets),
            is_transient=is_transient,
            backoff=self.backoff(kind),
            clock=self.clock,
        )

    def backoff(self, kind: Kind) -> Backoff:
        """How often to try, and how long to wait."""
        prefix = {"create": "create_job", "submit": "submit_job", "read": "api_read_retry"}[kind]
        return Backoff(
            initial_seconds=getattr(self._settings, f"{prefix}_initial_delay_seconds"),
            maximum_seconds=getattr(self._settings, f"{prefix}_max_delay_seconds"),
            max_attempts=getattr(self._settings, f"{prefix}_max_attempts"),
            deadline_seconds=float("inf"),
        )
