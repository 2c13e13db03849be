"""A project whose image is built: a folder with a Dockerfile that starts from busybox."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.settings import PREFECT_HOME, temporary_settings

from prefect_docker.deployments import steps

if TYPE_CHECKING:
    import pytest

DOCKERFILE = "FROM {base}\nCOPY . /app/\n"  # a command, or an argument, would cost half a second


class Project:
    """The folder, which is the working directory, and what the engine has of it."""

    def __init__(self, folder: Path, client: Any, base: str) -> None:
        self.folder = folder
        self.client = client
        self.base = base
        self.name = f"tests/{uuid.uuid4().hex}"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def dockerfile(self, text: str = DOCKERFILE) -> None:
        self.write("Dockerfile", text.format(base=self.base))

    def build(self, **inputs: Any) -> steps.BuildDockerImageResult:
        return steps.build_docker_image(**{"image_name": self.name, "tag": "1", **inputs})

    def build_in_another_deploy(self, **inputs: Any) -> steps.BuildDockerImageResult:
        """Build as a process does that has built nothing yet."""
        steps.STEP_OUTPUT_CACHE.clear()
        return self.build(**inputs)

    def without_dockerfile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the Dockerfile away, and let Prefect's recipe for one start from busybox, which is here."""
        (self.folder / "Dockerfile").unlink()
        name = f"{self.name}-prefect:1"
        self.client.images.get(self.base).tag(name)
        monkeypatch.setattr("prefect.utilities.dockerutils.get_prefect_image_name", lambda: name)

    def run(self, image: str, command: str) -> str:
        """What a command says in a container of an image."""
        container = self.client.containers.create(image, ["sh", "-c", command])
        try:
            container.start()
            container.wait(timeout=60)
            return container.logs().decode()
        finally:
            container.remove(force=True)

    def history(self, image: str) -> str:
        return repr(self.client.images.get(image).history()) + repr(self.client.images.get(image).attrs)

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())


@contextmanager
def new_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, base: str) -> Iterator[Project]:
    """Make a project; its images and its Prefect home go at the end."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    steps.STEP_OUTPUT_CACHE.clear()
    project = Project(folder, client, base)
    project.dockerfile()
    project.write("flow.py", "print('hello')")
    with temporary_settings({PREFECT_HOME: tmp_path / "prefect-home"}):
        yield project
    steps.STEP_OUTPUT_CACHE.clear()
    for image in client.images.list():
        for tag in image.tags:
            if project.name in tag:
                client.images.remove(tag, force=True)
