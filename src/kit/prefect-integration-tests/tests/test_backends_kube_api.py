"""The played API server: what the real one does too, asked of both, and what only a played one can be made to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

client = pytest.importorskip("kubernetes_asyncio.client")
watch = pytest.importorskip("kubernetes_asyncio.watch")
from kubernetes_asyncio.client.exceptions import ApiException  # noqa: E402

from prefect_integration_kit.waiting import apoll  # noqa: E402
from prefect_integration_tests.backends._kube.models import decode_problems  # noqa: E402
from prefect_integration_tests.backends.kube_api import KubeApi, PodScript  # noqa: E402

Json = dict[str, Any]
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}


class Cluster:
    """One of the two, as the tests see it."""

    def __init__(self, kind: str, backend: Any, namespace: str) -> None:
        self.is_played = kind == "played"
        self.backend = backend
        self.namespace = namespace

    @contextlib.asynccontextmanager
    async def open(self, token: str | None = None) -> AsyncIterator[Any]:
        if self.is_played:
            async with self.backend.client(token) as opened:
                yield opened
        else:
            async with self.backend.api_client() as opened:
                if token is not None:
                    opened.configuration.api_key = {"BearerToken": f"Bearer {token}"}
                yield opened

    def add_user(self, rules: list[Json]) -> tuple[str, str]:
        """Name and token of a new user."""
        if self.is_played:
            name = "system:serviceaccount:default:somebody"
            return name, self.backend.add_user(name, rules, namespace=self.namespace)
        user = self.backend.user_with_rules(rules, namespace=self.namespace)
        return user.name, user.config["users"][0]["user"]["token"]

    def job(self, exit_code: int = 0, seconds: int = 0, **spec: Any) -> Json:
        """A job whose pod ends like that; the played one is told, the real one runs it."""
        if self.is_played:
            self.backend.play.automatic = PodScript(run_seconds=seconds, exit_code=exit_code, logs="hello")
        container = {
            "name": "main",
            "image": "busybox:dev",
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", f"echo hello; sleep {seconds}; exit {exit_code}"],
        }
        pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
        return {"metadata": {"generateName": "load-"}, "spec": {"backoffLimit": 0, "template": {"spec": pod}, **spec}}


@pytest.fixture(params=["played", pytest.param("real", marks=pytest.mark.xdist_group("kubernetes"))])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    if request.param == "played":
        return Cluster("played", request.getfixturevalue("empty_kube_api"), "default")
    request.getfixturevalue("busybox_image")
    backend = request.getfixturevalue("kubernetes_cluster")
    return Cluster("real", backend, request.getfixturevalue("kubernetes_namespace"))


@contextlib.contextmanager
def refused(status: int) -> Any:
    """Expect a refusal; `said` is its body then."""
    said: Json = {}
    with pytest.raises(ApiException) as caught:
        yield said
    assert caught.value.status == status, caught.value.body
    said.update(json.loads(caught.value.body))
    assert said["code"] == status
    assert said["status"] == "Failure"


async def until(look: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Wait until something is there."""

    async def found() -> Any:
        return await look() or None

    return await apoll(found, subject="what the test waits for", interval_seconds=0.05, timeout_seconds=seconds)


def secret(name: str, **more: Any) -> Json:
    return {"metadata": {"name": name, **more}, "stringData": {"key": "value"}}


