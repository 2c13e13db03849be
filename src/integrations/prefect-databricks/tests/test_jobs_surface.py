"""Every name, parameter, default, field and member that was published once stays where it was."""

from __future__ import annotations

import enum
import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

PUBLISHED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "published.json").read_text())


def found(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("dotted", PUBLISHED)
def test_a_published_name_is_importable(dotted: str) -> None:
    found(dotted)


@pytest.mark.parametrize("dotted", [name for name, facts in PUBLISHED.items() if "parameters" in facts])
def test_published_parameters_keep_place_and_default(dotted: str) -> None:
    function = found(dotted)
    parameters = inspect.signature(getattr(function, "fn", function)).parameters.values()
    ours = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    published = PUBLISHED[dotted]["parameters"]
    assert [each.name for each in ours[: len(published)]] == [name for name, *_ in published]
    for parameter, (name, *default) in zip(ours, published, strict=False):
        given = parameter.default
        assert (default == [] and given is parameter.empty) or default in ([repr(given)], [str(given)]), name


@pytest.mark.parametrize("dotted", [name for name, facts in PUBLISHED.items() if "fields" in facts])
def test_published_fields_are_there(dotted: str) -> None:
    assert set(PUBLISHED[dotted]["fields"]) <= set(found(dotted).model_fields)


@pytest.mark.parametrize("dotted", [name for name, facts in PUBLISHED.items() if "members" in facts])
def test_published_members_keep_their_values(dotted: str) -> None:
    members = {name: member.value for name, member in found(dotted).__members__.items()}
    assert PUBLISHED[dotted]["members"].items() <= members.items()
    assert issubclass(found(dotted), enum.Enum)


@pytest.mark.parametrize("dotted", [name for name, facts in PUBLISHED.items() if "methods" in facts])
def test_published_methods_are_there(dotted: str) -> None:
    assert all(callable(getattr(found(dotted), name)) for name in PUBLISHED[dotted]["methods"])
