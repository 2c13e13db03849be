"""`prefect-gcp check`: will the first flow run of a work pool start?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from prefect_integration_kit import pool_checks
from prefect_integration_kit.findings import Finding, failed, ok, warning
from prefect_integration_kit.pool_checks import CommandFailed

from .._identity import access_token, account_of, project_of
from .._remote_work import FAILURES, Api
from ..errors import GcpAccessDenied, GcpError, GcpInvalidRequest, GcpNotFound, gcp_errors, is_transient
from . import jobs
from .images import is_pulled_by_google, read_image
from .jobs import PoolJob

__all__ = ["CommandFailed", "Inspection", "read_job"]

Json = dict[str, Any]

_TITLES = {"run": "Cloud Run", "aiplatform": "Vertex AI"}
_PAGE_SIZE = 100
_MANY = 0.8
_ADVICE = "Give variables that have no default by --variable name=value, as deployments would."


class Inspection:
    """All checks of one work pool.

    Args:
        job: What its flow runs ask for.
    """

    def __init__(self, job: PoolJob) -> None:
        self._job = job
        self._project = ""
        self._account = ""

    def findings(self) -> Iterator[Finding]:
        """Check one thing after another. Without credentials or a project the rest makes no sense."""
        job, step = self._job, "credentials"
        try:
            with gcp_errors("GCP credentials"):
                access_token(job.credentials)
            self._account = account_of(job.credentials)
            yield ok(step, f"{self._account or 'The identity'} can sign in.")
            step = "project"
            self._project = job.project or project_of(job.credentials)
        except (GcpError, ValueError) as exc:
            yield failed(step, str(exc))
            return
        for name, check in (
            ("project", self._check_project()),
            ("API", self._check_enabled()),
            ("permissions", self._check_permissions()),
            ("region", self._check_jobs()),
            ("image", self._check_image()),
            ("service account", self._check_service_account()),
            ("network", self._check_network()),
            ("secrets", self._check_secrets()),
        ):
            yield from guarded(name, check)

    def _call(self, api: str, version: str, method: str, subject: str, **parameters: Any) -> Json:
        client = Api(self._job.credentials, api, version)
        return FAILURES.persist(lambda: client.call(method, subject=subject, **parameters))

    def _check_project(self) -> Iterator[Finding]:
        subject = f"Project {self._project!r}"
        try:
            found = self._call("cloudresourcemanager", "v3", "projects.get", subject, name=f"projects/{self._project}")
        except GcpNotFound:
            yield failed("project", f"{subject} does not exist. Correct project in the GCP credentials block.")
            return
        if found.get("state", "ACTIVE") != "ACTIVE":
            yield failed("project", f"{subject} is {found['state']}; jobs run in active projects only.")
        else:
            yield ok("project", f"{self._project} is there.")

    def _check_enabled(self) -> Iterator[Finding]:
        service = f"{self._job.api}.googleapis.com"
        found = self._call(
            "serviceusage",
            "v1",
            "services.get",
            f"API {service}",
            name=f"projects/{self._project}/services/{service}",
        )
        if found.get("state") == "ENABLED":
            yield ok("API", f"{service} is enabled.")
        else:
            yield failed(
                "API",
                f"{service} is not enabled. Run `gcloud services enable {service} --project {self._project}`.",
            )

    def _check_permissions(self) -> Iterator[Finding]:
        wanted = list(self._job.permissions)
        answer = self._call(
            "cloudresourcemanager",
            "v3",
            "projects.testIamPermissions",
            f"Permissions in project {self._project!r}",
            resource=f"projects/{self._project}",
            body={"permissions": wanted},
        )
        had: Sequence[str] = answer.get("permissions") or []
        if missing := [name for name in wanted if name not in had]:
            role = "roles/run.developer" if self._job.api == "run" else "roles/aiplatform.user"
            who = self._account or "This identity"
            yield failed("permissions", f"{who} may not {', '.join(missing)}. Grant it {role} in the project.")
        else:
            yield ok("permissions", f"{self._account or 'This identity'} may do what a worker does.")

    def _check_jobs(self) -> Iterator[Finding]:
        """List jobs: that shows whether the region is one, and how many jobs are there."""
        job, count, token = self._job, 0, ""
        if job.most_jobs is None:
            yield ok("region", f"Jobs run in {job.region}.")
            return
        subject = f"Cloud Run jobs in {job.region}"
        while True:
            try:
                answer = self._call(
                    "run",
                    "v2",
                    "projects.locations.jobs.list",
                    subject,
                    parent=f"projects/{self._project}/locations/{job.region}",
                    pageSize=_PAGE_SIZE,
                    pageToken=token,
                )
            except (GcpNotFound, GcpInvalidRequest) as exc:
                yield failed("region", f"Cloud Run is not in {job.region!r}: {exc} Correct region in the work pool.")
                return
            found: Sequence[Json] = answer.get("jobs") or ()
            count += len(found)
            token = str(answer.get("nextPageToken") or "")
            if not token:
                break
        yield ok("region", f"Cloud Run answers in {job.region}.")
        state = f"{count} of {job.most_jobs} jobs are there"
        remedy = "Delete those that have ended, or have the worker do so: keep_job must be off."
        if count >= job.most_jobs:
            yield failed("quota", f"{state}, so no flow run can start. {remedy}")
        elif count >= _MANY * job.most_jobs:
            yield warning("quota", f"{state}. {remedy}")
        else:
            yield ok("quota", f"{state}.")

    def _check_image(self) -> Iterator[Finding]:
        text = self._job.image
        title = _TITLES[self._job.api]
        image = read_image(text)
        if image is None:
            yield failed("image", f"{text!r} is no image, such as 'europe-docker.pkg.dev/my-project/flows/etl:1'.")
            return
        if not is_pulled_by_google(image.registry):
            yield failed(
                "image",
                f"{text}: {title} pulls from Artifact Registry and Docker Hub only, not from {image.registry}. Copy "
                "it, or make a remote repository in Artifact Registry.",
            )
            return
        if not image.package:
            yield ok("image", f"{text} is in {image.registry}; whether it is there was not asked.")
            return
        what, name = ("versions", image.digest) if image.digest else ("tags", image.tag)
        try:
            self._call(
                "artifactregistry",
                "v1",
                f"projects.locations.repositories.packages.{what}.get",
                f"Image {text}",
                name=f"{image.package}/{what}/{name}",
            )
        except GcpNotFound:
            yield failed("image", f"{text} does not exist in Artifact Registry. Push it, or correct image.")
            return
        yield ok("image", f"{text} is there.")

    def _check_service_account(self) -> Iterator[Finding]:
        email = self._job.service_account
        if not email:
            yield ok("service account", "None is set: flows run as the project's default service account.")
            return
        subject, name = f"Service account {email}", f"projects/-/serviceAccounts/{email}"
        if "@" not in email:
            yield failed(
                "service account", f"{email!r} is no email of a service account. Correct service_account_name."
            )
            return
        try:
            found = self._call("iam", "v1", "projects.serviceAccounts.get", subject, name=name)
        except GcpNotFound:
            yield failed("service account", f"{email} does not exist. Create it, or correct service_account_name.")
            return
        if found.get("disabled"):
            yield failed("service account", f"{email} is disabled.")
            return
        answer = self._call(
            "iam",
            "v1",
            "projects.serviceAccounts.testIamPermissions",
            subject,
            resource=name,
            body={"permissions": ["iam.serviceAccounts.actAs"]},
        )
        had: Sequence[str] = answer.get("permissions") or []
        if "iam.serviceAccounts.actAs" in had:
            yield ok("service account", f"{email} is there, and jobs may run as it.")
        else:
            who = self._account or "This identity"
            yield failed(
                "service account",
                f"{who} may not run jobs as {email}: grant it roles/iam.serviceAccountUser on that account.",
            )

    def _check_network(self) -> Iterator[Finding]:
        job, place = self._job, f"projects/{self._project}/locations/{self._job.region}"
        if job.connector:
            name = job.connector if "/" in job.connector else f"{place}/connectors/{job.connector}"
            try:
                found = self._call(
                    "vpcaccess", "v1", "projects.locations.connectors.get", f"VPC connector {name}", name=name
                )
            except GcpNotFound:
                yield failed(
                    "network", f"VPC connector {name} does not exist. Create it, or correct vpc_connector_name."
                )
            else:
                state = found.get("state", "READY")
                level = ok if state == "READY" else failed
                yield level("network", f"VPC connector {name} is {state}.")
        if job.network:
            yield from self._check_part("networks", "network", job.network, {})
        if job.subnetwork:
            yield from self._check_part("subnetworks", "subnetwork", job.subnetwork, {"region": job.region})
        if not (job.connector or job.network or job.subnetwork):
            yield ok("network", "Jobs reach the internet, and no VPC.")

    def _check_part(self, collection: str, parameter: str, given: str, more: dict[str, str]) -> Iterator[Finding]:
        parts = given.split("/")
        project = parts[parts.index("projects") + 1] if "projects" in parts[:-1] else self._project
        subject = f"{parameter.capitalize()} {given}"
        if project.isdecimal() and parameter == "network":  # Vertex AI wants the project's number
            yield ok("network", f"{subject} is in project number {project}.")
            return
        try:
            self._call("compute", "v1", f"{collection}.get", subject, project=project, **{parameter: parts[-1]}, **more)
        except GcpNotFound:
            yield failed("network", f"{subject} does not exist. Create it, or correct {parameter}.")
            return
        yield ok("network", f"{subject} is there.")

    def _check_secrets(self) -> Iterator[Finding]:
        for variable, (secret, version) in self._job.secrets.items():
            full = secret if "/" in secret else f"projects/{self._project}/secrets/{secret}"
            subject = f"Secret {full}"
            try:
                found = self._call(
                    "secretmanager",
                    "v1",
                    "projects.secrets.versions.get",
                    subject,
                    name=f"{full}/versions/{version}",
                )
            except GcpNotFound:
                yield failed(
                    "secrets", f"{variable}: version {version} of {full} does not exist. Create it, or no job starts."
                )
                continue
            if found.get("state", "ENABLED") != "ENABLED":
                yield failed("secrets", f"{variable}: version {version} of {full} is {found['state']}.")
            else:
                yield ok("secrets", f"{variable} comes from {full}.")


def guarded(check: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Pass findings on. What may not be looked at is a warning: the worker may have other permissions.

    Args:
        check: What is looked at.
        findings: What is found.
    """

    def is_open(exc: Exception) -> bool:
        return isinstance(exc, GcpAccessDenied) or is_transient(exc) is not False

    return pool_checks.guarded(check, findings, errors=GcpError, is_open=is_open)


