"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prefect.blocks.system import Secret

from prefect_dbt import DbtCliProfile, PrefectDbtRunner, PrefectDbtSettings, TargetConfigs
from prefect_dbt.cloud import DbtCloudJob
from prefect_dbt.core.state import fetch_state
from prefect_integration_tests.suites import GuideSuite

from ._projects import DUCKDB, write_project
from .test_bad_input import UNREACHABLE, target

if TYPE_CHECKING:
    from prefect_dbt.cloud import DbtCloudCredentials
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud
    from prefect_integration_tests.clock import FakeClock

_SEED = "id,country,weight_kg\n1,NO,3\n2,PT,5\n3,PT,2\n"
_MODEL = "select country, sum(weight_kg) as weight_kg from {{ ref('parcels') }} group by country\n"
_MODELS = """\
models:
  - name: weight_by_country
    description: "What we sent to each country"
    columns:
      - name: country
        data_tests: [not_null]
"""
SHOP: dict[str, str | None] = {
    "models/parcels.sql": None,
    "seeds/parcels.csv": _SEED,
    "models/weight_by_country.sql": _MODEL,
    "models/models.yml": _MODELS,
}
"""The project that the overview makes."""

_IN_THE_PROJECT = ("core", "orchestrator", "state-and-defer")
"""Pages whose reader stands in the folder of the project."""

_WITH_DBT_CLOUD = ("cloud", "orchestrator")
_CLOUD_NODES = (("model.shop.orders",), ("model.shop.customers", "model.shop.orders"))


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the overview, built once, so that dbt need not parse it anew for each page."""
    folder = write_project(tmp_path_factory.mktemp("guide") / "shop", {**SHOP, "profiles.yml": DUCKDB})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder)).invoke(["build"])
    return folder


class TestGuide(GuideSuite):
    distribution = "prefect-dbt"

    @pytest.fixture
    def surroundings(
        self,
        page_folder: Path,
        built_shop: Path,
        prefect_harness: None,
        dbt_cloud: DbtCloud,
        cloud_clock: FakeClock,
        cloud_credentials: DbtCloudCredentials,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[[], object]:
        """The overview's project, and the blocks that the pages take for granted; `dbt` is on the path."""
        monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        monkeypatch.setenv("DBT_PASSWORD", "")
        name = page_folder.name
        if name.startswith(_IN_THE_PROJECT) and not (page_folder / "dbt_project.yml").exists():
            shutil.copytree(built_shop, page_folder, dirs_exist_ok=True)
        elif name.startswith("cli") and not (page_folder / "shop").exists():
            shutil.copytree(built_shop, page_folder / "shop")

        def restore() -> None:
            if name.startswith("cli"):
                from prefect_gcp import GcpCredentials

                Secret(value="pa55").save("dbt-password", overwrite=True)  # pyright: ignore[reportArgumentType]
                GcpCredentials(project="shop").save("shop-gcp", overwrite=True)
            elif name.startswith(_WITH_DBT_CLOUD):  # the page's own account is no one's
                for node, *reads in () if dbt_cloud.project.nodes else _CLOUD_NODES:
                    dbt_cloud.project.add(node, *reads)
                cloud_credentials.save("dbt-cloud", overwrite=True)
                job = DbtCloudJob(dbt_cloud_credentials=cloud_credentials, job_id=dbt_cloud.add_job("dbt build"))
                job.save("nightly", overwrite=True)

        return restore

    @pytest.fixture
    def provocations(
        self, tmp_path: Path, prefect_harness: None, monkeypatch: pytest.MonkeyPatch
    ) -> Mapping[str, Callable[[], object]]:
        monkeypatch.chdir(tmp_path)

        def build(*args: str, **files: str | None) -> object:
            folder = write_project(tmp_path / "shop", {**SHOP, **files})
            settings = PrefectDbtSettings(project_dir=folder, profiles_dir=folder)
            return PrefectDbtRunner(settings=settings).invoke(list(args or ("build",)))

        def nowhere() -> object:
            settings = PrefectDbtSettings(project_dir=tmp_path / "nowhere", profiles_dir=tmp_path)
            return PrefectDbtRunner(settings=settings).invoke(["build"])

        def profile(text: str) -> Callable[[], object]:
            return lambda: build(**{"profiles.yml": text})

        def fetch(manifest: str | None) -> object:
            if manifest is not None:
                tmp_path.joinpath("manifest.json").write_text(manifest, encoding="utf-8")
            with fetch_state(tmp_path):
                return None

        def profile_twice() -> object:
            from prefect_dbt.cli.commands import trigger_dbt_cli_command

            folder = write_project(tmp_path / "shop", SHOP)
            configs = TargetConfigs(type="duckdb", schema="main", extras={"path": "other.duckdb"})  # pyright: ignore[reportCallIssue]
            other = DbtCliProfile(name="shop", target="dev", target_configs=configs)
            return trigger_dbt_cli_command.fn(
                "dbt parse", project_dir=folder, profiles_dir=folder, dbt_cli_profile=other
            )

        schema = "https://schemas.getdbt.com/dbt/manifest/v99.json"
        other_version = json.dumps({"metadata": {"dbt_schema_version": schema, "dbt_version": "9.9.0"}, "nodes": {}})
        failing = partial(build, **{"seeds/parcels.csv": _SEED.replace("NO", "")})
        return {
            "Failures": failing,
            "A test or a model failed": failing,
            "The adapter is not installed": profile(target(type="oracle")),
            "The profile is not found": profile(DUCKDB.replace("shop:", "other:")),
            "A profiles.yml is there already": profile_twice,
            "The target is not in the profile": partial(build, "build", "--target", "prod"),
            "The folder is no dbt project": nowhere,
            "dbt has no such option": partial(build, "build", "--selct", "x"),
            "A model does not compile": partial(
                build, **{"models/weight_by_country.sql": _MODEL.replace("'parcels'", "'parcel'")}
            ),
            "The database cannot be reached": profile(UNREACHABLE),
            "A manifest is of another version of dbt": partial(fetch, other_version),
            "There is nothing to compare with": partial(fetch, None),
            "There is nothing to retry": partial(build, "retry"),
        }
