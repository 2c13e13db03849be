"""Google's identity services on this machine: real tokens for real keys, checked signatures, failures when told to.

It serves the OAuth 2.0 token endpoint (keys of service accounts, refresh tokens), the security token service (workload
identity federation), `generateAccessToken` and `signBlob` of the IAM credentials API, and a metadata server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ._google.identity_accounts import Issued
from ._google.identity_server import REFRESH_TOKEN, IdentityServer
from ._lifetime import Stopped

__all__ = ["GoogleIdentity", "Issued"]

PROJECT = "test-project"


class GoogleIdentity(Stopped):
    """The server, with what tests tell it and ask of it.

    ```python
    with GoogleIdentity() as identity:
        info = identity.service_account_info()
        ...
        assert identity.check(token) == info["client_email"]
    ```
    """

    def __init__(self) -> None:
        """Start to listen on a free port."""
        self._offset = 0.0
        self._server = IdentityServer(self._now)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="google-identity", daemon=True
        )
        self._thread.start()

    def _now(self) -> float:
        return time.time() + self._offset

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`; also the address of the IAM credentials API."""
        return self._server.endpoint

    @property
    def metadata_host(self) -> str:
        """Host and port, for the environment variable `GCE_METADATA_HOST`."""
        return self.endpoint.removeprefix("http://")

    @property
    def issued(self) -> list[Issued]:
        """All tokens that were issued, oldest first."""
        return self._server.accounts.issued

    @property
    def requests(self) -> list[str]:
        """Method and path of each request, such as `POST /token`."""
        return self._server.requests

    def service_account_info(self, project: str = PROJECT, name: str = "worker") -> dict[str, Any]:
        """A key of a service account, as it stands in a key file; the account is made if there is none.

        Args:
            project: ID of the account's project.
            name: Of the account, before the `@`.
        """
        email = f"{name}@{project}.iam.gserviceaccount.com"
        account = self._server.accounts.account(email, project)
        return {
            "type": "service_account",
            "project_id": project,
            "private_key_id": account.key_id,
            "private_key": account.pem(),
            "client_email": email,
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"{self.endpoint}/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{email}",
        }

    def user_info(self) -> dict[str, Any]:
        """What `gcloud auth application-default login` writes for a person."""
        return {
            "type": "authorized_user",
            "client_id": "client",
            "client_secret": "secret",
            "refresh_token": REFRESH_TOKEN,
            "token_uri": f"{self.endpoint}/token",
        }

    def external_account_info(self, impersonate: str | None = None) -> dict[str, Any]:
        """A configuration of workload identity federation; the workload's token comes from this server.

        Args:
            impersonate: E-mail address of a service account that the configuration itself impersonates.
        """
        info: dict[str, Any] = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/oidc",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.endpoint}/v1/token",
            "credential_source": {
                "url": f"{self.endpoint}/subject-token",
                "format": {"type": "json", "subject_token_field_name": "value"},
            },
        }
        if impersonate:
            url = f"{self.endpoint}/v1/projects/-/serviceAccounts/{impersonate}:generateAccessToken"
            info["service_account_impersonation_url"] = url
        return info

    @property
    def federated_principal(self) -> str:
        """Who a workload of `external_account_info` is."""
        return "principal:pool/providers/oidc"

    def check(self, token: str) -> str | None:
        """Give the account of a token that is good, `None` for any other.

        Args:
            token: What came after `Bearer`; a token that was issued here, or one that a service account has signed.
        """
        return self._server.accounts.check(token)

    def expire_all(self) -> None:
        """Let no token be good that was issued so far."""
        self._server.accounts.expire_all()

    def fail(self, times: int = 1, status: int = 503) -> None:
        """Answer the next requests with an error.

        Args:
            times: How many.
            status: HTTP status.
        """
        self._server.failures += [status] * times

    def disable(self, email: str) -> None:
        """Disable an account: it gets no tokens, and those that it has are not good."""
        self._server.accounts.disabled.add(email)

    def allow_impersonation(self, source: str, target: str) -> None:
        """Let one account act as another.

        Args:
            source: E-mail address of who acts, or `federated_principal`.
            target: E-mail address of the service account.
        """
        self._server.accounts.may_impersonate.add((source, target))

    def issue_for(self, lifetime_seconds: float) -> None:
        """Set how long tokens are good from now on.

        Args:
            lifetime_seconds: At most an hour.
        """
        self._server.lifetime_seconds = lifetime_seconds

    def shift_clock(self, seconds: float) -> None:
        """Set the server's clock forward, or back if negative."""
        self._offset += seconds

    @contextmanager
    def hold(self) -> Generator[None, None, None]:
        """Let requests wait for an answer until the block is left."""
        self._server.gate.clear()
        try:
            yield
        finally:
            self._server.gate.set()

    def reset(self) -> None:
        """Forget tokens, failures, requests, permissions and the time; keys of accounts stay good."""
        self._offset = 0.0
        self._server.reset()

    def stop(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture(scope="session")
def google_identity() -> Iterator[GoogleIdentity]:
    """Google's identity services; a test that changes them begins with `reset()`."""
    with GoogleIdentity() as identity:
        yield identity