class TestRefusals:
    async def test_a_name_that_is_taken(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_secret(cluster.namespace, secret("taken"))
            with refused(409) as said:
                await core.create_namespaced_secret(cluster.namespace, secret("taken"))
        assert said["reason"] == "AlreadyExists"
        assert said["message"] == 'secrets "taken" already exists'
        assert said["details"] == {"name": "taken", "kind": "secrets"}

    async def test_a_thing_that_is_not_there(self, cluster):
        async with cluster.open() as api:
            with refused(404) as said:
                await client.BatchV1Api(api).read_namespaced_job("nowhere", cluster.namespace)
        assert said["reason"] == "NotFound"
        assert said["message"] == 'jobs.batch "nowhere" not found'
        assert said["details"] == {"name": "nowhere", "group": "batch", "kind": "jobs"}

    async def test_a_namespace_that_is_not_there(self, cluster):
        async with cluster.open() as api:
            with refused(404) as said:
                await client.CoreV1Api(api).create_namespaced_secret("nowhere", secret("lost"))
        assert said["message"] == 'namespaces "nowhere" not found'

    async def test_a_label_that_is_too_long_and_one_with_blanks(self, cluster):
        labels = {"long": "x" * 64, "blank": "a b"}
        async with cluster.open() as api:
            with refused(422) as said:
                await client.CoreV1Api(api).create_namespaced_secret(
                    cluster.namespace, secret("labelled", labels=labels)
                )
        assert said["reason"] == "Invalid"
        causes = {(cause["field"], cause["reason"]) for cause in said["details"]["causes"]}
        assert causes == {("metadata.labels", "FieldValueInvalid")}
        assert "must be no more than 63 characters" in said["message"]
        assert "a valid label must be an empty string or consist of" in said["message"]

    async def test_a_name_in_capitals(self, cluster):
        async with cluster.open() as api:
            with refused(422) as said:
                await client.CoreV1Api(api).create_namespaced_secret(cluster.namespace, secret("Capital"))
        assert said["details"]["causes"][0]["field"] == "metadata.name"
        assert "RFC 1123 subdomain must consist of lower case alphanumeric characters" in said["message"]

    async def test_a_job_whose_pods_would_always_restart(self, cluster):
        job = cluster.job()
        job["spec"]["template"]["spec"]["restartPolicy"] = "Always"
        async with cluster.open() as api:
            with refused(422) as said:
                await client.BatchV1Api(api).create_namespaced_job(cluster.namespace, job)
        assert said["details"]["causes"][0]["field"] == "spec.template.spec.restartPolicy"
        assert '"OnFailure", "Never"' in said["message"]

    async def test_a_job_without_a_container(self, cluster):
        async with cluster.open() as api:
            with refused(422) as said:
                await client.BatchV1Api(api).create_namespaced_job(
                    cluster.namespace, {"metadata": {"name": "empty"}, "spec": {}}
                )
        fields = [cause["field"] for cause in said["details"]["causes"]]
        assert "spec.template.spec.containers" in fields
        assert said["message"].startswith('Job.batch "empty" is invalid: ')

    async def test_a_number_that_is_text(self, cluster):
        async with cluster.open() as api:
            with refused(400) as said:
                await client.BatchV1Api(api).create_namespaced_job(cluster.namespace, cluster.job(backoffLimit="3"))
        assert said["reason"] == "BadRequest"
        assert said["message"].startswith('Job in version "v1" cannot be handled as a Job: ')

    async def test_another_version_of_an_object_than_the_current_one(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            old = await core.create_namespaced_secret(cluster.namespace, secret("versioned"))
            await core.patch_namespaced_secret("versioned", cluster.namespace, {"metadata": {"labels": {"a": "b"}}})
            old.metadata.labels = {"c": "d"}
            with refused(409) as said:
                await core.replace_namespaced_secret("versioned", cluster.namespace, old)
        assert said["reason"] == "Conflict"
        assert "the object has been modified; please apply your changes to the latest version" in said["message"]

    async def test_the_deletion_of_one_with_another_uid(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_secret(cluster.namespace, secret("mine"))
            with refused(409) as said:
                await core.delete_namespaced_secret(
                    "mine", cluster.namespace, body={"preconditions": {"uid": "of-another"}}
                )
        assert said["message"].startswith(
            'Operation cannot be fulfilled on Secret "mine": the UID in the precondition (of-another) does not match'
        )
        assert said["details"] == {"name": "mine", "kind": "Secret"}

    async def test_a_change_of_a_jobs_template(self, cluster):
        async with cluster.open() as api:
            batch = client.BatchV1Api(api)
            made = await batch.create_namespaced_job(cluster.namespace, cluster.job(suspend=False))
            patch = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}
            with refused(422) as said:
                await batch.patch_namespaced_job(made.metadata.name, cluster.namespace, patch)
        assert said["details"]["causes"][0]["field"] == "spec.template"
        assert said["message"].endswith("field is immutable")

    async def test_a_token_that_nobody_gave_out(self, cluster):
        async with cluster.open(token="unknown") as api:
            with refused(401) as said:
                await client.CoreV1Api(api).list_namespaced_pod(cluster.namespace)
        assert (said["reason"], said["message"]) == ("Unauthorized", "Unauthorized")

    async def test_a_verb_that_no_rule_allows(self, cluster):
        name, token = cluster.add_user([READ_PODS])
        async with cluster.open(token) as api:
            with refused(403) as said:
                await client.CoreV1Api(api).list_namespaced_pod(cluster.namespace)
            with refused(404):
                await client.CoreV1Api(api).read_namespaced_pod("none", cluster.namespace)
        assert said["message"] == (
            f'pods is forbidden: User "{name}" cannot list resource "pods" in API group "" in the namespace '
            f'"{cluster.namespace}"'
        )
        assert said["details"] == {"kind": "pods"}

    async def test_a_field_that_cannot_be_selected_by(self, cluster):
        async with cluster.open() as api:
            with refused(400) as said:
                await client.CoreV1Api(api).list_namespaced_pod(cluster.namespace, field_selector="spec.image=x")
        assert "field label not supported: spec.image" in said["message"]

    async def test_a_pod_over_the_quota(self, cluster):
        pod = cluster.job()["spec"]["template"]
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}
            await core.create_namespaced_resource_quota(cluster.namespace, quota)
            if not cluster.is_played:
                await until(lambda: _used(core, cluster.namespace))
            with refused(403) as said:
                await core.create_namespaced_pod(cluster.namespace, {**pod, "metadata": {"name": "more"}})
        assert said["reason"] == "Forbidden"
        assert said["message"] == (
            'pods "more" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0'
        )


async def _used(core: Any, namespace: str) -> Any:
    return (await core.read_namespaced_resource_quota("small", namespace)).status.used


class TestObjects:
    async def test_what_is_asked_for_is_allowed_or_not(self, cluster):
        _, token = cluster.add_user([READ_PODS])
        async with cluster.open(token) as api:
            access = client.AuthorizationV1Api(api)
            allowed = {}
            for verb in ("get", "create"):
                asked = {"verb": verb, "resource": "pods", "namespace": cluster.namespace}
                answer = await access.create_self_subject_access_review({"spec": {"resourceAttributes": asked}})
                allowed[verb] = answer.status.allowed
        assert allowed == {"get": True, "create": False}

    async def test_unknown_fields_are_dropped(self, cluster):
        job = cluster.job()
        job["spec"]["template"]["spec"]["parallelism"] = 1
        async with cluster.open() as api:
            made = await client.BatchV1Api(api).create_namespaced_job(
                cluster.namespace, job, _preload_content=False, dry_run="All"
            )
            read = await made.json()
        assert made.status == 201
        assert "parallelism" not in read["spec"]["template"]["spec"]
        assert read["spec"]["parallelism"] == 1

    async def test_defaults_are_filled_in(self, cluster):
        async with cluster.open() as api:
            made = await client.BatchV1Api(api).create_namespaced_job(cluster.namespace, cluster.job(), dry_run="All")
        spec, pod = made.spec, made.spec.template.spec
        assert made.metadata.name.startswith("load-")
        assert len(made.metadata.name) == len("load-") + 5
        assert (spec.parallelism, spec.completions) == (1, 1)
        assert set(spec.template.metadata.labels) >= {"job-name", "controller-uid"}
        assert (pod.dns_policy, pod.scheduler_name) == ("ClusterFirst", "default-scheduler")
        assert pod.containers[0].termination_message_path == "/dev/termination-log"

    async def test_items_of_a_list_have_no_kind(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_secret(cluster.namespace, secret("listed"))
            answer = await core.list_namespaced_secret(
                cluster.namespace, field_selector="metadata.name=listed", _preload_content=False
            )
            listed = await answer.json()
        assert listed["kind"] == "SecretList"
        assert [set(item) for item in listed["items"]] == [{"metadata", "data", "type"}]

    async def test_a_list_comes_in_pages(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            for number in range(5):
                await core.create_namespaced_secret(
                    cluster.namespace, secret(f"page-{number}", labels={"set": "pages"})
                )
            names, token = [], None
            while token != "":
                page = await core.list_namespaced_secret(
                    cluster.namespace, label_selector="set in (pages, x),!y", limit=2, _continue=token
                )
                names.append([item.metadata.name for item in page.items])
                token = page.metadata._continue or ""
        assert names == [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]]

    async def test_a_strategic_patch_merges_by_name_and_a_merge_patch_replaces(self, cluster):
        async with cluster.open() as api:
            apps = client.AppsV1Api(api)
            container = {"name": "main", "image": "busybox:dev", "env": [{"name": "A", "value": "1"}]}
            labels = {"app": "web"}
            body = {
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
                },
            }
            await apps.create_namespaced_deployment(cluster.namespace, body)
            patch = {
                "spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}}
            }
            merged = await apps.patch_namespaced_deployment("web", cluster.namespace, patch)
            env = merged.spec.template.spec.containers[0].env
            assert {each.name for each in env} == {"A", "B"}
            with refused(422) as said:
                await apps.patch_namespaced_deployment(
                    "web", cluster.namespace, patch, _content_type="application/merge-patch+json"
                )
        assert "spec.template.spec.containers[0].image" in said["message"]

    async def test_a_patch_of_a_secret_in_three_forms(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_secret(cluster.namespace, secret("patched", labels={"a": "1"}))
            read = await core.patch_namespaced_secret("patched", cluster.namespace, {"stringData": {"more": "x"}})
            assert set(read.data) == {"key", "more"}
            operation = [
                {"op": "remove", "path": "/metadata/labels/a"},
                {"op": "add", "path": "/data/n", "value": "eA=="},
            ]
            read = await core.patch_namespaced_secret("patched", cluster.namespace, operation)
            assert (read.metadata.labels, read.data["n"]) == (None, "eA==")
            read = await core.patch_namespaced_secret(
                "patched", cluster.namespace, {"data": {"n": None}}, _content_type="application/merge-patch+json"
            )
            assert set(read.data) == {"key", "more"}


class TestWatches:
    async def test_a_watch_tells_what_comes_to_be_selected_and_what_no_longer_is(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            start = (await core.list_namespaced_secret(cluster.namespace)).metadata.resource_version
            await core.create_namespaced_secret(cluster.namespace, secret("seen", labels={"is": "in"}))
            await core.patch_namespaced_secret("seen", cluster.namespace, {"metadata": {"annotations": {"x": "y"}}})
            await core.patch_namespaced_secret("seen", cluster.namespace, {"metadata": {"labels": {"is": "out"}}})
            await core.patch_namespaced_secret("seen", cluster.namespace, {"metadata": {"labels": {"is": "in"}}})
            await core.delete_namespaced_secret("seen", cluster.namespace)
            told = []
            async with watch.Watch() as stream:
                async for event in stream.stream(
                    core.list_namespaced_secret,
                    cluster.namespace,
                    label_selector="is=in",
                    resource_version=start,
                    timeout_seconds=10,
                ):
                    told.append(event["type"])
                    if told.count("DELETED") == 2:
                        break
        assert told == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]

    async def test_a_watch_without_a_version_begins_with_what_is_there_and_ends_in_time(self, cluster):
        async with cluster.open() as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_secret(cluster.namespace, secret("there", labels={"is": "here"}))
            answer = await core.list_namespaced_secret(
                cluster.namespace, watch=True, label_selector="is=here", timeout_seconds=1, _preload_content=False
            )
            lines = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert [line["type"] for line in lines] == ["ADDED"]
        assert lines[0]["object"]["kind"] == "Secret"


class TestJobs:
    @pytest.mark.parametrize("exit_code", [0, 3])
    async def test_a_job_ends_as_its_pod_does(self, cluster, exit_code):
        async with cluster.open() as api:
            batch, core = client.BatchV1Api(api), client.CoreV1Api(api)
            made = await batch.create_namespaced_job(cluster.namespace, cluster.job(exit_code))
            name = made.metadata.name

            async def ended() -> Any:
                job = await batch.read_namespaced_job(name, cluster.namespace)
                return {each.type: each for each in job.status.conditions or [] if each.type in ("Complete", "Failed")}

            conditions = await until(ended)
            pods = (await core.list_namespaced_pod(cluster.namespace, label_selector=f"job-name={name}")).items
            log = await core.read_namespaced_pod_log(pods[0].metadata.name, cluster.namespace)
            counts = (await batch.read_namespaced_job(name, cluster.namespace)).status
        assert log == "hello\n"
        assert len(pods) == 1
        assert pods[0].status.container_statuses[0].state.terminated.exit_code == exit_code
        assert pods[0].metadata.owner_references[0].uid == made.metadata.uid
        if exit_code:
            assert list(conditions) == ["Failed"]
            assert conditions["Failed"].reason == "BackoffLimitExceeded"
            assert conditions["Failed"].message == "Job has reached the specified backoff limit"
            assert (pods[0].status.phase, counts.failed, counts.succeeded) == ("Failed", 1, None)
        else:
            assert list(conditions) == ["Complete"]
            assert (pods[0].status.phase, counts.failed, counts.succeeded) == ("Succeeded", None, 1)
            assert counts.completion_time is not None

    @pytest.mark.parametrize(("policy", "is_left"), [(None, True), ("Background", False), ("Foreground", False)])
    async def test_a_deleted_job_leaves_its_pods_unless_told_otherwise(self, cluster, policy, is_left):
        async with cluster.open() as api:
            batch, core = client.BatchV1Api(api), client.CoreV1Api(api)
            name = (await batch.create_namespaced_job(cluster.namespace, cluster.job(seconds=60))).metadata.name

            async def pods(phase: str = "") -> Any:
                found = (await core.list_namespaced_pod(cluster.namespace, label_selector=f"job-name={name}")).items
                return [pod for pod in found if not phase or pod.status.phase == phase]

            async def is_gone() -> bool:
                found = await batch.list_namespaced_job(cluster.namespace, field_selector=f"metadata.name={name}")
                return not found.items

            await until(lambda: pods("Running"))
            options = {"propagation_policy": policy} if policy else {}
            await batch.delete_namespaced_job(name, cluster.namespace, **options)
            await until(is_gone)
            if is_left:
                assert [pod.metadata.owner_references for pod in await pods()] == [None]
            else:

                async def are_going() -> bool:  # a kubelet takes up to ten seconds until it says that they are gone
                    return all(pod.metadata.deletion_timestamp for pod in await pods())

                await until(are_going)

    async def test_a_secret_goes_with_the_job_that_owns_it(self, cluster):
        async with cluster.open() as api:
            batch, core = client.BatchV1Api(api), client.CoreV1Api(api)
            job = await batch.create_namespaced_job(cluster.namespace, cluster.job())
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job.metadata.name, "uid": job.metadata.uid}
            await core.create_namespaced_secret(cluster.namespace, secret("owned", ownerReferences=[owner]))
            await batch.delete_namespaced_job(job.metadata.name, cluster.namespace, propagation_policy="Background")

            async def is_gone() -> bool:
                found = await core.list_namespaced_secret(cluster.namespace, field_selector="metadata.name=owned")
                return not found.items

            await until(is_gone)


@pytest.fixture
def api(empty_kube_api: KubeApi) -> KubeApi:
    return empty_kube_api


def job_of(name: str = "load", **spec: Any) -> Json:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}, **spec}}


