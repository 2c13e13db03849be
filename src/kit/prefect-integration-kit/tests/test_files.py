from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_integration_kit.files import (
    complete_or_absent,
    ignore_lines_if_any,
    ignore_rules,
    read_ignore_file,
    walk_files,
)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(name)
    return root


def found(root: Path, *lines: str) -> list[str]:
    return [relative for _, relative in walk_files(root, lines)]


def test_files_come_sorted_with_slashes_and_without_folders(tmp_path: Path) -> None:
    tree(tmp_path, "b/z", "a.txt", "b/c/d", ".hidden")
    (tmp_path / "empty").mkdir()
    assert found(tmp_path) == [".hidden", "a.txt", "b/c/d", "b/z"]


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ((), ["a.log", "b/a.log", "b/keep.log", "private/k", "private/keep", "x/private"]),
        (("*.log",), ["private/k", "private/keep", "x/private"]),
        (("# comment", "", "*.log", "!keep.log"), ["b/keep.log", "private/k", "private/keep", "x/private"]),
        (("private/",), ["a.log", "b/a.log", "b/keep.log", "x/private"]),
        (("/a.log",), ["b/a.log", "b/keep.log", "private/k", "private/keep", "x/private"]),
        (("private/*", "!private/keep", "*.log"), ["private/keep", "x/private"]),
        (("**/private", "*.log"), []),
    ],
)
def test_ignore_lines_have_the_rules_of_gitignore(tmp_path: Path, lines: tuple[str, ...], kept: list[str]) -> None:
    tree(tmp_path, "a.log", "b/a.log", "b/keep.log", "private/k", "private/keep", "x/private")
    assert found(tmp_path, *lines) == kept


def test_an_ignored_folder_is_not_even_entered(tmp_path: Path) -> None:
    tree(tmp_path, "a", "node_modules/deep/b")
    entered: list[str] = []
    scan = os.scandir

    def spying(path: str) -> object:
        entered.append(Path(path).name)
        return scan(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", spying)
        assert found(tmp_path, "node_modules/") == ["a"]
    assert "node_modules" not in entered


def test_links_are_followed_but_loops_and_dead_ends_are_not(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", "d/a")
    tree(tmp_path / "elsewhere", "b")
    (root / "d" / "up").symlink_to(root)
    (root / "there").symlink_to(tmp_path / "elsewhere")
    (root / "file").symlink_to(tmp_path / "elsewhere" / "b")
    (root / "dead").symlink_to(tmp_path / "nowhere")
    os.mkfifo(root / "pipe")
    assert found(root) == ["d/a", "file", "there/b"]


def test_what_is_no_folder_is_refused_by_name(tmp_path: Path) -> None:
    tree(tmp_path, "file")
    with pytest.raises(NotADirectoryError, match="file"):
        walk_files(tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="absent"):
        walk_files(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"absent.*ignore_file=None"):
        read_ignore_file(tmp_path / "absent")


@pytest.mark.parametrize("name", [".prefectignore", "absent", "", None])
def test_an_ignore_file_need_not_exist_where_nobody_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".prefectignore").write_text("*.log\n")
    assert ignore_lines_if_any(name) == (["*.log"] if name == ".prefectignore" else None)


def test_an_ignore_file_may_be_in_the_home_folder_but_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ignored").write_text("*.log\n")
    assert ignore_lines_if_any("~/ignored") == ["*.log"]
    with pytest.raises(FileNotFoundError, match="Ignore file"):
        ignore_lines_if_any(tmp_path)


@given(st.lists(st.sampled_from(["a", "b", "a/b", "*.x", "!a", "/b", "a/", "#c", ""])), st.sampled_from(["a", "a/b"]))
def test_what_is_ignored_depends_on_the_last_line_that_matches(lines: list[str], path: str) -> None:
    assert ignore_rules([*lines, "*"])(path)
    assert not ignore_rules([*lines, "!*", "!a/b", "!a", "!b"])(path)


# Complete or absent


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "f"
    with complete_or_absent(target) as part:
        part.write_bytes(b"half")
        assert not target.exists()
        assert part.parent == target.parent  # one file system, so that the last step is one step
    assert [path.name for path in target.parent.iterdir()] == ["f"]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), GeneratorExit()])
def test_a_failure_leaves_the_old_file_and_no_part(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(type(error)), complete_or_absent(tmp_path / "f") as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise error
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


def test_a_name_of_the_longest_length_is_written(tmp_path: Path) -> None:
    with complete_or_absent(tmp_path / ("n" * 255)) as part:
        part.write_bytes(b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_permissions_are_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with complete_or_absent(tmp_path / "f") as part:
            part.write_bytes(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_file_is_replaced_and_its_target_kept(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    with complete_or_absent(tmp_path / "link") as part:
        part.write_bytes(b"new")
    assert (tmp_path / "kept").read_bytes() == b"kept"
    assert (tmp_path / "link").read_bytes() == b"new"
    assert not (tmp_path / "link").is_symlink()


def test_folders_and_files_in_the_way_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IsADirectoryError, match="folder"), complete_or_absent(tmp_path / "folder"):
        pass
    with pytest.raises(NotADirectoryError, match=r"file.*Remove"), complete_or_absent(tmp_path / "file" / "x" / "y"):
        pass


def test_an_unwritable_place_is_named_by_the_target_not_by_the_part(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="/proc/f'"), complete_or_absent(Path("/proc/f")) as part:
        part.write_bytes(b"x")


def test_parts_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with complete_or_absent(tmp_path / "f") as one, complete_or_absent(tmp_path / "f") as two:
        one.write_bytes(b"1")
        two.write_bytes(b"2")
    assert (tmp_path / "f").read_bytes() == b"1"
