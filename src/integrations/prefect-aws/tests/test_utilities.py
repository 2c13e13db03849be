"""Hashes of nested documents, and documents that JSON patches can be applied to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.utilities import assemble_document_for_patches, ensure_path_exists, hash_collection

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(member) for key, member in reversed(value.items())}
    return [backwards(member) for member in value] if isinstance(value, list) else value


@given(DOCUMENTS)
def test_equal_documents_have_equal_hashes_whatever_the_order_of_keys(document: Any) -> None:
    assert hash_collection(document) == hash_collection(backwards(document))


def test_unequal_documents_have_unequal_hashes() -> None:
    assert hash_collection({"a": [1, {"b": 2}]}) != hash_collection({"a": [1, {"b": 3}]})
    assert hash_collection({"a": {1, 2}}) == hash_collection({"a": {2, 1}})


def test_models_in_a_collection_are_hashed_by_content() -> None:
    first, second = (AwsClientParameters(config={"retries": {"mode": "standard"}}) for _ in range(2))
    assert hash_collection([first]) == hash_collection([second])
    assert hash_collection([first]) != hash_collection([AwsClientParameters()])


@pytest.mark.parametrize(
    ("document", "path", "result"),
    [
        ({}, ["a"], {"a": {}}),
        ({}, ["a", "b", "c"], {"a": {"b": {"c": {}}}}),
        ({}, ["a", "0", "b"], {"a": [{"b": {}}]}),
        ({}, ["a", "2"], {"a": [{}, {}, {}]}),
        ({}, ["a", "0", "1"], {"a": [[{}, {}]]}),
        ({"a": [{"x": 1}]}, ["a", "0", "y"], {"a": [{"x": 1, "y": {}}]}),
        ({"a": [1]}, ["a", "-", "b"], {"a": [1, {"b": {}}]}),
        ({"a": {"b": 5}}, ["a", "b"], {"a": {"b": 5}}),
        ({}, [], {}),
    ],
)
def test_a_path_is_made_where_it_lacks(document: Any, path: list[str], result: Any) -> None:
    given_path = list(path)
    ensure_path_exists(document, path)
    assert document == result
    assert path == given_path


@pytest.mark.parametrize("document", [{"a": 5}, {"a": ["x"]}])
def test_a_path_through_a_value_is_refused_by_name(document: Any) -> None:
    with pytest.raises(TypeError, match="'b'"):
        ensure_path_exists(document, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("patches", "document"),
    [
        (
            [
                {"op": "replace", "path": "/cpu", "value": "512"},
                {"op": "add", "path": "/overrides/memory", "value": "1024"},
                {"op": "remove", "path": "/tags"},
            ],
            {"cpu": {}, "overrides": {}, "tags": {}},
        ),
        ([{"op": "add", "path": "/top", "value": 1}], {}),
        ([{"op": "add", "path": "/list/-", "value": 1}], {"list": []}),
        ([{"op": "add", "path": "/list/0", "value": 1}], {"list": []}),
        ([{"op": "add", "path": "/list/2", "value": 1}], {"list": [{}, {}]}),
        ([{"op": "replace", "path": "/containers/0/image", "value": "x"}], {"containers": [{"image": {}}]}),
        ([{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {"b": {}}, "c": {}}),
        ([{"op": "remove", "path": "/a~1b/c~0d"}], {"a/b": {"c~d": {}}}),
        ([], {}),
    ],
)
def test_a_document_has_what_its_patches_need(patches: list[dict[str, Any]], document: Any) -> None:
    assert assemble_document_for_patches(patches) == document
