"""Jobs of Cloud Run in the form of API v1, which is that of Knative, and the way between it and API v2's."""

from __future__ import annotations

import copy
from typing import cast

from .clock import stamp
from .errors import Json, invalid_argument
from .run_attempts import attempt_result
from .run_checks import seconds_of
from .run_model import Condition, Execution, Job, Task

API_VERSION = "run.googleapis.com/v1"
LOCATION = "cloud.googleapis.com/location"

_STATUSES = {"CONDITION_SUCCEEDED": "True", "CONDITION_FAILED": "False"}
_VPC = {
    "run.googleapis.com/vpc-access-connector": "connector",
    "run.googleapis.com/vpc-access-egress": "egress",
}


def to_v2(body: Json, namespace: str) -> Json:
    """Read a job of API v1.

    Args:
        body: The job.
        namespace: Project that the request is for.

    Raises:
        ApiError: 400, with the fields that are wrong.
    """
    wrong: list[tuple[str, str]] = []
    if body.get("apiVersion") != API_VERSION:
        wrong.append(("apiVersion", f"must be '{API_VERSION}'"))
    if body.get("kind") != "Job":
        wrong.append(("kind", "must be 'Job'"))
    metadata: Json = body.get("metadata", {})
    if metadata.get("namespace", namespace) != namespace:
        wrong.append(("metadata.namespace", f"must be '{namespace}', the project of the request"))
    template: Json = body.get("spec", {}).get("template", {})
    execution: Json = template.get("spec", {})
    task = execution.get("template", {}).get("spec")
    if not task or not task.get("containers"):
        wrong.append(("spec.template.spec.template.spec.containers", "must contain at least one container"))
    if wrong:
        raise invalid_argument("The request has errors", *wrong)
    spec: Json = body["spec"]
    annotations: Json = template.get("metadata", {}).get("annotations", {})
    return {
        "labels": _own(metadata.get("labels", {})),
        "annotations": _own(metadata.get("annotations", {})),
        "template": {
            "labels": _own(template.get("metadata", {}).get("labels", {})),
            "annotations": _own(annotations),
            **{key: execution[key] for key in ("parallelism", "taskCount") if key in execution},
            "template": _task_to_v2(cast("Json", task), annotations),
        },
        **{key: spec[key] for key in ("startExecutionToken", "runExecutionToken") if key in spec},
    }


def overrides_to_v2(overrides: Json) -> Json:
    """Read the overrides of a run of API v1."""
    found: Json = {key: overrides[key] for key in ("taskCount",) if key in overrides}
    if "timeoutSeconds" in overrides:
        found["timeout"] = f"{overrides['timeoutSeconds']}s"
    if "containerOverrides" in overrides:
        found["containerOverrides"] = [_variables_to_v2(each) for each in overrides["containerOverrides"]]
    return found


def _own(values: Json) -> Json:
    """Leave out what API v2 has fields for."""
    return {key: value for key, value in values.items() if "googleapis.com/" not in key and "knative.dev/" not in key}


def _task_to_v2(task: Json, annotations: Json) -> Json:
    found: Json = {"containers": [_variables_to_v2(container) for container in task["containers"]]}
    if "maxRetries" in task:
        found["maxRetries"] = task["maxRetries"]
    if "timeoutSeconds" in task:
        found["timeout"] = f"{task['timeoutSeconds']}s"
    if "serviceAccountName" in task:
        found["serviceAccount"] = task["serviceAccountName"]
    if "volumes" in task:
        found["volumes"] = [_volume_to_v2(volume) for volume in task["volumes"]]
    access = {field: annotations[key] for key, field in _VPC.items() if key in annotations}
    if access:
        access["egress"] = access.get("egress", "private-ranges-only").upper().replace("-", "_")
        found["vpcAccess"] = access
    return found


_OF_CONTAINERS = ("args", "command", "image", "name", "resources", "volumeMounts", "workingDir", "clearArgs")


def _variables_to_v2(container: Json) -> Json:
    found: Json = {key: container[key] for key in _OF_CONTAINERS if key in container}
    variables: list[Json] = []
    for variable in cast("list[Json]", container.get("env", [])):
        reference: Json = variable.get("valueFrom", {}).get("secretKeyRef", {})
        if reference:
            source = {"secret": reference.get("name", ""), "version": reference.get("key", "latest")}
            variables.append({"name": variable["name"], "valueSource": {"secretKeyRef": source}})
        else:
            variables.append({key: variable[key] for key in ("name", "value") if key in variable})
    if variables:
        found["env"] = variables
    return found


def _volume_to_v2(volume: Json) -> Json:
    found: Json = {"name": volume["name"]}
    if "secret" in volume:
        secret: Json = volume["secret"]
        items = cast("list[Json]", secret.get("items", []))
        found["secret"] = {
            "secret": secret["secretName"],
            "items": [{"path": item["path"], "version": item.get("key", "latest")} for item in items],
        }
    elif "csi" in volume:
        attributes: Json = volume["csi"].get("volumeAttributes", {})
        found["gcs"] = {"bucket": attributes.get("bucketName", ""), "readOnly": volume["csi"].get("readOnly", False)}
    else:
        found.update({key: volume[key] for key in ("emptyDir", "nfs") if key in volume})
    return found