def conditions_of(job: Json) -> dict[str, str]:
    return {each["type"]: each.get("reason", "") for each in job["status"].get("conditions", [])}


class TestPlay:
    @pytest.mark.parametrize(
        ("act", "phase", "reason"),
        [
            ("oom_kill", "Failed", "OOMKilled"),
            ("fail", "Failed", "Error"),
            ("succeed", "Succeeded", "Completed"),
        ],
    )
    def test_containers_end(self, api, act, phase, reason):
        api.create("jobs", job_of())
        getattr(api.play, act)("load")
        pod = api.play.pod("load")
        assert pod["status"]["phase"] == phase
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == reason

    def test_an_evicted_pod_stays_and_counts(self, api):
        api.create("jobs", job_of())
        api.play.start("load")
        pod = api.play.evict("load")
        assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "Evicted")
        assert conditions_of(api.play.job("load"))["Failed"] == "BackoffLimitExceeded"

    @pytest.mark.parametrize(("counts", "expected"), [(True, "Failed"), (False, None)], ids=["1.26", "1.25"])
    @pytest.mark.parametrize("act", ["preempt", "delete", "evict_by_api"])
    def test_a_deleted_pod_counts_from_1_26_on(self, api, act, counts, expected):
        api.play.counts_deleted_pods = counts
        api.create("jobs", job_of())
        before = api.play.start("load")["metadata"]["name"]
        getattr(api.play, act)("load")
        assert conditions_of(api.play.job("load")).get("Failed") == (expected and "BackoffLimitExceeded")
        assert before not in [pod["metadata"]["name"] for pod in api.play.pods("load")]
        assert len(api.play.pods("load")) == (0 if counts else 1)

    def test_a_failed_pod_is_replaced_while_the_limit_lasts(self, api):
        api.create("jobs", job_of(backoffLimit=1))
        first = api.play.fail("load")["metadata"]["name"]
        second = api.play.pod("load")["metadata"]["name"]
        assert first != second
        assert api.play.job("load")["status"]["active"] == 1
        api.play.fail("load")
        assert conditions_of(api.play.job("load"))["Failed"] == "BackoffLimitExceeded"
        assert [pod["status"]["phase"] for pod in api.play.pods("load")] == ["Failed", "Failed"]

    def test_a_pod_on_a_lost_node_stays_until_the_node_is_removed(self, api):
        api.create("jobs", job_of(backoffLimit=1))
        api.play.start("load")
        lost = api.play.lose_node("load")
        assert "deletionTimestamp" in lost["metadata"]
        assert lost["status"]["phase"] == "Running"
        assert len(api.play.pods("load")) == 2
        api.play.remove_node(lost["metadata"]["name"])
        assert [pod["status"]["phase"] for pod in api.play.pods("load")] == ["Pending"]

    def test_a_failed_job_says_so_when_its_pods_are_gone(self, api):
        api.play.termination_seconds = None
        api.create("jobs", job_of(activeDeadlineSeconds=3600))
        api.play.start("load")
        api.play.pass_deadline("load")
        assert conditions_of(api.play.job("load")) == {"FailureTarget": "DeadlineExceeded"}
        api.play.terminate("load")
        assert conditions_of(api.play.job("load"))["Failed"] == "DeadlineExceeded"

    async def test_deadline_and_time_to_live_pass_by_the_clock(self, api):
        api.create("jobs", job_of(activeDeadlineSeconds=1, ttlSecondsAfterFinished=0))

        async def is_gone() -> bool:
            return not api.list("jobs")

        await until(is_gone, seconds=10)
        reasons = [event["reason"] for event in api.list("events")]
        assert "DeadlineExceeded" in reasons

    def test_a_suspended_job_has_no_pods_until_it_is_resumed(self, api):
        api.create("jobs", job_of())
        api.play.start("load")
        api.change("jobs", "load", lambda job: job["spec"].update(suspend=True))
        assert conditions_of(api.play.job("load")) == {"Suspended": "JobSuspended"}
        assert api.play.pods("load") == []
        api.change("jobs", "load", lambda job: job["spec"].update(suspend=False))
        assert conditions_of(api.play.job("load")) == {"Suspended": "JobResumed"}
        assert len(api.play.pods("load")) == 1

    def test_pods_of_a_job_wait_for_the_quota(self, api):
        api.set_quota({"pods": "0"})
        api.create("jobs", job_of())
        assert api.play.pods("load") == []
        [event] = [event for event in api.list("events") if event["reason"] == "FailedCreate"]
        assert "exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0" in event["message"]
        api.set_quota({})
        assert len(api.play.pods("load")) == 1

    def test_a_pod_without_its_service_account_is_refused(self, api):
        job = job_of()
        job["spec"]["template"]["spec"]["serviceAccountName"] = "robot"
        api.create("jobs", job)
        [event] = [event for event in api.list("events") if event["reason"] == "FailedCreate"]
        assert 'error looking up service account default/robot: serviceaccount "robot" not found' in event["message"]

    def test_a_container_is_started_again_where_the_policy_says_so(self, api):
        job = job_of(backoffLimit=2)
        job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
        api.create("jobs", job)
        pod = api.play.oom_kill("load")
        status = pod["status"]["containerStatuses"][0]
        assert (pod["status"]["phase"], status["restartCount"]) == ("Running", 1)
        assert status["lastState"]["terminated"]["reason"] == "OOMKilled"

    async def test_a_followed_log_ends_with_its_container_and_breaks_on_demand(self, api):
        api.create("jobs", job_of())
        name = api.play.start("load")["metadata"]["name"]
        api.play.write("load", "one\ntwo")
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            assert await core.read_namespaced_pod_log(name, "default", tail_lines=1) == "two\n"

            async def follow() -> str:
                answer = await core.read_namespaced_pod_log(name, "default", follow=True, _preload_content=False)
                return await answer.text()

            broken = asyncio.create_task(follow())
            await until(lambda: _has(api.open_streams("pods")))
            api.drop_watches("pods")
            with pytest.raises(Exception, match=r"payload|reset|disconnected"):
                await broken
            whole = asyncio.create_task(follow())
            await until(lambda: _has(api.open_streams("pods")))
            api.play.write("load", "three")
            api.play.succeed("load")
            assert await whole == "one\ntwo\nthree\n"

    async def test_a_container_that_waits_has_no_log(self, api):
        api.create("jobs", job_of())
        name = api.play.image_pull_error("load")["metadata"]["name"]
        async with api.client() as opened:
            with refused(400) as said:
                await client.CoreV1Api(opened).read_namespaced_pod_log(name, "default")
        assert "is waiting to start: trying and failing to pull image" in said["message"]

    def test_answers_are_what_the_clients_models_know(self, api):
        models = {"jobs": "V1Job", "pods": "V1Pod", "events": "CoreV1Event", "secrets": "V1Secret", "nodes": "V1Node"}
        acts = ("succeed", "oom_kill", "evict", "unschedulable", "image_pull_error", "lose_node", "start", "fail")
        for act in acts:
            name = act.replace("_", "-")
            api.create("jobs", job_of(name))
            getattr(api.play, act)(name)
        api.create("secrets", secret("one"))
        api.add_finished_pods(2)
        for plural, model in models.items():
            found = api.list(plural)
            assert found
            assert [decode_problems(model, each) for each in found if decode_problems(model, each)] == []


