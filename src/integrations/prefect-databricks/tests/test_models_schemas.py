"""The descriptions of the API that the package carries. `just check` tells when what follows from them is stale."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import prefect_databricks

SCHEMAS = Path(prefect_databricks.__file__).parent / "schemas"


@pytest.mark.parametrize("name", ["jobs-2.1-aws.yaml", "original/jobs-2.1-aws.yaml"])
def test_the_descriptions_are_complete(name: str) -> None:
    document = yaml.safe_load((SCHEMAS / name).read_text())
    known = {f"#/components/schemas/{each}" for each in document["components"]["schemas"]}
    assert set(_references(document)) <= known
    assert len(document["paths"]) == 16
    assert ("x-" in "".join(_keys(document))) is not name.startswith("original/")


def _keys(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for each in value.values() for key in _keys(each))]
    return [key for each in value for key in _keys(each)] if isinstance(value, list) else []


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return found + [each for member in value.values() for each in _references(member)]
    return [each for member in value for each in _references(member)] if isinstance(value, list) else []
