"""The manifest of a job: read, looked through for what the cluster would refuse, and made ready to be sent."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ._resources import as_dict

if TYPE_CHECKING:
    from .errors import KubernetesDefinitionInvalid

TRIGGER_ANNOTATION = "prefect.io/trigger-id"
"""Tells the job that one `trigger` has created from others of its name."""

# The server takes no vowels and no digits that look like letters, so that no words come of it:
# https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_MAX_NAME = 63


def read_manifest(path: Path | str) -> dict[str, Any]:
    """Read a manifest from a YAML file.

    Args:
        path: The file; `~` stands for the home directory.

    Raises:
        KubernetesJobDefinitionError: If it does not hold exactly one manifest. It is a `ValueError`.
        OSError: If it cannot be read.
    """
    import yaml

    file = Path(path).expanduser()
    try:
        documents = [found for found in yaml.safe_load_all(file.read_text(encoding="utf-8")) if found is not None]
    except yaml.MarkedYAMLError as exc:
        at = f", line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        refuse(f"{file} is not YAML: {exc.problem}{at}.")
    if len(documents) != 1 or not isinstance(documents[0], dict):
        refuse(f"{file} must hold one manifest of a Job; it holds {len(documents)} documents.")
    return cast("dict[str, Any]", documents[0])


def prepare(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Make a manifest ready to be sent: with a name, and with an annotation that tells this trigger from others.

    The name is completed here and not by the server, so that a request whose answer is lost can be sent again.

    Args:
        manifest: The manifest, which stays as it is.
        namespace: The namespace that the job is created in.

    Raises:
        KubernetesJobDefinitionError: If the cluster could not accept it; the message names the field.
    """
    check(manifest, namespace)
    job = copy.deepcopy(cast("dict[str, Any]", as_dict(manifest)))
    metadata: dict[str, Any] = job["metadata"]
    beginning = metadata.pop("generateName", None)
    if not metadata.get("name"):
        suffix = "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))
        metadata["name"] = f"{str(beginning)[: _MAX_NAME - _SUFFIX_LENGTH]}{suffix}"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), TRIGGER_ANNOTATION: secrets.token_hex(8)}
    return job


def check(manifest: Mapping[str, Any], namespace: str) -> None:
    """Look for mistakes that the server would answer without saying where they are, or only by a pod that never starts.

    Args:
        manifest: The manifest.
        namespace: The namespace that the job is created in.

    Raises:
        KubernetesJobDefinitionError: If there is one; the message names the field.
    """
    problem = next(_problems(manifest, namespace), None)
    if problem is not None:
        refuse(f"The manifest of the job: {problem}")


def _problems(manifest: Mapping[str, Any], namespace: str) -> Iterator[str]:
    for name, wanted in (("kind", "Job"), ("apiVersion", "batch/v1")):
        if manifest.get(name, wanted) != wanted:
            yield f"{name} is {manifest[name]!r}; it must be {wanted}."
    metadata: Any = manifest.get("metadata")
    if not isinstance(metadata, Mapping):
        yield "metadata is missing; it must hold a name or a generateName."
        return
    metadata = cast("Mapping[str, Any]", metadata)
    if not (metadata.get("name") or metadata.get("generateName")):
        yield "metadata.name is missing; give a name, or generateName to have it completed at each run."
    other = metadata.get("namespace")
    if other and other != namespace:
        yield f"metadata.namespace is {other!r}, but the block's namespace is {namespace!r}. Make them the same."
    yield from _texts(metadata, "metadata")
    spec: Any = manifest.get("spec")
    template: Any = cast("Mapping[str, Any]", spec).get("template") if isinstance(spec, Mapping) else None
    pod: Any = cast("Mapping[str, Any]", template).get("spec") if isinstance(template, Mapping) else None
    if not isinstance(pod, Mapping):
        yield "spec.template.spec is missing; it must describe the pod."
        return
    template_metadata: Any = cast("Mapping[str, Any]", template).get("metadata")
    if isinstance(template_metadata, Mapping):
        yield from _texts(cast("Mapping[str, Any]", template_metadata), "spec.template.metadata")
    yield from _pod_problems(cast("Mapping[str, Any]", pod))


def _pod_problems(pod: Mapping[str, Any]) -> Iterator[str]:
    at = "spec.template.spec"
    policy = pod.get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        said = "is missing" if policy is None else f"is {policy!r}"
        yield f"{at}.restartPolicy {said}; for a job it must be Never or OnFailure."
    if not isinstance(pod.get("containers"), list) or not pod["containers"]:
        yield f"{at}.containers is missing; it must list at least one container."
    for key in ("initContainers", "containers"):
        listed: Any = pod.get(key)
        for index, container in enumerate(cast("list[Any]", listed) if isinstance(listed, list) else []):
            if not isinstance(container, Mapping):
                yield f"{at}.{key}[{index}] is {type(container).__name__}; it must be a mapping."
                continue
            yield from _container_problems(cast("Mapping[str, Any]", container), f"{at}.{key}[{index}]")


def _container_problems(container: Mapping[str, Any], at: str) -> Iterator[str]:
    for name in ("name", "image"):
        if not isinstance(container.get(name), str) or not container[name]:
            yield f"{at}.{name} is missing or no text."
    for name in ("command", "args"):
        words: Any = container.get(name)
        if words is None:
            continue
        if not isinstance(words, list):
            yield f"{at}.{name} is {type(words).__name__}; it must be a list of texts."
        elif any(not isinstance(word, str) for word in cast("list[Any]", words)):
            yield f"{at}.{name} must hold texts only: quote numbers and true or false."
    env: Any = container.get("env")
    for index, entry in enumerate(cast("list[Any]", env) if isinstance(env, list) else []):
        value: Any = cast("Mapping[str, Any]", entry).get("value") if isinstance(entry, Mapping) else None
        if value is not None and not isinstance(value, str):  # the value is not repeated: it may be a secret
            yield f"{at}.env[{index}].value is {type(value).__name__}; it must be text: put it in quotes."


def _texts(metadata: Mapping[str, Any], at: str) -> Iterator[str]:
    for kind in ("labels", "annotations"):
        found: Any = metadata.get(kind)
        if found is None:
            continue
        if not isinstance(found, Mapping):
            yield f"{at}.{kind} is {type(found).__name__}; it must be a mapping."
            continue
        for name, value in cast("Mapping[Any, Any]", found).items():
            if not isinstance(name, str) or not isinstance(value, str):
                yield f"{at}.{kind}: {name} is {value!r}; it must be text: put it in quotes."


def refuse(message: str) -> NoReturn:
    """Raise the published error for a wrong definition.

    Args:
        message: The field, what is wrong, the remedy.
    """
    from .exceptions import KubernetesJobDefinitionError

    error: KubernetesDefinitionInvalid = KubernetesJobDefinitionError(message, subject="Job")
    raise error from None
