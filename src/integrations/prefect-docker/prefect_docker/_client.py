"""The Docker SDK's client with what the SDK leaves out. Importing this module imports the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Not from `docker` itself, where tests of flows put a mock in the place of a class.
from docker.api.client import APIClient
from docker.client import DockerClient

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ._endpoints import Endpoint


class _EngineAPI(APIClient):
    """The low-level client, which trusts the authority that it was given.

    `requests` lets REQUESTS_CA_BUNDLE take its place: https://github.com/psf/requests/issues/3829
    """

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Let the settings of this client win over those of the environment."""
        own: Any = self.verify
        return super().merge_environment_settings(
            url, proxies, stream, own if verify is None and own is not True else verify, cert
        )


class EngineClient(DockerClient):
    """A client that knows which engine it talks to and closes at the end of a `with` block."""

    def __init__(self, endpoint: Endpoint, **options: Any) -> None:
        """Connect, when the version of the API has to be asked for.

        Args:
            endpoint: The engine.
            options: Arguments of `docker.DockerClient`.
        """
        self.endpoint = endpoint
        self.api = _EngineAPI(base_url=endpoint.base_url, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
