"""`pip install "prefect[aws]"`, with our packages on an index that pip asks, brings ours, and what was saved loads."""

from __future__ import annotations

import json
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import pytest

from scripts.distributions.building import Built
from scripts.distributions.contents import wheel_files
from scripts.distributions.environments import Environment
from scripts.distributions.extras import extras_of_prefect, needs_of_others, requirement_of
from scripts.distributions.index import Index, sha256
from scripts.workspace import packages

HERE = Path(__file__).parent
EXTRAS = extras_of_prefect(packages())
LIGHT = ("email", "shell")
NOT_OURS = {"buildx", "bundles", "otel"}
WITHOUT_BLOCKS = {"dask", "ray"}
SAYS = {
    "aws": "b'paid'",
    "azure": "[True, True]",
    "bitbucket": "['report.py']",
    "dask": "[0, 1, 4, 9]",
    "databricks": "1",
    "dbt": "['shop.duckdb', True]",
    "docker": "True",
    "email": "Installed",
    "gcp": "b'paid'",
    "github": "['report.py']",
    "gitlab": "['report.py']",
    "kubernetes": "True",
    "ray": "[0, 1, 4, 9]",
    "redis": "{'NO': 3}",
    "shell": "['zero', ['one', 'two']]",
    "slack": "True",
    "snowflake": "[(1, 'x')]",
    "sqlalchemy": "[('NO', 3), ('PT', 5)]",
}
"""What the flow of each package prints at its end."""


def test_each_integration_is_an_extra_of_prefect() -> None:
    assert {package.name for package in EXTRAS.values()} == {each.name for each in packages() if each.is_integration}
    assert all(package.name == f"prefect-{extra}" for extra, package in EXTRAS.items())


def test_the_extras_that_are_not_ours_are_known() -> None:
    assert set(distribution("prefect").metadata.get_all("Provides-Extra") or ()) - set(EXTRAS) == NOT_OURS


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_admits_the_version_here(extra: str) -> None:
    package = EXTRAS[extra]

    assert package.version in requirement_of(extra, package).specifier


def test_the_index_serves_ours_alone(index: Index) -> None:
    assert index.page("prefect") is None
    assert "prefect_shell-" in (index.page("prefect-shell") or "")
    assert "/simple/prefect-integration-kit/" in index.projects()


@pytest.fixture
def argument(request: pytest.FixtureRequest, extra: str) -> dict[str, Any]:
    """What the flow of a package is told: where a server is, which this process has started."""
    return _argument(extra, request.getfixturevalue)


