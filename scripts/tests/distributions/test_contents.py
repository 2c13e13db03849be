"""Wheels and source distributions hold what they should, say what they are, and can be built anywhere."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.distributions import contents
from scripts.distributions.__main__ import main
from scripts.distributions.building import Built, uv
from scripts.workspace import ROOT, find, packages

NAMES = [package.name for package in packages()]
BACKENDS = ["prefect-azure", "prefect-shell"]
"""One package with a build backend of its own, and one without."""


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_the_package_and_nothing_else(distributions: dict[str, Built], name: str) -> None:
    built = distributions[name]

    assert contents.wheel_problems(built.wheel, built.package) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_source_distribution_holds_sources_tests_and_news(distributions: dict[str, Built], name: str) -> None:
    built = distributions[name]

    assert contents.sdist_problems(built.sdist, built.package) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_of_the_source_distribution_is_that_of_the_folder(distributions: dict[str, Built], name: str) -> None:
    built = distributions[name]

    assert contents.differences(built.wheel, built.direct) == []


def test_the_metadata_are_accepted_by_twine(distributions: dict[str, Built], tools: Path) -> None:
    files = [str(file) for built in distributions.values() for file in (built.wheel, built.sdist)]

    answer = subprocess.run(
        [str(tools), "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("name", BACKENDS)
def test_an_unpacked_source_distribution_is_built_by_uv_outside_of_any_repository(
    distributions: dict[str, Built], tmp_path: Path, name: str
) -> None:
    built = distributions[name]
    folder = unpacked(built.sdist, tmp_path)

    uv("build", "--quiet", "--wheel", "--out-dir", tmp_path / "out", cwd=folder)

    assert contents.differences(tmp_path / "out" / built.wheel.name, built.direct) == []


@pytest.mark.parametrize("name", BACKENDS)
def test_an_unpacked_source_distribution_is_built_by_build(
    distributions: dict[str, Built], tools: Path, tmp_path: Path, name: str
) -> None:
    built = distributions[name]
    folder = unpacked(built.sdist, tmp_path)
    command = [str(tools), "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "out"), str(folder)]

    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert contents.differences(tmp_path / "out" / built.wheel.name, built.direct) == []
    assert contents.sdist_files(tmp_path / "out" / built.sdist.name) == contents.sdist_files(built.sdist)


def unpacked(sdist: Path, tmp_path: Path) -> Path:
    """Unpack a source distribution where nothing of the workspace is above."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / sdist.name.removesuffix(".tar.gz")


def test_what_programs_leave_behind_is_not_given_away(tmp_path: Path) -> None:
    package = find("email", packages())
    folder = tmp_path / "src" / "integrations" / package.name
    shutil.copytree(package.path, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / ".git").mkdir()  # where the build backend stops to look for what git ignores
    for left in (
        "prefect_email/__pycache__/message.cpython-312.pyc",
        "prefect_email/credentials.pyc",
        "tests/__pycache__/test_guide.cpython-312.pyc",
        ".pytest_cache/README.md",
        ".ruff_cache/0/1",
        ".venv/bin/python",
        ".coverage.1",
        "dist/old.whl",
    ):
        file = folder / left
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"left")

    uv("build", "--quiet", "--out-dir", tmp_path / "out", cwd=folder)

    wheel, sdist = next((tmp_path / "out").glob("*.whl")), next((tmp_path / "out").glob("*.tar.gz"))
    assert contents.wheel_problems(wheel, package) == []
    assert contents.sdist_problems(sdist, package) == []


# The checks find what is wrong


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("prefect_email/.env", None, b"TOKEN=x", "prefect_email/.env is too much in it"),
        ("tests/test_x.py", None, b"", "tests/test_x.py is too much in it"),
        ("prefect_email/py.typed", b"", None, "prefect_email/py.typed lacks in it"),
        ("prefect_email/message.py", b"import", b"Import", "RECORD has another checksum or size of"),
        ("METADATA", b"License-Expression: Apache-2.0\n", b"", "the licence is not told as an SPDX expression"),
        ("METADATA", b"Project-URL: Issues", b"Project-URL: Other", "of `urls` lack Issues"),
        ("METADATA", b"Classifier: Typing :: Typed\n", b"", "the classifier 'Typing :: Typed' lacks"),
        (
            "METADATA",
            b"Requires-Python: >=3.10",
            b"Requires-Python: 3,10",
            "metadata: '3,10' is invalid for 'requires-python'",
        ),
        ("METADATA", b"# prefect-email", b"[x](docs/x.md)", "links of the README lead nowhere on an index"),
        ("licenses/LICENSE", b"Apache", b"Other", "its LICENSE is not that of the repository"),
    ],
    ids=["secret", "tests", "untyped", "record", "licence", "urls", "classifier", "invalid", "link", "other-licence"],
)
def test_a_flaw_of_a_wheel_is_found(
    distributions: dict[str, Built],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    old: bytes | None,
    new: bytes | None,
    problem: str,
) -> None:
    built = distributions["prefect-email"]
    files = contents.wheel_files(built.wheel)
    (target,) = [path for path in files if path.endswith(name)] or [name]
    if new is None:
        del files[target]
    else:
        assert old is None or old in files[target]
        files[target] = new if old is None else files[target].replace(old, new)
    spoiled = tmp_path / built.wheel.name
    with zipfile.ZipFile(spoiled, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)

    assert main([str(spoiled), str(built.sdist)]) == 1

    said = capsys.readouterr()
    assert problem in said.err
    assert said.out == f"{built.sdist.name}: right\n"


def test_a_flaw_of_a_source_distribution_is_found(distributions: dict[str, Built], tmp_path: Path) -> None:
    built = distributions["prefect-email"]
    files = {**contents.sdist_files(built.sdist), ".env": b"TOKEN=x", "notes.txt": b"", "tests/conftest.pyc": b""}
    del files["CHANGELOG.md"]
    spoiled = tmp_path / built.sdist.name
    with tarfile.open(spoiled, "w:gz") as archive:
        for name, content in files.items():
            file = tmp_path / "content"
            file.write_bytes(content)
            archive.add(file, f"{spoiled.name.removesuffix('.tar.gz')}/{name}")

    found = "\n".join(contents.problems(spoiled, built.package))

    assert ".env is too much" in found
    assert "notes.txt is too much" in found
    assert "tests/conftest.pyc is too much" in found
    assert "CHANGELOG.md lacks" in found


def test_a_file_of_no_package_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "prefect_gone-1.0-py3-none-any.whl")]) == 1
    assert "no package of this workspace" in capsys.readouterr().err


def test_a_file_of_another_version_is_told_so_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main([str(tmp_path / "prefect_shell-0.0.1-py3-none-any.whl"), str(tmp_path / "prefect_shell-0.0.1.tar.gz")])
        == 1
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("; `just build prefect-shell` builds that" in line for line in lines)


@pytest.mark.parametrize("name", [*NAMES, "template"])
def test_each_package_has_the_licence_of_the_repository(name: str) -> None:
    folder = ROOT / "src" / "kit" / "template" if name == "template" else find(name, packages()).path

    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
