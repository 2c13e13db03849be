"""The types of `prefect_github.schemas.graphql_schema` are all there, each built when it is first used."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from graphql import GraphQLError, parse, validate
from sgqlc.operation import Operation

from prefect_github.schemas import graphql_schema
from prefect_integration_tests.backends._github.schema import schema_of


def errors_of(operation: Any) -> list[GraphQLError]:
    return validate(schema_of("today"), parse(str(operation)))


@pytest.mark.parametrize("version", ["today", "2022"])
def test_every_type_of_the_schema_is_there_as_what_it_is(version: Any) -> None:
    kinds = {
        "GraphQLEnumType": "enum",
        "GraphQLInputObjectType": "input",
        "GraphQLInterfaceType": "interface",
        "GraphQLObjectType": "type",
        "GraphQLScalarType": "scalar",
        "GraphQLUnionType": "union",
    }
    types = {name: each for name, each in schema_of(version).type_map.items() if not name.startswith("__")}
    assert len(types) > 1300
    for name, each in types.items():
        built = getattr(graphql_schema, name)
        assert (built.__name__, built.__kind__) == (name, kinds[type(each).__name__])
        for field in getattr(each, "fields", ()):
            assert any(ours.graphql_name == field for ours in built), (name, field)


def test_types_of_todays_fields_and_arguments_are_those_of_the_schema() -> None:
    for name in ("Query", "Repository", "Issue", "PullRequest", "Mutation", "CreateIssueInput"):
        known = schema_of("today").type_map[name].fields  # pyright: ignore[reportAttributeAccessIssue]
        for field in getattr(graphql_schema, name):
            if field.graphql_name in known:
                theirs = known[field.graphql_name]
                assert str(field.type) == str(theirs.type), (name, field.graphql_name)
                if hasattr(theirs, "args"):
                    ours = {each.graphql_name: str(each.type) for each in field.args.values()}
                    assert ours == {key: str(each.type) for key, each in theirs.args.items()}


def test_an_operation_is_written_with_the_module_or_its_schema() -> None:
    for root in (graphql_schema.Query, graphql_schema.query_type, graphql_schema.graphql_schema.query_type):
        operation = Operation(root)
        operation.repository(owner="PrefectHQ", name="prefect").issues(first=3).nodes.title()
        assert "".join(str(operation).split()) == (
            'query{repository(owner:"PrefectHQ",name:"prefect"){issues(first:3){nodes{title}}}}'
        )
        assert not errors_of(operation)


def test_arguments_are_written_by_their_types() -> None:
    operation = Operation(graphql_schema.Query)
    issues = operation.repository(owner="shop", name="etl").issues(
        first=3,
        states=[graphql_schema.IssueState.OPEN],
        order_by={"field": "CREATED_AT", "direction": "ASC"},
        filter_by={"since": "2026-01-01T00:00:00Z"},
    )
    issues.nodes.__fields__("id", "created_at", "author")
    assert "states: [OPEN]" in str(operation)
    assert not errors_of(operation)
    with pytest.raises(ValueError, match="AJAR"):
        str(Operation(graphql_schema.Query).repository(owner="shop", name="etl").issues(first=1, states=["AJAR"]))


def test_a_change_is_written_with_an_input() -> None:
    operation = Operation(graphql_schema.Mutation)
    made = operation.create_issue(input=graphql_schema.CreateIssueInput(repository_id="R_1", title="Late"))
    made.issue.__fields__("number")
    assert 'createIssue(input: {repositoryId: "R_1", title: "Late"})' in str(operation)
    assert not errors_of(operation)


def test_an_answer_becomes_objects_of_the_types() -> None:
    operation = Operation(graphql_schema.Query)
    node = operation.node(id="I_1")
    node.__as__(graphql_schema.Issue).__fields__("title", "created_at")
    found = operation.search(query="late", type="ISSUE", first=2).nodes()
    found.__as__(graphql_schema.PullRequest).__fields__("number")
    assert not errors_of(operation)
    answer = operation + {
        "data": {
            "node": {"__typename": "Issue", "title": "Late", "createdAt": "2026-05-04T03:02:01Z"},
            "search": {"nodes": [{"__typename": "PullRequest", "number": 7}, {"__typename": "Issue"}]},
        }
    }
    assert isinstance(answer.node, graphql_schema.Issue)
    assert (answer.node.title, answer.node.created_at.year) == ("Late", 2026)
    assert answer.search.nodes[0].number == 7


def test_pages_of_a_connection_are_joined() -> None:
    operation = Operation(graphql_schema.Query)
    issues = operation.repository(owner="shop", name="etl").issues(first=1)
    issues.nodes.number()
    issues.page_info.__fields__("has_next_page", "end_cursor")

    def page(number: int) -> Any:
        info = {"hasNextPage": False, "endCursor": str(number)}
        return operation + {"data": {"repository": {"issues": {"nodes": [{"number": number}], "pageInfo": info}}}}

    joined = page(1).repository.issues
    joined += page(2).repository.issues
    assert [each.number for each in joined.nodes] == [1, 2]


def test_what_github_removed_can_still_be_written() -> None:
    operation = Operation(graphql_schema.Query)
    operation.organization(login="shop").project_next(number=1).title()
    assert errors_of(operation)
    assert not validate(schema_of("2022"), parse(str(operation)))


def test_a_type_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"no type Repositry\. Did you mean Repository"):
        _ = graphql_schema.Repositry
    assert not hasattr(graphql_schema, "__wrapped__")
    assert "Repositry" not in graphql_schema.graphql_schema
    with pytest.raises(KeyError):
        _ = graphql_schema.graphql_schema["Repositry"]


def test_types_are_one_and_the_same_each_time_and_travel_between_processes() -> None:
    assert graphql_schema.Issue is graphql_schema.graphql_schema.Issue
    assert graphql_schema.Issue is graphql_schema.graphql_schema["Issue"]
    assert pickle.loads(pickle.dumps(graphql_schema.Issue)) is graphql_schema.Issue


def test_names_are_listed_for_completion() -> None:
    assert {"Query", "Issue", "ProjectNext", "graphql_schema"} <= set(dir(graphql_schema))
    assert "Issue" in graphql_schema.graphql_schema.type
    assert "IssueState" in graphql_schema.graphql_schema.enum


def _run(code: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    return run.stdout.split()


def test_only_what_is_needed_is_built() -> None:
    code = """
import sys
from prefect_github.schemas import graphql_schema
print("sgqlc" in sys.modules)
import sgqlc.types
class Repository(sgqlc.types.Type):
    x = int
graphql_schema.Query
schema = graphql_schema.graphql_schema
print(schema.Repository is Repository)
print(len(list(sgqlc.types.Schema.__iter__(schema))) < 60)
"""
    assert _run(code) == ["False", "False", "True"]


def test_modules_of_tasks_load_neither_sgqlc_nor_the_schema() -> None:
    code = """
import sys
import prefect_github.repository, prefect_github.organization, prefect_github.user, prefect_github.viewer
import prefect_github.mutations, prefect_github.repository_owner, prefect_github.schemas.graphql_schema
from prefect_github.schemas import _facts
print([name for name in sys.modules if name.split(".")[0] in ("sgqlc", "graphql")], _facts._lines.cache_info().currsize)
"""
    assert _run(code) == ["[]", "0"]
