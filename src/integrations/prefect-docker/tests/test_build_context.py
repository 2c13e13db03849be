"""The build context: what is sent, its digest, and what makes it large."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_docker._build.context import Context, describe_large, read_context
from prefect_docker.errors import DockerInvalidRequest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "data").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (folder / "flow.py").write_text("print('hello')")
    (folder / "data" / "a.csv").write_text("1")
    return folder


def read(folder: Path) -> Context:
    return read_context(folder, "Dockerfile")


def paths(context: Context) -> list[str]:
    return [file.path for file in context.files]


def test_the_ignore_file_names_what_stays_behind(folder: Path) -> None:
    (folder / ".dockerignore").write_text("# comment\n\ndata\n*.log\n!keep.log\nDockerfile\n")
    for name in ("a.log", "keep.log"):
        (folder / name).touch()
    assert paths(read(folder)) == [".dockerignore", "Dockerfile", "flow.py", "keep.log"]


def test_an_ignore_file_of_the_dockerfile_goes_first(folder: Path) -> None:
    (folder / ".dockerignore").write_text("flow.py")
    (folder / "Dockerfile.dockerignore").write_text("data")
    found = paths(read_context(folder, "Dockerfile", [folder / "Dockerfile.dockerignore"]))
    assert "flow.py" in found
    assert "data/a.csv" not in found


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "flow.py").write_text("print('HELLO')"),
    "new file": lambda folder: (folder / "new").touch(),
    "new folder": lambda folder: (folder / "new").mkdir(),
    "removed file": lambda folder: (folder / "data" / "a.csv").unlink(),
    "renamed file": lambda folder: (folder / "flow.py").rename(folder / "flow2.py"),
    "permissions": lambda folder: (folder / "flow.py").chmod(0o755),
    "link": lambda folder: (folder / "link").symlink_to("flow.py"),
    "Dockerfile": lambda folder: (folder / "Dockerfile").write_text("FROM scratch\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_the_digest(folder: Path, change: str) -> None:
    before = read(folder).digest
    CHANGES[change](folder)
    assert read(folder).digest != before


def test_where_a_link_leads_is_part_of_the_digest(folder: Path) -> None:
    (folder / "link").symlink_to("flow.py")
    before = read(folder).digest
    (folder / "link").unlink()
    (folder / "link").symlink_to("data/a.csv")
    assert read(folder).digest != before


def test_a_fresh_copy_with_other_times_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(copy / "flow.py", (1, 1))
    assert read(copy).digest == read(folder).digest


def test_what_is_ignored_is_not_part_of_the_digest(folder: Path) -> None:
    (folder / ".dockerignore").write_text("data")
    before = read(folder).digest
    (folder / "data" / "a.csv").write_text("2")
    assert read(folder).digest == before


def test_a_rewrite_in_the_same_instant_is_seen(folder: Path) -> None:
    path = folder / "flow.py"
    before, times = read(folder).digest, path.stat()
    path.write_text("print('HELLO')")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read(folder).digest != before


def test_the_warning_names_what_weighs_most(folder: Path) -> None:
    (folder / "data" / "raw").mkdir()
    (folder / "data" / "raw" / "big.parquet").write_bytes(bytes(3000))
    (folder / "models").mkdir()
    for name in ("a", "b"):
        (folder / "models" / name).write_bytes(bytes(1000))
    warning = describe_large(read(folder), 4000)
    assert warning is not None
    assert "Largest: data/raw/big.parquet (3 kB), models/ (2 kB)," in warning
    assert ".dockerignore" in warning
    assert describe_large(read(folder), 10_000) is None


def test_sockets_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(folder)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.sock")
        assert "s.sock" not in paths(read(folder))


def test_a_file_that_goes_away_meanwhile_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("docker.utils.build")

    def lose(root: str, patterns: list[str], dockerfile: str) -> set[str]:
        return {"Dockerfile", "gone.txt"}

    monkeypatch.setattr(module, "exclude_paths", lose)
    with pytest.raises(DockerInvalidRequest, match=r"gone\.txt cannot be read"):
        read(folder)
