"""Render the manifest of one run's job. Pure: what comes in is not changed."""

from __future__ import annotations

import contextlib
import operator
import shlex
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, SupportsIndex, cast

from .checks import ROOT, ManifestInvalid, main_container
from .environment import entries_of, merged, without_names
from .names import job_name, legal_annotations, legal_labels, name_prefix
from .overrides import strategic_merge
from .shapes import as_list, as_mapping, kind_of

SUBMISSION = "prefect.io/submission"
"""Annotation that names the submission which a job was made for."""

_SIGTERM_BEHAVIOR = "PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"
"""What `prefect flow-run execute` does with its run when it is told to end."""

_BLANKS = {"serviceAccountName", "priorityClassName", "runtimeClassName", "imagePullPolicy"}
"""Fields of pods and containers that are empty where a form was left blank."""


@dataclass(frozen=True)
class PodSettings:
    """What job variables add to the pod; nothing that is empty leaves a trace."""

    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    tolerations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    affinity: Mapping[str, Any] = field(default_factory=dict[str, Any])
    volumes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    volume_mounts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    image_pull_secrets: list[str] = field(default_factory=list[str])
    priority_class_name: str | None = None
    env_from: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pod_overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])


def plain(value: Any) -> Any:
    """Leave out fields without a value, which the API takes for fields that are not there.

    Whole numbers of numpy and the like, which programs compute, become such as can be sent.
    """
    if isinstance(value, dict):
        given = as_mapping(value)
        return {
            # In an environment that is a mapping, `None` takes a variable away.
            key: as_mapping(each) if key == "env" and isinstance(each, dict) else plain(each)
            for key, each in given.items()
            if each is not None
        }
    if isinstance(value, list):
        return [plain(each) for each in as_list(value)]
    if isinstance(value, SupportsIndex) and not isinstance(value, int):
        with contextlib.suppress(TypeError):  # an array
            return operator.index(value)
    return value


def add_pod_settings(manifest: dict[str, Any], settings: PodSettings) -> dict[str, Any]:
    """Add what job variables say of the pod; `pod_overrides` come last.

    Args:
        manifest: A manifest that was filled in.
        settings: The variables.

    Returns:
        A new manifest.

    Raises:
        ManifestInvalid: If the overrides are not part of a pod.
    """
    manifest = deepcopy(manifest)
    template = manifest["spec"]["template"]
    pod, container = template["spec"], main_container(manifest)
    added: dict[str, Any] = {
        "nodeSelector": dict(settings.node_selector),
        "affinity": dict(settings.affinity),
        "volumes": settings.volumes,
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
        "priorityClassName": settings.priority_class_name,
        # Lists that the API server does not merge
        "tolerations": settings.tolerations and [*as_list(pod.get("tolerations")), *settings.tolerations],
    }
    to_container: dict[str, Any] = {
        "volumeMounts": settings.volume_mounts,
        "envFrom": settings.env_from and [*as_list(container.get("envFrom")), *settings.env_from],
    }
    patch = {key: value for key, value in added.items() if value}
    if any(to_container.values()):
        own = {key: value for key, value in to_container.items() if value}
        patch["containers"] = [{"name": container["name"], **own}]
    try:
        template = strategic_merge(template, {"spec": patch})
        manifest["spec"]["template"] = strategic_merge(template, _checked_overrides(settings.pod_overrides))
    except ManifestInvalid:
        raise
    except ValueError as exc:
        raise ManifestInvalid(f"The job variables cannot be laid over the pod of {ROOT}: {exc}.") from None
    return manifest


def _checked_overrides(overrides: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(overrides) - {"metadata", "spec"})
    if unknown:
        raise ManifestInvalid(
            f"`pod_overrides` has the field {unknown[0]!r}, and a pod has `metadata` and `spec`. Put it below "
            "`pod_overrides.spec`."
        )
    for name, part in overrides.items():
        if not isinstance(part, dict):
            raise ManifestInvalid(f"`pod_overrides.{name}` is {kind_of(part)}; it must be a mapping.")
    return dict(overrides)