def read_job(work_pool: str, variables: Sequence[str]) -> PoolJob:
    """Read a work pool, and fill its job template.

    Args:
        work_pool: Its name.
        variables: Job variables as `name=value`.

    Raises:
        CommandFailed: If there is no such pool, it is of another type, its template is wrong, or the API does not
            answer.
    """
    values = pool_checks.given_variables(variables)
    kind, configuration = pool_checks.read_configuration(work_pool, _KINDS, values=values, advice=_ADVICE)
    with pool_checks.template_errors(work_pool, _ADVICE):
        return _READERS[kind](configuration)


def _cloud_run_v2() -> type[Any]:
    from ..workers.cloud_run_v2 import CloudRunWorkerJobV2Configuration

    return CloudRunWorkerJobV2Configuration


def _cloud_run() -> type[Any]:
    from ..workers.cloud_run import CloudRunWorkerJobConfiguration

    return CloudRunWorkerJobConfiguration


def _vertex() -> type[Any]:
    from ..workers.vertex import VertexAIWorkerJobConfiguration

    return VertexAIWorkerJobConfiguration


_KINDS = {"cloud-run-v2": _cloud_run_v2, "cloud-run": _cloud_run, "vertex-ai": _vertex}
_READERS: dict[str, Callable[[Any], PoolJob]] = {
    "cloud-run-v2": jobs.of_cloud_run_v2,
    "cloud-run": jobs.of_cloud_run,
    "vertex-ai": jobs.of_vertex,
}
