"""What is tested is the wheel: the environment it is in, and the proof that nothing else is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import workspace
from scripts.releases import installed, wheels
from scripts.releases.errors import ReleaseError
from scripts.workspace import Package

MEMBERS = workspace.packages()
BOLT = Package("prefect-bolt", Path("/nowhere/prefect-bolt"), "0.8.0", "Talk.", frozenset())
FILES = {"prefect_bolt/__init__.py": '__version__ = "0.8.0"\n', "prefect_bolt/jobs.py": "", "prefect_bolt/py.typed": ""}
METADATA = (
    "Metadata-Version: 2.4\nName: prefect-bolt\nVersion: 0.8.0\nRequires-Dist: pytest>=8\n"
    "Requires-Dist: no-such-thing; extra == 'fast'\n"
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


# --- the wheel -------------------------------------------------------------------------------------------------------


def test_the_wheel_of_the_present_version_is_found_among_others(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "prefect_bolt-0.8.0-py3-none-any.whl",
        "prefect_bolt-0.7.0-py3-none-any.whl",
        "prefect_bolt_extra-0.8.0-py3-none-any.whl",
        "prefect_bolt-0.8.0.tar.gz",
    )

    assert wheels.find_wheel(tmp_path, BOLT) == tmp_path / "prefect_bolt-0.8.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no wheel of prefect-bolt 0.8.0; run `just build prefect-bolt`"),
        (["prefect_bolt-0.7.0-py3-none-any.whl"], "holds no wheel of prefect-bolt 0.8.0"),
        (["prefect_bolt-0.8.0-py3-none-any.whl", "prefect_bolt-0.8.0-cp310-abi3-linux_x86_64.whl"], "holds 2 wheels"),
        (["prefect_bolt.whl"], "Invalid wheel filename"),
    ],
    ids=["none", "another-version", "two", "no-wheel"],
)
def test_a_folder_without_exactly_one_wheel_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    touch(tmp_path, *names)

    with pytest.raises(ReleaseError, match=message):
        wheels.find_wheel(tmp_path, BOLT)


# --- its environment -------------------------------------------------------------------------------------------------


def test_extras_and_bounds_are_those_of_the_workspace(tmp_path: Path) -> None:
    folder = tmp_path / "prefect-bolt"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\ndependencies = ["prefect>=3", "prefect-integration-kit>=0.1"]\n[dependency-groups]\nmore = []\n'
        'dev = ["prefect_bolt[fast,all]", "pytest-xdist", "dask[array]", "pandas>=1", "prefect>=3",'
        ' { include-group = "more" }]\n'
    )
    (tmp_path / "pyproject.toml").write_text(
        '[dependency-groups]\ndev = ["pytest-xdist>=3.6", "dask[array]>=2022.5", "pandas>=2", "ruff>=0.1"]\n'
        '[tool.uv]\nconstraint-dependencies = ["fastapi<1"]\noverride-dependencies = ["sqlglot>=30"]\n'
    )
    package = Package("prefect-bolt", folder, "0.8.0", "Talk.", frozenset())

    assert wheels.requirements(package, tmp_path) == wheels.Requirements(
        extras=["all", "fast"],
        constraints=["pytest-xdist>=3.6", "dask>=2022.5", "fastapi<1"],
        overrides=["sqlglot>=30"],
        tools=frozenset({"pytest-xdist", "dask", "pandas"}),
    )


def test_what_the_wheel_requires_never_comes_from_the_source_tree(tmp_path: Path) -> None:
    aws = workspace.find("aws", MEMBERS)
    wheel, suites = tmp_path / "dist" / "aws.whl", tmp_path / "suites" / "tests.whl"

    command = wheels.install_command(
        aws,
        [wheel, suites],
        "lowest-direct",
        uv="uv",
        python=tmp_path / "python",
        needs=wheels.requirements(aws, workspace.ROOT),
        lists=tmp_path,
        members=MEMBERS,
    )

    assert "--no-sources" in command
    assert "--editable" not in command
    assert command[command.index("--resolution") + 1] == "lowest-direct"
    assert command[command.index("--find-links") + 1] == str(tmp_path / "dist")
    assert command[command.index("--extra") + 1] == "fast"
    assert command[-2:] == [str(wheel), str(suites)]
    inside = [part for part in command if str(workspace.ROOT) in part]
    assert inside == [str(aws.path / "pyproject.toml"), f"{aws.path / 'pyproject.toml'}:dev"]


def test_what_only_tests_need_of_the_workspace_comes_from_the_source_tree() -> None:
    dbt = wheels.requirements(workspace.find("dbt", MEMBERS), workspace.ROOT)

    assert {"prefect-aws", "prefect-integration-tests"} <= dbt.tools
    assert not {"prefect-dbt", "prefect-shell", "prefect-integration-kit"} & dbt.tools


def test_the_first_step_that_fails_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = workspace.find("shell", MEMBERS)
    touch(tmp_path, f"prefect_shell-{shell.version}-py3-none-any.whl")
    log = tmp_path / "log"
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\necho "$1" >> "{log}"\ntest "$1" = build\n')
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))

    assert wheels.run(shell, tmp_path, "highest", [], MEMBERS, workspace.ROOT) == 1

    assert log.read_text().split() == ["build", "venv"]


# --- the proof -------------------------------------------------------------------------------------------------------


class Site:
    """A folder that a wheel is installed in, the wheel, and the source tree that it was made of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "site"
        self.tree = root / "tree"
        self.wheel = root / "prefect_bolt-0.8.0-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            for name, text in {**FILES, "prefect_bolt-0.8.0.dist-info/METADATA": METADATA}.items():
                archive.writestr(name, text)
        with zipfile.ZipFile(self.wheel) as archive:
            archive.extractall(self.folder)
        for name, text in FILES.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def pytest(self, test: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        tests = self.root / "tests"
        tests.mkdir()
        (tests / "test_it.py").write_text(test)
        (self.root / "pytest.ini").write_text("[pytest]\n")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(workspace.ROOT)]),
            installed.WHEEL: str(self.wheel),
            installed.MODULE: "prefect_bolt",
        }
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                installed.__name__,
                "-p",
                "no:cacheprovider",
                *arguments,
                str(tests),
            ],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    monkeypatch.syspath_prepend(site.folder)
    return site


