"""GitHub's GraphQL schema as types of sgqlc, each built when it is first asked for.

Every type of the schema is an attribute: `graphql_schema.Query`, `graphql_schema.IssueState`,
`graphql_schema.CreateIssueInput`. `graphql_schema.graphql_schema` is the `sgqlc.types.Schema` that holds them.

Beside the types of today there are those that GitHub has removed since 2022, for older GitHub Enterprise Servers. All
are made from the schema that GitHub publishes as the npm package `@octokit/graphql-schema` (MIT licence, Copyright (c)
GitHub).

Example:
    Write an operation and run it:
    ```python
    from prefect import flow
    from prefect_github import GitHubCredentials
    from prefect_github.graphql import execute_graphql
    from prefect_github.schemas import graphql_schema
    from sgqlc.operation import Operation

    @flow
    def titles_of_issues():
        operation = Operation(graphql_schema.Query)
        issues = operation.repository(owner="PrefectHQ", name="prefect").issues(first=3)
        issues.nodes().__fields__("number", "title")
        return execute_graphql(operation, GitHubCredentials.load("BLOCK_NAME"))
    ```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgqlc.types import Schema

    graphql_schema: Schema

_ROOTS = {"query_type": "Query", "mutation_type": "Mutation"}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from ._facts import has, names, near

    if name != "graphql_schema" and name not in _ROOTS and not has(name):
        raise AttributeError(f"GitHub's GraphQL schema has no type {name}.{near(name, names())}")
    from ._types import schema

    return schema if name == "graphql_schema" else schema[_ROOTS.get(name, name)]


def __dir__() -> list[str]:
    from ._facts import names

    return ["graphql_schema", *_ROOTS, *names()]
