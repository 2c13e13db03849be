"""A pod's status says what is wrong, in whichever of its containers, and what to do about it."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from prefect_kubernetes.diagnostics import (
    DiagnosisCategory,
    DiagnosisLevel,
    InfrastructureDiagnosis,
    diagnose_k8s_pod,
)


def container(name: str = "prefect-job", *, last: Any = None, restarts: int = 0, **state: Any) -> dict[str, Any]:
    found = {"name": name, "image": "registry.example/flows:1", "restartCount": restarts, "state": state}
    return {**found, "lastState": last} if last else found


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


RUNNING = {"running": {"startedAt": "2026-03-01T10:00:00Z"}}
OOM = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
DONE = {"terminated": {"reason": "Completed", "exitCode": 0}}


def unschedulable(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        ("ErrImagePull", "manifest unknown: not found", "no such image or tag"),
        ("ImagePullBackOff", 'Back-off pulling image "registry.example/flows:1"', "could not be pulled"),
        ("ErrImagePull", "401 Unauthorized", "refused access"),
        ("ErrImagePull", "toomanyrequests: rate limit", "rate limit"),
        ("ErrImagePull", "dial tcp: lookup registry.example: no such host", "could not be reached"),
        ("ErrImagePull", "no match for platform in manifest", "not built for the node's platform"),
        ("InvalidImageName", "couldn't parse image reference", "no valid name"),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never", "not on the node"),
    ],
)
def test_an_image_that_cannot_be_had_is_named_with_the_reason(reason: str, message: str, said: str) -> None:
    found = diagnose_k8s_pod({"phase": "Pending", "containerStatuses": [container(**waiting(reason, message))]})
    assert found is not None
    assert (found.level, found.category) == (DiagnosisLevel.ERROR, DiagnosisCategory.IMAGE_PULL_ERROR)
    assert said in found.summary
    assert "registry.example/flows:1" in found.summary
    assert reason in found.detail
    assert found.resolution


def test_the_container_in_trouble_is_found_among_those_that_are_well() -> None:
    statuses = [container("sidecar", **RUNNING), container("prefect-job", **waiting("ErrImagePull", "denied"))]
    found = diagnose_k8s_pod({"phase": "Pending", "containerStatuses": statuses})
    assert found is not None
    assert "container 'prefect-job'" in found.summary


def test_an_init_container_is_the_cause_before_those_that_wait_for_it() -> None:
    status = {
        "phase": "Pending",
        "initContainerStatuses": [container("fetch", **waiting("ImagePullBackOff"))],
        "containerStatuses": [container(**waiting("PodInitializing"))],
    }
    found = diagnose_k8s_pod(status)
    assert found is not None
    assert "init container 'fetch'" in found.summary


@pytest.mark.parametrize("field", ["containerStatuses", "initContainerStatuses"])
def test_a_container_that_used_too_much_memory_is_named(field: str) -> None:
    found = diagnose_k8s_pod({"phase": "Failed", field: [container("one", **DONE), container("two", **OOM)]})
    assert found is not None
    assert found.category is DiagnosisCategory.OOM_KILLED
    assert "'two'" in found.summary
    assert "137" in found.detail
    assert "memory_limit" in found.resolution


def test_a_container_that_runs_again_after_it_was_killed_is_well() -> None:
    status = {"phase": "Running", "containerStatuses": [container(last=OOM, restarts=1, **RUNNING)]}
    assert diagnose_k8s_pod(status) is None


def test_a_loop_of_crashes_says_why_it_crashes() -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 3}}
    looping = container(last=ended, restarts=5, **waiting("CrashLoopBackOff"))
    found = diagnose_k8s_pod({"phase": "Running", "containerStatuses": [looping]})
    assert found is not None
    assert found.category is DiagnosisCategory.CRASH_LOOP_BACKOFF
    assert "Exit code 3, 5 restarts" in found.detail
    by_memory = container(last=OOM, restarts=5, **waiting("CrashLoopBackOff"))
    found = diagnose_k8s_pod({"phase": "Running", "containerStatuses": [by_memory]})
    assert found is not None
    assert found.category is DiagnosisCategory.OOM_KILLED


@pytest.mark.parametrize(
    ("message", "resource"),
    [
        ("The node was low on resource: ephemeral-storage.", "ephemeral-storage"),
        ("The node was low on resource: memory. Container a was using 2Gi.", "memory"),
        ("Node is gone.", ""),
    ],
)
def test_an_eviction_says_what_the_node_is_short_of(message: str, resource: str) -> None:
    found = diagnose_k8s_pod({"phase": "Failed", "reason": "Evicted", "message": message})
    assert found is not None
    assert (found.level, found.category) == (DiagnosisLevel.ERROR, DiagnosisCategory.EVICTED)
    assert resource in found.summary
    assert message in found.detail


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("PreemptionByScheduler", "preempted"),
        ("DeletionByTaintManager", "does not respond"),
        ("EvictionByEvictionAPI", "drained"),
        ("DeletionByPodGC", "node is gone"),
        ("TerminationByKubelet", "ended by its node"),
    ],
)
def test_a_disruption_is_a_warning_that_says_whose(reason: str, said: str) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}
    found = diagnose_k8s_pod({"phase": "Running", "conditions": [condition]})
    assert found is not None
    assert (found.level, found.category) == (DiagnosisLevel.WARNING, DiagnosisCategory.EVICTED)
    assert said in found.summary
    assert diagnose_k8s_pod({"phase": "Running", "conditions": [{**condition, "status": "False"}]}) is None


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu.", DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES),
        (
            "0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient memory. preemption: none.",
            DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES,
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
            DiagnosisCategory.UNSCHEDULABLE_NODE_AFFINITY,
        ),
        (
            "0/2 nodes are available: 1 node(s) had taint {a: b}, 1 node(s) didn't match node selector.",
            DiagnosisCategory.UNSCHEDULABLE_NODE_AFFINITY,
        ),
        (
            "0/1 nodes are available: 1 node(s) had taint {a: }, that the pod didn't tolerate.",
            DiagnosisCategory.UNSCHEDULABLE_TAINT,
        ),
        ("0/1 nodes are available: persistentvolumeclaim 'x' not found.", DiagnosisCategory.UNSCHEDULABLE),
    ],
)
def test_a_pod_that_finds_no_node_is_told_what_is_missing(message: str, category: DiagnosisCategory) -> None:
    found = diagnose_k8s_pod(unschedulable(message))
    assert found is not None
    assert (found.level, found.category) == (DiagnosisLevel.WARNING, category)
    assert "nodes are available" in found.detail


def test_a_pod_that_its_node_refuses_had_no_room() -> None:
    found = diagnose_k8s_pod({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource"})
    assert found is not None
    assert found.category is DiagnosisCategory.UNSCHEDULABLE_INSUFFICIENT_RESOURCES


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Pending"},
        {"phase": "Pending", "containerStatuses": [container(**waiting("ContainerCreating"))]},
        {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
        {"phase": "Running", "containerStatuses": [container(**RUNNING)]},
        {"phase": "Succeeded", "containerStatuses": [container(**DONE)]},
        {"phase": "Succeeded", "initContainerStatuses": [container(last=OOM, restarts=1, **DONE)]},
        {"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 1, "reason": "Error"})]},
        {"phase": "Pending", "containerStatuses": None, "conditions": None},
    ],
    ids=lambda status: str(status.get("phase", "none")),
)
def test_what_is_well_or_a_matter_for_the_logs_has_no_diagnosis(status: dict[str, Any]) -> None:
    assert diagnose_k8s_pod(status) is None


def test_a_diagnosis_is_one_text_and_travels_between_processes() -> None:
    found = diagnose_k8s_pod(unschedulable("0/1 nodes are available: 1 Insufficient cpu."))
    assert isinstance(found, InfrastructureDiagnosis)
    assert str(found) == f"{found.summary} {found.detail} {found.resolution}"
    assert pickle.loads(pickle.dumps(found)) == found
