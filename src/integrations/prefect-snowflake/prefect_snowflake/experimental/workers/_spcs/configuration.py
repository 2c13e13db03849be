"""What one flow run asks of Snowpark Container Services."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from prefect_integration_kit.job_configuration import JobConfiguration

from ....credentials import SnowflakeCredentials
from .constants import (
    DEFAULT_CONTAINER_ENTRYPOINT,
    SECRET_VARIABLES,
    SPCS_DEFAULT_CPU_LIMIT,
    SPCS_DEFAULT_CPU_REQUEST,
    SPCS_DEFAULT_MEMORY_LIMIT,
    SPCS_DEFAULT_MEMORY_REQUEST,
)
from .names import plain_name, pool_name, quoted_name
from .service_login import service_credentials
from .variables import LogLevel, check_numbers

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow, FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

    from ..settings import SPCSWorkerSettings
    from .statements import JobRequest

Json = dict[str, Any]

_SERVER_VARIABLES = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
"""Beginnings of variables that belong to a server and may hold its password; a run has no use for them."""

_TEMPLATE: Json = {
    "spec": {
        "containers": [
            {
                "name": "{{ name }}",
                "image": "{{ image }}",
                "command": "{{ entrypoint }}",
                "args": "{{ command }}",
                "env": "{{ env }}",
                "secrets": "{{ secrets }}",
                "volumeMounts": "{{ volume_mounts }}",
                "resources": {
                    "requests": {
                        "cpu": "{{ cpu_request }}",
                        "nvidia.com/gpu": "{{ gpu_count }}",
                        "memory": "{{ memory_request }}",
                    },
                    "limits": {
                        "cpu": "{{ cpu_limit }}",
                        "nvidia.com/gpu": "{{ gpu_count }}",
                        "memory": "{{ memory_limit }}",
                    },
                },
            }
        ],
        "volumes": "{{ volumes }}",
        "logExporters": {"eventTableConfig": {"logLevel": "{{ log_level }}"}},
        "platformMonitor": {"metricConfig": {"groups": "{{ metrics_groups }}"}},
    }
}


class SPCSWorkerConfiguration(JobConfiguration):
    """What one flow run asks of Snowpark Container Services."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    job_manifest: dict[str, Any] = Field(
        repr=False,  # of a run that is prepared, it holds the environment
        json_schema_extra={"template": _TEMPLATE},
        description="The job's specification, see "
        "https://docs.snowflake.com/en/developer-guide/snowpark-container-services/specification-reference. Its first "
        "container runs the flow.",
    )
    image: str = Field(default_factory=get_prefect_image_name, description="Image of the container.")
    image_registry: str | None = Field(default=None, description="Repository of an image that names none.")
    entrypoint: str | None = Field(
        default=DEFAULT_CONTAINER_ENTRYPOINT,
        description="What the container starts, with the command as its arguments. Empty for that of the image.",
    )
    snowflake_credentials: SnowflakeCredentials = Field(
        default_factory=service_credentials, description="Who starts jobs."
    )
    secrets: list[dict[str, Any]] = Field(
        default_factory=list, description="Secrets of Snowflake that the container gets."
    )
    external_access_integrations: list[str] = Field(
        default_factory=list, description="External access integrations that let the container out of Snowflake."
    )
    compute_pool: str | None = Field(
        default=None, description="Compute pool that jobs run in, by its name or as `database.schema.pool`."
    )
    cpu_request: str = Field(default=SPCS_DEFAULT_CPU_REQUEST, description="Cores that the container needs.")
    cpu_limit: str | None = Field(default=SPCS_DEFAULT_CPU_LIMIT, description="Cores that it gets at most.")
    gpu_count: int | None = Field(default=None, description="How many GPUs the container gets.")
    memory_request: str = Field(default=SPCS_DEFAULT_MEMORY_REQUEST, description="Memory that the container needs.")
    memory_limit: str | None = Field(
        default=SPCS_DEFAULT_MEMORY_LIMIT,
        description="Memory that it gets at most; as much as it needs when not given.",
    )
    volume_mounts: list[dict[str, str]] = Field(default_factory=list, description="Where volumes are mounted.")
    volumes: list[dict[str, Any]] = Field(default_factory=list, description="Volumes of the container.")
    log_level: LogLevel = Field(default="INFO", description="What of the output goes to the account's event table.")
    metrics_groups: list[str] = Field(
        default_factory=list, description="Groups of metrics that go to the account's event table."
    )
    query_warehouse: str | None = Field(default=None, description="Warehouse for queries of the container.")
    service_comment: str | None = Field(default=None, description="Comment of the job.")
    stream_output: bool = Field(default=False, description="Whether the worker prints what the container prints.")
    pool_start_timeout_seconds: int = Field(
        default=600, description="Seconds that the compute pool has to become ready."
    )
    service_start_timeout_seconds: int = Field(
        default=300, description="Seconds that Snowflake has to start the container."
    )
    service_watch_poll_interval: int = Field(default=5, description="Seconds between two looks at the running jobs.")
    service_database: str | None = Field(default=None, description="Database that jobs are made in.")
    service_schema: str | None = Field(default=None, description="Schema that jobs are made in.")
    keep_service: bool = Field(default=False, description="Whether the job stays after its end.")

    _service_name: str = PrivateAttr(default="")

    @model_validator(mode="before")
    @classmethod
    def _has_credentials(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = dict(cast("Json", values))
        if given.get("snowflake_credentials") is None:
            given["snowflake_credentials"] = service_credentials()  # here what it raises names the field
        return given

    @field_validator("compute_pool")
    @classmethod
    def _is_a_pool(cls, name: str | None) -> str | None:
        if name:
            pool_name(name)
        return name or None

    @field_validator("service_database", "service_schema")
    @classmethod
    def _is_plain(cls, name: str | None, info: Any) -> str | None:
        return plain_name(name, str(info.field_name)) if name else None

    @field_validator("query_warehouse")
    @classmethod
    def _is_a_warehouse(cls, name: str | None) -> str | None:
        if name:
            quoted_name(name, "query_warehouse")
        return name or None

    @field_validator("external_access_integrations")
    @classmethod
    def _are_integrations(cls, names: list[str]) -> list[str]:
        for name in names:
            quoted_name(name, "external_access_integrations")
        return names

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        check_numbers(self)
        if bool(self.service_database) != bool(self.service_schema):
            given, missing = "service_database", "service_schema"
            if self.service_schema:
                given, missing = missing, given
            raise ValueError(f"`{given}` is given without `{missing}`: a job has its place by both.")
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave the environment out: it may hold keys that have not been replaced by secrets yet."""
        return [(name, value) for name, value in super().__repr_args__() if name != "env"]

    @property
    def place(self) -> tuple[str | None, str | None]:
        """Database and schema that jobs are made in; `None` for those of the credentials' user.

        Raises:
            ValueError: If the environment has names that Snowflake does not take.
        """
        if self.service_database:
            return self.service_database, self.service_schema
        of_pool = pool_name(self.compute_pool)[0] if self.compute_pool else None
        if of_pool is not None:
            return of_pool
        found = os.environ.get("SNOWFLAKE_DATABASE"), os.environ.get("SNOWFLAKE_SCHEMA")
        if not all(found):
            return None, None
        database, schema = (str(name) for name in found)
        return plain_name(database, "SNOWFLAKE_DATABASE"), plain_name(schema, "SNOWFLAKE_SCHEMA")

    @property
    def service_name(self) -> str:
        """Name of the run's job, the same for every try of one submission."""
        return self._service_name or self.name_for(self.name or "")

    def name_for(self, submission: str) -> str:
        """Name the job of a submission, and keep the name.

        Args:
            submission: Names the attempt of the run.
        """
        from .names import service_name

        self._service_name = service_name(self.name, submission)
        return self._service_name

    def prepare_for_flow_run(  # pyright: ignore[reportIncompatibleMethodOverride] - published like this
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: Flow | None = None,
        worker_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """Put what belongs to one run into the manifest: image, command, environment, labels.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            worker_id: ID of the worker that submits the run.
            kwargs: `work_pool` and `worker_name`.

        Raises:
            ValueError: If the manifest lacks a container, or the command cannot be taken apart; the message says so.
        """
        own = set(self.env)
        super().prepare_for_flow_run(flow_run=flow_run, deployment=deployment, flow=flow, worker_id=worker_id, **kwargs)
        self.env = {
            name: value for name, value in self.env.items() if name in own or not name.startswith(_SERVER_VARIABLES)
        }
        state = flow_run.state
        self.name_for(str(flow_run.id) if state is None else f"{flow_run.id}/{state.id}")
        self._fill_manifest()

    def _fill_manifest(self) -> None:
        """Put what the container runs into the manifest, but no key of the Prefect API, which is to be a secret."""
        from . import specification as parts
        from .names import container_name

        manifest = copy.deepcopy(self.job_manifest)  # a work pool's template may be shared
        container = parts.main_container(manifest)
        container["name"] = container_name(str(container.get("name") or ""))
        container["image"] = self._image_of(container)
        if isinstance(container.get("resources"), dict):
            container["resources"] = parts.limited(container["resources"])
        for part, words in (("command", self._entrypoint_words()), ("args", self.command_words())):
            if not isinstance(container.get(part), list):
                container[part] = words
        environment = self._environment_of(container)
        keys = {name for name in SECRET_VARIABLES if parts.is_secret(name, environment.get(name, ""))}
        self.env = {**self.env, **{name: environment[name] for name in keys}}
        container["env"] = {name: value for name, value in environment.items() if name not in keys}
        self.job_manifest = manifest

    def _image_of(self, container: Json) -> str:
        from . import specification as parts

        image = str(container.get("image") or self.image)
        return parts.image_of(image, self.image_registry if image == self.image else None)  # its own names its own

    def _environment_of(self, container: Json) -> dict[str, str]:
        own: Any = container.get("env")
        given = {**(cast("Json", own) if isinstance(own, dict) else {}), **self.env}
        return {name: str(value) for name, value in given.items() if value is not None}

    def _entrypoint_words(self) -> list[str]:
        return [self.entrypoint] if self.entrypoint else []

    def command_words(self) -> list[str]:
        """The run's command taken apart as a shell does.

        Raises:
            ValueError: If a quotation mark is not closed.
        """
        command = self.command or self._base_flow_run_command()
        try:
            return shlex.split(command)
        except ValueError as exc:
            message = f"`command` {command!r} cannot be taken apart: {exc}. Close its quotation marks."
            raise ValueError(message) from exc

    def job_request(self, name: str, settings: SPCSWorkerSettings) -> JobRequest:
        """What Snowflake is asked for.

        Args:
            name: Name of the job.
            settings: Name the secrets of the worker.

        Raises:
            ValueError: If the configuration contradicts itself, or a key of the Prefect API would stand in a statement.
        """
        from . import specification as parts
        from .names import CONTAINER, KEEP, comment_of
        from .statements import JobRequest

        if not self.compute_pool:
            raise ValueError(
                "`compute_pool` is missing. Name a compute pool in the work pool, or in the deployment's job variables."
            )
        container = parts.main_container(self.job_manifest)
        own_secrets = cast("list[Json]", container.get("secrets") if isinstance(container.get("secrets"), list) else [])
        secrets = [*own_secrets, *(secret for secret in self.secrets if secret not in own_secrets)]
        environment, secrets = parts.with_api_secrets(
            self._environment_of(container),
            secrets,
            {variable: settings.secret_for(variable) for variable in SECRET_VARIABLES},
        )
        specification = parts.specification_of(
            self.job_manifest,
            image=self._image_of(container),
            command=self._entrypoint_words(),
            arguments=self.command_words(),
            environment=environment,
            secrets=secrets,
        )
        keep = {KEEP: "true"} if self.keep_service else {}
        main = {CONTAINER: parts.main_container(specification)["name"]}
        return JobRequest(
            name=name,
            compute_pool=pool_name(self.compute_pool)[1],
            specification=specification,
            comment=comment_of(self.service_comment, {**self.labels, **keep, **main}),
            query_warehouse=self.query_warehouse,
            external_access_integrations=tuple(self.external_access_integrations),
        )
