"""Ask a registry whether it has an image, without pulling it, by the API of OCI Distribution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from .findings import Finding, failed, ok, warning

if TYPE_CHECKING:
    import httpx

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_TIMEOUT_SECONDS = 20.0


class Image(NamedTuple):
    """An image's name, taken apart."""

    registry: str
    repository: str
    reference: str
    """A tag, or a digest such as `sha256:…`."""


def parse_image(name: str) -> Image:
    """Take an image's name apart, as Docker reads it.

    Args:
        name: Such as `prefecthq/prefect:3-latest`, or with a registry in front or a digest behind.
    """
    rest, _, digest = name.partition("@")
    first, slash, tail = rest.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, tail
    else:
        registry, path = "registry-1.docker.io", rest if slash else f"library/{rest}"
    if registry in ("docker.io", "index.docker.io"):
        registry = "registry-1.docker.io"
    repository, _, tag = path.partition(":")
    return Image(registry, repository, digest or tag or "latest")


def look_up(
    check: str, name: str, *, if_private: str, login: tuple[str, str] | None = None, http: httpx.Client | None = None
) -> Finding:
    """Ask the registry of an image for it.

    Args:
        check: What the finding is about.
        name: The image.
        if_private: What to do where the registry asks for credentials: a sentence.
        login: User and password. Without, what everybody may pull is found.
        http: A client to ask with.
    """
    import httpx

    image = parse_image(name)
    scheme = "http" if image.registry.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.reference}"
    with http or httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True) as client:
        try:
            answer = client.head(url, headers={"Accept": _MANIFESTS})
            if answer.status_code == 401:
                challenge = answer.headers.get("www-authenticate", "")
                if token := _token(client, challenge, login):
                    answer = client.head(url, headers={"Accept": _MANIFESTS, "Authorization": f"Bearer {token}"})
                elif login is not None and challenge.lower().startswith("basic"):
                    answer = client.head(url, headers={"Accept": _MANIFESTS}, auth=login)
        except httpx.HTTPError as exc:
            return warning(check, f"{name}: the registry {image.registry} could not be asked: {exc}")
    if answer.status_code == 404:
        return failed(check, f"{name} does not exist in {image.registry}. Push it or correct image.")
    if answer.status_code in (401, 403) and login is not None:
        return failed(check, f"{name}: {image.registry} does not let {login[0]!r} pull it. Correct the credentials.")
    if answer.status_code in (401, 403):
        return warning(
            check, f"{name} is private or does not exist: {image.registry} asks for credentials. {if_private}"
        )
    if answer.status_code >= 400:
        return warning(check, f"{name}: the registry {image.registry} answered {answer.status_code}.")
    return ok(check, f"{name} is in {image.registry}.")


def _token(client: httpx.Client, challenge: str, login: tuple[str, str] | None) -> str | None:
    """Get a token, by https://distribution.github.io/distribution/spec/auth/token."""
    asked: dict[str, str] = dict(_PARAMETER.findall(challenge))
    if not challenge.lower().startswith("bearer ") or "realm" not in asked:
        return None
    realm = asked.pop("realm")
    parameters: Mapping[str, str] = {key: asked[key] for key in ("service", "scope") if key in asked}
    # A password goes out over TLS, or on this machine, alone.
    is_safe = realm.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    answer = client.get(realm, params=parameters, auth=login if is_safe else None)
    if answer.status_code != 200:
        return None
    body: dict[str, str] = answer.json()
    return body.get("token") or body.get("access_token")