def _task_to_v1(task: Json) -> Json:
    containers: list[Json] = []
    for each in cast("list[Json]", copy.deepcopy(task["containers"])):
        for variable in cast("list[Json]", each.get("env", [])):
            reference = variable.pop("valueSource", {}).get("secretKeyRef")
            if reference:
                source = {"name": reference["secret"], "key": reference.get("version", "latest")}
                variable["valueFrom"] = {"secretKeyRef": source}
        kept = {key: value for key, value in each.items() if key in (*_OF_CONTAINERS, "env")}
        containers.append(kept)
    found: Json = {
        "containers": containers,
        "maxRetries": task["maxRetries"],
        "timeoutSeconds": str(int(seconds_of(task["timeout"]))),
    }
    if "serviceAccount" in task:
        found["serviceAccountName"] = task["serviceAccount"]
    return found


def job_to_v1(job: Job) -> Json:
    """Write a job of API v1."""
    given: Json = copy.deepcopy(job.knative or {})
    template: Json = job.body["template"]
    metadata = {
        "labels": {**job.body.get("labels", {}), **given.get("metadata", {}).get("labels", {}), LOCATION: job.location},
        "annotations": {
            **job.body.get("annotations", {}),
            **given.get("metadata", {}).get("annotations", {}),
            "run.googleapis.com/creator": job.creator,
            "run.googleapis.com/lastModifier": job.creator,
        },
    }
    status: Json = {"conditions": [_condition_to_v1(job.ready)], "executionCount": job.execution_count}
    if job.observed_generation:
        status["observedGeneration"] = job.observed_generation
    if job.latest is not None:
        reference: Json = {
            "name": job.latest.id,
            "creationTimestamp": stamp(job.latest.created_at),
            "completionStatus": job.latest.status,
        }
        if job.latest.ended_at is not None:
            reference["completionTimestamp"] = stamp(job.latest.ended_at)
        status["latestCreatedExecution"] = reference
    return {
        "apiVersion": API_VERSION,
        "kind": "Job",
        "metadata": {
            **metadata,
            "name": job.id,
            "namespace": job.project,
            "selfLink": f"/apis/run.googleapis.com/v1/namespaces/{job.project}/jobs/{job.id}",
            "uid": job.uid,
            "resourceVersion": job.etag.strip('"'),
            "generation": job.generation,
            "creationTimestamp": stamp(job.created_at),
            **({"deletionTimestamp": stamp(job.deleted_at)} if job.deleted_at is not None else {}),
        },
        "spec": {
            "template": {
                "metadata": {**given.get("spec", {}).get("template", {}).get("metadata", {})},
                "spec": _execution_spec(template, template["template"]),
            }
        },
        "status": status,
    }


def _execution_spec(execution: Json, task: Json) -> Json:
    counts = {key: execution[key] for key in ("parallelism", "taskCount") if key in execution}
    return {**counts, "template": {"spec": _task_to_v1(task)}}


def execution_to_v1(execution: Execution) -> Json:
    """Write an execution of API v1."""
    job = execution.job
    status: Json = {
        "conditions": [_condition_to_v1(condition) for condition in execution.conditions],
        "observedGeneration": 1,
        "logUri": execution.data["logUri"],
    }
    times = {"startTime": execution.started_at, "completionTime": execution.ended_at}
    status.update({name: stamp(at) for name, at in times.items() if at is not None})
    names = ("runningCount", "succeededCount", "failedCount", "cancelledCount", "retriedCount")
    status.update({name: count for name, count in execution.data.items() if name in names})
    counts = {"parallelism": execution.parallelism, "taskCount": execution.task_count}
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "metadata": {
            "name": execution.id,
            "namespace": job.project,
            "selfLink": f"/apis/run.googleapis.com/v1/namespaces/{job.project}/executions/{execution.id}",
            "uid": execution.uid,
            "resourceVersion": execution.etag.strip('"'),
            "generation": 1,
            "creationTimestamp": stamp(execution.created_at),
            "labels": execution_labels(execution),
            "annotations": {**execution.annotations, "run.googleapis.com/creator": execution.creator},
            **({"deletionTimestamp": stamp(execution.deleted_at)} if execution.deleted_at is not None else {}),
        },
        "spec": _execution_spec(counts, execution.template),
        "status": status,
    }


def execution_labels(execution: Execution) -> Json:
    """Give the labels of an execution, with those of Cloud Run's own, such as `run.googleapis.com/job`."""
    job = execution.job
    return {
        **execution.labels,
        LOCATION: job.location,
        "run.googleapis.com/job": job.id,
        "run.googleapis.com/jobGeneration": str(job.generation),
        "run.googleapis.com/jobUid": job.uid,
    }


def task_to_v1(task: Task) -> Json:
    """Write a task of API v1."""
    execution = task.execution
    status: Json = {"index": task.index, "retried": task.attempt, "conditions": [_condition_to_v1(task.condition)]}
    times = {"startTime": task.started_at, "completionTime": task.ended_at}
    status.update({name: stamp(at) for name, at in times.items() if at is not None})
    if task.end is not None:
        status["lastAttemptResult"] = attempt_result(task.end)
    return {
        "apiVersion": API_VERSION,
        "kind": "Task",
        "metadata": {
            "name": task.id,
            "namespace": execution.job.project,
            "uid": task.uid,
            "creationTimestamp": stamp(execution.created_at),
            "labels": {**execution_labels(execution), "run.googleapis.com/execution": execution.id},
        },
        "spec": _task_to_v1(execution.template),
        "status": status,
    }


def _condition_to_v1(condition: Condition) -> Json:
    data: Json = {
        "type": condition.type,
        "status": _STATUSES.get(condition.state, "Unknown"),
        "lastTransitionTime": stamp(condition.at),
    }
    reason = condition.execution_reason or condition.reason
    if reason:
        data["reason"] = "".join(part.capitalize() for part in reason.split("_"))
    if condition.message:
        data["message"] = condition.message
    return data