async def _has(value: Any) -> Any:
    return value


class TestFaults:
    async def test_a_fault_strikes_as_often_as_it_should(self, api):
        api.fail("list", "pods", 503, times=2)
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            for _ in range(2):
                with refused(503):
                    await core.list_namespaced_pod("default")
            await core.list_namespaced_pod("default")
        assert [call.status for call in api.calls_of("list", "pods")] == [503, 503, 200]

    async def test_a_server_that_asks_for_patience_says_for_how_long(self, api):
        api.fail("create", "jobs", 429, retry_after_seconds=7)
        async with api.client() as opened:
            with pytest.raises(ApiException) as caught:
                await client.BatchV1Api(opened).create_namespaced_job("default", job_of())
        assert caught.value.headers["Retry-After"] == "7"
        assert json.loads(caught.value.body)["details"]["retryAfterSeconds"] == 7

    async def test_a_lost_answer_leaves_what_was_done(self, api):
        api.fail("create", "jobs", is_reset=True, is_done=True, times=1)
        async with api.client() as opened:
            with pytest.raises(Exception, match=r"(?i)disconnected|reset"):
                await client.BatchV1Api(opened).create_namespaced_job("default", job_of())
        assert [job["metadata"]["name"] for job in api.list("jobs")] == ["load"]

    async def test_an_expired_token_is_refused_and_a_new_one_is_not(self, api):
        token = api.add_user("reader", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
        async with api.client(token) as opened:
            core = client.CoreV1Api(opened)
            await core.list_namespaced_pod("default")
            api.access.expire(token)
            with refused(401):
                await core.list_namespaced_pod("default")
            opened.configuration.api_key["BearerToken"] = f"Bearer {api.access.new_token('reader')}"
            await core.list_namespaced_pod("default")

    async def test_a_revoked_verb_is_refused(self, api):
        token = api.add_user(
            "reader", [{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["list", "get"]}]
        )
        api.access.revoke("reader", "list", "pods")
        async with api.client(token) as opened:
            core = client.CoreV1Api(opened)
            await core.list_namespaced_secret("default")
            with refused(403):
                await core.list_namespaced_pod("default")

    async def test_a_watch_from_before_a_compaction_is_told_410(self, api):
        api.compact()
        async with api.client() as opened:
            answer = await client.CoreV1Api(opened).list_namespaced_pod(
                "default", watch=True, resource_version="1", _preload_content=False
            )
            [line] = [json.loads(line) for line in (await answer.text()).splitlines()]
        assert (line["type"], line["object"]["code"], line["object"]["reason"]) == ("ERROR", 410, "Expired")

    async def test_a_page_from_before_a_compaction_is_told_410(self, api):
        for number in range(3):
            api.create("secrets", secret(f"page-{number}"))
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            token = (await core.list_namespaced_secret("default", limit=1)).metadata._continue
            api.compact()
            with refused(410) as said:
                await core.list_namespaced_secret("default", limit=1, _continue=token)
        assert said["reason"] == "Expired"

    async def test_pages_show_one_moment(self, api):
        for number in range(3):
            api.create("secrets", secret(f"page-{number}"))
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            first = await core.list_namespaced_secret("default", limit=2)
            api.create("secrets", secret("page-9"))
            second = await core.list_namespaced_secret("default", limit=2, _continue=first.metadata._continue)
        assert [item.metadata.name for item in second.items] == ["page-2"]
        assert first.metadata.resource_version == second.metadata.resource_version

    @pytest.mark.parametrize(
        ("act", "ending"), [("end_watches", []), ("expire_watches", ["ERROR"]), ("send_bookmarks", ["BOOKMARK"])]
    )
    async def test_open_watches_end_or_hear_as_told(self, api, act, ending):
        async with api.client() as opened:
            answer = await client.CoreV1Api(opened).list_namespaced_secret(
                "default", watch=True, allow_watch_bookmarks=True, _preload_content=False
            )
            await until(lambda: _has(api.open_streams("secrets")))
            getattr(api, act)("secrets")
            api.end_watches()
            lines = [json.loads(line)["type"] for line in (await answer.text()).splitlines()]
        assert lines == ending

    async def test_a_silent_watch_says_later_what_it_kept_back(self, api):
        async with api.client() as opened:
            answer = await client.CoreV1Api(opened).list_namespaced_secret(
                "default", watch=True, _preload_content=False
            )
            await until(lambda: _has(api.open_streams("secrets")))
            api.silence_watches()
            api.create("secrets", secret("kept-back"))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(answer.content.readline(), 0.2)
            api.silence_watches(False)
            assert json.loads(await answer.content.readline())["type"] == "ADDED"

    async def test_nothing_is_left_after_a_reset(self, api):
        api.fail("*", "*", 500)
        api.add_user("somebody")
        api.create("secrets", secret("old"))
        api.play.automatic = PodScript()
        api.reset()
        async with api.client() as opened:
            assert (await client.CoreV1Api(opened).list_namespaced_secret("default")).items == []
        assert api.play.automatic is None
        assert [call.verb for call in api.calls] == ["list"]


class TestReach:
    async def test_tls_is_spoken_with_a_certificate_of_the_authority(self, api):
        async with api.client(is_tls=True) as opened:
            assert (await client.VersionApi(opened).get_code()).major == "1"

    async def test_nobody_is_let_in_without_a_token(self, api):
        async with api.client() as opened:
            opened.configuration.api_key = {}
            with refused(403) as said:
                await client.CoreV1Api(opened).list_namespaced_pod("default")
        assert 'User "system:anonymous" cannot list resource "pods"' in said["message"]

    async def test_custom_resources_are_served_when_declared(self, api):
        api.add_custom_resource("example.com", "v1", "jobs", "Job")
        async with api.client() as opened:
            custom = client.CustomObjectsApi(opened)
            body = {"apiVersion": "example.com/v1", "kind": "Job", "metadata": {"name": "mine"}, "spec": {"any": 1}}
            await custom.create_namespaced_custom_object("example.com", "v1", "default", "jobs", body)
            listed = await custom.list_namespaced_custom_object("example.com", "v1", "default", "jobs")
            assert listed["items"][0]["kind"] == "Job"
            with refused(400):
                await custom.patch_namespaced_custom_object(
                    "example.com", "v1", "default", "jobs", "mine", {"spec": {}}
                )
            merged = await custom.patch_namespaced_custom_object(
                "example.com",
                "v1",
                "default",
                "jobs",
                "mine",
                {"spec": {"more": 2}},
                _content_type="application/merge-patch+json",
            )
            assert merged["spec"] == {"any": 1, "more": 2}
        assert api.list("jobs.batch") == []

    async def test_unknown_fields_can_be_refused_or_warned_of(self, api):
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            answer = await core.create_namespaced_secret(
                "default", {**secret("odd"), "datas": {}}, _preload_content=False
            )
            assert answer.headers["Warning"] == '299 - "unknown field \\"datas\\""'
            with refused(400) as said:
                await core.create_namespaced_secret(
                    "default", {**secret("odd"), "datas": {}}, field_validation="Strict"
                )
        assert 'strict decoding error: unknown field "datas"' in said["message"]

    async def test_tens_of_thousands_of_pods_are_listed_by_pages(self, api):
        api.add_finished_pods(20_000, labels={"owner": "prefect"}, labels_of=lambda number: {"number": str(number)})
        began = time.monotonic()
        count, token = 0, ""
        async with api.client() as opened:
            core = client.CoreV1Api(opened)
            while True:
                answer = await core.list_namespaced_pod(
                    "default", label_selector="owner", limit=1000, _continue=token, _preload_content=False
                )
                page = await answer.json()
                count += len(page["items"])
                token = page["metadata"].get("continue", "")
                if not token:
                    break
        assert count == 20_000
        assert len(api.calls_of("list", "pods")) == 20
        assert time.monotonic() - began < 30
