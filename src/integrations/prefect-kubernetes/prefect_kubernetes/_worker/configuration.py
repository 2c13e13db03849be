"""What one flow run asks of a cluster."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from prefect.utilities.templating import apply_values
from pydantic import ConfigDict, Field, field_validator
from typing_extensions import Self  # noqa: TC002 - pydantic and the documentation read the annotations

from prefect_integration_kit.job_configuration import JobConfiguration

from ..credentials import KubernetesClusterConfig

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import Flow as APIFlow
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.client.schemas.responses import DeploymentResponse

DEFAULT_POD_WATCH_TIMEOUT_SECONDS = 60

_JOB_MANIFEST: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {
        "annotations": "{{ annotations }}",
        "labels": "{{ labels }}",
        "namespace": "{{ namespace }}",
        "generateName": "{{ name }}-",
    },
    "spec": {
        "backoffLimit": "{{ backoff_limit }}",
        "ttlSecondsAfterFinished": "{{ finished_job_ttl }}",
        "template": {
            "spec": {
                "parallelism": 1,
                "completions": 1,
                "restartPolicy": "Never",
                "serviceAccountName": "{{ service_account_name }}",
                "containers": [
                    {
                        "name": "prefect-job",
                        "env": "{{ env }}",
                        "image": "{{ image }}",
                        "imagePullPolicy": "{{ image_pull_policy }}",
                        "args": "{{ command }}",
                        "resources": {
                            "limits": {"cpu": "{{ cpu_limit }}", "memory": "{{ memory_limit }}"},
                            "requests": {"cpu": "{{ cpu_request }}", "memory": "{{ memory_request }}"},
                        },
                    }
                ],
            }
        },
    },
}


class KubernetesWorkerJobConfiguration(JobConfiguration):
    """What one flow run asks of a cluster: the work pool's job template with all variables filled in."""

    # Every flow run imports it, and few use it. What it is made from may hold secrets.
    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)

    env: dict[str, str | None] | list[dict[str, Any]] = Field(  # pyright: ignore[reportIncompatibleVariableOverride]
        default_factory=dict,
        title="Environment Variables",
        description="Environment variables of the container: a mapping, or a list of entries as a container has them. "
        "`null` in a mapping takes a variable of the worker's own settings away.",
    )
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations of the job and its pods.")
    namespace: str = Field(default="default", description="The namespace that the job is created in.")
    job_manifest: dict[str, Any] = Field(
        json_schema_extra={"template": _JOB_MANIFEST}, description="The manifest of the job."
    )
    cluster_config: KubernetesClusterConfig | None = Field(
        default=None, description="The cluster that the job is created in."
    )
    job_watch_timeout_seconds: int | None = Field(default=None, description="Seconds that the job may take.")
    pod_watch_timeout_seconds: int = Field(
        default=DEFAULT_POD_WATCH_TIMEOUT_SECONDS, description="Seconds that the job's pod may be unable to start."
    )
    stream_output: bool = Field(default=True, description="Whether the worker prints what the container prints.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels that a node must have.")
    tolerations: list[dict[str, Any]] = Field(default_factory=list, description="Taints that the pod tolerates.")
    affinity: dict[str, Any] = Field(default_factory=dict, description="What the pod is drawn to or kept from.")
    volumes: list[dict[str, Any]] = Field(default_factory=list, description="Volumes of the pod.")
    volume_mounts: list[dict[str, Any]] = Field(default_factory=list, description="Where the container mounts them.")
    env_from: list[dict[str, Any]] = Field(default_factory=list, description="Sources of environment variables.")
    image_pull_secrets: list[str] = Field(default_factory=list, description="Secrets that images are pulled with.")
    priority_class_name: str | None = Field(default=None, description="Priority class of the pod.")
    active_deadline_seconds: int | None = Field(default=None, ge=1, description="Seconds that the job may take.")
    pod_labels: dict[str, str] = Field(default_factory=dict, description="Labels of the pod besides the job's.")
    pod_annotations: dict[str, str] = Field(
        default_factory=dict, description="Annotations of the pod besides the job's."
    )
    pod_overrides: dict[str, Any] = Field(
        default_factory=dict, description="Parts of a pod to lay over that of the job, by strategic merge."
    )

    @field_validator("env", mode="before")
    @classmethod
    def _coerce_env(cls, value: Any) -> Any:
        from .environment import entries_of

        if isinstance(value, list):
            return entries_of(value, "env")
        if not isinstance(value, dict):
            return value
        values = cast("dict[str, Any]", value)
        return {name: None if each is None else str(each) for name, each in values.items()}

    @field_validator("job_manifest")
    @classmethod
    def _check_shape(cls, value: dict[str, Any]) -> dict[str, Any]:
        from . import checks, manifest

        value = {"metadata": {}, **manifest.plain(value)}
        checks.check_shape(value)
        return value

    @classmethod
    def json_template(cls) -> dict[str, Any]:
        """Write the job configuration of a new work pool's template.

        Returns:
            A template for each field: its own where it has one, else a placeholder of its name.
        """
        properties = cast("dict[str, dict[str, Any]]", cls.model_json_schema()["properties"])
        return {name: field.get("template", f"{{{{ {name} }}}}") for name, field in properties.items()}

    @classmethod
    async def from_template_and_values(
        cls, base_job_template: dict[str, Any], values: dict[str, Any], client: PrefectClient | None = None
    ) -> Self:
        """Fill the work pool's job template in.

        Args:
            base_job_template: The template.
            values: Job variables of deployment and run.
            client: A client of the Prefect API, to load blocks and variables with.

        Returns:
            The configuration. Values that the template has no place for are named in a warning, once for a process:
            they change nothing.
        """
        base_job_template, values = _with_listed_environment(base_job_template, values)
        return await super().from_template_and_values(base_job_template, values, client)

    def get_environment_variable_value(self, name: str) -> str | None:
        """Look up an environment variable in the job's manifest.

        Args:
            name: Name of the variable.

        Returns:
            Its value; `None` when the container that runs the flow has no such variable, or takes it from elsewhere.
        """
        from . import checks
        from .environment import entries_of, merged, values_of

        env = checks.main_container(self.job_manifest).get("env")
        return values_of(merged(entries_of(env, "env"))).get(name)

    def prepare_for_flow_run(
        self,
        flow_run: FlowRun,
        deployment: DeploymentResponse | None = None,
        flow: APIFlow | None = None,
        work_pool: WorkPool | None = None,
        worker_name: str | None = None,
        worker_id: UUID | None = None,
    ) -> None:
        """Make the manifest that of one run's job: name, labels, environment, command, and what variables add.

        Args:
            flow_run: The run.
            deployment: Its deployment.
            flow: Its flow.
            work_pool: The work pool.
            worker_name: Name of the worker that submits the run.
            worker_id: ID of the worker.

        Raises:
            ValueError: If the manifest cannot be used; the message names the path of what is wrong, and shows no value
                of the environment.
        """
        from .environment import entries_of, merged

        given_env, given_name = self.env, self.name
        super().prepare_for_flow_run(
            flow_run=flow_run,
            deployment=deployment,
            flow=flow,
            work_pool=work_pool,
            worker_name=worker_name,
            worker_id=worker_id,
        )
        given_labels, common_labels = self.labels, _common_labels(deployment, flow)
        self.labels = {**common_labels, **given_labels}
        environment = entries_of(self.env, "env")
        if isinstance(given_env, list):  # Prefect itself knows mappings only
            environment = merged(environment, given_env)
            self.env = environment  # pyright: ignore[reportIncompatibleVariableOverride]
        labels = {"labels": given_labels, "common_labels": common_labels}
        self.job_manifest = self._manifest(environment, labels, given_name, flow_run, flow)
        self.namespace = str(self.job_manifest["metadata"]["namespace"])

    def _manifest(
        self,
        environment: list[dict[str, Any]],
        labels: dict[str, dict[str, str]],
        given_name: str | None,
        flow_run: FlowRun,
        flow: APIFlow | None,
    ) -> dict[str, Any]:
        from prefect.utilities.dockerutils import get_prefect_image_name

        from . import checks, manifest

        filled = manifest.fill_in(
            self._with_prefix(given_name, flow_run, flow),
            name=str(self.name),
            namespace=self.namespace,
            environment=environment,
            **labels,
            annotations=self.annotations,
            job_annotations=self._deadlines(),
            pod_labels=self.pod_labels,
            pod_annotations=self.pod_annotations,
            command=str(self.command),
            image=get_prefect_image_name(),
            deadline_seconds=self.active_deadline_seconds or self.job_watch_timeout_seconds,
        )
        settings = {name: getattr(self, name) for name in manifest.PodSettings.__dataclass_fields__}
        filled = manifest.add_pod_settings(filled, manifest.PodSettings(**settings))
        checks.check(filled)
        return filled

    def _with_prefix(self, given_name: str | None, flow_run: FlowRun, flow: APIFlow | None) -> dict[str, Any]:
        """Render what the manifest's name says of flow and run, as Prefect does for `name`."""
        metadata = dict(self.job_manifest["metadata"])
        prefix = metadata.get("generateName")
        if isinstance(prefix, str) and prefix in (f"{given_name}-", f"{given_name or ''}-"):
            metadata["generateName"] = f"{self.name}-"
        elif isinstance(prefix, str) and "{{" in prefix:
            context = {
                "flow": flow.model_dump(mode="json") if flow is not None else {},
                "flow_run": flow_run.model_dump(mode="json"),
            }
            metadata["generateName"] = apply_values(prefix, {"ctx": context})
        return {**self.job_manifest, "metadata": metadata}

    def _deadlines(self) -> dict[str, str]:
        from .._observer.names import POD_WATCH_TIMEOUT

        if self.pod_watch_timeout_seconds == DEFAULT_POD_WATCH_TIMEOUT_SECONDS:
            return {}  # then the observer's setting holds
        return {POD_WATCH_TIMEOUT: str(self.pod_watch_timeout_seconds)}


def _common_labels(deployment: DeploymentResponse | None, flow: APIFlow | None) -> dict[str, str]:
    """The labels that Kubernetes recommends.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    from prefect import __version__

    from .names import label_value

    subject = deployment or flow
    labels = {"name": subject.name if subject is not None else "", "version": __version__}
    labels |= {"part-of": "prefect", "managed-by": "prefect"}
    legal = {f"app.kubernetes.io/{name}": label_value(value) for name, value in labels.items()}
    return {name: value for name, value in legal.items() if value}


def _with_listed_environment(template: dict[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put the pool's own environment before one that is a list: Prefect itself merges mappings only."""
    from .environment import entries_of
    from .shapes import as_list, as_mapping

    given = values.get("env")
    if not isinstance(given, list):
        return template, values
    template = deepcopy(template)
    job = template["job_configuration"]
    default = as_mapping(template["variables"].get("properties", {}).get("env")).pop("default", None)
    environment = [*entries_of(default, "env"), *entries_of(as_mapping(job.get("env")), "env"), *as_list(given)]
    if isinstance(job.get("env"), dict):
        job["env"] = "{{ env }}"
    return template, {**values, "env": environment}
