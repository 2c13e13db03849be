"""The resolver gives the same key twice, stays below its root, and knows which file a key may be written to."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefect_integration_kit.files import complete_or_absent
from prefect_integration_kit.paths import (
    PathEscapes,
    folder_prefix,
    is_within,
    local_target,
    object_key,
    relative_key,
)

PARTS = st.sampled_from(
    ["a", "b", "a ü", "..", ".", "", "...", "..a", "\\", "..\\..", "x\\y", "C:", "~", "\0", "%2e%2e"]
)
PATHS = st.lists(PARTS, max_size=6).map("/".join) | st.text(max_size=12)
ROOTS = st.lists(st.sampled_from(["a", "b", "logs", "ü", "", "."]), max_size=4).map("/".join)


def tidy(root: str) -> str:
    """What a root means as a POSIX path."""
    return "/".join(part for part in root.split("/") if part not in ("", "."))


@given(root=ROOTS, path=PATHS)
@example(root="/./a", path="x")
@example(root="a", path="x\\y/../..")
def test_resolving_twice_changes_nothing(root: str, path: str):
    try:
        key = object_key(root, path)
    except PathEscapes:
        return
    assert object_key(root, key) == key


@given(root=ROOTS, path=PATHS)
@example(root="a", path="x\\y/../../..")
def test_a_key_never_leaves_its_root(root: str, path: str):
    try:
        key = object_key(root, path)
    except PathEscapes:
        return
    for separated in (key, key.replace("\\", "/")):  # a client may read a backslash either way
        met = posixpath.normpath("/" + separated.lstrip("/"))
        assert is_within(met, posixpath.normpath("/" + tidy(root)))
        # The same once more with names that no `..` can eat, so that climbing out and back in is seen too.
        assert posixpath.normpath(relative(separated, root)).split("/")[0] != ".."


def relative(key: str, root: str) -> str:
    root = object_key("", root).strip("/")
    return key[len(root) :].lstrip("/") if root and is_within(key, root) else key.lstrip("/")


@given(root=ROOTS, name=st.text(st.characters(exclude_characters="/\\."), min_size=1, max_size=10))
def test_a_name_is_found_below_its_root(root: str, name: str):
    assert object_key(root, f"q/{name}").endswith(f"q/{name}")
    assert object_key(root, f"q/{name}").startswith(folder_prefix(root))


@pytest.mark.parametrize(
    ("root", "path", "key"),
    [
        ("", "a/b", "a/b"),
        ("", "/a", "/a"),
        ("", "", ""),
        ("data", "a/b", "data/a/b"),
        ("data/", "a", "data/a"),
        ("/data/", "a", "data/a"),
        ("./data", "a", "data/a"),
        ("data", "data/a", "data/a"),
        ("data", "data", "data"),
        ("data", "data2/a", "data/data2/a"),
        ("data", "/etc/passwd", "data/etc/passwd"),
        ("data", "./a", "data/a"),
        ("data", ".", "data"),
        ("data", "", "data"),
        ("data", "a//b", "data/a//b"),
        ("data", "a/", "data/a/"),
        ("data", ".hidden", "data/.hidden"),
        ("data", "..a", "data/..a"),
        ("data", "a/../b", "data/a/../b"),
        ("data", PurePosixPath("a/b"), "data/a/b"),
        ("data", PureWindowsPath("a\\b"), "data/a/b"),
    ],
)
def test_keys(root: str, path: str | PurePosixPath | PureWindowsPath, key: str):
    assert object_key(root, path) == key


@pytest.mark.parametrize("path", ["..", "../a", "a/../../b", "data/../../b", "..\\a", "a\\..\\..\\b", "./../a"])
def test_a_path_that_climbs_out_is_refused_by_name(path: str):
    with pytest.raises(PathEscapes, match=r"leaves folder 'data' with '\.\.'"):
        object_key("data", path)


def test_prefixes_end_at_a_slash():
    assert folder_prefix("") == ""
    assert folder_prefix("data") == "data/"
    assert folder_prefix("data", "x/") == "data/x/"
    assert folder_prefix("data", "data/x") == "data/x/"
    assert not "data2/x".startswith(folder_prefix("data"))


def test_a_sibling_is_not_within():
    assert is_within("logs/a", "logs")
    assert is_within("logs", "logs/")
    assert is_within("anything", "")
    assert not is_within("logs2/a", "logs")


@given(root=ROOTS, name=st.text(st.characters(exclude_characters="/\\."), min_size=1))
def test_a_relative_key_resolves_back(root: str, name: str):
    prefix = folder_prefix(root)
    assert relative_key(object_key(root, name), prefix) == name


def test_a_key_outside_of_the_prefix_has_no_relative_form():
    with pytest.raises(PathEscapes, match="'logs2/a' does not lie in folder 'logs/'"):
        relative_key("logs2/a", "logs/")


@given(relative=PATHS)
def test_a_target_lies_below_its_destination(tmp_path_factory: pytest.TempPathFactory, relative: str):
    destination = Path(tmp_path_factory.getbasetemp()) / "not-there-yet"
    try:
        target = local_target(destination, relative)
    except PathEscapes:
        return
    assert Path(os.path.normpath(target)).parts[: len(destination.parts)] == destination.parts
    assert target != destination
    assert ".." not in target.parts


@pytest.mark.parametrize(
    "key",
    ["", ".", "./", "/etc/passwd", "\\etc", "../x", "a/../../x", "a/..", "a\\..\\..\\x", "a\0b", "..", "./.."],
)
def test_a_key_that_names_no_file_below_is_refused(tmp_path: Path, key: str):
    with pytest.raises(PathEscapes, match="would be written outside"):
        local_target(tmp_path, key)


@pytest.mark.parametrize(
    ("key", "file"),
    [("a/b", "a/b"), ("a//b", "a/b"), ("./a", "a"), ("a/./b/", "a/b"), ("..a/b..", "..a/b.."), ("C:x", "C:x")],
)
@pytest.mark.skipif(os.name == "nt", reason="A colon is no part of a name on Windows.")
def test_targets(tmp_path: Path, key: str, file: str):
    assert local_target(tmp_path, key) == tmp_path / file


def test_a_link_that_leads_outside_is_refused(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    destination = tmp_path / "inside"
    destination.mkdir()
    (destination / "folder").symlink_to(outside)
    (destination / "dangling").symlink_to(tmp_path / "gone")
    for key in ("folder/x", "folder/deep/x", "dangling/x"):
        with pytest.raises(PathEscapes, match="symbolic link that leads outside"):
            local_target(destination, key)


def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.write_text("keep")
    destination = tmp_path / "inside"
    destination.mkdir()
    (destination / "file").symlink_to(outside)
    with complete_or_absent(local_target(destination, "file")) as part:
        part.write_text("new")
    assert (destination / "file").read_text() == "new"
    assert outside.read_text() == "keep"


def test_a_link_inside_and_a_linked_destination_are_fine(tmp_path: Path):
    real = tmp_path / "real"
    (real / "folder").mkdir(parents=True)
    (real / "link").symlink_to(real / "folder")
    destination = tmp_path / "destination"
    destination.symlink_to(real)
    assert local_target(destination, "link/x") == destination / "link" / "x"


def test_a_sibling_with_the_same_start_is_outside(tmp_path: Path):
    destination = tmp_path / "data"
    destination.mkdir()
    (tmp_path / "data2").mkdir()
    (destination / "link").symlink_to(tmp_path / "data2")
    with pytest.raises(PathEscapes):
        local_target(destination, "link/x")


def test_the_root_of_the_file_system_is_a_destination():
    assert local_target(Path("/"), "tmp/x") == Path("/tmp/x")
