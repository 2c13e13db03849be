"""Tens of thousands of pods that have ended, held as little more than their names."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping

from .defaults import fill_in
from .json import Json
from .resources import Catalogue
from .store import Stored, to_json

_STARTED, _ENDED = "2025-01-01T00:00:10Z", "2025-01-01T00:01:00Z"


class CrowdMember(Stored):
    """An object that is written from a text with holes whenever it is asked for."""

    __slots__ = ("_text", "_values")

    def __init__(self, text: bytes, values: Mapping[bytes, bytes], head: Json, labels: dict[str, str]) -> None:
        """Hold what differs from the others.

        Args:
            text: JSON of the object with holes such as `%(name)s`, without kind and API version.
            values: What goes into the holes.
            head: Name, namespace and version.
            labels: All labels.
        """
        super().__init__(None)
        self._text = text
        self._values = values
        self.labels = labels
        self.name, self.namespace, self.version = head["name"], head["namespace"], head["version"]

    @property
    def data(self) -> Json:
        """The object."""
        return {"kind": "Pod", "apiVersion": "v1", **json.loads(self.item_json)}

    @property
    def item_json(self) -> bytes:
        """The object as an item of a list."""
        return self._text % self._values

    @property
    def json(self) -> bytes:
        """The object by itself."""
        return b'{"kind":"Pod","apiVersion":"v1",' + self.item_json[1:]

    def field(self, path: str) -> str:
        """Look a field up; all have ended well."""
        return "Succeeded" if path == "status.phase" else super().field(path)


def finished_pods(
    catalogue: Catalogue,
    count: int,
    version: int,
    *,
    namespace: str,
    labels: Mapping[str, str],
    labels_of: Callable[[int], Mapping[str, str]] | None,
    image: str,
) -> list[Stored]:
    """Make pods of jobs, each of which ran one container to its good end.

    Args:
        catalogue: Knows what a pod is.
        count: How many.
        version: The resource version that they share.
        namespace: Where they are.
        labels: Labels of all.
        labels_of: More labels, by the number of the pod.
        image: Image of the container.
    """
    text = _text(catalogue, image)
    made: list[Stored] = []
    for number in range(count):
        name, uid, job_uid = f"finished-{number:06d}-abcde", str(uuid.uuid4()), str(uuid.uuid4())
        own = {
            **labels,
            **(labels_of(number) if labels_of else {}),
            "batch.kubernetes.io/job-name": f"finished-{number:06d}",
            "batch.kubernetes.io/controller-uid": job_uid,
        }
        values = {
            b"name": name.encode(),
            b"job": f"finished-{number:06d}".encode(),
            b"uid": uid.encode(),
            b"job_uid": job_uid.encode(),
            b"namespace": namespace.encode(),
            b"labels": to_json(own),
            b"version": str(version).encode(),
        }
        made.append(CrowdMember(text, values, {"name": name, "namespace": namespace, "version": version}, own))
    return made


def _text(catalogue: Catalogue, image: str) -> bytes:
    pod: Json = {
        "metadata": {},
        "spec": {"containers": [{"name": "prefect-job", "image": image}], "restartPolicy": "Never"},
    }
    fill_in(catalogue["pods"], pod)
    pod["spec"]["nodeName"] = "node1"
    pod["metadata"] = {
        "name": "%(name)s",
        "generateName": "%(job)s-",
        "namespace": "%(namespace)s",
        "uid": "%(uid)s",
        "resourceVersion": "%(version)s",
        "creationTimestamp": "2025-01-01T00:00:00Z",
        "labels": "%(labels)s",
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": "%(job)s",
                "uid": "%(job_uid)s",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    terminated = {"exitCode": 0, "reason": "Completed", "startedAt": _STARTED, "finishedAt": _ENDED}
    pod["status"] = {
        "phase": "Succeeded",
        "conditions": [
            {"type": kind, "status": "False", "reason": "PodCompleted", "lastTransitionTime": _ENDED}
            for kind in ("Ready", "ContainersReady")
        ],
        "startTime": _STARTED,
        "qosClass": "BestEffort",
        "containerStatuses": [
            {
                "name": "prefect-job",
                "image": image,
                "imageID": "",
                "ready": False,
                "started": False,
                "restartCount": 0,
                "state": {"terminated": terminated},
                "lastState": {},
            }
        ],
    }
    return to_json(pod).replace(b'"%(labels)s"', b"%(labels)s")
