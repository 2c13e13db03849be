"""Where dbt Cloud's APIs are, by the domain that the user sees in the browser.

https://docs.getdbt.com/docs/cloud/about-cloud/access-regions-ip-addresses lists domains and the addresses that go with
them.
"""

from __future__ import annotations

import ipaddress
import re

from prefect_integration_kit.endpoints import host_address, is_loopback

_CELL = re.compile(r"^(?P<account>[^.]+)\.(?P<cell>[a-z]{2}\d+\.dbt\.com)$")
_PORT = re.compile(r":\d+$")


def origin(domain: str, field: str = "domain") -> str:
    """Make the address of a domain.

    Args:
        domain: A host, with a port if need be, such as `cloud.getdbt.com`. The scheme `https://` may stand in front of
            it; `http://` only if the host is this machine.
        field: Name of what the user gave, for messages.

    Returns:
        The address without a slash at the end, such as `https://cloud.getdbt.com`.

    Raises:
        ValueError: If it is no host, or an API key would be sent in the clear.
    """
    return host_address(domain, field, "cloud.getdbt.com", "the API key")


def metadata_domain(domain: str) -> str:
    """Give the domain of the metadata API that goes with the domain of the administrative API.

    Args:
        domain: Domain of the administrative API. One that is this machine or an address serves both APIs.
    """
    checked = origin(domain)
    host = _host(checked)
    name = _PORT.sub("", host)
    if is_loopback(name.strip("[]")) or _is_address(name):
        return domain
    if found := _CELL.match(host):
        return f"{found['account']}.metadata.{found['cell']}"
    return host if host.startswith("metadata.") else f"metadata.{host}"


def _host(address: str) -> str:
    return address.partition("://")[2]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
