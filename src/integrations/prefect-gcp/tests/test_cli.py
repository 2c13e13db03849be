"""`prefect-gcp check` says what would keep the flow runs of a work pool from starting, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_gcp import GcpCredentials, __version__
from prefect_gcp._cli.check import Inspection, read_job
from prefect_gcp._cli.images import is_pulled_by_google, read_image
from prefect_gcp._cli.jobs import PoolJob
from prefect_gcp._cli.main import app
from prefect_gcp.workers.cloud_run import CloudRunWorker
from prefect_gcp.workers.cloud_run_v2 import CloudRunWorkerV2
from prefect_gcp.workers.vertex import VertexAIWorker
from prefect_integration_tests.backends._google.preflight import Preflight
from prefect_integration_tests.suites import PoolCheckSuite
from prefect_integration_tests.suites.pool_check import Pool, new_pool, saved

APIS = (
    "run",
    "cloudresourcemanager",
    "serviceusage",
    "iam",
    "vpcaccess",
    "compute",
    "artifactregistry",
    "secretmanager",
)
REGION = "europe-west3"
IMAGE = "europe-docker.pkg.dev/test-project/flows/etl:1"
TAG = "projects/test-project/locations/europe/repositories/flows/packages/etl/tags/1"
ACCOUNT = "runner@test-project.iam.gserviceaccount.com"
SECRET = "projects/test-project/secrets/db/versions/latest"


@pytest.fixture
def project(empty_google_api: Any, identity: Any) -> Preflight:
    """A project in which all is well."""
    there = empty_google_api.server.shared(Preflight)
    empty_google_api.reset()
    there.projects.add("projects/test-project", state="ACTIVE")
    for api in ("run", "aiplatform"):
        there.apis.add(f"projects/test-project/services/{api}.googleapis.com", state="ENABLED")
    there.accounts.add(f"projects/-/serviceAccounts/{ACCOUNT}", email=ACCOUNT)
    there.connectors.add(f"projects/test-project/locations/{REGION}/connectors/lake", state="READY")
    there.networks.add("vpc")
    there.networks.add(f"{REGION}/subnet")
    there.images.add(TAG)
    there.secrets.add(SECRET, state="ENABLED")
    return there


@pytest.fixture
def credentials(empty_google_api: Any, service_account: dict[str, Any]) -> GcpCredentials:
    endpoints = dict.fromkeys(APIS, empty_google_api.endpoint)
    return GcpCredentials(service_account_info=service_account, api_endpoints=endpoints)


@pytest.fixture
def make_job(project: Preflight, credentials: GcpCredentials) -> Callable[..., PoolJob]:
    def make(**fields: Any) -> PoolJob:
        whole = {
            "api": "run",
            "region": REGION,
            "image": IMAGE,
            "service_account": ACCOUNT,
            "connector": "lake",
            "secrets": {"DB": ("db", "latest")},
            "permissions": ("run.jobs.create", "run.jobs.run"),
            "most_jobs": 1000,
        }
        return PoolJob(credentials=credentials, **{**whole, **fields})

    return make


def found(job: PoolJob) -> dict[str, str]:
    """What is not well, by check."""
    return {each.check: each.message for each in Inspection(job).findings() if each.level.value != "ok"}


def test_a_pool_in_which_all_is_well_has_no_problem(make_job: Any, service_account: dict[str, Any]) -> None:
    findings = list(Inspection(make_job(network="vpc", subnetwork="subnet")).findings())
    assert [each for each in findings if each.level.value != "ok"] == []
    assert {each.check for each in findings} == {
        *("credentials", "project", "API", "permissions", "region", "quota"),
        *("image", "service account", "network", "secrets"),
    }
    assert service_account["client_email"] in findings[0].message


@pytest.mark.parametrize(
    ("fields", "check", "said"),
    [
        ({"image": "europe-docker.pkg.dev/test-project/flows/etl:2"}, "image", "does not exist in Artifact Registry"),
        ({"image": "ghcr.io/me/etl:1"}, "image", "not from ghcr.io. Copy it"),
        ({"image": "No Image"}, "image", "is no image"),
        (
            {"service_account": "other@test-project.iam.gserviceaccount.com"},
            "service account",
            "does not exist. Create",
        ),
        ({"service_account": "runner"}, "service account", "is no email of a service account"),
        ({"connector": "sea"}, "network", "connectors/sea does not exist"),
        ({"network": "other"}, "network", "Network other does not exist"),
        ({"subnetwork": "other"}, "network", "Subnetwork other does not exist"),
        ({"secrets": {"KEY": ("key", "3")}}, "secrets", "KEY: version 3 of projects/test-project/secrets/key does not"),
        ({"project": "nowhere"}, "project", "Project 'nowhere' does not exist"),
    ],
    ids=["tag", "registry", "image", "account", "email", "connector", "network", "subnetwork", "secret", "project"],
)
def test_what_is_missing_is_named_with_its_remedy(make_job: Any, fields: dict[str, Any], check: str, said: str) -> None:
    assert said in found(make_job(**fields))[check]


def test_what_is_there_and_not_fit_is_named(make_job: Any, project: Preflight, service_account: dict[str, Any]) -> None:
    project.apis.add("projects/test-project/services/run.googleapis.com", state="DISABLED")
    project.accounts.add(f"projects/-/serviceAccounts/{ACCOUNT}", disabled=True)
    project.connectors.add(f"projects/test-project/locations/{REGION}/connectors/lake", state="ERROR")
    project.secrets.add(SECRET, state="DISABLED")
    project.projects.denied.add("run.jobs.create")
    problems = found(make_job())
    assert "gcloud services enable run.googleapis.com" in problems["API"]
    assert f"{ACCOUNT} is disabled" in problems["service account"]
    assert "is ERROR" in problems["network"]
    assert "is DISABLED" in problems["secrets"]
    assert f"{service_account['client_email']} may not run.jobs.create. Grant it roles" in problems["permissions"]


def test_a_service_account_that_may_not_be_used_is_named(make_job: Any, project: Preflight) -> None:
    project.accounts.denied.add("iam.serviceAccounts.actAs")
    assert "grant it roles/iam.serviceAccountUser" in found(make_job())["service account"]


@pytest.mark.parametrize(("most", "level"), [(4, "failed"), (5, "warning"), (1000, "ok")])
def test_jobs_are_counted_against_the_limit(make_job: Any, empty_google_api: Any, most: int, level: str) -> None:
    jobs = empty_google_api.client("run", "v2").projects().locations().jobs()
    for number in range(4):
        body = {"template": {"template": {"containers": [{"image": "python:3.12-slim"}]}}}
        jobs.create(parent=f"projects/test-project/locations/{REGION}", jobId=f"j{number}", body=body).execute()
    empty_google_api.run.settings.page_size = 2
    quota = next(each for each in Inspection(make_job(most_jobs=most)).findings() if each.check == "quota")
    assert quota.level.value == level
    assert f"4 of {most} jobs" in quota.message


def test_what_may_not_be_looked_at_is_a_warning_and_the_rest_is_checked(make_job: Any, empty_google_api: Any) -> None:
    for method in ("cloudresourcemanager.*", "serviceusage.*", "iam.*", "vpcaccess.*", "artifactregistry.*"):
        empty_google_api.fail(method, 403, times=None, message="The caller does not have permission")
    findings = list(Inspection(make_job()).findings())
    levels = {each.check: each.level.value for each in findings}
    assert levels["permissions"] == levels["API"] == levels["image"] == levels["network"] == "warning"
    assert levels["secrets"] == levels["region"] == "ok"
    assert "failed" not in levels.values()


def test_credentials_that_are_refused_end_the_check(make_job: Any, identity: Any) -> None:
    identity.fail(times=100, status=401)
    (finding,) = Inspection(make_job()).findings()
    assert (finding.check, finding.level.value) == ("credentials", "failed")


@pytest.mark.parametrize(
    ("text", "package", "registry"),
    [
        (IMAGE, TAG.rpartition("/tags/")[0], "europe-docker.pkg.dev"),
        ("eu-docker.pkg.dev/p/r/a/b@sha256:" + "0" * 64, "projects/p/locations/eu/repositories/r/packages/a%2Fb", ""),
        ("prefecthq/prefect:3-latest", "", "docker.io"),
        ("python", "", "docker.io"),
        ("gcr.io/p/x", "", "gcr.io"),
        ("localhost:5000/x:1", "", "localhost:5000"),
    ],
    ids=["tag", "digest", "hub", "library", "gcr", "port"],
)
def test_images_are_read(text: str, package: str, registry: str) -> None:
    image = read_image(text)
    assert image is not None
    assert image.package == package
    assert registry in ("", image.registry)
    assert is_pulled_by_google(image.registry) is not text.startswith("localhost")


# The command


@pytest.mark.usefixtures("prefect_harness")
def test_pools_of_each_type_are_read() -> None:
    pool = new_pool(
        CloudRunWorkerV2,
        region=REGION,
        image=IMAGE,
        service_account_name=ACCOUNT,
        vpc_connector_name="lake",
        env_from_secrets={"DB": {"secret": "db", "version": "2"}},
    )
    job = read_job(pool, [])
    assert (job.api, job.region, job.image, job.service_account) == ("run", REGION, IMAGE, ACCOUNT)
    assert (job.connector, dict(job.secrets), job.most_jobs) == ("lake", {"DB": ("db", "2")}, 1000)
    assert read_job(pool, ["region=us-east1"]).region == "us-east1"
    pool = new_pool(CloudRunWorker, region=REGION, image=IMAGE, service_account_name=ACCOUNT, vpc_connector_name="lake")
    job = read_job(pool, [])
    assert (job.region, job.image, job.service_account, job.connector) == (REGION, IMAGE, ACCOUNT, "lake")
    pool = new_pool(VertexAIWorker)
    job = read_job(pool, [f"region={REGION}", f"image={IMAGE}", f"service_account_name={ACCOUNT}", "network=vpc"])
    assert (job.api, job.region, job.image, job.service_account) == ("aiplatform", REGION, IMAGE, ACCOUNT)
    assert (job.network, job.most_jobs) == ("vpc", None)


class TestCommand(PoolCheckSuite):
    app = app
    version = __version__
    spoiling = "service_account_name=other@x.iam.gserviceaccount.com"
    spoiled = "✗ service account   other@x.iam.gserviceaccount.com does not exist."
    still_well = "✓ image"
    another = "region=nowhere-1"
    lacking = (VertexAIWorker, "region")
    other_types = "'cloud-run'"
    login_check = "credentials"

    @pytest.fixture
    def good(self, prefect_harness: None, project: Preflight, credentials: GcpCredentials) -> Pool:
        return CloudRunWorkerV2, _fields(credentials)

    @pytest.fixture
    def secret(
        self, prefect_harness: None, project: Preflight, credentials: GcpCredentials, canary: str
    ) -> list[tuple[Pool, str]]:
        good = dict(credentials.service_account_info.get_secret_value())
        broken = {**good, "private_key": f"-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n"}
        pools: list[tuple[Pool, str]] = []
        for key, level in ((good, "ok"), (broken, "failed")):
            block = GcpCredentials(service_account_info=key, api_endpoints=credentials.api_endpoints)
            fields = {**_fields(block), "env": {"DB_PASSWORD": canary}}
            pools.append(((CloudRunWorkerV2, fields), level))
        return pools


def _fields(credentials: GcpCredentials) -> dict[str, Any]:
    return {"region": REGION, "image": IMAGE, "service_account_name": ACCOUNT, "credentials": saved(credentials)}
