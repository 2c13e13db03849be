from __future__ import annotations

from pathlib import Path

import pytest

from scripts import readme, workspace
from scripts.workspace import Package, WorkspaceError

KIT = "prefect-integration-kit"


def package(name: str, kind: str = "integrations", needs: tuple[str, ...] = ()) -> Package:
    folder = workspace.ROOT / "src" / kind / name
    return Package(name, folder, "1.2.3", f"Talk to {name}.", frozenset(needs))


MEMBERS = [
    package("prefect-acme", needs=(KIT, "prefect-integration-tests")),
    package("prefect-bolt", needs=(KIT,)),
    package("prefect-cog", needs=("prefect-bolt",)),
    package(KIT, "kit"),
    package("prefect-integration-tests", "kit", needs=(KIT,)),
]


def test_the_members_of_this_workspace_are_found_integrations_first() -> None:
    names = [member.name for member in workspace.packages()]

    assert {"prefect-aws", "prefect-email", "prefect-shell"} < set(names)
    assert names.index("prefect-shell") < names.index(KIT)


def test_what_a_package_needs_includes_its_extras_and_groups() -> None:
    aws = workspace.find("aws", workspace.packages())

    assert {"prefect", "boto3", "obstore", KIT, "prefect-integration-tests"} <= aws.needs


@pytest.mark.parametrize("name", ["acme", "prefect-acme", "prefect_acme"])
def test_a_package_is_found_by_short_and_full_name(name: str) -> None:
    assert workspace.find(name, MEMBERS).name == "prefect-acme"


def test_the_kit_is_found_by_its_short_name() -> None:
    assert workspace.find("kit", MEMBERS).name == KIT


def test_an_unknown_package_is_refused_and_the_known_are_listed() -> None:
    with pytest.raises(WorkspaceError, match="no package is named 'nope'; there are: prefect-acme, prefect-bolt"):
        workspace.find("nope", MEMBERS)


def test_a_release_tag_gives_its_package() -> None:
    assert workspace.release("prefect-acme-1.2.3", MEMBERS).name == "prefect-acme"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("prefect-acme-1.2.4", "says 1.2.4, but prefect-acme's pyproject.toml says 1.2.3"),
        ("prefect-acme", "not of the form"),
        ("acme-1.2.3", "must begin with the full name, prefect-acme"),
        ("prefect-acme-1..2", "Invalid version"),
        ("prefect-nope-1.2.3", "no package is named 'prefect-nope'"),
    ],
)
def test_a_wrong_release_tag_is_refused(tag: str, message: str) -> None:
    with pytest.raises(WorkspaceError, match=message):
        workspace.release(tag, MEMBERS)


def test_the_table_lists_integrations_only() -> None:
    rows = readme.table(MEMBERS).splitlines()[2:]

    assert len(rows) == 3
    assert rows[0].startswith("| [`prefect-acme`](src/integrations/prefect-acme) | 1.2.3 | Talk to prefect-acme. |")


def test_this_readme_is_current() -> None:
    assert readme.main(["--check"]) == 0


def test_a_stale_table_is_told_and_then_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")

    assert readme.main(["--check"], file) == 1
    assert "is stale; run `just readme`" in capsys.readouterr().err
    assert readme.main([], file) == 0
    assert readme.main(["--check"], file) == 0
    assert file.read_text().startswith("before\n")
    assert file.read_text().endswith("after\n")


def test_a_readme_without_marks_is_refused() -> None:
    with pytest.raises(WorkspaceError, match=r"README\.md needs one line"):
        readme.with_table("no marks", "table")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = "python -m pip install uv && python -m uv run just test"

    assert f"\n{command}\n" in workspace.ROOT.joinpath("README.md").read_text()
    assert f"\n{command}\n" in workspace.ROOT.joinpath(".ci/run").read_text()


def test_the_copies_of_the_build_back_end_are_the_same() -> None:
    """Each source distribution needs its own; what is mended in one is mended in all."""
    backends: dict[str, bytes] = {}
    for member in workspace.packages():
        system = workspace.read_toml(member.path / "pyproject.toml")["build-system"]
        file = member.path / "build_backend.py"
        assert file.is_file() is (system["build-backend"] == "build_backend"), member.name
        if file.is_file():
            backends[member.name] = file.read_bytes()

    assert set(backends) >= {"prefect-azure", "prefect-dbt", "prefect-gcp"}
    first = next(iter(backends))
    assert [name for name, content in backends.items() if content != backends[first]] == [], f"unlike {first}'s"
