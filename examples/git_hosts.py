# ---
# title: Code from git hosts
# description: Pull a flow's code from private repositories, as GitHub, GitLab and Bitbucket serve them, and run it.
# icon: code-branch
# keywords: ["github", "gitlab", "bitbucket", "git", "prefect.yaml", "pull steps", "pipeline", "GraphQL", "GitHub App"]
# dependencies: ["prefect-github", "prefect-gitlab", "prefect-bitbucket", "prefect-integration-tests[github]"]
# cmd: ["python", "examples/git_hosts.py"]
# order: 10
# ---
#
# A shop keeps a flow at its own GitLab, its tables of prices at a Bitbucket Data Center, and its settings at a GitHub
# Enterprise Server. This program pulls all three, as a deployment would before a run, starts the flow, lets GitLab run
# a pipeline, and opens an issue at GitHub as a GitHub App.
#
# It needs no account and no network: a git server, servers in the shape of GitLab's and GitHub's APIs and a Prefect
# server start with the program, and end with it. The git server speaks TLS with a certificate of the shop's own
# authority, and lets in who has the right token only.

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from prefect_bitbucket import BitBucketCredentials, BitBucketRepository
from prefect_github import GitHubAppCredentials, GitHubCredentials, GitHubRepository
from prefect_github.graphql import execute_graphql
from prefect_gitlab import GitLabCredentials, GitLabRepository, trigger_pipeline_and_wait
from prefect_integration_kit.git import GitAuthenticationFailed
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import GitServer, basic
from prefect_integration_tests.backends.github_api import GitHubApi
from prefect_integration_tests.backends.gitlab_api import GitLabApi

FLOW = b"""\
import csv

from prefect import flow


@flow
def cheapest(file: str) -> str:
    with open(file) as lines:
        return min(csv.DictReader(lines), key=lambda row: float(row["price"]))["fruit"]
"""

# ## What is at the hosts
#
# GitLab wants a deploy token here, which has a user name of its own; Bitbucket an HTTP access token beside the name of
# its owner; GitHub any token.


def fill(server: GitServer) -> tuple[str, str, str]:
    code = server.repository("shop/flows.git")
    code.tag("v1.0", code.commit({"flows/cheapest.py": FLOW, "README.md": b"The shop's flows.\n"}))
    tables = server.repository("scm/~ada/tables.git")
    tables.commit({"prices.csv": b"fruit,price\napple,0.4\npear,0.6\n", "old/prices.csv": b"fruit,price\n"})
    shop = server.repository("shop/settings.git")
    shop.commit({"limits.txt": b"0.5\n"})
    server.require(
        basic("gitlab+deploy-token-7", "gldt-secret"),
        basic("ada", "BBDC-secret"),
        basic("x-access-token", "ghp_secret"),
    )
    return server.url(code), server.url(tables), server.url(shop)


# ## Blocks that know who asks
#
# They are saved once; flows and deployments load them by name. `ca_bundle` is the certificate of the shop's authority.


def save_blocks(code: str, tables: str, shop: str, ca_bundle: str) -> None:
    gitlab = GitLabCredentials(
        token="gldt-secret", token_type="deploy", username="gitlab+deploy-token-7", ca_bundle=ca_bundle
    )
    GitLabRepository(repository=code, reference="v1.0", credentials=gitlab).save("shop-flows")
    bitbucket = BitBucketCredentials(token="BBDC-secret", username="ada", ca_bundle=ca_bundle)
    BitBucketRepository(repository=tables, bitbucket_credentials=bitbucket).save("shop-tables")
    github = GitHubCredentials(token="ghp_secret", ca_bundle=ca_bundle)
    GitHubRepository(repository_url=shop, credentials=github).save("shop-settings")


# ## The morning's run
#
# Only the folder that is wanted comes. A pipeline that does not succeed would raise an exception that names the jobs
# that failed, and a run that is cancelled cancels it.


@flow(log_prints=True)
def morning(api: GitLabCredentials) -> None:
    GitLabRepository.load("shop-flows").get_directory(from_path="flows", local_path="code")
    BitBucketRepository.load("shop-tables").get_directory(local_path="tables")
    GitHubRepository.load("shop-settings").get_directory(local_path="settings")
    sys.path.insert(0, str(Path("code", "flows").resolve()))
    from cheapest import cheapest

    print(f"The cheapest fruit is the {cheapest('tables/prices.csv')}.")
    pipeline = trigger_pipeline_and_wait("shop/flows", api, ref="main", poll_seconds=0.1)
    print(f"Pipeline {pipeline.id} ended as {pipeline.status}.")


# ## An issue, by a GitHub App
#
# The App's key stands for no person, and makes a token that lasts an hour. The operation is any that GitHub's GraphQL
# API knows; errors in the answer are raised with the path of the field.

OPEN_ISSUE = """
mutation OpenIssue($repository: ID!, $title: String!) {
    createIssue(input: {repositoryId: $repository, title: $title}) { issue { number title } }
}
"""


@flow(log_prints=True)
def tell(app: GitHubAppCredentials) -> None:
    limit = float(Path("settings/limits.txt").read_text())
    answer = execute_graphql(OPEN_ISSUE, app, repository="R_shop", title=f"Apples cost less than {limit}")
    print(f"Opened #{answer['createIssue']['issue']['number']}: {answer['createIssue']['issue']['title']}")


# ## A token that is not accepted
#
# git says "exit code 128"; the exception says what it means, and what to do. No message, file or process has the token.


def try_wrong_token(code: str, ca_bundle: str) -> None:
    wrong = GitLabCredentials(token="glpat-expired")
    try:
        GitLabRepository(repository=code, credentials=wrong, ca_bundle=ca_bundle).get_directory(local_path="wrong")
    except GitAuthenticationFailed as exc:
        print(f"\n{type(exc).__name__}: {exc}")


if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with (
        TemporaryDirectory() as folder,
        prefect_test_harness(server_startup_timeout=120),
        GitLabApi() as gitlab_api,
        GitHubApi() as github_api,
    ):
        authority = PrivateCA(Path(folder))
        (Path(folder) / "git").mkdir()
        with GitServer(Path(folder) / "git", authority.issue("git", "127.0.0.1")) as server:
            os.chdir(folder)
            bundle = authority.ca_file.read_text()
            addresses = fill(server)
            save_blocks(*addresses, bundle)

            gitlab_api.token("glpat-secret", "project")
            gitlab_api.project("shop/flows")
            morning(GitLabCredentials(token="glpat-secret", token_type="project", url=gitlab_api.endpoint))

            app = github_api.app()
            app.install("shop")
            github_api.data = {
                "createIssue": lambda **given: {"issue": {"number": 1, "title": given["input"]["title"]}}
            }
            tell(
                GitHubAppCredentials(
                    app_id=app.client_id,
                    private_key=app.private_key,
                    owner="shop",
                    base_url=github_api.endpoint,
                )
            )

            try_wrong_token(addresses[0], bundle)
            os.chdir("/")
