"""What tells one build from another, before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_docker._build.names import image_name
from prefect_docker._build.plan import BuildPlan, plan_build


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM python:3.12\nCOPY . /app\n")
    (tmp_path / "Dockerfile.dev").write_text("FROM python:3.12\nCOPY . /app\n")
    return tmp_path


def plan(dockerfile: str = "Dockerfile", backend: str = "docker-py", name: str = "shop", **options: Any) -> BuildPlan:
    return plan_build(image_name(name), dockerfile, backend, options)


def test_names_do_not_count() -> None:
    assert plan(name="other/orders:2").key == plan().key


@pytest.mark.parametrize(
    "inputs",
    [
        {"buildargs": {"MODE": "fast"}},
        {"labels": {"team": "shop"}},
        {"target": "run"},
        {"platform": "linux/arm64"},
        {"pull": False},
        {"backend": "buildx"},
    ],
    ids=lambda inputs: next(iter(inputs)),
)
def test_every_option_counts(inputs: dict[str, Any]) -> None:
    assert plan(**inputs).key != plan().key


def test_the_dockerfile_counts(folder: Path) -> None:
    before = plan().key
    (folder / "Dockerfile").write_text("FROM python:3.13\nCOPY . /app\n")
    assert plan().key != before


def test_the_same_options_in_another_order_are_the_same() -> None:
    assert plan(target="run", nocache=True).key == plan(nocache=True, target="run").key


def test_of_secrets_the_names_count_and_not_the_values() -> None:
    first = plan(backend="buildx", secrets={"pip": "one"})
    assert plan(backend="buildx", secrets={"pip": "two"}).key == first.key
    assert plan(backend="buildx", secrets={"npm": "one"}).key != first.key


def test_how_an_image_is_built_does_not_count() -> None:
    cache = {"cache_to": {"type": "gha", "token": "of-this-hour"}, "cache_from": "shop/cache", "ssh": "default"}
    assert plan(backend="buildx", **cache).key == plan(backend="buildx").key


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, True),
        ({"pull": False}, True),
        ({"pull": True}, False),
        ({"nocache": True}, False),
        ({"backend": "buildx"}, True),
        ({"backend": "buildx", "push": True}, False),
        ({"backend": "buildx", "output": {"type": "oci", "dest": "a"}}, False),
        ({"backend": "buildx", "build_contexts": {"lib": "../lib"}}, False),
        ({"path": "https://example.com/shop.git"}, False),
    ],
    ids=lambda value: "-".join(value) or "nothing" if isinstance(value, dict) else None,
)
def test_an_earlier_image_may_do_unless_fresh_work_is_wanted_or_its_parts_are_not_known(
    inputs: dict[str, Any], expected: bool
) -> None:
    assert plan(**inputs).may_be_known is expected


def test_what_a_dockerfile_adds_from_afar_is_not_known(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM python:3.12\nADD https://example.com/model.bin /\n")
    assert not plan().may_be_known


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        ("docker-py", {"buildargs": {"PIP_TOKEN": "hunter2hunter2"}}),
        ("buildx", {"secrets": {"pip": "hunter2hunter2"}}),
        ("buildx", {"cache_to": {"type": "gha", "token": "hunter2hunter2"}}),
    ],
    ids=["build-argument", "secret", "cache"],
)
def test_a_plan_does_not_show_its_secrets(backend: str, options: dict[str, Any]) -> None:
    found = plan(backend=backend, **options)
    assert "hunter2hunter2" in found.secrets
    assert "hunter2hunter2" not in repr(found)
