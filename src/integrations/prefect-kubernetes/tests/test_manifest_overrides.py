"""A partial pod is laid over another as `kubectl patch --type strategic` does it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_kubernetes._worker.overrides import strategic_merge

BASE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "containers": [
            {"name": "main", "image": "i:1", "env": [{"name": "A", "value": "1"}], "args": ["x", "y"]},
            {"name": "side", "image": "s"},
        ],
        "volumes": [{"name": "data", "emptyDir": {"medium": "Memory"}}],
        "tolerations": [{"key": "gpu"}],
    },
}


def merged(spec: dict[str, Any]) -> dict[str, Any]:
    return strategic_merge(BASE, {"spec": spec})["spec"]


def test_entries_of_named_lists_are_merged_by_name_and_keep_their_place() -> None:
    spec = merged({"containers": [{"name": "side", "image": "s:2"}, {"name": "new", "image": "n"}]})
    assert [(each["name"], each["image"]) for each in spec["containers"]] == [
        ("main", "i:1"),
        ("side", "s:2"),
        ("new", "n"),
    ]


def test_lists_without_names_are_replaced() -> None:
    spec = merged({"tolerations": [{"key": "spot"}], "containers": [{"name": "main", "args": ["z"]}]})
    assert spec["tolerations"] == [{"key": "spot"}]
    assert spec["containers"][0]["args"] == ["z"]


def test_null_takes_a_field_away() -> None:
    assert "tolerations" not in merged({"tolerations": None})


def test_a_variable_has_a_value_or_a_source() -> None:
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}
    spec = merged({"containers": [{"name": "main", "env": [{"name": "A", "valueFrom": reference}]}]})
    assert spec["containers"][0]["env"] == [{"name": "A", "valueFrom": reference}]


def test_a_volume_is_made_of_one_thing() -> None:
    spec = merged({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]})
    assert spec["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]
    spec = merged({"volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}]})
    assert spec["volumes"] == [{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]


@pytest.mark.parametrize(
    ("patch", "names"),
    [
        ([{"name": "side", "$patch": "delete"}], ["main"]),
        ([{"$patch": "replace"}, {"name": "only", "image": "o"}], ["only"]),
        ([{"name": "main", "$patch": "replace", "image": "r"}], ["main", "side"]),
    ],
    ids=["delete", "replace-list", "replace-entry"],
)
def test_directives_are_followed(patch: list[Any], names: list[str]) -> None:
    spec = merged({"containers": patch})
    assert [each["name"] for each in spec["containers"]] == names
    assert "$patch" not in str(spec)


def test_a_replaced_entry_keeps_nothing() -> None:
    spec = merged({"containers": [{"name": "main", "$patch": "replace", "image": "r"}]})
    assert spec["containers"][0] == {"name": "main", "image": "r"}


def test_an_entry_without_its_name_and_an_unknown_directive_are_refused() -> None:
    with pytest.raises(ValueError, match="an entry of containers lacks `name`"):
        merged({"containers": [{"image": "x"}]})
    with pytest.raises(ValueError, match=r"\$patch: prune"):
        merged({"$patch": "prune"})


keys = st.sampled_from(["a", "b", "labels", "nodeSelector"])
values = st.recursive(st.text(max_size=3) | st.integers(), lambda inner: st.dictionaries(keys, inner, max_size=3))
trees = st.dictionaries(keys, values, max_size=4)
env = st.lists(st.sampled_from("ABCD"), unique=True).map(lambda each: [{"name": name, "value": name} for name in each])


@given(trees, trees)
def test_merging_changes_neither_side_and_twice_is_as_once(base: dict[str, Any], patch: dict[str, Any]) -> None:
    before, asked = deepcopy(base), deepcopy(patch)
    once = strategic_merge(base, patch)
    assert (base, patch) == (before, asked)
    assert strategic_merge(once, patch) == once


@given(trees)
def test_an_empty_patch_changes_nothing(base: dict[str, Any]) -> None:
    assert strategic_merge(base, {}) == base


@given(env, env)
def test_no_name_is_lost_and_none_stands_twice(base: list[Any], patch: list[Any]) -> None:
    found = [entry["name"] for entry in strategic_merge(base, patch, "env")]
    assert sorted(found) == sorted({entry["name"] for entry in [*base, *patch]})
