"""Where requests go: Google's public addresses, those that the block gives, and emulators."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from prefect_integration_kit import endpoints

SERVICES = (
    "aiplatform",
    "artifactregistry",
    "batch",
    "bigquery",
    "bigquerystorage",
    "cloudresourcemanager",
    "compute",
    "dataproc",
    "iam",
    "iamcredentials",
    "logging",
    "pubsub",
    "run",
    "secretmanager",
    "serviceusage",
    "storage",
    "vpcaccess",
)
# Set by each emulator's own instructions; the SDKs of other languages read them, too.
EMULATORS = {
    "storage": "STORAGE_EMULATOR_HOST",
    "bigquery": "BIGQUERY_EMULATOR_HOST",
    "pubsub": "PUBSUB_EMULATOR_HOST",
}


@dataclass(frozen=True)
class Endpoint:
    """The address of one service.

    Attributes:
        url: `https://host[:port]` or `http://host[:port]`, without a slash at the end.
        is_emulator: Whether an emulator's environment variable named it; emulators ask for no token.
    """

    url: str
    is_emulator: bool = False

    @property
    def host(self) -> str:
        """Host and port, the form that gRPC takes."""
        return urlsplit(self.url).netloc

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken there."""
        return self.url.startswith("https://")

    @property
    def may_have_tokens(self) -> bool:
        """Whether a token may be sent there: over TLS, or to this machine."""
        return not self.is_emulator and endpoints.may_have_tokens(self.url)


def endpoint_for(api_endpoints: Mapping[str, str], service: str) -> Endpoint | None:
    """The address to use instead of Google's public one; `None` for that one.

    What the block says comes before the environment.

    Args:
        api_endpoints: The block's field.
        service: Google's name of the service, such as `run`.
    """
    if url := api_endpoints.get(service):
        return Endpoint(url)
    if (variable := EMULATORS.get(service)) and (value := os.environ.get(variable, "").strip()):
        url = value if "://" in value else f"http://{value}"
        return Endpoint(url.rstrip("/"), is_emulator=True)
    return None


def check_endpoints(given: Mapping[str, str]) -> dict[str, str]:
    """Refuse services that do not exist and addresses that are none.

    Returns:
        The addresses without a slash at the end.

    Raises:
        ValueError: Naming the service and what is wrong.
    """
    return endpoints.check_endpoints(given, SERVICES, "api_endpoints")
