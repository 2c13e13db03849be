"""`just new` makes a package of the template that holds by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import new
from scripts.new import Names, NewError

ROOT = new.ROOT
LONGEST = "abcdefgh-ijklmnop-qrstuv"


def copy_repository(target: Path, *parts: str) -> Path:
    """Copy parts of this repository, without what tools left behind."""
    ignore = shutil.ignore_patterns(".*_cache", "__pycache__", ".venv", ".venvs", ".git", ".hypothesis", "node_modules")
    for part in parts:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=ignore)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / part, target / part)
    return target


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What `new.create` reads and writes, without any integration."""
    root = copy_repository(tmp_path / "repository", "src/kit/template", "pyproject.toml", "docs/docs.json")
    (root / "src" / "integrations").mkdir()
    return root


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_name_takes_the_form_of_its_place():
    names = Names("big-data")
    assert names.rename("prefect-acme prefect_acme acme://b AcmeBucket ACME_URL acme_errors(acme.url)") == (
        "prefect-big-data prefect_big_data big-data://b BigDataBucket BIG_DATA_URL big_data_errors(big_data.url)"
    )
    assert names.rename('"Acme Credentials" https://api.acme.example .save("acme")') == (
        '"Big Data Credentials" https://api.big-data.example .save("big-data")'
    )


def test_nothing_of_the_template_is_left(repository):
    package = new.create("big-data", repository)
    assert package == repository / "src" / "integrations" / "prefect-big-data"
    guide = repository / "docs" / "integrations" / "prefect-big-data" / "index.mdx"
    for path in [*package.rglob("*"), guide]:
        assert "acme" not in path.relative_to(repository).as_posix().lower()
        if path.is_file():
            assert "acme" not in path.read_text(encoding="utf-8").lower(), path
    assert (package / "prefect_big_data" / "py.typed").is_file()
    assert not (package / "docs").exists()


def test_the_package_has_every_file_of_the_template(repository):
    package = new.create("big-data", repository)
    template = {name for name in snapshot(repository / "src/kit/template") if not name.startswith("docs/")}
    assert set(snapshot(package)) == {name.replace("acme", "big_data") for name in template}


@pytest.mark.parametrize("name", ["x", "big-data", "s3", LONGEST])
def test_the_modules_compile(repository, name):
    for path in new.create(name, repository).rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_the_workspace_and_the_site_know_the_package(repository):
    before = (repository / "pyproject.toml").read_text()
    new.create("big-data", repository)
    after = (repository / "pyproject.toml").read_text()
    line = "prefect-big-data = { workspace = true }\n"
    assert after.replace(line, "") == before
    assert line in after.partition("[tool.uv.sources]")[2].partition("\n\n")[0] + "\n"
    site = json.loads((repository / "docs" / "docs.json").read_text())
    pages = site["navigation"]["tabs"][0]["groups"][0]["pages"]
    groups = [page["group"] for page in pages if isinstance(page, dict)]
    assert groups == sorted(groups, key=str.casefold)
    (entry,) = (page for page in pages if isinstance(page, dict) and page["group"] == "Big Data")
    assert entry["pages"][0] == "integrations/prefect-big-data/index"


def test_only_lines_of_the_package_change_in_the_navigation(repository):
    before = (repository / "docs" / "docs.json").read_text().splitlines()
    new.create("big-data", repository)
    after = (repository / "docs" / "docs.json").read_text().splitlines()
    remaining = iter(after)
    assert all(line in remaining for line in before)
    assert len(after) - len(before) == 11


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Big", "no name"),
        ("big_data", "no name"),
        ("big--data", "no name"),
        ("-big", "no name"),
        ("1big", "no name"),
        ("../big", "no name"),
        ("", "no name"),
        ("class", "reserved"),
        ("acme", "reserved"),
        ("a" * 25, "too long"),
    ],
)
def test_a_name_that_cannot_be_used_changes_nothing(repository, name, reason):
    before = snapshot(repository)
    with pytest.raises(NewError, match=reason):
        new.create(name, repository)
    assert snapshot(repository) == before


def test_a_package_is_never_overwritten(repository):
    new.create("prefect-big-data", repository)
    before = snapshot(repository)
    with pytest.raises(NewError, match="prefect-big-data is there already"):
        new.create("big-data", repository)
    assert snapshot(repository) == before


def test_a_failure_leaves_nothing_behind(repository):
    (repository / "docs" / "docs.json").write_text('{"navigation": {"tabs": []}}')
    before = snapshot(repository)
    with pytest.raises(NewError, match="no group `Integrations`"):
        new.create("big-data", repository)
    assert snapshot(repository) == before


def test_the_command_says_what_is_wrong(capsys):
    assert new.main(["Not_A_Name"]) == 1
    assert "error: 'Not_A_Name' is no name" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["big-data", LONGEST])
def test_the_result_passes_lint(repository, name):
    package = new.create(name, repository)
    (repository / "README.md").write_text("")
    (repository / "scripts").mkdir()
    (repository / "scripts" / "readme.py").write_text("")
    (repository / "scripts" / "interface.py").write_text("")
    copy_repository(repository, "src/kit/prefect-integration-docs/published-pages.txt")
    new.polish(package, repository)
    assert (repository / "docs" / "integrations" / package.name / "api-ref").is_dir()
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, str(package)], cwd=repository, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["big-data"])
def test_the_result_passes_types_tests_and_docs_check(tmp_path, name):
    """In a copy of the repository with an environment of its own."""
    parts = (
        p.name
        for p in ROOT.iterdir()
        if not p.name.startswith((".git", ".venv", ".pytest", ".ruff", ".benches", ".cache", "build"))
    )
    root = copy_repository(tmp_path / "repository", *sorted(parts))
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environment["UV_PROJECT_ENVIRONMENT"] = str(tmp_path / "venv")

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"

    def docs_problems() -> list[str]:
        command = ("uv", "run", "--no-sync", "python", "-m", "scripts.docs_check")
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        return done.stderr.splitlines()

    run("uv", "sync", "--quiet")
    before = docs_problems()
    run("uv", "run", "--no-sync", "python", "scripts/new.py", name)
    run("uv", "sync", "--quiet", "--all-packages")
    package = f"src/integrations/prefect-{name}"
    run("uv", "run", "--no-sync", "ruff", "check", package)
    run("uv", "run", "--no-sync", "ruff", "format", "--check", package)
    run("uv", "run", "--no-sync", "basedpyright", package)
    run("uv", "run", "--no-sync", "pytest", "-q", package)
    run("uv", "run", "--no-sync", "python", "-m", "scripts.readme", "--check")
    run("uv", "run", "--no-sync", "python", "-m", "scripts.interface", "--check")
    run("uv", "run", "--no-sync", "prefect-integration-docs", "generate", "--check")
    run("uv", "run", "--no-sync", "python", "-m", "scripts.site", "check")
    assert docs_problems() == before
