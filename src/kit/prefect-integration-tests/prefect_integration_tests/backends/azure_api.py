"""A REST server in this process in the shape of Azure Resource Manager, for what runs containers.

It has deployments, which evaluate their templates and make what these say; Container Instances; the jobs of Container
Apps. Requests are checked against, and answers fit, the models of azure-mgmt-containerinstance, azure-mgmt-resource and
azure-mgmt-appcontainers. Containers are played as a test says, or run on a Docker engine.

```python
def test_a_run(empty_azure_api):
    api = empty_azure_api
    api.play("my-group*", seconds=None, lines=["hello"])   # what containers do that start from now on
    ...                                                    # the worker creates group "my-group-1", at api.endpoint
    api.play.write("my-group-1", ["more"])                 # one that runs writes
    api.play.end("my-group-1", exit_code=0)                # and ends; also run_out_of_memory(name)
    api.calls_of("ContainerGroups_*")                      # what was asked: .operation, .params, .query, .body, .status
    api.fail("ContainerGroups_Get", status=503, times=2)   # faults: see `AzureApi.fail`
    assert api.left_over == []                             # ids of groups, deployments and jobs that still exist
    assert api.play.running == 0                           # what still costs money
```

Without a script, containers end with 0 at once; names in scripts are those of groups, jobs or executions. With
`api.use_engine(docker_engine)` they run for real: states, exit codes and logs are the engine's, images must be there.
Times go by `api.clock` (`api.clock.advance(3600)`); delays, quotas and limits are in `api.settings`, such as
`create_seconds`, `core_quota`, `deployment_history`. `api.container_groups`, `.deployments`, `.jobs`, `.executions`
show what exists, `.groups_started` and `.executions_started` count what was started, `.forget(name)` deletes by hand.

As in Azure:

- **A list of container groups does not show `instanceView`**: it says which groups exist and how far they are
  provisioned, and only `get` says whether containers run and how they ended.
- Logs are answered with 409 until a group is provisioned, and show the last 4 MB. Deployments keep their parameters and
  templates, without the values of secure parameters.
- Jobs and deployments answer 201 or 202 first, and refuse changes with 409 meanwhile. Each execution has replicas,
  which are tried again up to `replicaRetryLimit` times. Their lines go to Log Analytics, that is, to the tables
  `ContainerAppConsoleLogs_CL` and `ContainerAppSystemLogs_CL` (`POST /v1/workspaces/WORKSPACE/query`, language: see
  `_azure.kql`), and can be streamed.
- Every name of a resource group or environment exists, but for `settings.missing_groups` and `.missing_environments`.

`api.container_instance_client()`, `resource_client()` and `container_apps_client()` give SDK clients for this server;
an SDK client of your own must allow tokens over http (`enforce_https=False`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pytest

from ._azure.arm_calls import ArmCall, Fault, When
from ._azure.arm_clients import StaticCredential, client_options
from ._azure.arm_errors import WORDS, ArmError, Json
from ._azure.arm_server import NOBODY, ArmServer
from ._azure.arm_settings import ArmSettings
from ._azure.console_logs import ConsoleLogs
from ._azure.container_apps import ContainerApps
from ._azure.container_groups import ContainerInstance
from ._azure.container_play import Play
from ._azure.deployments import Deployments
from ._azure.log_analytics import LogAnalytics
from ._azure.log_stream import LogStream
from ._azure.managed_environments import WORKSPACE, ManagedEnvironments
from ._azure.resource_makers import ContainerGroupMaker, JobMaker
from ._server_clock import Clock

if TYPE_CHECKING:
    from typing_extensions import Self

    from .docker import DockerEngine

__all__ = [
    "ENVIRONMENT",
    "SUBSCRIPTION",
    "WORKSPACE",
    "ArmCall",
    "ArmError",
    "AzureApi",
    "StaticCredential",
    "azure_api",
    "empty_azure_api",
]

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
"""A subscription for tests; any other serves as well."""

ENVIRONMENT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/tests/providers/Microsoft.App/managedEnvironments/tests"
"""A managed environment of Container Apps; any other serves as well."""


class AzureApi:
    """The server, what it holds, and what a test may do to it. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start to listen on a free loopback port (milliseconds)."""
        self.server = ArmServer()
        self.play = Play(self.server)
        """What containers do: `play("name*", exit_code=3)`, `play.end("name")`, `play.write("name", lines)`."""

        self._instances = self.server.add(ContainerInstance(self.server, self.play))
        logs = ConsoleLogs(self.server)
        self._apps = self.server.add(ContainerApps(self.server, self.play, logs))
        self.server.add(ManagedEnvironments(self.server))
        self.server.add(LogAnalytics(self.server, logs))
        self.server.add(LogStream(self.server, self._apps))
        makers = {
            "microsoft.containerinstance/containergroups": ContainerGroupMaker(self._instances),
            "microsoft.app/jobs": JobMaker(self._apps),
        }
        self._deployments = self.server.add(Deployments(self.server, makers))

    @property
    def endpoint(self) -> str:
        """`http://127.0.0.1:port`, for every API."""
        return self.server.endpoint

    @property
    def settings(self) -> ArmSettings:
        """Delays, quotas, limits; a reset brings the defaults back."""
        return self.server.settings

    @property
    def clock(self) -> Clock:
        """The server's time: `clock.advance(3600)`."""
        return self.server.clock

    @property
    def calls(self) -> list[ArmCall]:
        """All requests since the last reset, in order."""
        return self.server.calls

    @property
    def on_call(self) -> list[Callable[[ArmCall], None]]:
        """Functions that are told of each call before it is answered. They may raise `ArmError`."""
        return self.server.on_call

    def calls_of(self, operation: str) -> list[ArmCall]:
        """Give the calls of one operation so far.

        Args:
            operation: Its id, such as `ContainerGroups_Get`; `*` stands for anything in it.
        """
        return [call for call in list(self.calls) if fnmatchcase(call.operation, operation)]

    def check_tokens(self, check: Callable[[str], str | None]) -> None:
        """Look at bearer tokens from now on, until the reset.

        Args:
            check: Gives the principal of a token, `None` for one that is not valid, such as `azure_identity.check`.
        """
        self.server.check_token = check

    def use_engine(self, engine: DockerEngine | None) -> None:
        """Run containers on a Docker engine from now on, or play them again; see `Play.use_engine`."""
        self.play.use_engine(engine)

    def fail(
        self,
        operation: str,
        status: int = 503,
        *,
        times: int | None = 1,
        when: When = "before",
        skip: int = 0,
        code: str = "",
        message: str = "",
        retry_after_seconds: float | None = None,
        delay_seconds: float = 0.0,
        where: Callable[[ArmCall], bool] | None = None,
    ) -> None:
        """Let calls fail, or be slow.

        Args:
            operation: Its id; `*` stands for anything in it. The looks at running operations are calls of their own:
                `AsyncOperations_Get`, `AsyncOperations_Result`, `Deployments_OperationStatus`.
            status: HTTP status of the refusal.
            times: How many calls; `None` for all.
            when: `before`: refused. `after`: done, but answered with the refusal. `lost`: done, and the connection
                closed without an answer. `late`: closed at once, and done `delay_seconds` later. `cut`: closed before
                anything is done. `slow`: done after `delay_seconds`. `garbled`: answered with a page of HTML, as by a
                proxy on the way.
            skip: How many calls pass first.
            code: Azure's code; by default the usual one of that status.
            message: What is said; by default what Azure says for that status.
            retry_after_seconds: Send `Retry-After`.
            delay_seconds: Wait before anything else.
            where: Strike only calls for which this is true, such as `lambda call: call.name == "my-group"`.
        """
        headers = {} if retry_after_seconds is None else {"Retry-After": f"{retry_after_seconds:g}"}
        if status == 403 and not message:
            message = _denied(operation)
        usual = WORDS.get(status, ("", ""))
        error = ArmError(status, code or usual[0], message or usual[1], headers=headers)
        self.server.faults.add(Fault(operation, error, times, when, skip, delay_seconds, where))

    def heal(self) -> None:
        """End all faults."""
        self.server.faults.clear()

    # What there is

    @property
    def container_groups(self) -> list[Json]:
        """All container groups with their states, the oldest first."""
        with self.server.lock:
            return [group.view() for group in self._instances.groups.values()]

    def container_group(self, name: str) -> Json:
        """Give a container group by its name.

        Raises:
            LookupError: If there is none.
        """
        return _named(self.container_groups, name)

    def environment_of(self, name: str, container: str = "*") -> dict[str, str]:
        """Give the environment of a container with the values of secrets.

        Args:
            name: Of the container group, the job or the execution.
            container: Name of the container; `*` stands for anything in it. The first that fits counts.

        Raises:
            LookupError: If there is none.
        """
        with self.server.lock:
            for group in self._instances.groups.values():
                for each in group.mains:
                    if group.name == name and fnmatchcase(each.container, container):
                        return each.environment
            for job in self._apps.jobs.values():
                templates = [(job.name, job.data["properties"]["template"])]
                templates += [(each.name, each.template) for each in job.executions]
                for own, template in templates:
                    for each in template["containers"] if own == name else ():
                        if fnmatchcase(each["name"], container):
                            return job.environment_of(each)
        raise LookupError(f"There is no container {container!r} in anything named {name!r}.")

    def lines_of(self, name: str, container: str = "*") -> list[str]:
        """Give what the containers of a group, or of an execution of a job, have written.

        Args:
            name: Of the group or the execution.
            container: Name of the container; `*` stands for anything in it.
        """
        with self.server.lock:
            own = [group.containers for group in self._instances.groups.values()]
            own += [job.containers for job in self._apps.jobs.values()]
            return [
                line
                for containers in own
                for each in containers
                if name in each.names and fnmatchcase(each.container, container)
                for _, line in each.log.lines
            ]

    @property
    def groups_started(self) -> int:
        """How many container groups were created since the reset, those that are gone among them."""
        with self.server.lock:
            return self._instances.started

    @property
    def deployments(self) -> list[Json]:
        """The records of all deployments, the oldest first."""
        with self.server.lock:
            return [deployment.view for deployment in self._deployments.deployments.values()]

    @property
    def jobs(self) -> list[Json]:
        """All jobs of Container Apps, the oldest first."""
        with self.server.lock:
            return [job.view() for job in self._apps.jobs.values()]

    def job(self, name: str) -> Json:
        """Give a job by its name.

        Raises:
            LookupError: If there is none.
        """
        return _named(self.jobs, name)

    @property
    def executions(self) -> list[Json]:
        """All executions of jobs, by job, the newest first."""
        with self.server.lock:
            return [execution.view for job in self._apps.jobs.values() for execution in job.executions]

    def execution(self, name: str) -> Json:
        """Give an execution by its name.

        Raises:
            LookupError: If there is none.
        """
        return _named(self.executions, name)

    @property
    def executions_started(self) -> int:
        """How many executions were started since the reset, those that are gone among them."""
        with self.server.lock:
            return self._apps.started

    @property
    def left_over(self) -> list[str]:
        """Ids of all that exists: container groups, deployments, jobs."""
        return [each["id"] for each in [*self.container_groups, *self.deployments, *self.jobs]]

    def forget(self, name: str) -> None:
        """Lose what has a name, as when somebody deletes it by hand: a group, a deployment, a job, an execution."""
        with self.server.lock:
            for group in list(self._instances.groups.values()):
                if group.name == name:
                    self._instances.remove(group)
            for key, deployment in list(self._deployments.deployments.items()):
                if deployment.name == name:
                    del self._deployments.deployments[key]
            for job in list(self._apps.jobs.values()):
                if job.name == name:
                    self._apps.remove(job)
                job.executions[:] = [each for each in job.executions if each.name != name]

    # Clients

    def container_instance_client(self, subscription: str = SUBSCRIPTION, **options: Any) -> Any:
        """Give a client of azure-mgmt-containerinstance that talks to this server.

        Args:
            subscription: Id of the subscription.
            options: Further arguments of the client.
        """
        from azure.mgmt.containerinstance import ContainerInstanceManagementClient as Client

        return Client(**self._client_options(subscription, options))

    def resource_client(self, subscription: str = SUBSCRIPTION, **options: Any) -> Any:
        """Give a client of azure-mgmt-resource that talks to this server.

        Args:
            subscription: Id of the subscription.
            options: Further arguments of the client.
        """
        from azure.mgmt.resource import ResourceManagementClient as Client

        return Client(**self._client_options(subscription, options))

    def container_apps_client(self, subscription: str = SUBSCRIPTION, **options: Any) -> Any:
        """Give a client of azure-mgmt-appcontainers that talks to this server.

        Args:
            subscription: Id of the subscription.
            options: Further arguments of the client.
        """
        from azure.mgmt.appcontainers import ContainerAppsAPIClient as Client

        return Client(**self._client_options(subscription, options))

    def _client_options(self, subscription: str, options: dict[str, Any]) -> dict[str, Any]:
        return {"subscription_id": subscription, "base_url": self.endpoint, **client_options(), **options}

    def reset(self) -> None:
        """Forget everything: what exists, scripts, settings, faults, calls, hooks, the time that was let pass."""
        self.server.reset()
        with self.server.lock:
            self.play.reset()

    def close(self) -> None:
        """End what runs, and stop to listen."""
        self.reset()
        self.server.close()
        self.play.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


