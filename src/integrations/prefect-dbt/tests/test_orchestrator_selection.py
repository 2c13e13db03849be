"""What an orchestrator builds: dbt's own selectors, compared with an earlier run, and deferred to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from prefect.filesystems import LocalFileSystem

from prefect_dbt.cloud import DbtCloudCredentials, DbtCloudExecutor
from prefect_dbt.core._local import DbtCoreExecutor
from prefect_dbt.core.orchestrator import PrefectDbtOrchestrator
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_dbt.core.state import DbtState, upload_artifacts
from prefect_dbt.errors import DbtStateError, DbtUsageError

from ._orchestrator import InFlow, orchestrator_of

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject

pytestmark = pytest.mark.usefixtures("prefect_harness")

_SELECTORS = """\
selectors:
  - name: nightly
    definition:
      union:
        - {method: tag, value: daily}
        - {method: path, value: seeds}
        - exclude: [{method: fqn, value: raw_orders}]
"""


@dataclass
class Shop:
    """A shop that was built in the schema `main`.

    Attributes:
        project: The project.
        executor: Its child does the work of all tests.
        state: The artifacts of the build.
    """

    project: DbtProject
    executor: DbtCoreExecutor
    state: DbtState

    def build(self, selection: dict[str, Any], **options: Any) -> list[str]:
        """Build what is selected, and name it, sorted."""
        orchestrator = orchestrator_of(self.project, executor=self.executor, test_strategy="skip", **options)
        run = InFlow(lambda: orchestrator.run_build(**selection))
        assert run.state.is_completed(), run.state
        return sorted(node.name for node in run.result.values())


@pytest.fixture(scope="module")
def shop(
    prefect_harness: None, dbt_shop_template: DbtProject, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("selection")
    project = dbt_shop_template.copy(folder / "shop")
    project.write("selectors.yml", _SELECTORS)
    settings = PrefectDbtSettings(project_dir=project.path, profiles_dir=project.profiles_dir)
    name = f"dbt-{uuid4().hex}"
    LocalFileSystem(basepath=str(folder / "artifacts")).save(name)
    with DbtCoreExecutor(settings) as executor:
        shop = Shop(project, executor, DbtState(f"local-file-system/{name}", "prod"))
        shop.build({}, execution_mode="per_wave")
        upload_artifacts(project.target_path, shop.state)
        yield shop


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ({"select": "tag:daily"}, ["orders"]),
        ({"select": ["path:models/staging"]}, ["stg_customers"]),
        ({"select": "+customers", "exclude": ["resource_type:seed", "orders"]}, ["customers", "stg_customers"]),
        ({"select": "stg_customers+1"}, ["customers", "stg_customers"]),
        ({"selector": "nightly"}, ["orders", "raw_customers"]),
    ],
    ids=["tag", "path", "graph", "children", "selector"],
)
def test_dbts_selectors_say_what_is_built(shop: Shop, selection: dict[str, Any], names: list[str]) -> None:
    assert shop.build(selection, execution_mode="per_wave") == names


def test_a_selector_that_dbt_does_not_know_is_refused(shop: Shop) -> None:
    with pytest.raises(DbtUsageError, match="nope"):
        orchestrator_of(shop.project, executor=shop.executor).run_build(selector="nope")


def test_an_executor_brings_its_own_settings(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = shop.project.target_path / "run_results.json"
    results.unlink()
    orchestrator = PrefectDbtOrchestrator(executor=shop.executor, execution_mode="per_wave", test_strategy="skip")
    orchestrator.run_build(select="stg_customers")
    assert "model.demo.stg_customers" in results.read_text("utf-8")
    assert not any(tmp_path.iterdir())


@pytest.fixture
def changed_shop(shop: Shop) -> Iterator[Shop]:
    """The shop with another target schema and a changed model; the schema has a table that was built there long ago."""
    project = shop.project
    profile = (project.path / "profiles.yml").read_text("utf-8")
    project.write("profiles.yml", profile.replace('"schema": "main"', '"schema": "dev"'))
    file = project.model_file("stg_customers")
    project.write(file, file.read_text("utf-8") + "where customer_id > 1\n")
    project.query("create schema dev; create table dev.orders as select 2 as customer_id, 1 as amount")
    yield shop
    project.fix()
    project.query("drop schema dev cascade")


@pytest.mark.parametrize(
    ("mode", "options", "spent"),
    [("per_node", {"favor_state": True}, 5), ("per_wave", {"defer": True}, 1)],
    ids=["favor_state-per_node", "defer-per_wave"],
)
def test_what_was_modified_is_built_on_tables_of_the_earlier_run(
    changed_shop: Shop, mode: str, options: dict[str, bool], spent: int
) -> None:
    """A parent that this run builds is read from here, though another invocation of dbt built it."""
    shop = changed_shop
    built = shop.build(
        {"select": "state:modified+", "exclude": "resource_type:snapshot"},
        execution_mode=mode,
        state=shop.state,
        **options,
    )
    assert built == ["customers", "stg_customers"]
    made = shop.project.query("select table_name from information_schema.tables where table_schema = 'dev' order by 1")
    assert made == [("customers",), ("orders",), ("stg_customers",)]
    rows = shop.project.query("select customer_id, spent from dev.customers order by 1")
    assert rows == [(2, spent), (3, None)], "customer 1 is only in the table of the earlier run"


def test_a_state_that_cannot_be_fetched_or_used_is_refused(
    shop: Shop, tmp_path: Path, cloud_credentials: DbtCloudCredentials
) -> None:
    with pytest.raises(ValueError, match="give state with them"):
        orchestrator_of(shop.project, defer=True)
    with pytest.raises(DbtStateError, match=r"no manifest\.json to compare with"):
        orchestrator_of(shop.project, executor=shop.executor, state=tmp_path).run_build(select="orders")
    cloud = DbtCloudExecutor(cloud_credentials, project_id=100, environment_id=10)
    with pytest.raises(ValueError, match="defer_to_job_id"):
        orchestrator_of(shop.project, executor=cloud, state=shop.state).run_build()
