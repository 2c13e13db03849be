"""What a flow run asks of Cloud Run, whichever version of the API is asked."""

from __future__ import annotations

from abc import abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, PrivateAttr

from prefect_integration_kit.job_configuration import JobConfiguration

from .. import _labels
from ..models.cloud_run_v2 import SecretKeySelector
from . import bodies

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

    from ..settings import CloudRunRetrySettings

API_KEY = "PREFECT_API_KEY"
API_AUTH_STRING = "PREFECT_API_AUTH_STRING"

Json = dict[str, Any]


class CloudRunConfiguration(JobConfiguration):
    """What both versions share."""

    model_config = ConfigDict(defer_build=True)  # every flow run imports its subclasses, and few use them

    region: str = Field(default="us-central1", description="Region that jobs are made in.")
    credentials: Any = Field(default=None, description="Credentials that jobs are made with.")
    job_body: dict[str, Any] = Field(description="The job, as the API takes it.")
    env_from_secrets: dict[str, SecretKeySelector] = Field(
        default_factory=dict,
        title="Environment Variables from Secrets",
        description="Environment variables whose values Cloud Run takes from Secret Manager.",
    )
    prefect_api_key_secret: SecretKeySelector | None = Field(
        default=None, title="Prefect API Key Secret", description="The secret that holds the Prefect API key."
    )
    prefect_api_auth_string_secret: SecretKeySelector | None = Field(
        default=None,
        title="Prefect API Auth String Secret",
        description="The secret that holds the authentication string of a self-hosted Prefect API.",
    )
    keep_job: Any = Field(
        default=False, title="Keep Job After Completion", description="Whether the job stays after its end."
    )
    job_body_patch: dict[str, Any] = Field(
        default_factory=dict,
        description="What to put over the job body, for whatever no variable covers.",
    )
    execution_overrides: dict[str, Any] = Field(
        default_factory=dict, description="Overrides of the execution, as the API's `run` takes them."
    )

    _job_name: str = PrivateAttr(default="")

    @property
    def project(self) -> str:
        """The project that jobs are made in.

        Raises:
            ValueError: If neither the credentials nor the environment name one.
        """
        from .._identity import project_of

        return project_of(self.credentials)

    @property
    def job_name(self) -> str:
        """Name of the run's job: at most 63 characters, the same for every try of one submission."""
        return self._job_name or self.name_for(self.name or "")

    def name_for(self, submission: str) -> str:
        """Name the job of a submission, and keep the name.

        Args:
            submission: Names the attempt of the run.
        """
        self._job_name = _labels.job_name(self._base_name(), submission)
        self._put_name(self._job_name)
        return self._job_name

    def _base_name(self) -> str | None:
        return self.name

    @abstractmethod
    def _put_name(self, name: str) -> None:
        """Write the name into the body, where it has a place there."""

    @abstractmethod
    def _worker_settings(self) -> CloudRunRetrySettings:
        """Settings of the worker, from the environment."""

    @abstractmethod
    def _prepare_body(self, body: Json, secrets: dict[str, SecretKeySelector]) -> Json:
        """Put what belongs to one run into a copy of the job body."""

    def request_of(self, name: str, project: str) -> Json:
        """The body of the request that creates the job.

        Args:
            name: Name of the job.
            project: The project that it is made in.
        """
        del name, project
        return deepcopy(self.job_body)

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Add what belongs to one run: name, environment, labels, command, image.

        Variables whose values come from a secret are taken out of the environment.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.

        Raises:
            ValueError: If the job body lacks a part that is needed, or a variable contradicts another; the message
                names it.
        """
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        secrets = self.secrets()
        self.env = {name: value for name, value in self.env.items() if name not in secrets}
        if self.keep_job:
            self.labels = {**self.labels, _labels.KEEP: "true"}
        body = bodies.merged(bodies.pruned(self.job_body), self.job_body_patch)
        self.job_body = self._prepare_body(body, secrets)
        state = flow_run.state
        self.name_for(str(flow_run.id) if state is None else f"{flow_run.id}/{state.id}")

    def secrets(self) -> dict[str, SecretKeySelector]:
        """Variables that come from Secret Manager: those of the run, and those that the worker's settings name."""
        settings = self._worker_settings()
        found = dict(self.env_from_secrets)
        for variable, given, default in (
            (API_KEY, self.prefect_api_key_secret, settings.prefect_api_key_secret),
            (API_AUTH_STRING, self.prefect_api_auth_string_secret, settings.prefect_api_auth_string_secret),
        ):
            if given is not None:
                found[variable] = given
            elif default and variable in self.env and variable not in found:
                name, _, version = default.partition(":")
                found[variable] = SecretKeySelector(secret=name, version=version or "latest")
        return found

    def merged_labels(self, given: Any) -> dict[str, str]:
        """Labels of the job: those of its template, and Prefect's, which say what it is for.

        Args:
            given: Labels of the template.
        """
        ours = _labels.sanitized(self.labels)
        bound = {key: ours[key] for key in (_labels.FLOW_RUN_ID, _labels.WORK_POOL_ID, _labels.KEEP) if key in ours}
        return {**ours, **_labels.sanitized(given or {}), **bound}

    def command_words(self, given: Any) -> list[str]:
        """The container's command: that of the job body, else of the run, else Prefect's own.

        Args:
            given: That of the job body: a text, or a list of words.
        """
        return bodies.words(given) or bodies.words(self.command) or bodies.words(self._base_flow_run_command())
