"""Which credentials go with an image: those of its registry and no other.

A `DockerRegistryCredentials` block that fits comes first, then what Docker's `config.json` says: a credential helper
for the registry, the credential store, `auths`. https://docs.docker.com/reference/cli/docker/login/#credential-stores
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ._references import DOCKER_HUB, ImageReference, registry_host

if TYPE_CHECKING:
    from typing import TypeAlias

    from .credentials import DockerRegistryCredentials

    Credentials: TypeAlias = DockerRegistryCredentials | Sequence[DockerRegistryCredentials] | None

# https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
_HUB_URL = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class RegistryAuth:
    """Credentials for one request to a registry.

    Attributes:
        config: What the engine is sent; empty for none.
        source: What to call them in messages, without a secret.
    """

    config: dict[str, Any] = field(repr=False)
    source: str

    @property
    def is_anonymous(self) -> bool:
        """Whether there are none."""
        return not self.config

    def secrets(self) -> list[str]:
        """The values to keep out of messages."""
        names = ("password", "identitytoken", "registrytoken")
        return [str(value) for name, value in self.config.items() if name.lower() in names and value]


def find_auth(
    reference: ImageReference,
    credentials: Credentials = None,
) -> RegistryAuth:
    """Find the credentials for an image.

    A credential helper is asked anew each time, so that its token is valid for as long as it can be.

    Args:
        reference: The image.
        credentials: Blocks to look at first. Of several for one registry, the one with the longest path that fits wins.

    Returns:
        The credentials; anonymous ones when nothing fits. A helper that fails is named in `source`, and is no error
        yet: the image may be a public one.
    """
    blocks = [] if credentials is None else credentials if isinstance(credentials, Sequence) else [credentials]
    fitting = [(len(path), block) for block in blocks if (path := _fit(block.registry_url, reference)) is not None]
    if fitting:
        block = max(fitting, key=lambda pair: pair[0])[1]
        config = {
            "username": block.username,
            "password": block.password.get_secret_value(),
            "serveraddress": _HUB_URL if reference.registry == DOCKER_HUB else reference.registry,
        }
        return RegistryAuth(config, f"the credentials block of {block.username!r} for {block.registry_url!r}")
    return _from_config(reference.registry, [block.registry_url for block in blocks])


def _fit(registry_url: str, reference: ImageReference) -> str | None:
    """The path of a registry's address when the image lies beneath it, else `None`."""
    if registry_host(registry_url) != reference.registry:
        return None
    path = registry_url.rpartition("://")[2].partition("/")[2].strip("/")
    if reference.registry == DOCKER_HUB or path in ("v1", "v2"):  # a version of the protocol, not a repository
        path = ""
    return path if f"{reference.path}/".startswith(f"{path}/" if path else "") else None


def _from_config(registry: str, others: Sequence[str]) -> RegistryAuth:
    import docker.auth
    from docker.errors import DockerException

    given = f"no credentials; the given block is for {', '.join(map(repr, others))}" if others else "no credentials"
    name = None
    try:
        config: Any = docker.auth.load_config()  # pyright: ignore[reportUnknownMemberType]
        name = config.get_credential_store(registry)
        found = cast("dict[str, Any] | None", config.resolve_authconfig(registry))
    except DockerException as exc:
        what = f"the credential helper {name!r}" if name else "Docker's config.json"
        return RegistryAuth({}, f"{given}; {what} failed: {exc}")
    if not found:
        return RegistryAuth({}, given)
    user = found.get("username") or found.get("Username")
    by = f"the credential helper {name!r}" if name and "ServerAddress" in found else "Docker's config.json"
    return RegistryAuth(found, f"credentials of {user!r} from {by}" if user else f"a token from {by}")
