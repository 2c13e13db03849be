"""What holds for every workflow, and that errors in one are found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import workflows, workspace
from scripts.matrix import known_pythons

GITHUB = workspace.ROOT / ".github"
FILES = sorted(GITHUB.glob("workflows/*.yml"))
ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
# What makes a runner ready, carries files and names about, or is for GitHub alone. All else is a recipe.
SET_UP = (
    r"python -m pip install uv( rust-just)?",
    r"sudo apt-get (update|install) [a-z -]+",
    r"docker buildx create --use",
    r'docker login --username "\$REGISTRY_USER" --password-stdin <<< "\$REGISTRY_TOKEN"',
    r'gh run download "\$GITHUB_RUN_ID" --name \w+ --dir \w+',
    r'gh workflow run [\w.]+ (--repo "\$GITHUB_REPOSITORY" )?--ref "\$GITHUB_REF_NAME"',
    r'test "\$FAILED" = false',
)


def load(file: Path) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text())
    content["on"] = content.pop(True, None)  # YAML 1.1 takes it for a boolean
    return content


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    return load(file)["jobs"]


def steps(file: Path) -> Iterator[dict[str, Any]]:
    content = load(file)
    for part in content["jobs"].values() if "jobs" in content else [content["runs"]]:
        yield from part["steps"]


@pytest.fixture(scope="module")
def recipes() -> set[str]:
    command = [str(Path(sys.executable).with_name("just")), "--summary"]
    listed = subprocess.run(command, cwd=workspace.ROOT, check=True, capture_output=True, text=True).stdout
    return set(listed.split())


every_workflow = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
every_file = pytest.mark.parametrize("file", [*FILES, *ACTIONS], ids=lambda file: f"{file.parent.name}/{file.stem}")


@every_file
def test_every_step_is_a_recipe_that_exists_or_makes_the_runner_ready(file: Path, recipes: set[str]) -> None:
    for _, script in workflows.scripts_of(file):
        for line in script.replace("\\\n", " ").strip().splitlines():
            recipe = re.match(r"(?:python -m uv run )?just ([a-z-]+)", line)
            if recipe:
                assert recipe[1] in recipes, line
            else:
                assert any(re.fullmatch(pattern, line) for pattern in SET_UP), line


@every_workflow
def test_no_workflow_names_a_package(file: Path) -> None:
    text = file.read_text()

    for member in workspace.packages():
        assert not re.search(rf"(?<![\w/-]){member.name}(?![\w/-])", text), member.name


@every_workflow
def test_every_workflow_is_bounded_and_may_do_nothing_by_default(file: Path) -> None:
    content = load(file)

    assert content["permissions"] in ({}, {"contents": "read"})
    assert content["concurrency"]["group"]
    assert content["env"]["UV_PYTHON_DOWNLOADS"] == "never"
    for name, job in content["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 180, name
        assert job["runs-on"] == "ubuntu-latest", name
        assert "pull_request_target" not in content["on"]


@every_workflow
def test_what_a_pull_request_starts_may_write_nothing(file: Path) -> None:
    content = load(file)

    if "pull_request" in content["on"]:
        for name, job in content["jobs"].items():
            assert set(job.get("permissions", {}).values()) <= {"read"}, name


@every_file
def test_actions_are_pinned_and_no_credentials_stay_behind(file: Path) -> None:
    text = file.read_text()

    for step in steps(file):
        uses: str = step.get("uses", "")
        if uses.startswith("./"):
            assert workspace.ROOT.joinpath(uses, "action.yml").exists(), uses
        elif uses:
            assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", uses), uses
            assert re.search(rf"{re.escape(uses)} # v\d", text), uses
        if uses.startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_an_action_has_one_version_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for file in [*FILES, *ACTIONS]:
        for name, version in re.findall(r"uses: ([\w/-]+)@(\w+)", file.read_text()):
            pins.setdefault(name, set()).add(version)

    assert pins
    assert all(len(versions) == 1 for versions in pins.values()), pins


@every_file
def test_no_script_is_written_by_github_s_expressions(file: Path) -> None:
    for where, script in workflows.scripts_of(file):
        assert "${{" not in script, where


def test_tools_run_on_one_python_that_packages_are_tested_on_too() -> None:
    text = "".join(file.read_text() for file in [*FILES, *ACTIONS])
    said = set(re.findall(r'(?:python-version|python): "([\d.]+)"', text))
    default = load(ACTIONS[0])["inputs"]["python"]["default"]

    assert said <= {default}
    assert default in known_pythons()


def test_the_last_check_waits_for_all_others() -> None:
    checks = jobs(GITHUB / "workflows" / "checks.yml")

    assert set(checks["done"]["needs"]) == checks.keys() - {"done"}
    assert checks["done"]["if"] == "always()"


def test_every_workflow_that_a_schedule_starts_alone_says_so_in_an_issue() -> None:
    for name in ("slow", "newest"):
        report = jobs(GITHUB / "workflows" / f"{name}.yml")["report"]
        assert report["permissions"]["issues"] == "write"
        assert report["if"] == "always() && github.event_name == 'schedule'"


def test_nothing_is_wrong_here() -> None:
    assert list(workflows.problems(GITHUB)) == []


GOOD = """\
name: Greet
on: workflow_dispatch
permissions: {}
concurrency:
  group: greet
  cancel-in-progress: true
jobs:
  greet:
    name: Greet
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - name: Greet
        run: echo "$NAME"
        env:
          NAME: ${{ github.actor }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".github"
    folder.joinpath("workflows").mkdir(parents=True)
    shutil.copy(GITHUB / "dependabot.yml", folder)
    return folder


def said(folder: Path, workflow: str) -> str:
    folder.joinpath("workflows", "greet.yml").write_text(workflow)
    return "\n".join(workflows.problems(folder))


def test_a_good_workflow_passes(folder: Path) -> None:
    assert said(folder, GOOD) == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("runs-on", "run-on", "run-on", id="a key that the schema does not know"),
        pytest.param('echo "$NAME"', "echo $NAME", "greet.yml, greet step 1: -:1:6: note: Double quote", id="quoting"),
        pytest.param('echo "$NAME"', "echo ${{ github.head_ref }}", "template-injection", id="interpolation"),
        pytest.param("permissions: {}", "permissions: write-all", "excessive-permissions", id="permissions"),
    ],
)
def test_an_error_is_found_and_said(folder: Path, old: str, new: str, message: str) -> None:
    assert message in said(folder, GOOD.replace(old, new))


def test_the_program_prints_problems_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.joinpath("workflows", "greet.yml").write_text(GOOD.replace("name: Greet\non", "on").replace("runs-on", "x"))

    assert workflows.main([], folder) == 1
    assert "greet.yml" in capsys.readouterr().out
