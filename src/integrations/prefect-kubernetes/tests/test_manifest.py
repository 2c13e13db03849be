"""A run's manifest says what the run asks for, and nothing that it does not."""

from __future__ import annotations

import copy
import json
from typing import Any

import prefect
import pytest
from prefect.settings import PREFECT_API_KEY, temporary_settings
from prefect.utilities.dockerutils import get_prefect_image_name
from pydantic import ValidationError

from prefect_kubernetes._worker.manifest import name_job
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from ._configurations import TEMPLATE, a_run, configuration_of, container_of, env_of, manifest_of, pod_of, prepared


def test_a_run_without_variables_becomes_the_published_job() -> None:
    flow_run = a_run("Happy Fox")
    manifest = manifest_of(flow_run)
    assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
    assert manifest["metadata"]["namespace"] == "default"
    assert manifest["metadata"]["generateName"] == "happy-fox-"
    assert manifest["metadata"]["labels"]["prefect.io/flow-run-id"] == str(flow_run.id)
    assert manifest["metadata"]["labels"]["prefect.io/flow-run-name"] == "Happy-Fox"
    assert manifest["metadata"]["annotations"]["prefect.io/flow-run-name"] == "Happy Fox"
    assert manifest["spec"]["template"]["metadata"]["labels"] == manifest["metadata"]["labels"]
    assert (manifest["spec"]["backoffLimit"], manifest["spec"]["parallelism"], manifest["spec"]["completions"]) == (
        0,
        1,
        1,
    )
    assert set(pod_of(manifest)) == {"restartPolicy", "containers"}
    container = container_of(manifest)
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert (container["image"], container["imagePullPolicy"]) == (get_prefect_image_name(), "IfNotPresent")
    assert env_of(manifest)["PREFECT__FLOW_RUN_ID"] == str(flow_run.id)


def test_the_published_variables_reach_their_places() -> None:
    manifest = manifest_of(
        name="nightly",
        namespace="shop",
        image="mine:1",
        command="python -m 'my app'",
        service_account_name="runner",
        image_pull_policy="Always",
        backoff_limit=3,
        finished_job_ttl=60,
        labels={"Team": "A"},
        annotations={"note": "any text: ü"},
        env={"A": "1"},
        cpu_request="500m",
        cpu_limit="2",
        memory_request="1Gi",
        memory_limit="2Gi",
        job_watch_timeout_seconds=900,
        pod_watch_timeout_seconds=5,
    )
    metadata, spec = manifest["metadata"], manifest["spec"]
    assert (metadata["namespace"], metadata["generateName"]) == ("shop", "nightly-")
    assert metadata["labels"]["Team"] == "A"
    assert metadata["annotations"]["note"] == "any text: ü"
    assert metadata["annotations"]["prefect.io/pod-watch-timeout-seconds"] == "5"
    assert (spec["backoffLimit"], spec["ttlSecondsAfterFinished"], spec["activeDeadlineSeconds"]) == (3, 60, 900)
    assert spec["podReplacementPolicy"] == "Failed"
    assert pod_of(manifest)["serviceAccountName"] == "runner"
    container = container_of(manifest)
    assert (container["image"], container["imagePullPolicy"]) == ("mine:1", "Always")
    assert container["args"] == ["python", "-m", "my app"]
    assert container["resources"] == {
        "limits": {"cpu": "2", "memory": "2Gi"},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }
    assert env_of(manifest)["A"] == "1"


