"""What users' tests put in the place of Azure's clients: it need not list, nor know options that only we pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from azure.core.exceptions import ResourceNotFoundError
from prefect.exceptions import InfrastructureNotFound

from prefect_azure.credentials import AzureContainerInstanceCredentials
from prefect_azure.errors import AzureJobFailed
from prefect_integration_tests.backends.azure_api import AzureApi
from prefect_integration_tests.pool_runs import Started

from ._aci import GROUP, Pool, quicken

pytestmark = pytest.mark.usefixtures("prefect_harness")


class Groups:
    """Container groups with nothing but the documented arguments; each look sees the next state."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.deleted: list[str] = []

    def get(self, resource_group_name: str, container_group_name: str) -> Any:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state is None or self.deleted:
            raise ResourceNotFoundError("There is none.")
        return state

    def begin_delete(self, resource_group_name: str, container_group_name: str) -> Any:
        self.deleted.append(container_group_name)
        return SimpleNamespace(result=lambda: None)


def group(state: str, exit_code: int | None = None, provisioning_state: str = "Succeeded") -> Any:
    current = SimpleNamespace(state=state, exit_code=exit_code)
    container = SimpleNamespace(name="flow", instance_view=SimpleNamespace(current_state=current))
    return SimpleNamespace(name="flow", provisioning_state=provisioning_state, containers=[container])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clients that the credentials give."""
    made = SimpleNamespace(container=Mock(), resource=Mock())
    credentials = AzureContainerInstanceCredentials
    monkeypatch.setattr(credentials, "get_container_client", lambda self, subscription_id: made.container)
    monkeypatch.setattr(credentials, "get_resource_client", lambda self, subscription_id: made.resource)
    return made


@pytest.fixture
def pool(prefect_harness: None, empty_azure_api: AzureApi) -> Pool:
    return Pool(empty_azure_api)


@pytest.mark.parametrize("exit_code", [0, 3])
async def test_a_run_ends_as_the_stand_ins_say(pool: Pool, clients: SimpleNamespace, exit_code: int) -> None:
    made: list[str] = []

    def begin_create_or_update(resource_group_name: str, deployment_name: str, parameters: Any) -> None:
        made.append(deployment_name)

    groups = Groups(None, group("Running"), group("Terminated", exit_code))
    clients.container = SimpleNamespace(container_groups=groups)
    clients.resource = SimpleNamespace(deployments=SimpleNamespace(begin_create_or_update=begin_create_or_update))
    async with pool.worker() as worker:
        started = Started()
        run = await pool.new_run()
        result = await worker.run(run, pool.configure(run), started)  # type: ignore[arg-type]
    assert (result.status_code, result.identifier) == (exit_code, started.identifier)
    assert made == groups.deleted == [result.identifier.partition(":")[2]]


@pytest.mark.parametrize("kind", [Mock, MagicMock])
async def test_mocks_need_no_lists(pool: Pool, clients: SimpleNamespace, kind: Any) -> None:
    clients.container, clients.resource = kind(), kind()
    clients.container.container_groups.get.side_effect = Groups(group("Running"), group("Terminated", 7)).get
    async with pool.worker() as worker:
        _, result = await pool.submit(worker)
    assert result.status_code == 7
    name = result.identifier.partition(":")[2]
    clients.container.container_groups.begin_delete.assert_called_once_with(
        resource_group_name=GROUP, container_group_name=name
    )


async def test_what_failed_is_deleted_at_once(pool: Pool, clients: SimpleNamespace) -> None:
    groups = Groups(None, group("Waiting", provisioning_state="Failed"))
    clients.container = SimpleNamespace(container_groups=groups)
    async with pool.worker() as worker:
        with pytest.raises(AzureJobFailed):
            await pool.submit(worker)
    assert len(groups.deleted) == 1


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "deleted"])
async def test_a_group_is_stopped_or_deleted(pool: Pool, clients: SimpleNamespace, is_kept: bool) -> None:
    configuration = pool.configured(keep_container_group=is_kept)
    groups = clients.container.container_groups
    async with pool.worker() as worker:
        await worker.kill_infrastructure("run:group", configuration)
        assert groups.stop.call_count == is_kept
        assert groups.begin_delete.call_count == (not is_kept)
        groups.get.side_effect = ResourceNotFoundError("There is none.")
        with pytest.raises(InfrastructureNotFound, match="'group'"):
            await worker.kill_infrastructure("run:group", configuration)
