from __future__ import annotations

import json
from pathlib import Path

import pytest

from prefect_integration_docs.discovery import Distribution, distribution
from prefect_integration_docs.names import Anchors, page_name

# Made by the site's own library: the preview's tests hold the same table against it.
TABLE = json.loads((Path(__file__).parent / "slugs.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", TABLE, ids=lambda case: "|".join(case["headings"])[:40])
def test_anchors_are_those_of_the_site(case: dict[str, list[str]]) -> None:
    anchors_made = Anchors()

    assert [anchors_made.take(heading) for heading in case["headings"]] == case["anchors"]


@pytest.mark.parametrize(
    ("module", "is_package", "holds_modules", "page"),
    [
        ("prefect_aws.s3", False, False, "prefect_aws-s3"),
        ("prefect_aws.workers.ecs_worker", False, False, "prefect_aws-workers-ecs_worker"),
        ("prefect_aws.templates", True, True, "prefect_aws-templates-__init__"),
        ("prefect_aws.templates.ecs", True, False, "prefect_aws-templates-ecs"),
    ],
)
def test_a_page_is_named_after_its_module(module: str, is_package: bool, holds_modules: bool, page: str) -> None:
    assert page_name(module, is_package=is_package, holds_modules=holds_modules) == page


def found(folder: Path) -> Distribution:
    return distribution(folder)


def test_modules_are_found_in_folders_without_init_too(tmp_path: Path) -> None:
    folder = tmp_path / "prefect-acme"
    for path in ("__init__.py", "a.py", "deployments/steps.py", "_private/x.py", "pkg/__init__.py", "pkg/_only.py"):
        file = folder / "prefect_acme" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("", encoding="utf-8")
    (folder / "prefect_acme" / "__pycache__").mkdir()
    (folder / "prefect_acme" / "not-a-module.py").write_text("", encoding="utf-8")
    (folder / "pyproject.toml").write_text("", encoding="utf-8")

    made = found(folder)

    assert [(source.module, source.page, source.title) for source in made.public()] == [
        ("prefect_acme", "prefect_acme-__init__", "__init__"),
        ("prefect_acme.a", "prefect_acme-a", "a"),
        ("prefect_acme.deployments.steps", "prefect_acme-deployments-steps", "steps"),
        ("prefect_acme.pkg", "prefect_acme-pkg-__init__", "__init__"),
    ]
    assert not made.lacks_init


def test_a_package_that_only_holds_private_modules_keeps_its_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "prefect_acme"
    (folder / "pkg").mkdir(parents=True)
    for path in ("__init__.py", "pkg/__init__.py"):
        (folder / path).write_text("", encoding="utf-8")

    assert [source.page for source in found(folder).public()] == ["prefect_acme-__init__", "prefect_acme-pkg"]
