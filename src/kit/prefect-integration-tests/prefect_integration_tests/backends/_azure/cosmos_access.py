"""Who may ask a local Cosmos DB account: the signature of a key, or a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, unquote

from .cosmos_store import CosmosRefused


def check_access(
    headers: Mapping[str, str],
    verb: str,
    resource_type: str,
    links: tuple[str, str],
    *,
    keys: Mapping[str, str],
    check_token: Callable[[str], str | None] | None,
) -> str:
    """Check the authorization of a request, and say who asks.

    https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources

    Args:
        headers: Of the request, names in lower case.
        verb: `GET` and so on.
        resource_type: `dbs`, `colls`, `docs`, `pkranges`, or nothing for the account.
        links: What the signature may name: the path of names as it is, or the last resource id in lower case.
        keys: Names and Base64 of the account's keys.
        check_token: Gives who a token is of; no token is good without it.

    Returns:
        The name of the key, or whom the token is of.

    Raises:
        CosmosRefused: 401.
    """
    given = dict(parse_qsl(unquote(headers.get("authorization", "")).replace("+", "%2B"), keep_blank_values=True))
    if given.get("type") == "master":
        for name, key in keys.items():
            for link in links:
                if hmac.compare_digest(_signature(key, verb, resource_type, link, headers), given.get("sig", "")):
                    return name
        payload = _payload(verb, resource_type, links[0], headers).replace("\n", "\\n")
        raise CosmosRefused(
            401,
            "The input authorization token can't serve the request. The wrong key is being used or the expected "
            "payload is not built as per the protocol. For more info: https://aka.ms/cosmosdb-tsg-unauthorized. "
            f"Server used the following payload to sign: '{payload}'",
        )
    if given.get("type") == "aad":
        principal = check_token(given.get("sig", "")) if check_token is not None else None
        if principal is None:
            raise CosmosRefused(401, "The token is not valid for this account, or has expired.", substatus=5207)
        return principal
    raise CosmosRefused(401, "Required Header authorization is missing. Ensure a valid Authorization token is passed.")


def _payload(verb: str, resource_type: str, link: str, headers: Mapping[str, str]) -> str:
    date = headers.get("x-ms-date", "").lower()
    return f"{verb.lower()}\n{resource_type}\n{link}\n{date}\n{'' if date else headers.get('date', '').lower()}\n"


def _signature(key: str, verb: str, resource_type: str, link: str, headers: Mapping[str, str]) -> str:
    payload = _payload(verb, resource_type, link, headers).encode()
    return base64.b64encode(hmac.new(base64.b64decode(key), payload, hashlib.sha256).digest()).decode()
