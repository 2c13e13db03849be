"""Which user name and token a block of credentials means. Pure, but for the environment of a CI job."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prefect_integration_kit.git import GitAuth
from prefect_integration_kit.git_logins import split_login

if TYPE_CHECKING:
    from .credentials import GitLabCredentials

# GitLab asks for a user name beside every token, looks at it for some, and wants these for the others:
# https://docs.gitlab.com/topics/git/clone/#clone-using-a-token and https://docs.gitlab.com/ci/jobs/ci_job_token/
ANY_USER = "oauth2"
JOB_USER = "gitlab-ci-token"
_JOB_TOKEN_VARIABLE = "CI_JOB_TOKEN"  # noqa: S105 - its name


def token_of(credentials: GitLabCredentials) -> str:
    """Find the token as it was given; empty if there is none."""
    if credentials.token is not None:
        return credentials.token.get_secret_value()
    return os.environ.get(_JOB_TOKEN_VARIABLE, "") if credentials.token_type == "job" else ""  # noqa: S105 - a kind


def own_login(credentials: GitLabCredentials) -> tuple[str, str]:
    """Find user name and token of a token that was given as `user:token`; the name is empty otherwise."""
    if credentials.username not in (None, "", ANY_USER, JOB_USER):
        return "", ""
    username, token = split_login(token_of(credentials))
    return (username, token) if username else ("", "")


def login_of(credentials: GitLabCredentials) -> tuple[str, str] | None:
    """Find user name and token or password, as git sends them; `None` if there is neither."""
    token = token_of(credentials)
    if not token:
        password = credentials.password.get_secret_value() if credentials.password is not None else ""
        return (credentials.username or ANY_USER, password) if password else None
    username, rest = own_login(credentials)
    return (username, rest) if username else (credentials.username or ANY_USER, token)


def git_auth(credentials: GitLabCredentials | None) -> GitAuth | None:
    """Say who asks, as git does; `None` for nobody."""
    login = None if credentials is None else login_of(credentials)
    return None if login is None else GitAuth.basic(login[0], login[1].rstrip("\r\n"))


def secrets_of(credentials: GitLabCredentials) -> list[str]:
    """List what must not be said."""
    login = login_of(credentials)
    return [] if login is None else [login[1], token_of(credentials) or login[1]]


def is_deploy_token(credentials: GitLabCredentials) -> bool:
    """Say whether the token can pull repositories only."""
    username, _ = login_of(credentials) or (ANY_USER, "")
    return credentials.token_type == "deploy" or username not in (ANY_USER, JOB_USER, credentials.username)  # noqa: S105
