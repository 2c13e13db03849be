"""What one flow run asks of Docker."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from prefect.utilities.dockerutils import CONTAINER_LABELS as _CONTAINER_LABELS
from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic and the documentation read the annotations

from prefect_integration_kit.job_configuration import JobConfiguration

from ..credentials import DockerRegistryCredentials
from ..host import DockerHost
from ..types import VolumeStr
from . import network
from .devices import assert_gpus
from .labels import docker_labels
from .sizes import Size, SwapSize

if TYPE_CHECKING:
    from uuid import UUID

    from docker import DockerClient
    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

_DOCS = "https://docs.docker.com"
_HOST_GATEWAY_SINCE = (20, 10)


class Ulimit(BaseModel):
    """A limit of the operating system on the processes of a container."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    name: str = Field(description="Name of the limit, such as nofile, nproc or memlock.")
    soft: int = Field(description="The limit in force; -1 for none.")
    hard: int | None = Field(default=None, description="How far a process may raise it; as `soft` when not given.")


class LogConfig(BaseModel):
    """Where the engine keeps a container's output."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    type: str = Field(description=f"Name of the logging driver, see {_DOCS}/engine/logging/configure/.")
    config: dict[str, str] = Field(default_factory=dict, description="Options of the driver.")


class DockerWorkerJobConfiguration(JobConfiguration):
    """What one flow run asks of Docker: the work pool's job template with all variables filled in."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    image: str = Field(
        default_factory=get_prefect_image_name,
        description="Image of the container; the Prefect image of the worker's version when not given.",
        examples=["docker.io/prefecthq/prefect:3-latest"],
    )
    registry_credentials: DockerRegistryCredentials | None = Field(
        default=None, description="Credentials of the registry that the image is pulled from."
    )
    image_pull_policy: Literal["IfNotPresent", "Always", "IfPossible", "Never"] | None = Field(
        default=None,
        description="When the image is pulled: IfNotPresent, where the engine lacks it; Always; IfPossible, "
        "always, but with what the engine has where that fails; Never. When not given, Always for the tag `latest` "
        "or none, unless it was made here, else IfNotPresent.",
    )
    networks: list[str] = Field(
        default_factory=list, description="Names or IDs of the Docker networks that the container is connected to."
    )
    network_mode: str | None = Field(
        default=None,
        description="Network mode of the container, such as host or bridge. Not together with `networks`, unless it is "
        "bridge.",
    )
    auto_remove: bool = Field(
        default=False,
        description="Whether the container is removed once it has ended. The worker takes its exit code and its output "
        "first.",
    )
    volumes: list[VolumeStr] = Field(
        default_factory=list,
        description="Volumes to mount: source:target or source:target:options. A source is a path of the engine's "
        "host, or the name of a volume.",
        examples=["my-volume:/opt/data", "/srv/data:/opt/data:ro"],
    )
    stream_output: bool = Field(
        default=True, description="Whether the container's output is copied to the worker's own standard output."
    )
    mem_limit: Size = Field(
        default=None,
        title="Memory Limit",
        description="Memory limit of the container: a number and a unit, such as 512m or 2g. Without a unit, bytes.",
    )
    memswap_limit: SwapSize = Field(
        default=None,
        title="Memory Swap Limit",
        description="Limit of memory and swap together; -1 for no limit of swap. It needs `mem_limit`; when not given, "
        "the container may swap as much as it has memory.",
    )
    privileged: bool = Field(default=False, description="Whether the container has all rights on its host.")
    container_create_kwargs: dict[str, Any] | None = Field(
        default=None,
        title="Container Configuration",
        description="Further arguments of docker-py's `containers.create`, such as `extra_hosts` or `cap_add`. They "
        "add to the other variables and must not contradict them.",
    )
    gpus: str | int | None = Field(
        default=None,
        title="GPUs",
        description="GPUs of the container, as `docker run --gpus` takes them: all, a number, or device=0,2.",
        examples=["all", "2", "device=0,2"],
    )
    cpus: float | None = Field(
        default=None, gt=0, title="CPUs", description="How many CPUs the container may use, such as 1.5."
    )
    shm_size: Size = Field(
        default=None,
        title="Shared Memory Size",
        description="Size of /dev/shm: a number and a unit, such as 1g; 64m when not given.",
    )
    ipc_mode: str | None = Field(
        default=None,
        title="IPC Mode",
        description="Whose shared memory the container sees: private, shareable, host, none, or container:<name>.",
    )
    runtime: str | None = Field(
        default=None, description="Name of the OCI runtime, such as runc or nvidia, as the engine knows it."
    )
    ulimits: list[Ulimit] = Field(
        default_factory=list,
        description="Limits of the operating system on the container's processes.",
        examples=[[{"name": "nofile", "soft": 65536}]],
    )
    log_config: LogConfig | None = Field(
        default=None,
        title="Log Configuration",
        description="Where the engine keeps the output. With a driver that cannot be read from, such as none, the "
        "worker can copy no output.",
    )
    docker_host: DockerHost | None = Field(
        default=None,
        title="Docker Host",
        description="The engine that runs the container; that of the worker's environment when not given.",
    )

    @field_validator("gpus")
    @classmethod
    def _gpus_can_be_read(cls, gpus: str | int | None) -> str | int | None:
        return assert_gpus(gpus)

    @model_validator(mode="after")
    def _network_mode_goes_with_networks(self) -> Self:
        alone = self.network_mode in ("host", "none") or (self.network_mode or "").startswith("container:")
        if self.networks and alone:
            raise ValueError(
                f"`network_mode` is {self.network_mode!r} and `networks` names {', '.join(self.networks)}: a container "
                "of that mode cannot join a network. Remove one of the two."
            )
        return self

    @model_validator(mode="after")
    def _swap_needs_memory(self) -> Self:
        given = self.mem_limit or (self.container_create_kwargs or {}).get("mem_limit")
        if self.memswap_limit not in (None, "-1") and not given:
            raise ValueError("`memswap_limit` is given without `mem_limit`. Set both, or remove `memswap_limit`.")
        return self

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Add what belongs to one run: image, environment, labels, name, command.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.
        """
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        self.image = self.image or get_prefect_image_name()
        self.labels = docker_labels({**self.labels, **_CONTAINER_LABELS})

    def get_network_mode(self) -> str | None:
        """Choose the container's network mode.

        Returns:
            The one that is set. Without one, and without `networks`, it is `host` where the Prefect API is on this
            machine's loopback address and engine and worker share that machine, on Linux: nothing else reaches such an
            API. Otherwise `None`, the engine's default.
        """
        if self.network_mode:
            return self.network_mode
        if self.networks or sys.platform != "linux" or not network.is_loopback(self._api_url()):
            return None
        return "host" if network.is_local_engine(self._engine_url()) else None

    def get_extra_hosts(self, docker_client: DockerClient) -> dict[str, str] | None:
        """Name the engine's machine for the container, where the engine does not do so itself.

        Docker Desktop knows `host.docker.internal`; an engine on Linux has to be told.

        Args:
            docker_client: A client of the engine.

        Returns:
            `{"host.docker.internal": "host-gateway"}` where the Prefect API is called by that name and the engine runs
            on Linux; otherwise `None`.

        Raises:
            ValueError: If the engine is older than 20.10 and has no such mapping.
        """
        called = network.rewritten({network.API_URL: self._api_url()}, self.get_network_mode())[network.API_URL]
        if sys.platform != "linux" or network.HOST_NAME not in str(called):
            return None
        answer = docker_client.version()  # pyright: ignore[reportUnknownMemberType]
        version = str(answer.get("Version", ""))
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if len(numbers) == 2 and numbers < _HOST_GATEWAY_SINCE:
            raise ValueError(
                f"PREFECT_API_URL names {network.HOST_NAME}, which a Docker Engine {version} on Linux cannot map; "
                "20.10 can. Upgrade the engine, or set PREFECT_API_URL to an address that containers reach."
            )
        return {network.HOST_NAME: "host-gateway"}

    def _api_url(self) -> str | None:
        from prefect.settings import get_current_settings

        configured = get_current_settings().api.url
        return self.env.get(network.API_URL) or (str(configured) if configured else None)

    def _engine_url(self) -> str | None:
        named = self.docker_host.base_url if self.docker_host is not None else None
        return named or os.environ.get("DOCKER_HOST")
