"""What a work pool of Snowpark Container Services, or a deployment, may set."""

from __future__ import annotations

from typing import Any, Literal

from prefect.utilities.dockerutils import get_prefect_image_name
from prefect.workers.base import BaseVariables
from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self  # noqa: TC002 - pydantic reads the annotations

from ....credentials import SnowflakeCredentials
from .constants import (
    DEFAULT_CONTAINER_ENTRYPOINT,
    SPCS_DEFAULT_CPU_LIMIT,
    SPCS_DEFAULT_CPU_REQUEST,
    SPCS_DEFAULT_MEMORY_LIMIT,
    SPCS_DEFAULT_MEMORY_REQUEST,
)
from .service_login import service_credentials

LogLevel = Literal["INFO", "ERROR", "NONE"]


class SPCSServiceTemplateVariables(BaseVariables):
    """What a work pool or a deployment may set."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports it, and few use it

    image: str = Field(
        default_factory=get_prefect_image_name,
        description="Image of the container; the Prefect image of the worker's version when not given. It must be in "
        "an image repository of Snowflake.",
        examples=["/my_db/my_schema/my_repository/my-image:1.0"],
    )
    image_registry: str | None = Field(
        default=None,
        description="Image repository of Snowflake, as a path or with its host, for an image that names none.",
        examples=["/my_db/my_schema/my_repository"],
    )
    entrypoint: str | None = Field(
        default=DEFAULT_CONTAINER_ENTRYPOINT,
        description="What the container starts, with the command as its arguments. Empty for that of the image.",
    )
    snowflake_credentials: SnowflakeCredentials = Field(
        default_factory=service_credentials,
        description="Who starts jobs. A worker that is itself a service of Snowflake needs none: it signs in as that.",
    )
    secrets: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Secrets of Snowflake that the container gets, as the specification of a service has them: "
        "`snowflakeSecret`, `secretKeyRef`, and `envVarName` or `directoryPath`.",
        examples=[
            [
                {
                    "snowflakeSecret": "MY_DB.MY_SCHEMA.PREFECT_API_KEY",
                    "secretKeyRef": "secret_string",
                    "envVarName": "PREFECT_API_KEY",
                }
            ]
        ],
    )
    external_access_integrations: list[str] = Field(
        default_factory=list,
        description="External access integrations that let the container out of Snowflake; one of them must allow the "
        "Prefect API.",
    )
    compute_pool: str | None = Field(
        default=None,
        description="Compute pool that jobs run in, by its name or as `database.schema.pool`: then jobs are made in "
        "that schema, unless `service_database` and `service_schema` name another. One that is suspended is resumed.",
    )
    cpu_request: str = Field(
        default=SPCS_DEFAULT_CPU_REQUEST,
        description="Cores that the container needs: `1`, `0.5` or `500m`.",
    )
    cpu_limit: str | None = Field(
        default=SPCS_DEFAULT_CPU_LIMIT, description="Cores that the container gets at most; no limit when not given."
    )
    gpu_count: int | None = Field(
        default=None, description="How many GPUs the container gets; the compute pool must have them."
    )
    memory_request: str = Field(
        default=SPCS_DEFAULT_MEMORY_REQUEST, description="Memory that the container needs: `1G`, `512Mi`."
    )
    memory_limit: str | None = Field(
        default=SPCS_DEFAULT_MEMORY_LIMIT,
        description="Memory that the container gets at most; `memory_request` when not given.",
    )
    volume_mounts: list[dict[str, str]] = Field(
        default_factory=list,
        description="Where volumes are mounted: `name` and `mountPath` of each.",
        examples=[[{"name": "scratch", "mountPath": "/scratch"}]],
    )
    volumes: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Volumes, as the specification of a service has them.",
        examples=[[{"name": "scratch", "source": "local"}]],
    )
    log_level: LogLevel = Field(
        default="INFO",
        description="What of the container's output Snowflake stores in the account's event table: all, what is "
        "written to standard error, or nothing.",
    )
    metrics_groups: list[str] = Field(
        default_factory=list,
        description="Groups of metrics that Snowflake stores in the account's event table.",
        examples=[["system", "system_limits"]],
    )
    query_warehouse: str | None = Field(
        default=None, description="Warehouse for queries that the container sends without naming one."
    )
    service_comment: str | None = Field(
        default=None, description="Comment of the job; the worker adds its labels in a line of their own."
    )
    stream_output: bool = Field(
        default=False, description="Whether the worker prints what the container prints, to its standard error."
    )
    pool_start_timeout_seconds: int = Field(
        default=600, description="Seconds that the compute pool has to become ready before the run crashes."
    )
    service_start_timeout_seconds: int = Field(
        default=300,
        description="Seconds that Snowflake has to pull the image and start the container before the run crashes.",
    )
    service_watch_poll_interval: int = Field(
        default=5, description="Seconds between two looks at the running jobs, all of them together."
    )
    service_database: str | None = Field(
        default=None,
        description="Database that jobs are made in; SNOWFLAKE_DATABASE of the worker's environment, else that of the "
        "credentials' user, when not given.",
    )
    service_schema: str | None = Field(
        default=None,
        description="Schema that jobs are made in; SNOWFLAKE_SCHEMA of the worker's environment, else that of the "
        "credentials' user, when not given.",
    )
    keep_service: bool = Field(
        default=False, description="Whether the job stays after its end, with its output and its state."
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        check_numbers(self)
        return self


def check_numbers(values: Any) -> None:
    """Refuse what Snowflake would refuse minutes later, or what would never end.

    Args:
        values: Has the fields of `SPCSServiceTemplateVariables`.

    Raises:
        ValueError: If a field is out of its range; the message names it.
    """
    for name in ("pool_start_timeout_seconds", "service_start_timeout_seconds", "service_watch_poll_interval"):
        if not getattr(values, name) >= 0:
            raise ValueError(f"`{name}` is {getattr(values, name)}; it is a number of seconds, and not negative.")
    if values.gpu_count is not None and values.gpu_count < 0:
        raise ValueError(f"`gpu_count` is {values.gpu_count}; give a number of GPUs.")
