from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import changed, matrix, workspace
from scripts.matrix import Needs, needs_of, plan
from scripts.workspace import Package, WorkspaceError, read_toml

KNOWN = ("3.10", "3.11", "3.12")
NEEDS = [Needs("prefect-acme", ("3.10", "3.11")), Needs("prefect-bolt", ("3.12",))]


def read(folder: Path, table: str = "", requires: str = ">=3.10", *classifiers: str) -> Needs:
    project = f'[project]\nname = "prefect-acme"\nrequires-python = "{requires}"\nclassifiers = {list(classifiers)}\n'
    (folder / "pyproject.toml").write_text(f"{project}\n{table}")
    return needs_of(Package("prefect-acme", folder, "1", "x", frozenset()), KNOWN)


def test_a_package_is_tested_on_every_python_that_it_admits(tmp_path: Path) -> None:
    assert read(tmp_path) == Needs("prefect-acme", KNOWN, without={})


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        pytest.param(">=3.11", ("3.11", "3.12"), id="from"),
        pytest.param(">=3.10.2,<3.12", ("3.10", "3.11"), id="from a patch release to"),
        pytest.param(">=3.10,!=3.11.*", ("3.10", "3.12"), id="but one"),
    ],
)
def test_requires_python_leaves_some_out(tmp_path: Path, requires: str, expected: tuple[str, ...]) -> None:
    assert read(tmp_path, "", requires).pythons == expected


def test_classifiers_leave_out_what_they_do_not_name(tmp_path: Path) -> None:
    names = ("Typing :: Typed", "Programming Language :: Python :: 3", "Programming Language :: Python :: 3.11")

    assert read(tmp_path, "", ">=3.10", *names).pythons == ("3.11",)


def test_a_table_says_what_neither_tells(tmp_path: Path) -> None:
    table = '[tool.prefect-integrations]\napt = ["a", "b"]\ncluster = true\nwithout = { "3.12" = "ray has no wheel" }'

    needs = read(tmp_path, table)

    assert (needs.pythons, needs.apt, needs.cluster) == (("3.10", "3.11"), ("a", "b"), True)
    assert needs.without == {"3.12": "ray has no wheel"}