def _argument(extra: str, fixture: Any) -> dict[str, Any]:
    if extra == "aws":
        server = fixture("s3_server")
        keys = {"access_key": server.access_key, "secret_key": server.secret_key}
        return {"endpoint_url": server.endpoint_url, "bucket": fixture("s3_bucket_name"), **keys}
    if extra == "gcp":
        server = fixture("gcs_server")
        return {"endpoint": server.endpoint, "project": server.project, "bucket": fixture("gcs_bucket_name")}
    if extra in ("bitbucket", "github", "gitlab"):
        server = fixture("git_server")
        remote = server.repository("shop/etl.git")
        remote.tag("v1.2.0", remote.commit({"report.py": b""}))
        return {"url": server.url(remote)}
    if extra == "databricks":
        from prefect_integration_tests.backends.databricks import TOKEN

        server = fixture("databricks")
        server.add_job()
        return {"instance": server.endpoint, "token": TOKEN}
    if extra == "email":
        return fixture("smtp_plain").fields
    if extra == "docker":
        return {"environ": {"DOCKER_HOST": fixture("docker_engine").socket_url}}
    if extra == "kubernetes":
        return {"config": fixture("empty_kube_api").kubeconfig(), "context": "played"}
    if extra == "redis":
        return {"port": fixture("redis_server").port}
    if extra == "slack":
        from prefect_integration_tests.backends.slack import TOKEN as SLACK_TOKEN

        server = fixture("slack_server")
        return {"token": SLACK_TOKEN, "base_url": server.api_url}
    if extra == "snowflake":
        server = fixture("snowflake_server")
        return {"address": server.address(), "database": server.new_database()}
    return {}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment that holds pip alone."""
    return Environment.create(tmp_path / "environment")


def cases(*light: str) -> list[Any]:
    """Each extra as a case; all but some are slow, and what needs an engine runs where the other tests of it do."""
    found: list[Any] = []
    for extra in EXTRAS:
        marks = [] if extra in light else [pytest.mark.slow]
        if extra == "docker":
            marks.append(pytest.mark.xdist_group("docker"))
        found.append(pytest.param(extra, marks=marks))
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("extra", cases(*LIGHT))
def test_an_extra_that_is_added_brings_ours(
    extra: str,
    environment: Environment,
    argument: dict[str, Any],
    distributions: dict[str, Built],
    index: Index,
    constraints: Path,
    reachable_prefect_server: Any,
) -> None:
    """What others have made is there already, so that pip has only ours to install."""
    needs = needs_of_others(EXTRAS[extra], packages())
    environment.prepare(constraints, f"prefect=={version('prefect')}", *needs)

    check(extra, environment, argument, distributions, index, constraints, reachable_prefect_server)


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("extra", cases())
def test_an_extra_in_an_empty_environment_brings_ours(
    extra: str,
    environment: Environment,
    argument: dict[str, Any],
    distributions: dict[str, Built],
    index: Index,
    constraints: Path,
    reachable_prefect_server: Any,
) -> None:
    """pip finds and installs everything, as for a user who begins."""
    check(extra, environment, argument, distributions, index, constraints, reachable_prefect_server)


def check(
    extra: str,
    environment: Environment,
    argument: dict[str, Any],
    distributions: dict[str, Built],
    index: Index,
    constraints: Path,
    server: Any,
) -> None:
    """Install as a user does, then register, load what was saved by the published package, and run a flow."""
    package = EXTRAS[extra]

    installed = environment.pip_install(f"prefect[{extra}]", index_url=index.url, constraints=constraints)

    # Ours is installed, and what it needs of ours; to the byte.
    ours = {name: built for name, built in distributions.items() if name in installed}
    assert {package.name, "prefect-integration-kit"} <= set(ours)
    for name, built in ours.items():
        told = installed[name]
        assert (told.version, told.sha256) == (built.package.version, sha256(built.wheel)), (
            f"pip took {told.url.rpartition('/')[2]} rather than {built.wheel.name}"
        )
        assert told.url.startswith(index.url.removesuffix("simple"))
        files = environment.files_of(name, built.package.version)
        wheel = wheel_files(built.wheel)
        assert {path: files.get(path) for path in wheel if not path.endswith("RECORD")} == {
            path: content for path, content in wheel.items() if not path.endswith("RECORD")
        }
    environment.run("python", "-m", "pip", "check")

    # Its blocks are registered, documents of the published package load.
    environ = {
        "PREFECT_API_URL": server.api_url,
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "COLUMNS": "200",
        **argument.pop("environ", {}),
    }
    file = HERE / "documents" / f"{package.name}.json"
    saved = json.loads(file.read_text(encoding="utf-8"))["documents"] if file.exists() else []
    slugs = [document["slug"] for document in saved if not document["is_foreign"]]
    assert bool(slugs) is (extra not in WITHOUT_BLOCKS)
    if slugs:
        listed = environment.run("prefect", "block", "register", "-m", package.module, environ=environ)
        assert "Successfully registered" in listed
        missing = [name for name in {d["type"] for d in saved if not d["is_foreign"]} if name not in listed]
        assert not missing, listed
        loaded = environment.run("python", str(HERE / "load_documents.py"), str(file), environ=environ)
        assert json.loads(loaded.splitlines()[-1]) == slugs

    # It works in a flow.
    program = HERE / "flows" / f"flow_{extra}.py"
    said = environment.run("python", str(program), json.dumps(argument), environ=environ)
    assert said.splitlines()[-1] == SAYS[extra]
