"""Hooks are called as dbt goes on, see what it did, and cannot change what the run ends with."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from prefect_dbt.core._hooks import DbtHookContext, DbtHookMixin
from prefect_dbt.core.runner import PrefectDbtRunner
from prefect_dbt.core.settings import PrefectDbtSettings

if TYPE_CHECKING:
    from prefect_integration_tests.backends.dbt_projects import DbtProject


@dataclass(frozen=True)
class Node:
    unique_id: str = "model.demo.a"
    name: str = "a"
    resource_type: str = "model"


class Owner(DbtHookMixin):
    """Something with hooks, and no `__init__` of the mixin's."""

    def run(self, context: DbtHookContext, selected: dict[str, set[str]] | None = None) -> None:
        self._hooks.call(context, resolve=(selected or {}).__getitem__, logger=logging.getLogger("prefect.hooks"))


START = DbtHookContext(event="on_run_start", command="build", owner=None)
MODEL = DbtHookContext(event="post_model", command="build", owner=None, node=Node(), status="success")
END = DbtHookContext(event="on_run_end", command="build", owner=None, node_ids=("model.demo.a", "model.demo.b"))


@pytest.mark.parametrize("event", ["on_run_start", "on_run_end", "post_model"])
@pytest.mark.parametrize("form", ["plain", "parentheses", "call"])
def test_a_hook_is_registered_by_a_decorator_in_each_form(event: str, form: str) -> None:
    owner, seen = Owner(), []

    def hook(context: DbtHookContext) -> None:
        seen.append(context.event)

    decorator = getattr(owner, event)
    returned = (
        decorator(hook) if form == "plain" else decorator()(hook) if form == "parentheses" else decorator(fn=hook)
    )
    owner.run({"on_run_start": START, "on_run_end": END, "post_model": MODEL}[event])
    assert returned is hook
    assert seen == [event]


def test_hooks_of_an_event_are_called_in_the_order_of_their_registration() -> None:
    owner, seen = Owner(), []
    owner.post_model(lambda context: seen.append(1))
    owner.post_model(lambda context: seen.append(2))
    owner.run(MODEL)
    owner.run(START)
    assert seen == [1, 2]


def test_hooks_belong_to_one_owner() -> None:
    one, other, seen = Owner(), Owner(), []
    one.post_model(lambda context: seen.append("one"))
    other.run(MODEL)
    assert seen == []


def test_an_async_hook_is_awaited() -> None:
    owner, seen = Owner(), []

    @owner.on_run_start
    async def hook(context: DbtHookContext) -> None:
        seen.append(context.command)

    owner.run(START)
    assert seen == ["build"]


def test_a_hook_that_fails_is_logged_and_the_next_one_called(caplog: pytest.LogCaptureFixture) -> None:
    owner, seen = Owner(), []

    @owner.post_model
    def careless(context: DbtHookContext) -> None:
        raise RuntimeError("no such channel")

    owner.post_model(lambda context: seen.append(context.node_id))
    with caplog.at_level(logging.ERROR, logger="prefect.hooks"):
        owner.run(MODEL)
    assert seen == ["model.demo.a"]
    assert "'careless' on post_model failed" in caplog.text
    assert "no such channel" in caplog.text


@pytest.mark.parametrize(("selected", "calls"), [({"model.demo.a"}, 1), (set[str](), 0)], ids=["matches", "other"])
def test_post_model_is_called_only_for_what_its_selector_matches(selected: set[str], calls: int) -> None:
    owner, seen = Owner(), []
    owner.post_model(select="tag:daily")(seen.append)
    owner.run(MODEL, {"tag:daily": selected})
    assert len(seen) == calls


def test_on_run_end_names_the_selected_nodes_alone_and_is_not_called_without_any() -> None:
    owner, seen = Owner(), []
    owner.on_run_end(seen.append, select="tag:daily")
    owner.run(END, {"tag:daily": {"model.demo.b", "model.demo.not_run"}})
    owner.run(END, {"tag:daily": set()})
    assert [context.node_ids for context in seen] == [("model.demo.b",)]


def test_a_selector_that_dbt_cannot_resolve_is_logged_and_the_hook_not_called(caplog: pytest.LogCaptureFixture) -> None:
    owner, seen = Owner(), []
    owner.post_model(select="path:nowhere")(seen.append)
    with caplog.at_level(logging.ERROR, logger="prefect.hooks"):
        owner.run(MODEL, {})
    assert seen == []
    assert "post_model failed" in caplog.text


def test_bad_use_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="select of post_model is ''"):
        Owner().post_model(select="")
    with pytest.raises(TypeError, match="on_run_end takes a function"):
        Owner().on_run_end("notify")  # type: ignore[arg-type]


def test_the_context_cannot_be_changed_and_names_its_node() -> None:
    with pytest.raises(AttributeError):
        MODEL.status = "error"  # type: ignore[misc]
    assert MODEL.node_id == "model.demo.a"
    assert START.node_id is None
    assert replace(END, node_ids=()).node_ids == ()


def test_hooks_see_a_run_of_dbt(dbt_project: DbtProject) -> None:
    dbt_project.break_model("model_1")
    settings = PrefectDbtSettings(project_dir=dbt_project.path, profiles_dir=dbt_project.profiles_dir)
    runner = PrefectDbtRunner(settings=settings, raise_on_failure=False)
    seen: list[DbtHookContext] = []
    selected: list[str | None] = []

    @runner.on_run_start
    def at_start(context: DbtHookContext) -> None:
        seen.append(context)
        raise RuntimeError("ignored")

    runner.post_model(seen.append)
    runner.post_model(select="model_0+")(lambda context: selected.append(context.node_id))
    runner.on_run_end(seen.append)
    runner.invoke(["build"])

    events = [context.event for context in seen]
    assert (events[0], events[-1]) == ("on_run_start", "on_run_end")
    assert all(context.owner is runner and context.command == "build" for context in seen)
    by_node: dict[str | None, DbtHookContext] = {each.node_id: each for each in seen if each.event == "post_model"}
    assert set(by_node) >= {"model.demo.model_0", "model.demo.model_1"}
    assert by_node["model.demo.model_0"].status == "success"
    failed: Any = by_node["model.demo.model_1"]
    assert failed.status == "error"
    assert "no_such_column" in failed.error
    assert failed.result["unique_id"] == "model.demo.model_1"
    assert failed.result["status"] == "error"
    skipped = {entry["unique_id"] for entry in seen[-1].run_results["results"] if entry["status"] == "skipped"}  # type: ignore[index]
    assert skipped
    assert not skipped & set(by_node)
    assert seen[-1].status == "error"
    assert "Model model_1 errored" in str(seen[-1].error)
    assert "model.demo.model_0" in selected
    assert "model.demo.model_1" not in selected