@pytest.mark.parametrize(
    ("table", "requires", "message"),
    [
        pytest.param("packages = []", ">=3.10", "has no key 'packages'; there are: apt, cluster, without", id="key"),
        pytest.param('apt = "redis"', ">=3.10", "apt must be a list of strings", id="no list"),
        pytest.param("apt = [1]", ">=3.10", "apt must be a list of strings", id="no strings"),
        pytest.param('cluster = "yes"', ">=3.10", "cluster must be true or false", id="no boolean"),
        pytest.param('without = { "3.9" = "old" }', ">=3.10", r"Python 3\.9; there are: 3\.10, 3\.11", id="python"),
        pytest.param("", ">=3.15", "leave none of", id="none left"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_the_file_named(
    tmp_path: Path, table: str, requires: str, message: str
) -> None:
    with pytest.raises(WorkspaceError, match=f"pyproject.toml: .*{message}"):
        read(tmp_path, f"[tool.prefect-integrations]\n{table}", requires)


def test_a_package_has_a_job_for_each_python_and_one_with_the_lowest_versions_on_the_oldest() -> None:
    assert [tuple(job.values()) for job in plan(NEEDS, ["prefect-acme"])] == [
        ("prefect-acme", "3.10", "highest"),
        ("prefect-acme", "3.11", "highest"),
        ("prefect-acme", "3.10", "lowest-direct"),
    ]


def test_only_packages_that_are_named_have_jobs() -> None:
    assert plan(NEEDS, []) == []
    assert {job["package"] for job in plan(NEEDS, ["prefect-bolt"])} == {"prefect-bolt"}


def test_the_newest_releases_are_tested_on_the_newest_python() -> None:
    assert NEEDS[0].newest_job() == {"package": "prefect-acme", "python": "3.11", "resolution": "newest"}


def test_more_jobs_than_a_matrix_may_have_are_refused() -> None:
    with pytest.raises(WorkspaceError, match="257 jobs are more"):
        plan([Needs("prefect-acme", tuple(map(str, range(256))))], ["prefect-acme"])


def test_the_jobs_of_this_workspace_fit_into_one_matrix() -> None:
    needs = matrix.all_needs()

    assert plan(needs, [each.package for each in needs])


def test_no_package_claims_a_python_that_it_does_not_run_on() -> None:
    for needs in matrix.all_needs():
        assert not needs.claimed & set(needs.without or {}), needs.package


def test_every_requirement_has_a_lowest_version() -> None:
    """Without one, the column with the lowest versions takes the first release that there ever was."""
    members = workspace.packages()
    root = read_toml(workspace.ROOT / "pyproject.toml")["tool"]["uv"]["constraint-dependencies"]
    known = {member.name for member in members} | {Requirement(line).name for line in root}
    for member in members:
        metadata = read_toml(member.path / "pyproject.toml")
        project, groups = metadata["project"], metadata.get("dependency-groups", {})
        lines = [*project.get("dependencies", []), *chain(*project.get("optional-dependencies", {}).values())]
        for requirement in map(Requirement, [*lines, *chain(*groups.values())]):
            has_lowest = any(each.operator in (">=", "==", "~=") for each in requirement.specifier)
            assert has_lowest or requirement.name in known, f"{member.name}: {requirement}"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    assert matrix.main(list(arguments)) == 0
    name, _, value = capsys.readouterr().out.partition("=")
    assert name == "jobs"
    assert value.count("\n") == 1
    return json.loads(value)


def test_a_workflow_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    packages = {member.name for member in workspace.packages()}

    assert {job["package"] for job in printed(capsys)} == packages
    assert {job["package"] for job in printed(capsys, "--newest")} == packages


def test_nothing_changed_means_no_job(capsys: pytest.CaptureFixture[str]) -> None:
    if changed.changed_paths("HEAD"):
        pytest.skip("something is changed here, and not committed")
    assert printed(capsys, "--base", "HEAD") == []


@pytest.mark.parametrize("base", ["", "0" * 40])
def test_with_no_commit_to_compare_with_every_package_is_tested(capsys: pytest.CaptureFixture[str], base: str) -> None:
    assert len(printed(capsys, "--base", base)) == len(printed(capsys))


def test_every_image_is_built_once_when_no_tag_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = printed(capsys, "--images", "")

    assert jobs
    assert len({job["package"] for job in jobs}) == len(jobs)
    assert all("latest" not in job for job in jobs)


def released() -> tuple[str, str]:
    name = matrix.images([], "", [])[0]["package"]
    return name, workspace.find(name, workspace.packages()).version


@pytest.mark.parametrize(
    ("others", "is_latest"),
    [
        pytest.param([], True, id="the first"),
        pytest.param(["0.0.1", "999.0.0rc1", "nonsense"], True, id="the newest"),
        pytest.param(["999.0.0"], False, id="an older one"),
    ],
)
def test_a_tag_has_an_image_of_its_package_for_each_python(others: list[str], is_latest: bool) -> None:
    name, version = released()
    needs = [Needs(name, KNOWN)]

    jobs = matrix.images(needs, f"{name}-{version}", [f"{name}-{other}" for other in [version, *others]])

    assert [job["python"] for job in jobs] == list(KNOWN)
    assert all(job.get("latest") == ("--latest" if is_latest else None) for job in jobs)


def test_a_tag_of_a_package_without_an_image_has_none() -> None:
    package = next(p for p in workspace.packages() if p.name not in {i["package"] for i in matrix.images([], "", [])})

    assert matrix.images([], f"{package.name}-{package.version}", []) == []


def test_a_tag_that_releases_nothing_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.main(["--images", "prefect-nope-1.0"]) == 2
    assert "no package is named 'prefect-nope'" in capsys.readouterr().err


def test_the_local_run_installs_what_the_metadata_names() -> None:
    installed = workspace.ROOT.joinpath(".ci/run").read_text()

    for needs in matrix.all_needs():
        assert all(f"({package})" in installed for package in needs.apt), needs


def test_it_needs_nothing_of_the_workspace_installed() -> None:
    code = "import sys, scripts.matrix, scripts.runner, scripts.pin, scripts.report; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=workspace.ROOT, capture_output=True, text=True, check=True
    )

    assert not {"prefect", "yaml", "pydantic"} & set(loaded.stdout.split())
