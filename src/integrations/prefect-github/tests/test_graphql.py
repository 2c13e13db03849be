"""Any operation, by text or by sgqlc: what it answers, how long it waits, and what it never does twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import datetime, timezone
from typing import Any
from unittest.mock import patch

import pytest
from prefect import flow
from sgqlc.endpoint.http import HTTPEndpoint

from prefect_github import (
    GitHubAccessDenied,
    GitHubCredentials,
    GitHubError,
    GitHubInvalidRequest,
    GitHubNotFound,
    GitHubRateLimited,
    GitHubUnavailable,
    GitHubUncertain,
)
from prefect_github._answers import written_path
from prefect_github._documents import changes_something
from prefect_github.graphql import aexecute_graphql, execute_graphql
from prefect_integration_tests.backends.github_api import FieldError, GitHubApi
from prefect_integration_tests.clock import FakeClock

ISSUES = """
query LastIssues($owner: String!, $name: String!) {
    repository(owner: $owner, name: $name) { issues(last: 3) { nodes { number title } } }
}
"""
VIEWER = "{ viewer { login } }"
STAR = 'mutation { addStar(input: {starrableId: "R_1"}) { starrable { stargazerCount } } }'


@pytest.fixture(params=["sync", "async"])
def execute(request: pytest.FixtureRequest) -> Any:
    """Executes an operation, in one face and then in the other."""
    if request.param == "async":
        return aexecute_graphql.fn

    async def in_thread(*args: Any, **variables: Any) -> Any:
        return await asyncio.to_thread(execute_graphql.fn, *args, **variables)

    return in_thread


class TestAnswers:
    async def test_a_document_is_answered_with_its_data(
        self, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        issues = {"nodes": [{"number": 7, "title": "Late"}]}
        github_api.data = {"repository": lambda owner, name, **_: {"issues": issues} if owner == "shop" else None}
        answer = await execute(ISSUES, credentials, owner="shop", name="etl")
        assert answer == {"repository": {"issues": issues}}
        assert github_api.operations[0].variables == {"owner": "shop", "name": "etl"}

    def test_an_operation_of_sgqlc_is_answered(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        from sgqlc.operation import Operation

        from prefect_github.schemas import graphql_schema

        github_api.data = {"repository": {"issues": {"nodes": [{"id": "I_1", "title": "Late"}]}}}
        op = Operation(graphql_schema.Query)
        op.repository(owner="shop", name="etl").issues(first=3).nodes().__fields__("id", "title")
        answer = execute_graphql.fn(op, credentials)
        assert answer == {"repository": {"issues": {"nodes": [{"id": "I_1", "title": "Late"}]}}}

    def test_what_json_does_not_know_is_written(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        document = (
            'query($since: DateTime, $states: [IssueState!]) { repository(owner: "a", name: "b") '
            "{ issues(first: 1, states: $states, filterBy: {since: $since}) { totalCount } } }"
        )
        since = datetime(2026, 5, 4, tzinfo=timezone.utc)
        execute_graphql.fn(document, credentials, since=since, states=("OPEN",))
        assert github_api.operations[0].variables == {"since": "2026-05-04T00:00:00+00:00", "states": ["OPEN"]}

    def test_what_cannot_be_written_is_refused_before_it_is_sent(
        self, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        with pytest.raises(GitHubInvalidRequest, match=r"variables .*cannot be written as JSON"):
            execute_graphql.fn(VIEWER, credentials, value=object())
        assert not github_api.calls

    def test_both_faces_are_tasks_of_a_flow(
        self, github_api: GitHubApi, credentials: GitHubCredentials, prefect_harness: None
    ) -> None:
        github_api.data = {"viewer": {"login": "ada"}}

        @flow
        def plain() -> Any:
            return execute_graphql(VIEWER, credentials)

        @flow
        async def awaiting() -> Any:
            called: Any = execute_graphql(VIEWER, credentials)
            return [await called, await aexecute_graphql(VIEWER, credentials)]

        assert plain() == {"viewer": {"login": "ada"}}
        assert asyncio.run(awaiting()) == [{"viewer": {"login": "ada"}}] * 2

    def test_no_schema_is_loaded_for_it(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        code = (
            "import sys\n"
            "from prefect_github import GitHubCredentials\n"
            "from prefect_github.graphql import execute_graphql\n"
            f"credentials = GitHubCredentials(token='ghp_shop', base_url={github_api.endpoint!r})\n"
            f"execute_graphql.fn({VIEWER!r}, credentials)\n"
            "print([name for name in sys.modules if 'schema' in name and name.startswith('prefect_github')\n"
            "       or name.startswith(('sgqlc', 'graphql.'))])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


class TestErrors:
    async def test_an_error_is_raised_with_its_path_and_the_data_of_the_others(
        self, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        github_api.data = {"repository": FieldError("NOT_FOUND", "Could not resolve to a Repository 'shop/gone'.")}
        document = '{ viewer { login } repository(owner: "shop", name: "gone") { id } }'
        with pytest.raises(GitHubNotFound, match=r"repository: Could not resolve .*\(NOT_FOUND\)") as caught:
            await execute(document, credentials)
        assert isinstance(caught.value, RuntimeError)
        assert caught.value.errors[0]["path"] == ["repository"]
        assert caught.value.data == {"viewer": {"login": "User.login"}, "repository": None}
        assert caught.value.request_id

    def test_a_path_into_a_list_is_written_with_its_index(
        self, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        nodes = [{"title": "Fine"}, {"author": FieldError("SOMETHING_ELSE", "No luck")}]
        github_api.data = {"repository": {"issues": {"nodes": nodes}}}
        document = '{ repository(owner: "a", name: "b") { issues(first: 2) { nodes { author { login } } } } }'
        with pytest.raises(GitHubError, match=r"repository\.issues\.nodes\[1\]\.author: No luck \(SOMETHING_ELSE\)"):
            execute_graphql.fn(document, credentials)

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ("{ viewer { nope } }", "nope"),
            ("{ viewer", "Syntax Error"),
            ("{ viewer { repositories { totalCount } } }", "MISSING_PAGINATION_BOUNDARIES"),
            ("{ viewer { repositories(first: 101) { totalCount } } }", "EXCESSIVE_PAGINATION"),
            ("query($n: Int!) { viewer { repositories(first: $n) { totalCount } } }", "n"),
        ],
        ids=["unknown-field", "syntax", "no-bounds", "large-page", "no-variable"],
    )
    async def test_a_document_that_github_does_not_take_is_told_at_once(
        self, document: str, said: str, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        with pytest.raises(GitHubInvalidRequest, match=said):
            await execute(document, credentials)
        assert len(github_api.calls) == 1

    def test_a_scope_that_is_missing_is_told(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        github_api.scopes["Query.organization"] = "read:org"
        with pytest.raises(GitHubAccessDenied, match=r"'read:org'.*INSUFFICIENT_SCOPES"):
            execute_graphql.fn('{ organization(login: "shop") { id } }', credentials)

    def test_errors_under_another_key_are_not_looked_at(
        self, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        github_api.data = {"repository": FieldError("NOT_FOUND", "gone")}
        document = '{ repository(owner: "a", name: "b") { id } }'
        assert execute_graphql.fn(document, credentials, error_key="problems") == {"repository": None}

    def test_errors_may_stand_under_a_key_of_their_own(
        self, github_api: GitHubApi, credentials: GitHubCredentials
    ) -> None:
        github_api.spoil({"data": {"viewer": None}, "problems": ["too late"]})
        with pytest.raises(GitHubError, match="too late"):
            execute_graphql.fn(VIEWER, credentials, error_key="problems")


LIMITS = ["primary", "primary-403", "secondary", "secondary-429", "secondary-200"]


class TestRateLimits:
    @pytest.mark.parametrize("document", [VIEWER, STAR], ids=["query", "mutation"])
    @pytest.mark.parametrize("kind", LIMITS)
    async def test_each_is_waited_for(
        self,
        kind: Any,
        document: str,
        execute: Any,
        github_api: GitHubApi,
        credentials: GitHubCredentials,
        clock: FakeClock,
    ) -> None:
        """As long as GitHub says. What was refused was not done, so that a mutation may be sent again, too."""
        github_api.limit(kind, seconds=1800)
        assert await execute(document, credentials)
        assert len(github_api.calls) == 2
        assert 1770 <= clock.sleeps[0] <= 1803

    def test_a_secondary_limit_without_a_time_holds_a_minute(
        self, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.limit("secondary", with_retry_after=False)
        execute_graphql.fn(VIEWER, credentials)
        assert 60 <= clock.sleeps[0] <= 61

    @pytest.mark.parametrize("error", [-1000.0, 1000.0], ids=["behind", "ahead"])
    def test_the_time_is_that_of_github(
        self, error: float, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.clock_error = error
        github_api.limit("primary", seconds=500)
        execute_graphql.fn(VIEWER, credentials)
        assert 470 <= clock.sleeps[0] <= 503

    @pytest.mark.parametrize("kind", LIMITS)
    async def test_one_that_holds_longer_than_allowed_is_told_at_once(
        self, kind: Any, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.limit(kind, seconds=1800)
        impatient = credentials.model_copy(update={"rate_limit_wait_seconds": 60.0})
        with pytest.raises(GitHubRateLimited, match=r"until \d\d:\d\d:\d\d UTC.*rate_limit_wait_seconds") as caught:
            await execute(VIEWER, impatient)
        assert caught.value.retry_after == pytest.approx(1800, abs=30)
        assert not clock.sleeps

    def test_waits_are_counted_together(
        self, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.limit("secondary", seconds=1500, times=None)
        with pytest.raises(GitHubRateLimited):
            execute_graphql.fn(VIEWER, credentials)
        assert len(clock.sleeps) == 2

    def test_a_mutation_that_was_done_in_part_is_not_sent_again(
        self, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.limit("primary", data={"first": {"clientMutationId": None}, "second": None})
        with pytest.raises(GitHubUncertain):
            execute_graphql.fn(STAR, credentials)
        assert len(github_api.calls) == 1

    def test_a_refusal_that_is_no_limit_is_not_waited_for(
        self, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("graphql", 403)
        with pytest.raises(GitHubAccessDenied):
            execute_graphql.fn(VIEWER, credentials)
        assert not clock.sleeps


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_query_is_sent_again(
        self, status: int, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("graphql", status, times=2)
        assert await execute(VIEWER, credentials)
        assert len(github_api.calls) == 3

    @pytest.mark.parametrize("when", ["lost", "cut"])
    async def test_a_query_whose_answer_is_lost_is_sent_again(
        self, when: Any, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("graphql", when=when)
        assert await execute(VIEWER, credentials)
        assert len(github_api.calls) == 2

    @pytest.mark.parametrize("when", ["before", "after", "lost", "cut"])
    async def test_a_mutation_that_github_may_have_begun_with_is_not(
        self, when: Any, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("graphql", 502, when=when)
        with pytest.raises(GitHubUncertain, match="Look at GitHub whether it was done"):
            await execute(STAR, credentials)
        assert len(github_api.calls) == 1

    async def test_github_may_break_within_a_query(
        self, execute: Any, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        broken = {"message": "Something went wrong while executing your query on 2026-05-04. Please include `C0DE`."}
        github_api.spoil({"data": None, "errors": [broken]}, times=2)
        assert await execute(VIEWER, credentials)
        github_api.spoil({"data": None, "errors": [broken]})
        with pytest.raises(GitHubUncertain):
            await execute(STAR, credentials)

    def test_trouble_that_does_not_end_is_told(
        self, github_api: GitHubApi, credentials: GitHubCredentials, clock: FakeClock
    ) -> None:
        github_api.fail("graphql", 502, times=None)
        with pytest.raises(GitHubUnavailable, match=r"GitHub answered 502 \(502 as told\)") as caught:
            execute_graphql.fn(VIEWER, credentials)
        assert caught.value.http_status == 502
        assert sum(clock.sleeps) <= 120

    async def test_the_event_loop_is_not_held_up(self, github_api: GitHubApi, credentials: GitHubCredentials) -> None:
        """Other coroutines run while GitHub thinks."""
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.001)

        def slowly(**_: Any) -> str:
            seen = turns
            while turns < seen + 20:
                pass
            return "ada"

        github_api.data = {"viewer": {"login": slowly}}
        busy = asyncio.create_task(others())
        answer = await asyncio.wait_for(aexecute_graphql.fn(VIEWER, credentials), 30)
        busy.cancel()
        assert answer == {"viewer": {"login": "ada"}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ viewer { login } }", False),
        ("query mutation { viewer { login } }", False),
        ("query { mutation: viewer { login } }", False),
        ('query { a(b: "mutation {") { c } }', False),
        ('query { a(b: """}\nmutation {""") { c } }', False),
        ("# mutation {\nquery { a }", False),
        ("fragment mutation on User { login } query { viewer { ...mutation } }", False),
        ("query A { a } fragment F on User { b }", False),
        ("mutation { a }", True),
        ("  # note\n mutation M($a: ID!) { a(b: $a) { c } }", True),
        ("fragment F on User { b } mutation { a { ...F } }", True),
        ("query A { a { b } }\nmutation B { c }", True),
        ("subscription { a }", True),
    ],
)
def test_what_changes_something_is_told_without_the_schema(document: str, expected: bool) -> None:
    assert changes_something(document) is expected


@pytest.mark.parametrize(
    ("path", "written"),
    [(None, ""), ([], ""), (["a", "b"], "a.b"), (["a", 0, "b", 1], "a[0].b[1]"), ("a", "")],
    ids=["none", "empty", "names", "indices", "text"],
)
def test_a_path_is_written_as_code_would(path: Any, written: str) -> None:
    assert written_path(path) == written


class OwnCredentials:
    """What stands in for the block in tests of flows."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[tuple[Any, ...]] = []

    def get_client(self) -> Any:
        def endpoint(op: Any, variables: Any) -> dict[str, Any]:
            self.asked.append((op, variables))
            return self.answer

        return endpoint


async def test_a_client_of_the_callers_own_is_asked(execute: Any) -> None:
    own: Any = OwnCredentials({"data": {"viewer": {"login": "ada"}}})
    assert await execute(VIEWER, own, a=1) == {"viewer": {"login": "ada"}}
    assert own.asked == [(VIEWER, {"a": 1})]
    own.answer = {"errors": [{"message": "no such field"}]}
    with pytest.raises(RuntimeError, match="no such field"):
        await execute(VIEWER, own)


async def test_a_replaced_get_client_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    own = OwnCredentials({"data": {"viewer": {"login": "ada"}}})
    monkeypatch.setattr(GitHubCredentials, "get_client", lambda self: own.get_client())
    assert await aexecute_graphql.fn(VIEWER, GitHubCredentials()) == {"viewer": {"login": "ada"}}


class TestReplacedEndpoint:
    """Tests of flows put something in the place of sgqlc's endpoint, by which all requests went in 0.4.4."""

    @pytest.mark.parametrize("place", ["sgqlc.endpoint.http", "prefect_github.credentials"])
    async def test_a_replaced_class_makes_the_client(self, place: str, execute: Any) -> None:
        for login in ("ada", "eve"):
            with patch(f"{place}.HTTPEndpoint") as kind:
                kind.return_value.return_value = {"data": {"viewer": {"login": login}}}
                assert await execute(VIEWER, GitHubCredentials(token="ghp_1"), a=1) == {"viewer": {"login": login}}
            kind.assert_called_once_with(
                "https://api.github.com/graphql", base_headers={"Authorization": "Bearer ghp_1"}
            )
            kind.return_value.assert_called_once_with(VIEWER, {"a": 1})

    async def test_a_replaced_method_sends(self, execute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[Any] = []

        def send(self: HTTPEndpoint, query: Any, variables: Any = None) -> dict[str, Any]:
            asked.append((self.url, query, variables))
            return {"data": {"viewer": {"login": "ada"}}}

        monkeypatch.setattr(HTTPEndpoint, "__call__", send)
        assert await execute(VIEWER, GitHubCredentials(token="ghp_1")) == {"viewer": {"login": "ada"}}
        assert asked == [("https://api.github.com/graphql", VIEWER, {})]

    async def test_a_replaced_urlopen_sends(self, execute: Any) -> None:
        with patch("urllib.request.urlopen") as urlopen:
            answer = urlopen.return_value.__enter__.return_value
            answer.headers.get.return_value = "application/json"
            answer.read.return_value = b'{"data": {"viewer": {"login": "ada"}}}'
            assert await execute(VIEWER, GitHubCredentials(token="ghp_1")) == {"viewer": {"login": "ada"}}
        assert urlopen.call_args.args[0].get_header("Authorization") == "Bearer ghp_1"

    def test_the_client_is_ours_again_when_the_class_is_sgqlcs(self) -> None:
        """In a process where the class was replaced when the client was asked for the first time."""
        program = (
            "from unittest.mock import patch\n"
            "import sgqlc.endpoint.http\n"
            "from prefect_github import GitHubCredentials\n"
            "with patch('sgqlc.endpoint.http.HTTPEndpoint') as kind:\n"
            "    assert GitHubCredentials(token='x').get_client() is kind.return_value\n"
            "assert isinstance(GitHubCredentials(token='x').get_client(), sgqlc.endpoint.http.HTTPEndpoint)\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_no_other_name_is_there(self) -> None:
        from prefect_github import credentials

        assert not hasattr(credentials, "Nothing")
