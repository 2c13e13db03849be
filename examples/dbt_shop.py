# ---
# title: A shop's numbers with dbt
# description: Build a dbt project from a flow, mend what failed, run only what is left, then only what has changed.
# icon: diagram-project
# keywords: ["dbt", "duckdb", "dbt retry", "state", "defer", "artifacts", "timeline"]
# dependencies: ["prefect-dbt", "dbt-duckdb"]
# cmd: ["python", "examples/dbt_shop.py"]
# order: 9
# ---
#
# A shop reports on its parcels with dbt. This program makes the project, builds it from a flow, and goes through a
# morning with dbt: a test fails, it is mended, and only what is left runs again. Then one model changes, and only that
# one is built, in another schema and on the tables that are there.
#
# It needs no account and no network: DuckDB is a file, and a temporary Prefect server starts with the program.

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.filesystems import LocalFileSystem
from prefect.testing.utilities import prefect_test_harness

from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.errors import DbtRunFailed

# ## The project
#
# Two seeds, two models, and tests. One of them is too strict: it finds that a parcel of 5 kg is too heavy.

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    "profiles.yml": """\
shop:
  target: prod
  outputs:
    prod: {type: duckdb, path: "{{ env_var('SHOP') }}/shop.duckdb", schema: main, threads: 2}
    dev: {type: duckdb, path: "{{ env_var('SHOP') }}/shop.duckdb", schema: dev, threads: 2}
""",
    "seeds/countries.csv": "code,name\nNO,Norway\nPT,Portugal\n",
    "seeds/parcels.csv": "id,country,weight_kg\n1,NO,3\n2,PT,5\n3,PT,2\n",
    "models/sent.sql": """\
select parcels.id, countries.name as country, parcels.weight_kg
from {{ ref('parcels') }} as parcels join {{ ref('countries') }} as countries on countries.code = parcels.country
""",
    "models/weight_by_country.sql": """\
select country, sum(weight_kg) as weight_kg from {{ ref('sent') }} group by country
""",
    "models/models.yml": """\
models:
  - name: sent
    description: Parcels that have left the house
    columns:
      - name: id
        data_tests: [unique]
  - name: weight_by_country
    description: What we sent to each country
    config: {meta: {owner: shipping}}
""",
    "tests/nothing_is_too_heavy.sql": "select * from {{ ref('sent') }} where weight_kg > 4\n",
}


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def show(title: str, result: Any) -> None:
    ended = sorted(f"{node.node.name} {node.status}" for node in result.result.results)
    print(f"{title}: {', '.join(ended)}")


# ## Build, mend, and run what is left
#
# Each node is a task run of the flow. The error names what failed; what stands on it was skipped. With the test mended,
# `dbt retry` runs it again with what was skipped, and leaves alone what is done. (A flow with `retries` does the same
# by itself.) A run that ended well keeps its artifacts in a file system block, and `timeline` makes a picture of it.


@flow
def morning(project: Path) -> None:
    settings = PrefectDbtSettings(project_dir=project, profiles_dir=project)
    runner = PrefectDbtRunner(settings=settings, artifacts="local-file-system/dbt-artifacts", timeline="dbt-timeline")
    try:
        runner.invoke(["build"])
    except DbtRunFailed as error:
        print(error)
    write(project, {"tests/nothing_is_too_heavy.sql": "select * from {{ ref('sent') }} where weight_kg > 30\n"})
    show("dbt retry", runner.invoke(["retry"]))


# ## Build what has changed
#
# The artifacts of the morning are what to compare with. Only `weight_by_country` differs, so only that is built, in the
# schema `dev`; and since there is no `sent` in it, `defer` takes the one of the morning.


@flow
def try_a_change(project: Path) -> None:
    write(
        project,
        {
            "models/weight_by_country.sql": """\
select country, count(*) as parcels, sum(weight_kg) as weight_kg from {{ ref('sent') }} group by country
"""
        },
    )
    settings = PrefectDbtSettings(project_dir=project, profiles_dir=project)
    runner = PrefectDbtRunner(settings=settings, state="local-file-system/dbt-artifacts", defer=True)
    show("changed", runner.invoke(["run", "--select", "state:modified", "--target", "dev"]))


def artifacts() -> list[str]:
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/artifacts/latest/filter", json={}).json()
    return sorted(artifact["key"] for artifact in found if artifact["key"])


# ## Run it

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # nobody is told of a temporary server,
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"  # nor of what dbt does here
    with TemporaryDirectory() as folder, prefect_test_harness(server_startup_timeout=120):
        os.environ["SHOP"] = folder  # where the database is
        project = Path(folder) / "shop"
        write(project, PROJECT)
        LocalFileSystem(basepath=f"{folder}/artifacts").save("dbt-artifacts")
        morning(project)
        try_a_change(project)
        print("artifacts:", ", ".join(artifacts()))
