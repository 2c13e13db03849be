"""Which cluster, and who we are there: the blocks that hand out clients of the Kubernetes API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from prefect.blocks.core import Block
from pydantic import ConfigDict, Field, field_validator

from prefect_integration_kit.blocks import QuickKey

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, AppsV1Api, BatchV1Api, Configuration, CoreV1Api

    KubernetesClient = AppsV1Api | BatchV1Api | CoreV1Api
    K8S_CLIENT_TYPES: dict[str, type[Any]]

LOGO_URL = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9"
    "/assets/block-logos/kubernetes.png"
)
DOCUMENTATION_URL = "https://docs.prefect.io/integrations/prefect-kubernetes"
_CLIENT_TYPES = {"apps": "AppsV1Api", "batch": "BatchV1Api", "core": "CoreV1Api", "custom_objects": "CustomObjectsApi"}

Self = TypeVar("Self", bound="KubernetesClusterConfig")


def __getattr__(name: str) -> Any:
    """Give the names that stand for classes of the SDK, which is loaded when they are asked for."""
    if name not in ("K8S_CLIENT_TYPES", "KubernetesClient"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kubernetes_asyncio import client

    types = {kind: getattr(client, cls) for kind, cls in _CLIENT_TYPES.items()}
    return types if name == "K8S_CLIENT_TYPES" else types["apps"] | types["batch"] | types["core"]


class KubernetesClusterConfig(QuickKey, Block):
    """Say how to reach a cluster: the content of a kubeconfig file, and which of its contexts counts.

    Create one with `from_file`, or give `config` as a dictionary or as YAML text. A token in it is fixed; a user with
    an exec plugin or a `tokenFile` gets new credentials whenever the old ones expire or are refused.

    Example:
        Load a stored configuration:

        ```python
        from prefect_kubernetes import KubernetesClusterConfig

        cluster_config = KubernetesClusterConfig.load("BLOCK_NAME")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Kubernetes Cluster Config"
    _logo_url = LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    config: dict[str, Any] = Field(
        default=...,
        repr=False,  # it holds tokens and keys
        description="The entire content of a kubectl configuration file, as a dictionary or as YAML text.",
    )
    context_name: str = Field(default=..., description="Name of the kubectl context to use.")

    @field_validator("config", mode="before")
    @classmethod
    def parse_yaml_config(cls, value: Any) -> Any:
        """Take YAML text, too.

        Args:
            value: A dictionary, or text.

        Returns:
            The dictionary.
        """
        from . import _kubeconfig

        return _kubeconfig.parse(value, "config") if isinstance(value, str) else value

    @classmethod
    def from_file(cls: type[Self], path: Path | None = None, context_name: str | None = None) -> Self:
        """Create a cluster config from a kubeconfig file.

        The whole file is read and kept in the block. Relative paths of certificates and token files in it become
        absolute ones, so that the block works in any directory.

        Args:
            path: The file; `~` stands for the home directory. By default the files of `KUBECONFIG`, which are merged
                as kubectl does it, else `~/.kube/config`.
            context_name: The context to use; by default the file's current one.

        Returns:
            The block, not saved.

        Raises:
            KubernetesConfigMissing: If there is no such file.
            KubernetesConfigInvalid: If it is not a kubeconfig or has no such context; the message names those that it
                has. Both are a `ValueError`.

        Example:
            ```python
            from prefect_kubernetes import KubernetesClusterConfig

            KubernetesClusterConfig.from_file(context_name="staging").save("BLOCK_NAME")
            ```
        """
        from . import _kubeconfig

        paths = _kubeconfig.default_paths() if path is None else [Path(path).expanduser()]
        config = _kubeconfig.read(paths)
        where = f"The kubeconfig {', '.join(map(str, paths))}"
        return cls(config=config, context_name=_kubeconfig.choose_context(config, context_name, where))

    async def get_api_client(self) -> ApiClient:
        """Open a client of this cluster's API; close it, or use it in an `async with`.

        Returns:
            A `kubernetes_asyncio` client that gives every request a time limit and renews its credentials.

        Raises:
            KubernetesConfigInvalid: If the kubeconfig has no such context, or the context names no cluster.

        Example:
            ```python
            from kubernetes_asyncio.client import VersionApi

            from prefect_kubernetes import KubernetesClusterConfig


            async def server_version() -> str:
                cluster_config = await KubernetesClusterConfig.aload("BLOCK_NAME")
                async with await cluster_config.get_api_client() as api_client:
                    return (await VersionApi(api_client).get_code()).git_version
            ```
        """
        from . import _clients

        return await _clients.build_api(self)

    async def configure_client(self) -> None:
        """Make this cluster the default of `kubernetes_asyncio` in this process.

        Clients that are built afterwards without a configuration talk to it. They have the credentials of this moment;
        those that `get_api_client` and `KubernetesCredentials` give renew theirs.

        Raises:
            KubernetesConfigInvalid: If the kubeconfig has no such context, or the context names no cluster.
        """
        from kubernetes_asyncio.client import Configuration

        from . import _sources

        loaded = await _sources.load(_sources.BlockSource(self))
        cast("Any", Configuration).set_default(loaded.configuration)


class KubernetesCredentials(QuickKey, Block):
    """Hand out clients of the Kubernetes API.

    Without a `cluster_config` the cluster is the one that this process runs in, by the service account of its pod; else
    the one that kubectl would talk to, by `$KUBECONFIG` or `~/.kube/config`.

    Example:
        Load stored credentials and list the pods of a namespace:

        ```python
        from prefect_kubernetes import KubernetesCredentials

        kubernetes_credentials = KubernetesCredentials.load("BLOCK_NAME")


        async def pod_names() -> list[str]:
            async with kubernetes_credentials.get_client("core") as core:
                pods = await core.list_namespaced_pod(namespace="default")
                return [pod.metadata.name for pod in pods.items]
        ```
    """

    _block_type_name = "Kubernetes Credentials"
    _logo_url = LOGO_URL  # pyright: ignore[reportAssignmentType]
    _documentation_url = DOCUMENTATION_URL  # pyright: ignore[reportAssignmentType]

    cluster_config: KubernetesClusterConfig | None = Field(
        default=None, description="How to reach the cluster; empty for the pod's own or kubectl's."
    )

    @asynccontextmanager
    async def get_client(
        self,
        client_type: Literal["apps", "batch", "core", "custom_objects"],
        configuration: Configuration | None = None,
    ) -> AsyncGenerator[KubernetesClient, None]:
        """Open a client for one group of resources; use it in an `async with`.

        Args:
            client_type: `"apps"` for deployments, `"batch"` for jobs, `"core"` for pods, services, secrets, or
                `"custom_objects"`.
            configuration: Options of the SDK, such as a proxy. Address and credentials come from the block, the pod or
                the kubeconfig; only without a `cluster_config` may it name a host of its own.

        Yields:
            The client: `AppsV1Api`, `BatchV1Api`, `CoreV1Api` or `CustomObjectsApi` of `kubernetes_asyncio`.

        Raises:
            ValueError: If there is no such client type.
            KubernetesConfigInvalid: If it is not said how to reach a cluster. It is a `ValueError`.

        Example:
            ```python
            from prefect_kubernetes import KubernetesCredentials


            async def job_names() -> list[str]:
                kubernetes_credentials = await KubernetesCredentials.aload("BLOCK_NAME")
                async with kubernetes_credentials.get_client("batch") as batch:
                    return [job.metadata.name for job in (await batch.list_job_for_all_namespaces()).items]
            ```
        """
        from . import _clients

        _check_client_type(client_type)
        async with _clients.open_api(self.cluster_config, configuration=configuration) as api_client:
            yield await self.get_resource_specific_client(client_type, api_client)

    async def get_resource_specific_client(self, client_type: str, api_client: ApiClient) -> KubernetesClient:
        """Make the client for one group of resources out of a general one.

        Args:
            client_type: `"apps"`, `"batch"`, `"core"` or `"custom_objects"`.
            api_client: The general client, which stays the caller's to close.

        Returns:
            `AppsV1Api`, `BatchV1Api`, `CoreV1Api` or `CustomObjectsApi` of `kubernetes_asyncio`.

        Raises:
            ValueError: If there is no such client type.
        """
        from kubernetes_asyncio import client

        _check_client_type(client_type)
        return cast("KubernetesClient", getattr(client, _CLIENT_TYPES[client_type])(api_client))


def _check_client_type(client_type: str) -> None:
    if client_type not in _CLIENT_TYPES:
        raise ValueError(f"client_type is {client_type!r}; it must be one of {', '.join(sorted(_CLIENT_TYPES))}.")
