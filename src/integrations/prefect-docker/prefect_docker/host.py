"""Which Docker engine to talk to: the block that hands out clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field

from prefect_integration_kit.blocks import QuickKey

if TYPE_CHECKING:
    from docker import DockerClient

_LOGO = "https://cdn.sanity.io/images/3ugk85nk/production/14a315b79990200db7341e42553e23650b34bb96-250x250.png"


class DockerHost(QuickKey, Block):
    """A Docker engine, local or remote, and how to talk to it.

    Without `base_url` the engine is found as Docker's command line finds it: `DOCKER_HOST` with `DOCKER_TLS_VERIFY` and
    `DOCKER_CERT_PATH`, the context that `DOCKER_CONTEXT` or `config.json` chooses, then the default socket.

    Example:
        Save a remote engine:

        ```python
        from prefect_docker import DockerHost

        DockerHost(base_url="tcp://127.0.0.1:1234", max_pool_size=4).save("BLOCK_NAME")
        ```

        Open a client of it:

        ```python
        from prefect_docker import DockerHost

        with DockerHost.load("BLOCK_NAME").get_client() as client:
            print(client.version())
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _logo_url = _LOGO  # pyright: ignore[reportAssignmentType]
    _block_type_name = "Docker Host"
    _documentation_url = "https://docs.prefect.io/integrations/prefect-docker"  # pyright: ignore[reportAssignmentType]

    base_url: str | None = Field(
        default=None,
        title="Base URL",
        description="Address of the engine, such as unix:///var/run/docker.sock, tcp://10.0.0.7:2376 or "
        "ssh://user@host. Leave it empty to find the engine as Docker's command line does.",
    )
    version: str = Field(
        default="auto",
        description="Version of the API to speak. With auto it is DOCKER_API_VERSION, else the engine's own.",
    )
    timeout: int | None = Field(
        default=None,
        description="Seconds that a call may take; DOCKER_CLIENT_TIMEOUT, else 60, when empty.",
    )
    max_pool_size: int | None = Field(default=None, description="How many connections are kept open; 10 when empty.")
    client_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        title="Additional Configuration",
        description="Further arguments of docker.DockerClient. tls may be true or an object with ca_cert, client_cert "
        "(certificate and key) and verify.",
    )

    def get_client(self) -> DockerClient:
        """Open a client of its own for the caller, who closes it or uses it as a context manager.

        The engine is asked for its version, unless `version` or `DOCKER_API_VERSION` names one.

        Returns:
            A client of the Docker SDK.

        Raises:
            DockerUnavailable: If no engine answers. The message names the address, who chose it, the cause and the
                remedy.
            DockerContextInvalid: If the Docker context that is chosen does not exist.
            DockerInvalidRequest: If an address, a version or a certificate is not valid.
        """
        from ._engine import connect, replaced_client

        own = replaced_client(self)  # tests of flows replace docker.from_env
        return connect(self) if own is None else own
