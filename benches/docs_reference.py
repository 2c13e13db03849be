"""Our reference generator beside `mdxify`, which writes the published reference."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Environment, Metric
from scripts import workspace

ABOUT = (
    "Reference pages of the eighteen published packages and of Prefect, written by `mdxify` (the row `published`: one"
    " call for each package, as it works) and by `prefect-integration-docs generate` (one call for the repository), in"
    " one environment that holds all of them with their dependencies, which `mdxify` imports and ours does not. Our"
    " pages also hold fields, inherited members, links and navigation. `mdxify` keeps nothing between two runs, so for"
    " a change it does the package again. CPU is that of the commands, start of the interpreter included."
)
METRICS = (
    Metric("wall_s", "seconds", 3),
    Metric("cpu_s", "CPU s", 3),
    Metric("peak_mib", "peak MiB", 0),
)
PACKAGES = (
    *("prefect-aws", "prefect-azure", "prefect-bitbucket", "prefect-dask", "prefect-databricks", "prefect-dbt"),
    *("prefect-docker", "prefect-email", "prefect-gcp", "prefect-github", "prefect-gitlab", "prefect-kubernetes"),
    *("prefect-ray", "prefect-redis", "prefect-shell", "prefect-slack", "prefect-snowflake", "prefect-sqlalchemy"),
)
EXTRAS = {"prefect-gcp": "[all_extras]", "prefect-azure": "[all_extras]"}
ALL, PREFECT, CHANGED, UNCHANGED = (
    "all eighteen packages, cold",
    "Prefect, cold",
    "all eighteen, one file of prefect-aws changed",
    "all eighteen, nothing changed",
)
_CONFIGURATION = """\
[tool.prefect-integration-docs]
packages = ["src/integrations/*"]
repository = "https://example.com/repository"
site = "https://docs.example.com"
title = "Packages"

[tool.prefect-integration-docs.elsewhere]
prefect = "https://docs.example.com/prefect"
"""


def _environment() -> Environment:
    """Build the environment that both run in."""
    resolution = [line for line in harness.workspace_resolution() if line.startswith(("prefect==", "fastapi=="))]
    published = [f"{name}{EXTRAS.get(name, '')}" for name in PACKAGES]
    ours = workspace.find("prefect-integration-docs", workspace.packages()).path
    again = "--reinstall-package=prefect-integration-docs"
    return harness.install("docs", resolution, *published, "mdxify", "griffe", again, str(ours))


def _site_packages(environment: Environment) -> Path:
    found = list(environment.python.parent.parent.glob("lib/python*/site-packages"))
    if len(found) != 1:
        raise BenchError(f"no site-packages beside {environment.python}")
    return found[0]


def _repository(root: Path, packages: Path) -> None:
    """Lay the published packages out as this repository lays out its own."""
    groups: list[dict[str, object]] = []
    for name in PACKAGES:
        module = name.replace("-", "_")
        folder = root / "src" / "integrations" / name
        folder.mkdir(parents=True)
        folder.joinpath("pyproject.toml").write_text("", encoding="utf-8")
        shutil.copytree(packages / module, folder / module, ignore=shutil.ignore_patterns("__pycache__"))
        groups.append({"group": "SDK Reference", "anchor": f"{name}-sdk-reference", "pages": []})
    root.joinpath("pyproject.toml").write_text(_CONFIGURATION, encoding="utf-8")
    root.joinpath("docs").mkdir()
    site = {"name": "x", "navigation": {"tabs": [{"tab": "Integrations", "groups": groups}]}}
    root.joinpath("docs", "docs.json").write_text(json.dumps(site), encoding="utf-8")


def _mdxify(environment: Environment, root: Path, *modules: str) -> list[list[str]]:
    command = str(environment.python.parent / "mdxify")
    common = ["--no-update-nav", "--repo-url", "https://example.com/repository"]
    return [
        [command, "--all", "--root-module", module, "--output-dir", str(root / "out" / module), *common]
        for module in modules
    ]


def _ours(environment: Environment, *arguments: str) -> list[list[str]]:
    return [[str(environment.python.parent / "prefect-integration-docs"), "generate", *arguments]]


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    environment = _environment()
    packages = _site_packages(environment)

    @contextmanager
    def around(case: Case) -> Generator[tuple[str, ...]]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _repository(root, packages)
            commands = _ours(environment, "--root", str(root))
            if case.what == PREFECT:
                commands = _ours(environment, "prefect", "--out", str(root / "out"), "--no-cache", "--root", str(root))
            elif case.what != ALL and case.variant != BASELINE:
                harness.measure(environment, "docs_reference", json.dumps(commands))
                if case.what == CHANGED:
                    with root.joinpath("src/integrations/prefect-aws/prefect_aws/s3.py").open("a") as file:
                        file.write('\n\ndef added_for_the_bench() -> None:\n    """See `prefect_aws.S3Bucket`."""\n')
            if case.variant == BASELINE:
                modules = [name.replace("-", "_") for name in PACKAGES]
                chosen = {ALL: modules, PREFECT: ["prefect"], CHANGED: ["prefect_aws"], UNCHANGED: modules}
                commands = _mdxify(environment, root, *chosen[case.what])
            yield (json.dumps(commands),)

    cases = [
        Case(what, variant, "docs", ())
        for what in (ALL, PREFECT, CHANGED, UNCHANGED)
        for variant in (BASELINE, "ours")
        if only is None or only in what
    ]
    samples = harness.alternate(
        cases,
        "docs_reference",
        rounds or 3,
        timeout_seconds=600,
        warm_up=False,
        around=around,
        built={"docs": environment},
    )
    versions = environment.versions()
    tools = ", ".join(f"{name} {versions[name]}" for name in ("prefect", "mdxify", "griffe"))
    shown = ", ".join(f"{name} {versions[name]}" for name in PACKAGES)
    return harness.save(
        "docs_reference", ABOUT, samples, METRICS, keep=only is None, measured_on=f"{tools}. Documented: {shown}."
    )
