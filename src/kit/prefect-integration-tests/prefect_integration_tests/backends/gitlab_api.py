"""A server on this machine in the shape of GitLab's REST API, version 4: pipelines, merge requests, issues.

Requests are checked against the published parameters (https://docs.gitlab.com/api/api_resources/): what GitLab does not
know, or lacks, is refused as GitLab refuses it. Tokens are of a kind, have scopes, and go in the header of their kind.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

import pytest

from ._git.authorization import basic
from ._git.json_api import ApiCall, ApiRefusal, Json, JsonApi, check_body

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ApiCall", "GitLabApi", "GitLabToken", "ProjectAtGitLab"]

Kind = Literal["personal", "project", "group", "oauth", "job", "deploy"]

_PROJECT = "/api/v4/projects/([^/]+)"
_TEXT, _NUMBER, _FLAG = (str,), (int,), (bool,)

# https://docs.gitlab.com/api/pipelines/#create-a-new-pipeline
_PIPELINE = {"ref": _TEXT, "variables": (list,), "inputs": (dict,)}
_VARIABLE = {"key": _TEXT, "value": _TEXT, "variable_type": _TEXT}
# https://docs.gitlab.com/api/pipeline_triggers/#trigger-a-pipeline-with-a-token
_TRIGGER = {"ref": _TEXT, "token": _TEXT, "variables": (dict,), "inputs": (dict,)}
# https://docs.gitlab.com/api/notes/#create-a-merge-request-note
_NOTE = {"body": _TEXT, "internal": _FLAG, "created_at": _TEXT, "merge_request_diff_head_sha": _TEXT}
# https://docs.gitlab.com/api/issues/#new-issue
_ISSUE: dict[str, tuple[type, ...]] = {
    "title": _TEXT,
    "assignee_id": _NUMBER,
    "assignee_ids": (list,),
    "confidential": _FLAG,
    "created_at": _TEXT,
    "description": _TEXT,
    "discussion_to_resolve": _TEXT,
    "due_date": _TEXT,
    "epic_id": _NUMBER,
    "epic_iid": _NUMBER,
    "iid": _NUMBER,
    "issue_type": _TEXT,
    "labels": _TEXT,
    "merge_request_to_resolve_discussions_of": _NUMBER,
    "milestone_id": _NUMBER,
    "weight": _NUMBER,
}
_ENDED = ("success", "failed", "canceled", "skipped")


@dataclass(frozen=True)
class GitLabToken:
    """A token that the server knows.

    Attributes:
        value: The token.
        kind: What it is.
        scopes: `api`, `read_api`, `read_repository` and so on.
        username: Its owner; that of a deploy token is what git must send along.
    """

    value: str = field(repr=False)
    kind: Kind = "personal"
    scopes: frozenset[str] = frozenset({"api"})
    username: str = "ada"

    def git_authorizations(self) -> list[str]:
        """List what the git server accepts for it (https://docs.gitlab.com/topics/git/clone/#clone-using-a-token)."""
        if not self.scopes & {"api", "read_repository", "write_repository"}:
            return []
        names = {"job": ["gitlab-ci-token"], "deploy": [self.username], "oauth": ["oauth2"]}
        return [basic(name, self.value) for name in names.get(self.kind, ["oauth2", self.username])]


@dataclass
class ProjectAtGitLab:
    """A project, and what becomes of its pipelines.

    Attributes:
        id: Its number.
        path: `group/name`.
        default_branch: Its default branch.
        branches: Branches and tags that pipelines run for.
        play: Statuses that a new pipeline goes through: the first when it is created, one more at each look; the last
            one stays.
        failed_jobs: Names of the jobs that fail when the pipeline does.
        hidden_looks: How many looks at a new pipeline find nothing, as with a replica that lags behind.
        merge_requests: Numbers of merge requests.
        pipelines: By number.
        notes: In order.
        issues: In order.
        job_allowlist: Whether jobs of other projects may ask.
    """

    id: int
    path: str
    default_branch: str = "main"
    branches: set[str] = field(default_factory=lambda: {"main"})
    play: list[str] = field(default_factory=lambda: ["created", "running", "success"])
    failed_jobs: list[str] = field(default_factory=list[str])
    hidden_looks: int = 0
    merge_requests: set[int] = field(default_factory=set[int])
    pipelines: dict[int, Json] = field(default_factory=dict[int, Json])
    notes: list[Json] = field(default_factory=list[Json])
    issues: list[Json] = field(default_factory=list[Json])
    job_allowlist: bool = True


class GitLabApi(JsonApi):
    """GitLab's API. What it made can be looked at in `projects`."""

    routes = (
        ("user", "GET", "/api/v4/user"),
        ("version", "GET", "/api/v4/version"),
        ("project", "GET", _PROJECT),
        ("create_pipeline", "POST", f"{_PROJECT}/pipeline"),
        ("trigger_pipeline", "POST", f"{_PROJECT}/trigger/pipeline"),
        ("pipelines", "GET", f"{_PROJECT}/pipelines"),
        ("pipeline", "GET", rf"{_PROJECT}/pipelines/(\d+)"),
        ("cancel_pipeline", "POST", rf"{_PROJECT}/pipelines/(\d+)/cancel"),
        ("pipeline_jobs", "GET", rf"{_PROJECT}/pipelines/(\d+)/jobs"),
        ("create_note", "POST", rf"{_PROJECT}/merge_requests/(\d+)/notes"),
        ("create_issue", "POST", f"{_PROJECT}/issues"),
    )

    def __init__(self, certificate: Any = None) -> None:
        """Start the thread that listens, on a free port.

        Args:
            certificate: For TLS.
        """
        self.projects: list[ProjectAtGitLab] = []
        self.tokens: dict[str, GitLabToken] = {}
        self._numbers = itertools.count(101)
        super().__init__(certificate)

    def project(self, path: str = "shop/etl", **changes: Any) -> ProjectAtGitLab:
        """Make a project.

        Args:
            path: `group/name`.
            changes: Other fields of it.
        """
        made = ProjectAtGitLab(next(self._numbers), path, **changes)
        self.projects.append(made)
        return made

    def token(self, value: str, kind: Kind = "personal", *scopes: str, username: str = "ada") -> GitLabToken:
        """Make a token.

        Args:
            value: The token.
            kind: What it is.
            scopes: What it may; all of the API if none is given.
            username: Its owner.
        """
        made = GitLabToken(value, kind, frozenset(scopes or ("api",)), username)
        self.tokens[value] = made
        return made

    def git_authorizations(self) -> list[str]:
        """List what a git server accepts for these tokens: `git_server.require(*gitlab_api.git_authorizations())`."""
        return [each for token in self.tokens.values() for each in token.git_authorizations()]

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self.projects.clear()
        self.tokens.clear()

    # Who asks

    def _caller(self, call: ApiCall) -> GitLabToken | None:
        headers = call.headers
        bearer = headers.get("authorization", "").partition(" ")
        if (value := headers.get("private-token")) is not None:
            kinds = ("personal", "project", "group")
        elif (value := headers.get("job-token")) is not None:
            kinds = ("job",)
        elif bearer[0] == "Bearer":
            value, kinds = bearer[2], ("personal", "project", "group", "oauth")
        else:
            return None
        token = self.tokens.get(value)
        if token is None or token.kind not in kinds:
            raise ApiRefusal(401, {"message": "401 Unauthorized"})
        return token

    def check_caller(self, call: ApiCall) -> None:
        """Refuse unknown tokens, and those without the scope."""
        if call.method == "trigger_pipeline":
            return  # its token is in the body
        token = self._caller(call)
        if token is None:
            if call.method == "project":
                raise ApiRefusal(404, {"message": "404 Project Not Found"})
            raise ApiRefusal(401, {"message": "401 Unauthorized"})
        if token.kind == "job":
            raise ApiRefusal(403, {"message": "403 Forbidden"})
        may = token.scopes & ({"api", "read_api"} if call.verb == "GET" else {"api"})
        if not may:
            description = "The request requires higher privileges than provided by the access token."
            raise ApiRefusal(
                403, {"error": "insufficient_scope", "error_description": description, "scope": "api read_api"}
            )

    # What is answered

    def answer(self, call: ApiCall) -> Any:
        """Do what is asked."""
        if call.method == "user":
            token = self._caller(call)
            assert token is not None
            return {"id": 1, "username": token.username, "web_url": f"{self.endpoint}/{token.username}"}
        if call.method == "version":
            return {"version": "18.5.0", "revision": "abc"}
        project = self._project_of(call)
        return getattr(self, f"_{call.method}")(call, project)

    def _project_of(self, call: ApiCall) -> ProjectAtGitLab:
        wanted = call.parts[0]
        for project in self.projects:
            if wanted in (project.path, str(project.id)):
                return project
        raise ApiRefusal(404, {"message": "404 Project Not Found"})

    def _project(self, _: ApiCall, project: ProjectAtGitLab) -> Json:
        return {"id": project.id, "path_with_namespace": project.path, "default_branch": project.default_branch}

    def _create_pipeline(self, call: ApiCall, project: ProjectAtGitLab) -> Any:
        _refuse(check_body(call.body, _PIPELINE, ["ref"]))
        for variable in cast("list[Any]", call.body.get("variables", [])):
            _refuse(check_body(variable, _VARIABLE, ["key", "value"]))
        return 201, self._made(project, call.body, "api")

    def _trigger_pipeline(self, call: ApiCall, project: ProjectAtGitLab) -> Any:
        _refuse(check_body(call.body, _TRIGGER, ["ref", "token"]))
        token = self.tokens.get(call.body["token"])
        if token is None or token.kind != "job" or not project.job_allowlist:
            raise ApiRefusal(404, {"message": "404 Not Found"})
        variables = cast("dict[str, Any]", call.body.get("variables", {}))
        _refuse({name: "is invalid" for name, value in variables.items() if not isinstance(value, str)})
        return 201, self._made(project, call.body, "pipeline")

    def _made(self, project: ProjectAtGitLab, body: Json, source: str) -> Json:
        if body["ref"] not in project.branches:
            raise ApiRefusal(400, {"message": {"base": ["Reference not found"]}})
        number = next(self._numbers)
        pipeline = {
            "id": number,
            "iid": len(project.pipelines) + 1,
            "project_id": project.id,
            "sha": f"{number:040x}",
            "ref": body["ref"],
            "status": project.play[0],
            "source": source,
            "web_url": f"{self.endpoint}/{quote(project.path)}/-/pipelines/{number}",
            "_looks": 0,
            "_play": list(project.play),
            "_hidden": project.hidden_looks,
            "_asked": body,
        }
        project.pipelines[number] = pipeline
        return _shown(pipeline)

    def _pipeline_of(self, call: ApiCall, project: ProjectAtGitLab) -> Json:
        pipeline = project.pipelines.get(int(call.parts[1]))
        if pipeline is None:
            raise ApiRefusal(404, {"message": "404 Not found"})
        return pipeline

    def _pipelines(self, _: ApiCall, project: ProjectAtGitLab) -> list[Json]:
        return [_shown(pipeline) for pipeline in project.pipelines.values()]

    def _pipeline(self, call: ApiCall, project: ProjectAtGitLab) -> Json:
        pipeline = self._pipeline_of(call, project)
        if pipeline["_hidden"]:
            pipeline["_hidden"] -= 1
            raise ApiRefusal(404, {"message": "404 Not found"})
        if pipeline["status"] not in ("canceled", "canceling"):
            pipeline["_looks"] += 1
            play = pipeline["_play"]
            pipeline["status"] = play[min(pipeline["_looks"], len(play) - 1)]
        return _shown(pipeline)

    def _cancel_pipeline(self, call: ApiCall, project: ProjectAtGitLab) -> Json:
        pipeline = self._pipeline_of(call, project)
        if pipeline["status"] not in _ENDED:
            pipeline["status"] = "canceled"
        return _shown(pipeline)

    def _pipeline_jobs(self, call: ApiCall, project: ProjectAtGitLab) -> list[Json]:
        self._pipeline_of(call, project)
        scopes = call.query.get("scope[]", [])
        jobs = [
            {
                "name": name,
                "stage": "test",
                "status": "failed",
                "failure_reason": "script_failure",
                "allow_failure": False,
            }
            for name in project.failed_jobs
        ]
        return [job for job in jobs if not scopes or job["status"] in scopes]

    def _create_note(self, call: ApiCall, project: ProjectAtGitLab) -> Any:
        iid = int(call.parts[1])
        if iid not in project.merge_requests:
            raise ApiRefusal(404, {"message": "404 Not found"})
        _refuse(check_body(call.body, _NOTE, ["body"]))
        token = self._caller(call)
        assert token is not None
        note = {
            "id": next(self._numbers),
            "body": call.body["body"],
            "author": {"id": 1, "username": token.username},
            "noteable_iid": iid,
            "internal": call.body.get("internal", False),
        }
        project.notes.append(note)
        return 201, note

    def _create_issue(self, call: ApiCall, project: ProjectAtGitLab) -> Any:
        _refuse(check_body(call.body, _ISSUE, ["title"]))
        iid = len(project.issues) + 1
        issue = {
            "id": next(self._numbers),
            "iid": iid,
            "project_id": project.id,
            "state": "opened",
            "web_url": f"{self.endpoint}/{quote(project.path)}/-/issues/{iid}",
            **call.body,
            "labels": [name for name in call.body.get("labels", "").split(",") if name],
        }
        project.issues.append(issue)
        return 201, issue


def _shown(pipeline: Json) -> Json:
    return {name: value for name, value in pipeline.items() if not name.startswith("_")}


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise ApiRefusal(400, {"error": ", ".join(f"{name} {what}" for name, what in wrong.items())})


@pytest.fixture(scope="session")
def _gitlab_api() -> Iterator[GitLabApi]:
    with GitLabApi() as api:
        yield api


@pytest.fixture
def gitlab_api(_gitlab_api: GitLabApi) -> GitLabApi:
    """A server in the shape of GitLab's API, without projects and tokens."""
    _gitlab_api.clear()
    return _gitlab_api
