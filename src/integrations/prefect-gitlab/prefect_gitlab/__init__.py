"""Clone GitLab repositories, and use GitLab's API from Prefect flows."""

from importlib.metadata import version

from .credentials import GitLabCredentials
from .errors import (
    GitLabAccessDenied,
    GitLabAuthenticationFailed,
    GitLabCredentialsError,
    GitLabError,
    GitLabInvalidRequest,
    GitLabNotFound,
    GitLabPipelineCanceled,
    GitLabPipelineFailed,
    GitLabPipelineTimeout,
    GitLabUnavailable,
    GitLabUncertain,
)
from .issues import Issue, acreate_issue, create_issue
from .merge_requests import Note, acreate_merge_request_note, create_merge_request_note
from .pipelines import (
    Pipeline,
    acancel_pipeline,
    atrigger_pipeline,
    atrigger_pipeline_and_wait,
    await_for_pipeline,
    cancel_pipeline,
    trigger_pipeline,
    trigger_pipeline_and_wait,
    wait_for_pipeline,
)
from .repositories import GitLabRepository

__version__ = version("prefect-gitlab")

__all__ = [
    "GitLabAccessDenied",
    "GitLabAuthenticationFailed",
    "GitLabCredentials",
    "GitLabCredentialsError",
    "GitLabError",
    "GitLabInvalidRequest",
    "GitLabNotFound",
    "GitLabPipelineCanceled",
    "GitLabPipelineFailed",
    "GitLabPipelineTimeout",
    "GitLabRepository",
    "GitLabUnavailable",
    "GitLabUncertain",
    "Issue",
    "Note",
    "Pipeline",
    "acancel_pipeline",
    "acreate_issue",
    "acreate_merge_request_note",
    "atrigger_pipeline",
    "atrigger_pipeline_and_wait",
    "await_for_pipeline",
    "cancel_pipeline",
    "create_issue",
    "create_merge_request_note",
    "trigger_pipeline",
    "trigger_pipeline_and_wait",
    "wait_for_pipeline",
]
