"""Calls to Vertex AI's job service: one client for each region, tokens renewed before they are used, tries repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Backoff, Clock, aretry

from .. import _stand_ins
from .._endpoints import endpoint_for
from .._identity import access_token, account_of, google_credentials, offline_project, project_of
from .._rest import in_thread
from .._sdk_logs import silent_sdk
from ..errors import GcpCredentialsRefused, gcp_errors, is_transient
from .sdk import load_job_service

if TYPE_CHECKING:
    from ..credentials import GcpCredentials
    from ..settings import VertexWorkerSettings

TIMEOUT_SECONDS = 60.0
"""For each call. The SDK's own default, 5 seconds, is too short for the creation of a job."""

_DEADLINE_SECONDS = 300.0
_REGION = re.compile(r"[a-z0-9-]+")


class VertexCalls:
    """Calls with one identity."""

    def __init__(
        self, credentials: GcpCredentials, settings: VertexWorkerSettings, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Say who calls, and how often; nothing is opened."""
        self.credentials = credentials
        self.clock = clock
        self.backoff = Backoff(
            initial_seconds=settings.call_initial_delay_seconds,
            maximum_seconds=settings.call_max_delay_seconds,
            deadline_seconds=_DEADLINE_SECONDS,
            max_attempts=settings.call_max_attempts,
        )
        self._project = credentials.project or offline_project(credentials) or ""
        endpoint = endpoint_for(credentials.api_endpoints, "aiplatform")
        self._needs_token = endpoint is None or endpoint.is_encrypted
        self._is_loaded = False

    @property
    def known_project(self) -> str:
        """The project, as far as it is known without asking."""
        return self._project

    async def project(self) -> str:
        """The project to make jobs in.

        Raises:
            ValueError: If none is known.
        """
        if not self._project:
            self._project = await in_thread(project_of, self.credentials)
        return self._project

    async def load(self) -> None:
        """Import the SDK, which takes its time, beside the event loop.

        Raises:
            ImportError: If it is not installed. The message is the command that installs it.
        """
        if not self._is_loaded:
            await in_thread(load_job_service)
            self._is_loaded = True

    async def call(self, method: str, request: Any, *, region: str, subject: str) -> Any:
        """Call, again and again while it fails in a way that passes. For what may be done twice.

        Args:
            method: Name in the SDK, such as `get_custom_job`.
            request: The message, or its fields.
            region: Where.
            subject: What it is about, for messages.

        Raises:
            GcpError: What Google says in the end.
        """

        async def once() -> Any:
            return await self.call_once(method, request, region=region, subject=subject)

        return await aretry(once, is_transient=is_transient, backoff=self.backoff, clock=self.clock)

    async def call_once(
        self, method: str, request: Any, *, region: str, subject: str, secrets: Iterable[str] = ()
    ) -> Any:
        """Call once; again only where the token was refused, which does nothing.

        Args:
            method: Name in the SDK.
            request: The message, or its fields.
            region: Where.
            subject: What it is about, for messages.
            secrets: Values that messages must not repeat.

        Raises:
            GcpError: What Google says.
        """
        token = await self._fresh_token()
        try:
            return await self._send(method, request, region, subject, secrets)
        except GcpCredentialsRefused:
            # It may have been revoked, or the clock may be slow: another one, once.
            if not token or not await self._other_token(token):
                raise
        return await self._send(method, request, region, subject, secrets)

    async def _send(self, method: str, request: Any, region: str, subject: str, secrets: Iterable[str]) -> Any:
        client = await self._client(region)
        with gcp_errors(subject, account=account_of(self.credentials), secrets=secrets), silent_sdk():
            return await _stand_ins.ask_by_request(
                client, _stand_ins.JOB_SERVICE_ASYNC, method, request, retry=None, timeout=TIMEOUT_SECONDS
            )

    async def _client(self, region: str) -> Any:
        await self.load()
        if _REGION.fullmatch(region) is None:
            raise ValueError(f"region is {region!r}; give the name of a region, such as 'europe-west1'.")
        domain = self.credentials.universe_domain or "googleapis.com"
        connect = self.credentials.get_job_service_async_client
        options = {"client_options": {"api_endpoint": f"{region}-aiplatform.{domain}"}}
        return connect(**_stand_ins.fitting(connect, options))

    async def _fresh_token(self) -> str:
        """Have a token at hand: gRPC tells a key that is refused from a network that is down by words only."""
        if not self._needs_token:
            return ""
        credentials: Any = await in_thread(google_credentials, self.credentials)
        if credentials.valid:
            return str(credentials.token)
        return await in_thread(access_token, self.credentials)

    async def _other_token(self, refused: str) -> bool:
        from .._identity import token_request

        credentials: Any = google_credentials(self.credentials)
        if credentials.token == refused:
            with gcp_errors("Access token", account=account_of(self.credentials)):
                await in_thread(credentials.refresh, token_request())
        return credentials.token != refused