def test_what_places_a_pod_is_rendered_when_it_is_set() -> None:
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    manifest = manifest_of(
        node_selector={"disk": "ssd"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        affinity=affinity,
        volumes=[{"name": "data", "emptyDir": {}}],
        volume_mounts=[{"name": "data", "mountPath": "/data"}],
        env_from=[{"configMapRef": {"name": "settings"}}],
        image_pull_secrets=["registry"],
        priority_class_name="low",
        active_deadline_seconds=30,
        pod_labels={"tier": "batch"},
        pod_annotations={"sidecar.istio.io/inject": "false"},
    )
    pod = pod_of(manifest)
    assert pod["nodeSelector"] == {"disk": "ssd"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert pod["affinity"] == affinity
    assert pod["volumes"] == [{"name": "data", "emptyDir": {}}]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["priorityClassName"] == "low"
    assert container_of(manifest)["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
    assert container_of(manifest)["envFrom"] == [{"configMapRef": {"name": "settings"}}]
    assert manifest["spec"]["activeDeadlineSeconds"] == 30
    template = manifest["spec"]["template"]["metadata"]
    assert template["labels"]["tier"] == "batch"
    assert "tier" not in manifest["metadata"]["labels"]
    assert template["annotations"] == {"sidecar.istio.io/inject": "false"}


@pytest.mark.parametrize(
    ("retries", "given", "expected"),
    [
        (1, {}, "relinquish"),
        (1, {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "reschedule"}, "relinquish"),
        (1, {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "crash"}, "crash"),
        (1, [{"name": "A", "value": "1"}], "relinquish"),
        (0, {}, None),
        (0, {"PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR": "reschedule"}, "reschedule"),
    ],
)
def test_a_pod_that_is_told_to_end_leaves_its_run_to_the_next_pod(
    retries: int, given: Any, expected: str | None
) -> None:
    environment = env_of(manifest_of(backoff_limit=retries, env=given))
    assert environment.get("PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR") == expected


def test_jobs_and_pods_have_the_common_labels_of_kubernetes() -> None:
    manifest = manifest_of()
    common = {
        "app.kubernetes.io/name": "shop-flow",
        "app.kubernetes.io/version": prefect.__version__,
        "app.kubernetes.io/part-of": "prefect",
        "app.kubernetes.io/managed-by": "prefect",
    }
    assert manifest["metadata"]["labels"].items() >= common.items()
    assert manifest["spec"]["template"]["metadata"]["labels"].items() >= common.items()


def test_common_labels_give_way_to_those_of_the_user() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    job["job_manifest"]["metadata"]["labels"] = {"app.kubernetes.io/part-of": "shop"}
    manifest = manifest_of(job_configuration=job, labels={"app.kubernetes.io/name": "orders"})
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    assert (labels["app.kubernetes.io/part-of"], labels["app.kubernetes.io/name"]) == ("shop", "orders")
    assert labels["app.kubernetes.io/managed-by"] == "prefect"


def test_labels_of_a_run_come_before_those_of_the_pools_own_manifest() -> None:
    fixed = {"team": "pool", "tier": "pool", "prefect.io/flow-run-id": "pool"}
    job = broken("metadata", "labels", value=fixed)
    job["job_manifest"]["spec"]["template"]["metadata"] = {"labels": {**fixed, "tier": "pod"}}
    run = a_run()
    manifest = manifest_of(run, job_configuration=job, labels={"team": "run"})
    of_job, of_pod = manifest["metadata"]["labels"], manifest["spec"]["template"]["metadata"]["labels"]
    assert (of_job["team"], of_job["tier"]) == ("run", "pool")
    assert (of_pod["team"], of_pod["tier"]) == ("run", "pod")
    assert of_job["prefect.io/flow-run-id"] == of_pod["prefect.io/flow-run-id"] == str(run.id)


def test_annotations_are_those_of_job_and_pod() -> None:
    manifest = manifest_of(
        annotations={"a": "job", "b": "job"}, pod_annotations={"b": "pod"}, pod_watch_timeout_seconds=5
    )
    assert manifest["metadata"]["annotations"].items() >= {"a": "job", "b": "job"}.items()
    assert manifest["spec"]["template"]["metadata"]["annotations"] == {"a": "job", "b": "pod"}


def test_a_pod_keeps_the_annotations_of_its_template() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    job["job_manifest"]["metadata"]["annotations"] = {"c": "job"}
    job["job_manifest"]["spec"]["template"]["metadata"] = {"annotations": {"a": "template", "d": "template"}}
    manifest = manifest_of(job_configuration=job, annotations={"a": "job"})
    annotations = manifest["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"a": "job", "c": "job", "d": "template"}


def test_overrides_come_last_and_reach_everything() -> None:
    manifest = manifest_of(
        image="mine:1",
        env={"A": "1"},
        pod_overrides={
            "metadata": {"labels": {"x": "y"}},
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "containers": [
                    {"name": "prefect-job", "image": "other:2", "env": [{"name": "A", "value": "2"}]},
                    {"name": "proxy", "image": "proxy:1"},
                ],
            },
        },
    )
    flow, proxy = pod_of(manifest)["containers"]
    assert (flow["image"], flow["args"], proxy["name"]) == ("other:2", ["prefect", "flow-run", "execute"], "proxy")
    assert env_of(manifest)["A"] == "2"
    assert pod_of(manifest)["terminationGracePeriodSeconds"] == 5
    assert manifest["spec"]["template"]["metadata"]["labels"]["x"] == "y"
    assert "prefect.io/flow-run-id" in manifest["spec"]["template"]["metadata"]["labels"]


def test_the_template_of_a_pool_stays_the_published_manifest() -> None:
    assert "node_selector" not in json.dumps(TEMPLATE["job_configuration"]["job_manifest"])
    assert TEMPLATE["job_configuration"]["pod_overrides"] == "{{ pod_overrides }}"


# Environment


def test_the_last_entry_of_a_variable_wins() -> None:
    reference = {"secretKeyRef": {"name": "db", "key": "url"}}
    entries = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "valueFrom": reference}]
    manifest = manifest_of(env=entries)
    assert env_of(manifest)["A"] == reference
    assert env_of(manifest)["B"] == "2"
    assert "PREFECT__FLOW_RUN_ID" in env_of(manifest)


def test_an_environment_of_a_run_replaces_settings_of_the_worker() -> None:
    with temporary_settings({PREFECT_API_KEY: "pnu_worker"}):
        assert env_of(manifest_of())["PREFECT_API_KEY"] == "pnu_worker"
        assert env_of(manifest_of(env={"PREFECT_API_KEY": "pnu_run"}))["PREFECT_API_KEY"] == "pnu_run"
        assert env_of(manifest_of(env=[{"name": "PREFECT_API_KEY", "value": "x"}]))["PREFECT_API_KEY"] == "x"
        assert "PREFECT_API_KEY" not in env_of(manifest_of(env={"PREFECT_API_KEY": None}))


def test_variables_of_the_pools_own_manifest_stay() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    job["job_manifest"]["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "FIXED", "value": "1"}]
    manifest = manifest_of(job_configuration=job, env={"A": "2"})
    assert (env_of(manifest)["FIXED"], env_of(manifest)["A"]) == ("1", "2")


def test_a_variable_of_a_run_comes_before_that_of_the_pools_own_manifest() -> None:
    fixed = [{"name": "A", "value": "pool"}, {"name": "PREFECT__FLOW_RUN_ID", "value": "pool"}]
    run = a_run()
    for env in ({"A": "run"}, [{"name": "A", "value": "run"}]):
        environment = env_of(manifest_of(run, job_configuration=broken(*CONTAINER, "env", value=fixed), env=env))
        assert (environment["A"], environment["PREFECT__FLOW_RUN_ID"]) == ("run", str(run.id))
    environment = env_of(manifest_of(job_configuration=broken(*CONTAINER, "env", value=fixed), env={"A": None}))
    assert environment["A"] == "pool"


def test_fields_that_the_api_server_passes_over_stay_out_of_a_variable() -> None:
    environment = [{"name": "A", "value": "1", "description": "for the shop"}]
    assert env_of(manifest_of(env=environment))["A"] == "1"


def test_a_variable_is_looked_up_in_the_manifest() -> None:
    configuration = prepared(env={"A": "1"})
    assert configuration.get_environment_variable_value("A") == "1"
    assert configuration.get_environment_variable_value("NOT_THERE") is None
    assert configuration_of(env={"A": "1"}).get_environment_variable_value("A") == "1"


# Names


@pytest.mark.parametrize(
    ("variables", "generate_name"),
    [
        ({}, "happy-fox-"),
        ({"name": "Nightly Load"}, "nightly-load-"),
        ({"name": "{{ ctx.flow.name }}-{{ ctx.flow_run.name }}"}, "shop-flow-happy-fox-"),
        ({"name": "x" * 80}, "x" * 52 + "-"),
        ({"name": "日本"}, "prefect-job-"),
    ],
    ids=["run", "given", "context", "long", "illegal"],
)
def test_a_job_is_named_after_its_run_or_as_it_is_told(variables: dict[str, Any], generate_name: str) -> None:
    assert manifest_of(**variables)["metadata"]["generateName"] == generate_name


def test_a_submission_names_its_job_once_and_for_all() -> None:
    manifest = manifest_of()
    first, again, other = name_job(manifest, "run/1"), name_job(manifest, "run/1"), name_job(manifest, "run/2")
    assert first == again
    assert first["metadata"]["name"].startswith("happy-fox-")
    assert "generateName" not in first["metadata"]
    assert first["metadata"]["annotations"]["prefect.io/submission"] == "run/1"
    assert other["metadata"]["name"] != first["metadata"]["name"]


def test_a_name_in_the_pools_manifest_is_kept() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    job["job_manifest"]["metadata"] = {"name": "the-one", "labels": "{{ labels }}"}
    manifest = name_job(manifest_of(job_configuration=job, namespace="shop"), "run/1")
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("the-one", "shop")


def test_the_namespace_of_the_pools_manifest_counts() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    job["job_manifest"]["metadata"]["namespace"] = "fixed"
    configuration = prepared(job_configuration=job)
    assert configuration.namespace == configuration.job_manifest["metadata"]["namespace"] == "fixed"


def test_names_of_pull_secrets_in_a_pools_manifest_become_references() -> None:
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    pod = job["job_manifest"]["spec"]["template"]["spec"]
    pod["imagePullSecrets"] = ["a", {"name": "b"}]
    pod["containers"][0]["envFrom"] = [{"secretRef": {"name": "{{ secret_name }}"}}]
    manifest = manifest_of(job_configuration=job)
    assert pod_of(manifest)["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert container_of(manifest)["envFrom"] == []


def test_what_was_left_blank_is_as_if_it_were_not_there() -> None:
    job = broken(*POD, "imagePullSecrets", value=[{"name": "{{ pull_secret }}"}, {"name": ""}, None, {"name": "a"}])
    job["job_manifest"]["spec"]["template"]["spec"] |= {"priorityClassName": "", "runtimeClassName": ""}
    manifest = manifest_of(job_configuration=job, service_account_name="", image_pull_policy="")
    assert pod_of(manifest)["imagePullSecrets"] == [{"name": "a"}]
    assert not {"serviceAccountName", "priorityClassName", "runtimeClassName"} & pod_of(manifest).keys()
    assert "imagePullPolicy" not in container_of(manifest)


def test_a_manifest_needs_no_metadata() -> None:
    assert manifest_of(job_configuration=broken("metadata", value=None))["metadata"]["namespace"] == "default"


def test_arguments_that_are_none_are_left_to_the_image() -> None:
    assert container_of(manifest_of(job_configuration=broken(*CONTAINER, "args", value=[])))["args"] == []
    assert container_of(manifest_of(command=""))["args"] == ["prefect", "flow-run", "execute"]


def test_whole_numbers_of_other_types_become_such_as_can_be_sent() -> None:
    class Number:
        def __index__(self) -> int:
            return 3

    class Array:
        def __index__(self) -> int:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")

    limit = manifest_of(backoff_limit=Number())["spec"]["backoffLimit"]
    assert (limit, type(limit)) == (3, int)
    with pytest.raises(ValueError, match=r"spec\.backoffLimit is .*; it must be a whole number"):
        prepared(backoff_limit=Array())


def test_a_quantity_may_have_space_around_it_and_a_name_dots_in_it() -> None:
    manifest = manifest_of(job_configuration=broken("metadata", "name", value="shop.nightly"), cpu_limit=" 1 ")
    assert container_of(manifest)["resources"]["limits"]["cpu"] == " 1 "
    assert manifest["metadata"]["name"] == "shop.nightly"


# Bad input


def broken(*path: Any, value: Any) -> dict[str, Any]:
    """The template, with something else at a place of the manifest."""
    job = copy.deepcopy(TEMPLATE["job_configuration"])
    place: Any = job["job_manifest"]
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return job


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("kind",), "Pod", r"job_manifest\.kind is 'Pod'; it must be 'Job'"),
        (("apiVersion",), "batch/v1beta1", r"job_manifest\.apiVersion is 'batch/v1beta1'"),
        (("metadata",), "x", r"job_manifest\.metadata is a str; it must be a mapping"),
        (("spec",), None, r"job_manifest\.spec is missing"),
        (("spec", "template"), ["x"], r"job_manifest\.spec\.template is a list"),
        (POD, None, r"job_manifest\.spec\.template\.spec is missing"),
        ((*POD, "containers"), [], r"spec\.template\.spec\.containers is a list; it must be a list of at least one"),
        ((*POD, "containers", 0), "x", r"spec\.template\.spec\.containers\[0\] is a str"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_a_manifest_that_is_no_job_is_refused_by_its_path(path: tuple[Any, ...], value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        configuration_of(job_configuration=broken(*path, value=value))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"namespace": "My_Shop"}, r"metadata\.namespace 'My_Shop' is no name of a namespace"),
        ({"image": "my image"}, r"containers\[0\]\.image is 'my image'"),
        ({"memory_limit": "2 GB"}, r"containers\[0\]\.resources\.limits\.memory is '2 GB'; that is no quantity"),
        ({"cpu_request": "half"}, r"resources\.requests\.cpu is 'half'"),
        ({"command": "echo 'open"}, r"command cannot be split into words: No closing quotation"),
        ({"volume_mounts": [{"name": "v", "mountPath": "/v"}]}, r"volumeMounts mounts 'v', and there is no volume"),
        ({"volumes": [{"emptyDir": {}}]}, r"an entry of volumes lacks `name`"),
        ({"service_account_name": "My Account"}, r"serviceAccountName is 'My Account'"),
        ({"priority_class_name": "Not Legal"}, r"priorityClassName is 'Not Legal'"),
        ({"finished_job_ttl": -1}, r"ttlSecondsAfterFinished is -1; it must be a whole number, at least 0"),
        ({"job_watch_timeout_seconds": -5}, r"activeDeadlineSeconds is -5; it must be a whole number, at least 1"),
        ({"pod_overrides": {"nodeSelector": {}}}, r"`pod_overrides` has the field 'nodeSelector'.*pod_overrides\.spec"),
        ({"pod_overrides": {"spec": []}}, r"`pod_overrides\.spec` is a list; it must be a mapping"),
        ({"pod_overrides": {"spec": {"restartPolicy": "Always"}}}, r"restartPolicy is 'Always'; a job takes 'Never'"),
        ({"pod_overrides": {"spec": {"containers": [{"image": "x"}]}}}, r"containers lacks `name`"),
        ({"labels": {"!!": "x"}}, r"'!!' cannot be the key of a label"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_variable_that_no_cluster_would_take_is_refused_by_its_path(variables: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prepared(**variables)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ([{"value": "canary-value"}], r"env\[0\] has no `name`"),
        ([{"name": "A B", "value": "canary-value"}], r"env\[0\]: 'A B' is no name of a variable"),
        ([{"name": "A", "value": "canary-value", "valueFrom": {"x": {}}}], r"env\[0\] \(A\) has both"),
        ([{"name": "A", "valuefrom": "canary-value"}], r"unknown field 'valuefrom'"),
        ([{"name": "A", "value": ["canary-value"]}], r"env\[0\]\.value \(A\) must be a text"),
    ],
    ids=["no-name", "bad-name", "both", "unknown", "list"],
)
def test_a_bad_variable_is_refused_without_its_value(env: list[Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        configuration_of(env=env)
    assert "canary-value" not in str(caught.value)


def test_no_error_of_a_configuration_shows_the_environment() -> None:
    with pytest.raises(ValidationError) as caught:
        KubernetesWorkerJobConfiguration(job_manifest={"env": {"K": "canary-value"}}, env={"K": "canary-value"})
    assert "canary-value" not in str(caught.value)


def test_what_no_process_could_be_started_with_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"the environment variable BUNDLE takes 200007 bytes.*131071") as caught:
        prepared(env={"BUNDLE": "x" * 200_000})
    assert "xxx" not in str(caught.value)
    with pytest.raises(ValueError, match=r"args has a word of 200000 bytes"):
        prepared(command="x" * 200_000)
    many = {f"PART_{number}": "x" * 100_000 for number in range(16)}
    with pytest.raises(ValueError, match=r"a cluster stores 1500000 at most.*ConfigMap"):
        prepared(env=many)
