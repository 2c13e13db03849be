"""The Dockerfile: found, made, kept, and read for its base images."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_docker._build.dockerfile import (
    bases,
    find_dockerfile,
    generate_dockerfile,
    has_remote_sources,
    keep_dockerfile,
)
from prefect_docker.errors import DockerInvalidRequest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python:3.12", ["python:3.12"]),
        ("# FROM no\nfrom python:3.12 as build\nFROM scratch\nCOPY --from=build /a /a", ["python:3.12"]),
        ("FROM --platform=linux/amd64 python:3.12 AS a\nFROM a", ["python:3.12"]),
        ("FROM a:1\nCOPY --from=0 /x /x\nCOPY --chown=1:1 --from=b:2 /x /x", ["a:1", "b:2"]),
        ("ARG VERSION=3.12\nFROM python:${VERSION}", ["python:3.12"]),
        ("ARG VERSION\nFROM python:${VERSION:-3.11}-slim", ["python:3.11-slim"]),
        ("ARG BASE\nFROM $BASE", ["from-argument"]),
        ("FROM a:1\nFROM a:1", ["a:1"]),
        ("FROM \\\n  a:1 \\\n AS x\nFROM X", ["a:1"]),
        ("nonsense", []),
    ],
)
def test_base_images_are_read(text: str, expected: list[str]) -> None:
    assert bases(text, {"BASE": "from-argument"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ADD https://example.com/a.tgz /", True),
        ("add --checksum=sha256:1 http://example.com/a /", True),
        ("ADD git@example.com:a/b.git /", True),
        ("ADD a.tgz /", False),
        ("RUN curl https://example.com", False),
        ("# ADD https://example.com/a /", False),
    ],
)
def test_addresses_whose_content_may_change_are_noticed(text: str, expected: bool) -> None:
    assert has_remote_sources(f"FROM a\n{text}\n") is expected


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_missing_dockerfile_is_refused_with_the_place_and_a_remedy(folder: Path) -> None:
    with pytest.raises(DockerInvalidRequest, match=r"there is no file .*shop/Dockerfile.*'dockerfile: auto'"):
        find_dockerfile("Dockerfile", folder)


def test_a_path_from_the_working_directory_is_explained(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.dev").touch()
    with pytest.raises(DockerInvalidRequest, match=rf"start at the build context.*Write '{tmp_path}/Dockerfile.dev'"):
        find_dockerfile("Dockerfile.dev", folder)


def test_a_folder_is_no_dockerfile(folder: Path) -> None:
    (folder / "Dockerfile").mkdir()
    with pytest.raises(DockerInvalidRequest, match="there is no file"):
        find_dockerfile("Dockerfile", folder)


def test_the_generated_one_copies_the_context_and_installs_its_requirements(folder: Path) -> None:
    text = generate_dockerfile(folder).text
    assert text.startswith("FROM prefecthq/prefect")
    assert "COPY . /opt/prefect/shop/\nWORKDIR /opt/prefect/shop/" in text
    assert "requirements.txt" not in text
    (folder / "requirements.txt").write_text("requests")
    assert "uv pip install -r /opt/prefect/shop/requirements.txt" in generate_dockerfile(folder).text
    assert [path.name for path in folder.iterdir()] == ["requirements.txt"]


def test_one_that_is_there_is_not_passed_over(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM mine")
    with pytest.raises(DockerInvalidRequest, match=r"has one\. Write 'dockerfile: Dockerfile'"):
        generate_dockerfile(folder)
    assert (folder / "Dockerfile").read_text() == "FROM mine"


def test_a_kept_one_can_be_taken_back(folder: Path) -> None:
    path = folder / "Dockerfile.generated"
    keep_dockerfile("FROM a", str(path))()
    assert not path.exists()
    path.write_text("FROM before")
    put_back = keep_dockerfile("FROM a", str(path))
    assert path.read_text() == "FROM a"
    put_back()
    assert path.read_text() == "FROM before"


@pytest.mark.parametrize("path", ["nowhere/Dockerfile.generated", "shop", ""])
def test_an_output_path_that_cannot_be_written_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(DockerInvalidRequest, match="dockerfile_output_path"):
        keep_dockerfile("FROM a", path)
