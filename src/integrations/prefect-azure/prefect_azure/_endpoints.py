"""Where requests go: Azure's public addresses, those of its sovereign clouds, and those that a block gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from prefect_integration_kit import endpoints

CloudName = Literal["public", "usgov", "china"]

SERVICES = ("arm", "blob", "cosmos", "dfs", "keyvault", "loganalytics", "ml", "servicebus")


@dataclass(frozen=True)
class Cloud:
    """Addresses of one of Azure's clouds.

    Attributes:
        authority: Host of Microsoft Entra ID, https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud
        arm: Address of Azure Resource Manager.
        storage_suffix: What follows `account.blob.` and `account.dfs.`.
        keyvault_suffix: What follows the name of a vault.
        servicebus_suffix: What follows the name of a namespace.
        cosmos_suffix: What follows the name of a Cosmos DB account.
        loganalytics: Address that log queries go to.
    """

    authority: str
    arm: str
    storage_suffix: str
    keyvault_suffix: str
    servicebus_suffix: str
    cosmos_suffix: str
    loganalytics: str

    @property
    def arm_scope(self) -> str:
        """Scope of tokens for Azure Resource Manager."""
        return f"{self.arm}/.default"


CLOUDS: dict[str, Cloud] = {
    "public": Cloud(
        authority="login.microsoftonline.com",
        arm="https://management.azure.com",
        storage_suffix="core.windows.net",
        keyvault_suffix="vault.azure.net",
        servicebus_suffix="servicebus.windows.net",
        cosmos_suffix="documents.azure.com",
        loganalytics="https://api.loganalytics.io",
    ),
    "usgov": Cloud(
        authority="login.microsoftonline.us",
        arm="https://management.usgovcloudapi.net",
        storage_suffix="core.usgovcloudapi.net",
        keyvault_suffix="vault.usgovcloudapi.net",
        servicebus_suffix="servicebus.usgovcloudapi.net",
        cosmos_suffix="documents.azure.us",
        loganalytics="https://api.loganalytics.us",
    ),
    "china": Cloud(
        authority="login.chinacloudapi.cn",
        arm="https://management.chinacloudapi.cn",
        storage_suffix="core.chinacloudapi.cn",
        keyvault_suffix="vault.azure.cn",
        servicebus_suffix="servicebus.chinacloudapi.cn",
        cosmos_suffix="documents.azure.cn",
        loganalytics="https://api.loganalytics.azure.cn",
    ),
}


@dataclass(frozen=True)
class Endpoint:
    """The address of one service.

    Attributes:
        url: `https://host[:port]` or `http://host[:port]`, without a slash at the end.
    """

    url: str

    @property
    def host(self) -> str:
        """Host and, where it is given, port."""
        return urlsplit(self.url).netloc

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken there."""
        return self.url.startswith("https://")

    @property
    def may_have_tokens(self) -> bool:
        """Whether a token may be sent there: over TLS, or to this machine."""
        return endpoints.may_have_tokens(self.url)


def endpoint_for(given: Mapping[str, str], service: str) -> Endpoint | None:
    """The address to use instead of Azure's public one; `None` for that one.

    Args:
        given: The block's field.
        service: One of `SERVICES`.
    """
    url = given.get(service)
    return Endpoint(url) if url else None


def check_endpoints(given: Mapping[str, str]) -> dict[str, str]:
    """Refuse services that do not exist and addresses that are none.

    Returns:
        The addresses without a slash at the end.

    Raises:
        ValueError: Naming the service and what is wrong.
    """
    return endpoints.check_endpoints(given, SERVICES, "endpoints", check_url)


def check_url(url: str, what: str) -> str:
    """Refuse what is not `https://host[:port]`; `http://` is for this machine only.

    Args:
        url: The address.
        what: What it is, for the message.

    Returns:
        The address without a slash at the end.

    Raises:
        ValueError: Saying what is wrong.
    """
    address = endpoints.check_address(url, what)
    if not endpoints.may_have_tokens(address):
        raise ValueError(f"{what} must begin with https://: tokens and keys are sent there.")
    return address
