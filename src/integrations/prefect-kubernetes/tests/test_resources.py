"""Tasks about services, deployments, jobs and custom objects: each does in the cluster what its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_asyncio import client as sdk
from prefect import flow

from prefect_kubernetes import KubernetesCredentials, custom_objects, deployments, jobs, services
from prefect_kubernetes._resources import as_dict
from prefect_kubernetes.errors import KubernetesConflict, KubernetesInvalid
from prefect_kubernetes.exceptions import KubernetesResourceNotFoundError

if TYPE_CHECKING:
    from types import ModuleType

    from prefect_integration_tests.backends.kube_api import KubeApi

TEMPLATE = sdk.V1PodTemplateSpec(
    metadata=sdk.V1ObjectMeta(labels={"app": "web"}),
    spec=sdk.V1PodSpec(containers=[sdk.V1Container(name="web", image="nginx")], restart_policy="Always"),
)


def _meta() -> Any:
    return sdk.V1ObjectMeta(name="web", labels={"round": "1"})


def service() -> Any:
    spec = sdk.V1ServiceSpec(selector={"app": "web"}, ports=[sdk.V1ServicePort(port=80)])
    return sdk.V1Service(metadata=_meta(), spec=spec)


def deployment() -> Any:
    selector = sdk.V1LabelSelector(match_labels={"app": "web"})
    return sdk.V1Deployment(metadata=_meta(), spec=sdk.V1DeploymentSpec(selector=selector, template=TEMPLATE))


def job() -> Any:
    pod = sdk.V1PodSpec(containers=[sdk.V1Container(name="main", image="busybox")], restart_policy="Never")
    return sdk.V1Job(metadata=_meta(), spec=sdk.V1JobSpec(template=sdk.V1PodTemplateSpec(spec=pod)))


@pytest.mark.parametrize(
    ("module", "kind", "make", "model"),
    [
        (services, "service", service, sdk.V1Service),
        (deployments, "deployment", deployment, sdk.V1Deployment),
        (jobs, "job", job, sdk.V1Job),
    ],
    ids=["service", "deployment", "job"],
)
@pytest.mark.parametrize("is_dict", [False, True], ids=["model", "dictionary"])
async def test_an_object_is_created_listed_changed_replaced_and_deleted(
    kube_credentials: KubernetesCredentials,
    empty_kube_api: KubeApi,
    module: ModuleType,
    kind: str,
    make: Any,
    model: type,
    is_dict: bool,
) -> None:
    def task(verb: str) -> Any:
        return getattr(module, f"{verb}_namespaced_{kind}").fn

    empty_kube_api.add_namespace("data")
    where = {"namespace": "data"}
    body = as_dict(make()) if is_dict else make()
    created = await task("create")(kube_credentials, body, **where)
    assert isinstance(created, model)
    assert [one.metadata.name for one in (await task("list")(kube_credentials, **where)).items] == ["web"]
    assert (await task("list")(kube_credentials)).items == [], "another namespace"

    changes = {"metadata": {"labels": {"round": "2"}}}
    assert (await task("patch")(kube_credentials, "web", changes, **where)).metadata.labels["round"] == "2"
    read = await task("read")(kube_credentials, "web", **where)
    read.metadata.labels["round"] = "3"
    replaced = await task("replace")(kube_credentials, "web", read, **where)
    assert replaced.metadata.labels["round"] == "3"
    with pytest.raises(KubernetesConflict, match="Read the object again"):
        await task("replace")(kube_credentials, "web", read, **where)

    await task("delete")(kube_credentials, "web", **where)
    with pytest.raises(KubernetesResourceNotFoundError, match=f"{kind.capitalize()} 'web' in namespace 'data'"):
        await task("read")(kube_credentials, "web", **where)


async def test_the_status_of_a_job_is_read(kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    await jobs.create_namespaced_job.fn(kube_credentials, job())
    empty_kube_api.play.succeed("web")
    found = await jobs.read_namespaced_job_status.fn(kube_credentials, "web")
    assert found.status.succeeded == 1


async def test_delete_options_reach_the_api(kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi) -> None:
    await jobs.create_namespaced_job.fn(kube_credentials, job())
    options = sdk.V1DeleteOptions(propagation_policy="Background")
    await jobs.delete_namespaced_job.fn(kube_credentials, "web", delete_options=options)
    assert empty_kube_api.list("pods") == []


@pytest.mark.usefixtures("prefect_harness")
def test_the_guides_listing_works_in_a_sync_flow(kube_credentials: KubernetesCredentials) -> None:
    @flow
    def list_jobs_in_a_sync_flow() -> list[str]:
        jobs.create_namespaced_job(kube_credentials, job())
        found: Any = jobs.list_namespaced_job(kubernetes_credentials=kube_credentials, namespace="default")
        return [one.metadata.name for one in found.items]

    assert list_jobs_in_a_sync_flow() == ["web"]


# Custom objects

WIDGETS = {"group": "example.com", "version": "v1", "plural": "widgets"}


def widget(name: str = "gear", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def widgets(empty_kube_api: KubeApi, kube_credentials: KubernetesCredentials) -> KubernetesCredentials:
    """Credentials for a server that serves widgets."""
    empty_kube_api.add_custom_resource("example.com", "v1", "widgets", "Widget")
    return kube_credentials


async def test_a_custom_object_is_created_listed_changed_replaced_and_deleted(widgets: KubernetesCredentials) -> None:
    await custom_objects.create_namespaced_custom_object.fn(widgets, **WIDGETS, body=widget(teeth=8, colour="red"))
    listed: Any = await custom_objects.list_namespaced_custom_object.fn(widgets, **WIDGETS)
    assert [one["metadata"]["name"] for one in listed["items"]] == ["gear"]
    await custom_objects.patch_namespaced_custom_object.fn(
        widgets, **WIDGETS, name="gear", body={"spec": {"teeth": 12}}
    )
    read: Any = await custom_objects.get_namespaced_custom_object.fn(widgets, **WIDGETS, name="gear")
    assert read["spec"] == {"teeth": 12, "colour": "red"}
    read["spec"] = {"teeth": 16}
    replaced: Any = await custom_objects.replace_namespaced_custom_object.fn(widgets, **WIDGETS, name="gear", body=read)
    assert replaced["spec"] == {"teeth": 16}
    status: Any = await custom_objects.get_namespaced_custom_object_status.fn(widgets, **WIDGETS, name="gear")
    assert status["metadata"]["name"] == "gear"
    await custom_objects.delete_namespaced_custom_object.fn(widgets, **WIDGETS, name="gear")
    with pytest.raises(KubernetesResourceNotFoundError, match=r"widgets\.v1\.example\.com 'gear'"):
        await custom_objects.get_namespaced_custom_object.fn(widgets, **WIDGETS, name="gear")


async def test_a_json_patch_is_sent_as_one(widgets: KubernetesCredentials) -> None:
    await custom_objects.create_namespaced_custom_object.fn(widgets, **WIDGETS, body=widget(teeth=8))
    patch: Any = [{"op": "replace", "path": "/spec/teeth", "value": 9}]
    changed: Any = await custom_objects.patch_namespaced_custom_object.fn(widgets, **WIDGETS, name="gear", body=patch)
    assert changed["spec"] == {"teeth": 9}


async def test_two_kinds_with_one_plural_are_told_apart_by_their_group(
    kube_credentials: KubernetesCredentials, empty_kube_api: KubeApi
) -> None:
    empty_kube_api.add_custom_resource("batch.example.com", "v1", "jobs", "Job")
    body = {"apiVersion": "batch.example.com/v1", "kind": "Job", "metadata": {"name": "theirs"}}
    await custom_objects.create_namespaced_custom_object.fn(kube_credentials, "batch.example.com", "v1", "jobs", body)
    await jobs.create_namespaced_job.fn(kube_credentials, job())
    found: Any = await custom_objects.list_namespaced_custom_object.fn(
        kube_credentials, "batch.example.com", "v1", "jobs"
    )
    assert [one["metadata"]["name"] for one in found["items"]] == ["theirs"]
    ours = await jobs.list_namespaced_job.fn(kube_credentials)
    assert [one.metadata.name for one in ours.items] == ["web"]


async def test_a_kind_that_the_cluster_does_not_serve_says_what_to_check(widgets: KubernetesCredentials) -> None:
    with pytest.raises(KubernetesResourceNotFoundError, match="group, version and plural"):
        await custom_objects.list_namespaced_custom_object.fn(widgets, "example.com", "v2", "widgets")


async def test_a_namespace_that_is_not_there_is_named(kube_credentials: KubernetesCredentials) -> None:
    with pytest.raises(KubernetesResourceNotFoundError, match="Create the namespace"):
        await jobs.create_namespaced_job.fn(kube_credentials, job(), namespace="nowhere")


async def test_an_argument_that_the_sdk_does_not_know_is_an_error_of_ours(
    kube_credentials: KubernetesCredentials,
) -> None:
    with pytest.raises(KubernetesInvalid, match="colour"):
        await jobs.list_namespaced_job.fn(kube_credentials, colour="red")
