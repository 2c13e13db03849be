"""Any operation of GitHub's GraphQL API, as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task

from prefect_integration_kit.dispatch import sync_task

from ._api import arun, run
from .credentials import GitHubAppCredentials, GitHubCredentials
from .utils import camel_to_snake_case

if TYPE_CHECKING:
    from sgqlc.operation import Operation

__all__ = ["GitHubCredentials", "aexecute_graphql", "camel_to_snake_case", "execute_graphql"]


@task
async def aexecute_graphql(
    op: Operation | str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    error_key: str = "errors",
    **vars: Any,  # noqa: A002 - its published name
) -> dict[str, Any]:
    """Async form of `execute_graphql`; it does not block the event loop."""
    return await arun(str(op), vars, github_credentials, error_key=error_key)


@sync_task(aexecute_graphql)
def execute_graphql(
    op: Operation | str,
    github_credentials: GitHubCredentials | GitHubAppCredentials,
    error_key: str = "errors",
    **vars: Any,  # noqa: A002 - its published name
) -> dict[str, Any]:
    """Execute an operation of GitHub's [GraphQL API](https://docs.github.com/en/graphql).

    It waits for rate limits as long as the credentials allow (`rate_limit_wait_seconds`), and repeats what fails for a
    moment: a query also when the answer is lost, a mutation only if GitHub has not begun with it.

    Args:
        op: The operation, as a GraphQL document or an `sgqlc.operation.Operation`. A document is sent as it is: it may
            use what this package does not know yet.
        github_credentials: Who asks, and which GitHub.
        error_key: The key of the answer that errors stand under. With another key than GitHub's, errors are not raised,
            and fields that failed are `None`.
        vars: Variables of the operation, by name. Those called like a parameter cannot be given.

    Returns:
        The fields that were asked for, by name (or alias) as in the document.

    Raises:
        GitHubError: Of the class that tells what is wrong; it is a `RuntimeError`, too. Errors in the answer are raised
            with the path of the field that failed, and with the data of the others.

    Examples:
        Query the last three issues of a repository by a document:
        ```python
        from prefect import flow

        from prefect_github import GitHubCredentials
        from prefect_github.graphql import execute_graphql


        @flow
        def last_issues() -> list[dict]:
            document = '''
                query LastIssues($owner: String!, $name: String!) {
                    repository(owner: $owner, name: $name) {
                        issues(last: 3) { nodes { number title } }
                    }
                }
            '''
            credentials = GitHubCredentials.load("BLOCK_NAME")
            answer = execute_graphql(document, credentials, owner="PrefectHQ", name="prefect")
            return answer["repository"]["issues"]["nodes"]
        ```

        The same by an operation of sgqlc:
        ```python
        from prefect import flow
        from sgqlc.operation import Operation

        from prefect_github import GitHubCredentials
        from prefect_github.graphql import execute_graphql
        from prefect_github.schemas import graphql_schema


        @flow
        def last_issues() -> list[dict]:
            op = Operation(graphql_schema.Query)
            issues = op.repository(owner="PrefectHQ", name="prefect").issues(last=3).nodes()
            issues.__fields__("number", "title")
            answer = execute_graphql(op, GitHubCredentials.load("BLOCK_NAME"))
            return answer["repository"]["issues"]["nodes"]
        ```
    """
    return run(str(op), vars, github_credentials, error_key=error_key)