_VERBS = {"Get": "read", "List": "read", "CreateOrUpdate": "write", "Update": "write", "Delete": "delete"}
_KINDS = {
    "ContainerGroups": "Microsoft.ContainerInstance/containerGroups",
    "Containers": "Microsoft.ContainerInstance/containerGroups/containers",
    "Deployments": "Microsoft.Resources/deployments",
    "Jobs": "Microsoft.App/jobs",
    "JobsExecutions": "Microsoft.App/jobs/executions",
}


def action_of(operation: str) -> str:
    """Name the action that an operation needs: `Microsoft.App/jobs/write` of `Jobs_CreateOrUpdate`."""
    kind, _, verb = operation.partition("_")
    if operation == "Containers_ListLogs":
        return f"{_KINDS[kind]}/logs/read"
    if verb.startswith("List"):
        verb = "List"
    return f"{_KINDS.get(kind, kind)}/{_VERBS.get(verb, verb.lower() + '/action')}"


def _denied(operation: str) -> str:
    return (
        f"The client '{NOBODY}' with object id '{NOBODY}' does not have authorization to perform action "
        f"'{action_of(operation)}' over scope '/subscriptions/{SUBSCRIPTION}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials."
    )


def _named(things: list[Json], name: str) -> Json:
    for each in things:
        if each["name"] == name:
            return each
    raise LookupError(f"There is no {name!r} among {[each['name'] for each in things]}.")


@pytest.fixture(scope="session")
def azure_api() -> Iterator[AzureApi]:
    """The local server in the shape of Azure Resource Manager; tests share it, see `empty_azure_api`."""
    with AzureApi() as api:
        yield api


@pytest.fixture
def empty_azure_api(azure_api: AzureApi) -> AzureApi:
    """The local Azure server after a reset."""
    azure_api.reset()
    return azure_api
