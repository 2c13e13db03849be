"""Where GitHub and its APIs are: github.com, a tenant of ghe.com, or an Enterprise Server. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from prefect_integration_kit.endpoints import check_address
from prefect_integration_kit.git_hosts import with_scheme

_CLOUD_HOSTS = ("github.com", "www.github.com", "api.github.com")
_TENANTS = ".ghe.com"
_API_PATHS = ("/api/graphql", "/api/v3", "/api", "/graphql")


@dataclass(frozen=True)
class Server:
    """One GitHub.

    Attributes:
        graphql: Address of its GraphQL API.
        rest: Address of its REST API, without a slash at the end.
    """

    graphql: str
    rest: str

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.graphql).netloc


def server_of(base_url: str | None) -> Server:
    """Find the APIs of a GitHub.

    Args:
        base_url: Address of the server, or of one of its APIs; github.com if not given.

    Raises:
        ValueError: If it is not the address of a server alone.
    """
    text = (base_url or "").strip() or "https://github.com"
    text = with_scheme(text).rstrip("/")
    for path in _API_PATHS:
        text = text.removesuffix(path)
    address = check_address(text, "base_url, the address of the server alone,")
    parts = urlsplit(address)
    host = parts.hostname or ""
    # https://docs.github.com/en/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint
    if host in _CLOUD_HOSTS:
        return Server("https://api.github.com/graphql", "https://api.github.com")
    # https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
    if host.endswith(_TENANTS):
        api = f"{parts.scheme}://api.{parts.netloc.removeprefix('api.')}"
        return Server(f"{api}/graphql", api)
    # https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql
    return Server(f"{address}/api/graphql", f"{address}/api/v3")
