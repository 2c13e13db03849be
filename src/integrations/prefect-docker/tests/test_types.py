"""Volumes are taken as Docker writes them, and refused with a reason."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from prefect_docker.types import NAMED_VOLUME_PATTERN, VolumeStr, assert_volume_str, is_relative_bind_source


@pytest.mark.parametrize(
    "volume",
    [
        "/srv/data:/data",
        "/srv/data:/data:ro",
        "/srv/with space:/data:rw,z",
        "./data:/data",
        "../data:/data",
        "my-volume:/data",
        "my_volume.2:/data:nocopy",
        "v:/data",
        "v:/data:ro",
        r"C:\data:/data:ro",
        r"C:\data:D:\data",
        "/data:/data:ro,rslave",
        "/srv:/srv:cached",
    ],
)
def test_volumes_that_docker_takes_are_taken(volume: str) -> None:
    assert assert_volume_str(volume) == volume


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        ("", "no target"),
        ("/data", "no target"),
        ("/data:", "empty part"),
        (":/data", "empty part"),
        ("/srv:/data:", "empty part"),
        ("~/data:/data", "'~/data' is neither a path nor the name"),
        ("my volume:/data", "'my volume' is neither a path nor the name"),
        ("-v:/data", "'-v' is neither a path nor the name"),
        ("/srv:data", "'data' is not an absolute path"),
        ("/srv:/data:readonly", "unknown option 'readonly'"),
        ("a:/b:ro:z", "unknown option 'ro:z'"),
    ],
)
def test_a_volume_that_docker_refuses_is_refused_with_its_reason(volume: str, reason: str) -> None:
    with pytest.raises(ValueError, match="Invalid volume string") as caught:
        assert_volume_str(volume)
    assert repr(volume) in str(caught.value)
    assert reason in str(caught.value)


def test_a_model_with_volumes_refuses_a_bad_one() -> None:
    with pytest.raises(ValidationError, match="no target"):
        TypeAdapter(list[VolumeStr]).validate_python(["/a:/b", "/a"])


@pytest.mark.parametrize(
    ("source", "is_relative"),
    [
        (".", True),
        ("..", True),
        ("./a", True),
        ("../a", True),
        (r".\a", True),
        ("/a", False),
        ("a", False),
        (".a", False),
    ],
)
def test_relative_sources_are_told_from_names_and_absolute_paths(source: str, is_relative: bool) -> None:
    assert is_relative_bind_source(source) is is_relative


def test_names_of_volumes_are_told_from_paths() -> None:
    assert NAMED_VOLUME_PATTERN.match("my-volume_2.0")
    assert not NAMED_VOLUME_PATTERN.match("a/b")
    assert not NAMED_VOLUME_PATTERN.match("-a")
