"""What a job and its pods mean for their run: a table of cases, without a cluster."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from prefect_kubernetes._observer import names
from prefect_kubernetes._observer.health import HealthMonitor, KubernetesObserverHealth, combined
from prefect_kubernetes._observer.outcomes import CREATING_SECONDS, LOST_SECONDS, Kind, Verdict, judge
from prefect_kubernetes._observer.projections import JobView, PodView, job_view, pod_view, time_of
from prefect_kubernetes._observer.records import Record, Records

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
RUN = uuid.uuid4()


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(*conditions: Mapping[str, Any], started: str | None = None, **fields: Any) -> JobView:
    metadata = {
        "name": "job",
        "namespace": "flows",
        "uid": "job-uid",
        "resourceVersion": "1",
        "creationTimestamp": at(-100),
        "labels": {names.FLOW_RUN_ID: str(RUN)},
        **fields.pop("metadata", {}),
    }
    pod = {"containers": [{"name": "proxy"}, {"name": "prefect-job"}]}
    spec = {"backoffLimit": 0, "template": {"spec": pod}, **fields}
    status = {"conditions": list(conditions), "startTime": started}
    found = job_view({"metadata": metadata, "spec": spec, "status": status})
    assert found is not None
    return found


def condition(kind: str, reason: str = "", message: str = "", status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": at(-1)}


def pod(
    name: str = "pod", phase: str = "Running", *, created: float = -90, deleting: float | None = None, **more: Any
) -> PodView:
    metadata = {
        "name": name,
        "namespace": "flows",
        "uid": name,
        "resourceVersion": "1",
        "creationTimestamp": at(created),
        "labels": {names.FLOW_RUN_ID: str(RUN), "job-name": "job", "controller-uid": "job-uid"},
    }
    if deleting is not None:
        metadata["deletionTimestamp"] = at(deleting)
    containers = more.pop("containers", [status(phase)])
    found = pod_view(
        {
            "metadata": metadata,
            "spec": {"nodeName": more.pop("node", "node1")},
            "status": {"phase": phase, "containerStatuses": containers, **more},
        }
    )
    assert found is not None
    return found


def status(phase: str, name: str = "prefect-job", code: int | None = None) -> dict[str, Any]:
    state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
    if phase == "Running":
        state = {"running": {}}
    elif phase in ("Succeeded", "Failed"):
        code = code if code is not None else int(phase == "Failed")
        state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": at(-2)}}
    return {"name": name, "state": state, "restartCount": 0}


def look(job: JobView, *pods: PodView, **options: Any) -> Verdict:
    return judge(job, pods, **{"now": NOW, "pending_seconds": 600.0, **options})


FAILED = condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")

CASES: dict[str, tuple[Verdict, dict[str, Any]]] = {
    "a pod runs": (look(job(), pod()), {"kind": Kind.WORKING, "delete_because": "", "is_replaced": False}),
    "a pod starts": (look(job(), pod(phase="Pending")), {"kind": Kind.WAITING, "delete_because": ""}),
    "an init container runs": (
        look(job(), pod(phase="Pending", initContainerStatuses=[status("Running", "fetch")])),
        {"kind": Kind.WORKING},
    ),
    "no pod yet": (look(job()), {"kind": Kind.WAITING, "delete_because": ""}),
    "no pod for long, and it is known why": (
        look(job(), trouble="FailedCreate: exceeded quota.", pending_seconds=60.0),
        {"kind": Kind.WAITING, "delete_because": "The job had no pod within 60 seconds. FailedCreate: exceeded quota."},
    ),
    "held back by a queue": (
        look(job(suspend=True), pending_seconds=1.0),
        {"kind": Kind.WAITING, "delete_because": "", "look_again_seconds": None},
    ),
    "its pod failed, and it is not over yet": (
        look(job(), pod(phase="Failed")),
        {"kind": Kind.WORKING, "is_replaced": False},
    ),
    "its pod failed, and another is to come": (
        look(job(backoffLimit=1), pod(phase="Failed")),
        {"kind": Kind.WORKING, "is_replaced": True},
    ),
    "another pod runs": (
        look(job(backoffLimit=1), pod("a", "Failed"), pod("b", created=-10)),
        {"kind": Kind.WORKING, "is_replaced": True, "delete_because": ""},
    ),
    "another pod runs that should not": (
        look(job(), pod("b", created=-10), past=[pod("a", deleting=-5)]),
        {"kind": Kind.WORKING, "is_replaced": True},
    ),
    "another pod runs after it was suspended": (
        look(job(started=at(-20)), pod("b", created=-10), past=[pod("a", deleting=-50)]),
        {"kind": Kind.WORKING, "is_replaced": True, "delete_because": ""},
    ),
    "no pod yet, and it was suspended for long": (
        look(job(started=at(-20), metadata={"creationTimestamp": at(-9999)}), trouble="FailedCreate: quota."),
        {"kind": Kind.WAITING, "delete_because": "", "look_again_seconds": 580.0},
    ),
    "a policy says what counts as failure": (
        look(job(podFailurePolicy={"rules": []}), pod("b", created=-10), past=[pod("a", deleting=-5)]),
        {"kind": Kind.WORKING, "is_replaced": True, "delete_because": ""},
    ),
    "its only pod is leaving": (look(job(), pod(deleting=20)), {"kind": Kind.WORKING, "is_replaced": False}),
    "failed, while a pod is leaving": (
        look(job(FAILED), pod(deleting=20)),
        {"kind": Kind.WORKING, "look_again_seconds": 10.0},
    ),
    "failed": (look(job(FAILED), pod(phase="Failed")), {"kind": Kind.OVER, "succeeded": False}),
    "about to fail": (
        look(job(condition("FailureTarget", "BackoffLimitExceeded"), backoffLimit=3), pod(phase="Failed")),
        {"kind": Kind.WORKING, "is_replaced": False},
    ),
    "complete": (look(job(condition("Complete")), pod(phase="Succeeded")), {"kind": Kind.OVER, "succeeded": True}),
    "said to be complete by a condition that is false": (
        look(job(condition("Complete", status="False")), pod()),
        {"kind": Kind.WORKING},
    ),
    "cleared away after success": (
        look(job(), is_gone=True, past=[pod(phase="Succeeded")]),
        {"kind": Kind.OVER, "succeeded": True},
    ),
    "deleted, and its pod runs on": (look(job(), pod(), is_gone=True), {"kind": Kind.WORKING}),
    "being deleted": (look(job(metadata={"deletionTimestamp": at(-1)}), pod(deleting=20)), {"kind": Kind.WORKING}),
    "being deleted by us before anything ran": (
        look(job(metadata={"deletionTimestamp": at(-1)}), doom="It could not start."),
        {"kind": Kind.OVER, "message": "It could not start. Kubernetes job job in namespace flows."},
    ),
    "deleted": (look(job(), is_gone=True), {"kind": Kind.OVER, "succeeded": False}),
    "restarted in its pod": (
        look(job(), pod(containers=[{**status("Running"), "restartCount": 1}])),
        {"kind": Kind.WORKING, "is_replaced": True},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_job_is_judged_by_what_it_will_do(case: str) -> None:
    verdict, expected = CASES[case]
    assert {name: getattr(verdict, name) for name in expected} == expected


def test_a_second_pod_that_the_retries_do_not_allow_gives_the_cause_of_the_first_one_s_end() -> None:
    verdict = look(job(), pod("b", created=-10), past=[pod("a", deleting=-5)])
    assert "`backoff_limit` is 0" in verdict.delete_because
    assert "Pod a on node node1" in verdict.delete_because


@pytest.mark.parametrize(("seconds", "is_lost"), [(0.0, False), (-LOST_SECONDS + 1, False), (-LOST_SECONDS - 1, True)])
def test_a_pod_is_lost_when_it_should_be_gone_for_long(seconds: float, is_lost: bool) -> None:
    leaving = pod(deleting=seconds)
    verdict = look(job(FAILED), leaving)
    assert (verdict.lost_pods == (leaving,), verdict.kind is Kind.OVER) == (is_lost, is_lost)


@pytest.mark.parametrize(
    ("age", "explicit", "trouble", "is_given_up"),
    [
        (599, None, True, False),
        (601, None, True, True),
        (601, None, False, False),
        (CREATING_SECONDS + 1, None, False, True),
        (61, "60", True, True),
        (61, "60", False, True),
        (61, "no number", True, False),
        (61, "0", True, False),
    ],
)
def test_a_pod_that_cannot_start_has_its_time(
    age: float, explicit: str | None, trouble: bool, is_given_up: bool
) -> None:
    annotations = {"annotations": {names.POD_WATCH_TIMEOUT: explicit}} if explicit else {}
    waiting = {"waiting": {"reason": "ImagePullBackOff" if trouble else "ContainerCreating"}}
    pending = pod(phase="Pending", created=-age, containers=[{"name": "prefect-job", "state": waiting}])
    verdict = look(job(metadata=annotations), pending)
    assert (verdict.kind, bool(verdict.delete_because)) == (Kind.WAITING, is_given_up)
    assert is_given_up or (verdict.look_again_seconds or 0) > 0


def test_the_container_that_failed_is_named_and_not_its_sidecars() -> None:
    containers = [status("Failed", "proxy", 2), status("Failed", "prefect-job", 127)]
    message = look(job(FAILED), pod(phase="Failed", containers=containers)).message
    assert "Container 'prefect-job' exited with 127" in message
    assert "proxy" not in message
    containers = [status("Failed", "proxy", 2), status("Succeeded", "prefect-job", 0)]
    assert "Container 'proxy' exited with 2" in look(job(FAILED), pod(phase="Failed", containers=containers)).message


def test_the_last_pod_says_why() -> None:
    first = pod("first", "Failed", created=-90, containers=[status("Failed", code=1)])
    last = pod("last", "Failed", created=-10, containers=[status("Failed", code=9)])
    message = look(job(FAILED, backoffLimit=1), last, first).message
    assert "used up its 1 retries" in message
    assert "exited with 9" in message
    assert "Pod last" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T13:00:00+01:00", NOW),
        ("2026-03-01T12:00:00.000000Z", NOW),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_the_api_server_writes_them(text: str | None, expected: datetime | None) -> None:
    assert time_of(text) == expected


@pytest.mark.parametrize("labels", [{}, {names.FLOW_RUN_ID: "no uuid"}, None])
def test_what_is_no_flow_run_s_is_of_no_interest(labels: Any) -> None:
    raw = {"metadata": {"uid": "u", "labels": labels}}
    assert (job_view(raw), pod_view(raw)) == (None, None)


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": {"labels": {names.FLOW_RUN_ID: str(RUN)}}}])
def test_an_object_that_lacks_what_it_should_have_is_passed_over(raw: Any) -> None:
    assert (job_view(raw), pod_view(raw)) == (None, None)


def test_a_job_without_a_limit_may_retry_as_often_as_kubernetes_lets_it() -> None:
    assert job(backoffLimit=None).backoff_limit == 6


# Records


def records() -> tuple[Records, list[Record]]:
    changed: list[Record] = []
    return Records(changed.append), changed


def test_a_job_that_is_done_with_is_remembered_by_its_uid_until_it_is_deleted() -> None:
    kept, changed = records()
    cluster: Any = type("Cluster", (), {"key": ""})()
    kept.see_job(cluster, job(FAILED))
    kept.see_pod(cluster, pod(phase="Failed"))
    kept.finish(changed[0])
    changed.clear()
    kept.see_job(cluster, job(FAILED))
    kept.see_pod(cluster, pod(phase="Failed"))
    assert (len(kept), kept.finished_count, changed) == (0, 1, [])
    kept.see_job(cluster, job(FAILED), is_deleted=True)
    assert (len(kept), kept.finished_count, changed) == (0, 0, [])


def test_what_a_list_lacks_was_deleted_meanwhile() -> None:
    kept, changed = records()
    cluster: Any = type("Cluster", (), {"key": ""})()
    kept.see_job(cluster, job())
    kept.see_pod(cluster, pod())
    kept.miss_pods(cluster, "flows", set())
    kept.miss_jobs(cluster, "other", set())
    assert not changed[0].is_missing
    kept.miss_jobs(cluster, "flows", set())
    assert changed[0].is_missing
    assert (list(changed[0].pods), list(changed[0].past)) == ([], ["pod"])


def test_an_object_that_has_not_changed_is_no_change() -> None:
    kept, changed = records()
    cluster: Any = type("Cluster", (), {"key": ""})()
    for _ in range(3):
        kept.see_job(cluster, job())
        kept.see_pod(cluster, pod())
    assert len(changed) == 2


def test_pods_that_come_and_go_for_ever_are_not_all_kept() -> None:
    kept, changed = records()
    cluster: Any = type("Cluster", (), {"key": ""})()
    kept.see_job(cluster, job())
    for number in range(100):
        kept.see_pod(cluster, pod(f"pod-{number}"))
        kept.see_pod(cluster, pod(f"pod-{number}"), is_deleted=True)
    assert len(changed[0].past) == 20


# Health


def test_the_health_of_the_observer_is_that_of_its_worst_watch(fake_clock: Any, caplog: Any) -> None:
    one, two = (HealthMonitor(name, logging.getLogger("test"), fake_clock) for name in ("jobs", "pods"))
    assert combined([]) == KubernetesObserverHealth()
    assert combined([one.health, two.health]).state == "starting"
    one.succeeded()
    assert combined([one.health, two.health]).state == "starting"
    two.succeeded()
    assert combined([one.health, two.health]).is_healthy
    two.failed("away")
    fake_clock.advance(60)
    assert combined([one.health, two.health]).is_healthy
    fake_clock.advance(1)
    health = combined([one.health, two.health])
    assert (health.state, health.down, health.last_error) == ("degraded", ("pods",), "away")
    two.failed("away")
    two.failed("away")
    assert caplog.text.count("Cannot watch pods") == 1
    two.succeeded()
    assert combined([one.health, two.health]).is_healthy