def test_what_is_installed_as_in_the_wheel_is_right(site: Site) -> None:
    assert installed.problems(site.wheel, "prefect_bolt") == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("prefect_bolt/jobs.py", None, "prefect_bolt/jobs.py is missing"),
        ("prefect_bolt/jobs.py", "changed = True", "prefect_bolt/jobs.py is not as in prefect_bolt-0.8.0-py3"),
        ("prefect_bolt/more.py", "", "prefect_bolt/more.py is not in prefect_bolt-0.8.0-py3"),
    ],
    ids=["missing", "changed", "added"],
)
def test_each_file_that_is_not_as_in_the_wheel_is_named(site: Site, name: str, text: str | None, problem: str) -> None:
    path = site.folder / name
    path.unlink() if text is None else path.write_text(text)

    (found,) = installed.problems(site.wheel, "prefect_bolt")

    assert problem in found


def test_a_wheel_that_is_not_installed_is_told(tmp_path: Path) -> None:
    assert installed.problems(tmp_path / "prefect_nope-1.0-py3-none-any.whl", "prefect_nope") == [
        "prefect-nope is not installed"
    ]


@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "1"]], ids=["one-process", "workers"])
def test_tests_of_the_wheel_pass_and_say_what_they_test(site: Site, arguments: list[str]) -> None:
    answer = site.pytest("def test():\n    from prefect_bolt import jobs\n", *arguments)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "wheel: prefect_bolt-0.8.0-py3-none-any.whl, every file of prefect_bolt is installed" in answer.stdout
    assert f"with: pytest {pytest.__version__}\n" in answer.stdout


@pytest.mark.parametrize("arguments", [[], ["-p", "xdist", "-n", "1"]], ids=["one-process", "workers"])
def test_a_test_that_loads_a_module_of_the_source_tree_fails(site: Site, arguments: list[str]) -> None:
    test = f"import sys\nsys.path.insert(0, {str(site.tree)!r})\n\ndef test():\n    import prefect_bolt.jobs\n"

    answer = site.pytest(test, *arguments)

    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert f"prefect_bolt.jobs comes from {site.tree / 'prefect_bolt/jobs.py'}, not from" in answer.stdout


def test_nothing_is_tested_when_something_else_is_installed(site: Site) -> None:
    (site.folder / "prefect_bolt/jobs.py").write_text("changed = True")

    answer = site.pytest("def test(): pass\n")

    assert answer.returncode == pytest.ExitCode.USAGE_ERROR
    assert "prefect_bolt/jobs.py is not as in prefect_bolt-0.8.0" in answer.stderr