def fill_in(
    manifest: dict[str, Any],
    *,
    name: str,
    namespace: str,
    environment: list[dict[str, Any]],
    labels: Mapping[str, str],
    common_labels: Mapping[str, str],
    annotations: Mapping[str, str],
    job_annotations: Mapping[str, str],
    pod_labels: Mapping[str, str],
    pod_annotations: Mapping[str, str],
    command: str,
    image: str,
    deadline_seconds: int | None,
) -> dict[str, Any]:
    """Fill in what a job of a flow run needs and the manifest does not say.

    Args:
        manifest: A manifest whose shape has been checked.
        name: What the job's name begins with, where the manifest gives no other.
        namespace: The namespace, where the manifest gives none.
        environment: Entries for the container that runs the flow; the manifest adds variables that are not among them.
        labels: Of the job and its pods; they come before those of the manifest.
        common_labels: Of the job and its pods, where nobody says otherwise.
        annotations: Of the job and its pods.
        job_annotations: Of the job besides.
        pod_labels: Of the pods besides.
        pod_annotations: Of the pods besides.
        command: What the container runs, where the manifest gives no arguments.
        image: The image, where the manifest gives none.
        deadline_seconds: How long the job may take, where the manifest does not say.

    Returns:
        A new manifest.

    Raises:
        ValueError: If labels, environment or command cannot be read.
    """
    manifest = deepcopy(manifest)
    metadata, spec = manifest["metadata"], manifest["spec"]
    pod = spec["template"]["spec"]

    of_job = {**common_labels, **_mapping(metadata.get("labels"), "metadata.labels")}
    metadata["labels"], originals = legal_labels({**of_job, **labels})
    own_annotations = legal_annotations(
        {**_mapping(metadata.get("annotations"), "metadata.annotations"), **annotations}
    )
    metadata["annotations"] = {**originals, **own_annotations, **legal_annotations(job_annotations)}
    pod_metadata = spec["template"].setdefault("metadata", {})
    of_pod = _mapping(pod_metadata.get("labels"), "spec.template.metadata.labels")
    pod_metadata["labels"], _ = legal_labels({**of_job, **of_pod, **labels, **pod_labels})
    of_template = _mapping(pod_metadata.get("annotations"), "spec.template.metadata.annotations")
    # As published: service meshes and autoscalers read them from pods.
    if more := {**of_template, **own_annotations, **pod_annotations}:
        pod_metadata["annotations"] = legal_annotations(more)

    metadata["namespace"] = metadata.get("namespace") or namespace
    if metadata.get("name"):
        metadata.pop("generateName", None)
    else:
        metadata.pop("name", None)
        metadata["generateName"] = name_prefix(str(metadata.get("generateName") or "").strip("-") or name)

    for misplaced in ("parallelism", "completions"):  # of the job, and published templates have them in the pod
        value = pod.pop(misplaced, None)
        if spec.get(misplaced) is None:
            spec[misplaced] = 1 if value is None else value
    pod.setdefault("restartPolicy", "Never")
    if spec.get("backoffLimit"):
        # The next pod waits until the one before it has ended; a server that does not know the field drops it.
        spec.setdefault("podReplacementPolicy", "Failed")
    if deadline_seconds is not None:
        spec.setdefault("activeDeadlineSeconds", deadline_seconds)
    if secrets := as_list(pod.get("imagePullSecrets")):
        references = [{"name": each} if isinstance(each, str) else each for each in secrets]
        # One without a name is a variable that was not set.
        pod["imagePullSecrets"] = [each for each in references if each and each != {"name": ""}]
    for given in (pod, *as_list(pod.get("initContainers")), *as_list(pod["containers"])):
        for blank in _BLANKS & as_mapping(given).keys():
            if given[blank] == "":
                del given[blank]

    container = main_container(manifest)
    container.setdefault("name", "prefect-job")
    container["image"] = container.get("image") or image
    args = container.get("args")
    container["args"] = args if args == [] else _words(args or command)  # none at all: the image's own
    if env_from := as_list(container.get("envFrom")):  # a reference whose name is a variable that was not set
        container["envFrom"] = [source for source in env_from if any(as_mapping(source).values())]
    given = entries_of(container.get("env"), f"{ROOT}.spec.template.spec.containers.env")
    container["env"] = merged(environment, without_names(given, environment))
    if spec.get("backoffLimit") != 0:
        container["env"] = _relinquishing(container["env"])
    return manifest


def _relinquishing(environment: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Have a pod that is told to end leave its run to the next one, unless the user says otherwise.

    By itself it would report the run as crashed, which is final. It must not schedule the run anew either, as another
    pod takes it up.
    """
    said = next((entry for entry in environment if entry["name"] == _SIGTERM_BEHAVIOR), None)
    if said is not None and said.get("value") != "reschedule":
        return environment
    return merged(environment, [{"name": _SIGTERM_BEHAVIOR, "value": "relinquish"}])


def name_job(manifest: dict[str, Any], token: str) -> dict[str, Any]:
    """Give the job of one submission its name, and say in it which submission that is.

    A job that is created twice for the same submission has the same name, so there is only one.

    Args:
        manifest: A manifest that was filled in.
        token: Names the submission.

    Returns:
        A new manifest, with a `name` and without `generateName`.
    """
    manifest = deepcopy(manifest)
    metadata = manifest["metadata"]
    prefix = metadata.pop("generateName", "")
    metadata["name"] = metadata.get("name") or job_name(str(prefix), token)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), SUBMISSION: token}
    return manifest


def _words(command: Any) -> Any:
    if not isinstance(command, str):
        return command
    try:
        return shlex.split(command)
    except ValueError as exc:
        raise ManifestInvalid(f"The command cannot be split into words: {exc}. Check its quotes.") from None


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ManifestInvalid(f"The job manifest cannot be used. {ROOT}.{path} must be a mapping.")
    return cast("dict[str, Any]", value)
