"""Job configurations as a worker makes them, from a new work pool's template."""

from __future__ import annotations

import uuid
from typing import Any

from prefect.client.schemas.objects import Flow, FlowRun
from prefect.utilities.templating import apply_values

from prefect_kubernetes.worker import KubernetesWorker, KubernetesWorkerJobConfiguration

TEMPLATE: dict[str, Any] = KubernetesWorker.get_default_base_job_template()
_PROPERTIES: dict[str, Any] = TEMPLATE["variables"]["properties"]
_DEFAULTS = {name: field["default"] for name, field in _PROPERTIES.items() if field.get("default") is not None}


def configuration_of(
    *, cluster_config: Any = None, job_configuration: dict[str, Any] | None = None, **variables: Any
) -> KubernetesWorkerJobConfiguration:
    """Fill the template in; keywords are job variables."""
    unknown = set(variables) - set(_PROPERTIES)
    assert not unknown, f"no job variables: {unknown}"
    filled: Any = apply_values(job_configuration or TEMPLATE["job_configuration"], {**_DEFAULTS, **variables})
    configuration = KubernetesWorkerJobConfiguration(**filled)
    configuration.cluster_config = cluster_config
    return configuration


def a_run(name: str = "happy-fox", **fields: Any) -> FlowRun:
    """A flow run that no server knows."""
    return FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name=name, **fields)


def prepared(flow_run: FlowRun | None = None, **variables: Any) -> KubernetesWorkerJobConfiguration:
    """A configuration that is ready to be submitted."""
    configuration = configuration_of(**variables)
    flow_run = flow_run or a_run()
    configuration.prepare_for_flow_run(flow_run, flow=Flow(id=flow_run.flow_id, name="shop flow", labels={}))
    return configuration


def manifest_of(flow_run: FlowRun | None = None, **variables: Any) -> dict[str, Any]:
    """The manifest of a run's job."""
    return prepared(flow_run, **variables).job_manifest


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return pod_of(manifest)["containers"][0]


def env_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Values, or what `valueFrom` says, by name; a name that stands twice is an error."""
    entries = container_of(manifest)["env"]
    found = {entry["name"]: entry.get("valueFrom", entry.get("value")) for entry in entries}
    assert len(found) == len(entries)
    return found
