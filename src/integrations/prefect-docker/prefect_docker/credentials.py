"""Who we are at a Docker registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, SecretStr

from prefect_integration_kit.blocks import QuickKey
from prefect_integration_kit.dispatch import run_sync_in_worker_thread

from .errors import (
    DockerAccessDenied,
    DockerEngineFailed,
    DockerError,
    DockerLoginFailed,
    classify,
    docker_errors,
    reason_of,
)

if TYPE_CHECKING:
    from docker import DockerClient

_LOGO = "https://cdn.sanity.io/images/3ugk85nk/production/14a315b79990200db7341e42553e23650b34bb96-250x250.png"


class DockerRegistryCredentials(QuickKey, Block):
    """User name and password for one Docker registry.

    Example:
        Log a client in to the registry:

        ```python
        import asyncio

        from prefect_docker import DockerHost, DockerRegistryCredentials

        docker_registry_credentials = DockerRegistryCredentials.load("BLOCK_NAME")
        with DockerHost().get_client() as client:
            asyncio.run(docker_registry_credentials.login(client))
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _logo_url = _LOGO  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Docker Registry Credentials"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-docker"  # pyright: ignore[reportAssignmentType]

    username: str = Field(description="The user name, or what the registry wants in its place for a token.")
    password: SecretStr = Field(description="The password or access token.")
    registry_url: str = Field(
        description="The registry, such as registry.example.com:5000; https://index.docker.io/v1/ is Docker Hub. "
        "A path after the host narrows it to repositories beneath that path.",
    )
    reauth: bool = Field(
        default=True, description="Whether login asks the registry also when the client is logged in already."
    )

    async def login(self, client: DockerClient) -> Any:
        """Log a client in to the registry, for everything that it pulls from there and pushes to it.

        The client alone remembers it: nothing is written to Docker's `config.json`.

        Args:
            client: A client of the Docker SDK.

        Returns:
            The registry's answer, as the SDK gives it.

        Raises:
            DockerLoginFailed: If the registry does not accept the user name and password.
            DockerError: If the engine or the registry cannot be reached.
        """
        return await run_sync_in_worker_thread(self._login, client)

    def _login(self, client: DockerClient) -> Any:
        password = self.password.get_secret_value()
        subject = f"Login to registry {self.registry_url!r} as {self.username!r}"
        with docker_errors(subject, choose=_choose, secrets=[password]):
            return client.login(
                username=self.username, password=password, registry=self.registry_url, reauth=self.reauth
            )


_REFUSED = ("unauthorized", "401", "denied", "incorrect username")


def _choose(exc: BaseException) -> type[DockerError]:
    """Engines answer 401 to a refused login, older ones 500 with the registry's answer in the message."""
    cls = classify(exc)
    if issubclass(cls, DockerAccessDenied):
        return DockerLoginFailed
    refused = issubclass(cls, DockerEngineFailed) and any(word in reason_of(exc).lower() for word in _REFUSED)
    return DockerLoginFailed if refused else cls
