"""Clone GitLab repositories, and use GitLab's API from Prefect flows."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .credentials import GitLabCredentials
from .errors import (
    GitLabAccessDenied,
    GitLabAuthenticationFailed,
    GitLabCertificateError,
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
from .repositories import GitLabRepository

if TYPE_CHECKING:
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

__version__ = version("prefect-gitlab")

__all__ = [
    "GitLabAccessDenied",
    "GitLabAuthenticationFailed",
    "GitLabCertificateError",
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

# Making tasks takes its time, and every flow run imports this package.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "Issue": ".issues",
        "Note": ".merge_requests",
        "Pipeline": ".pipelines",
        "acancel_pipeline": ".pipelines",
        "acreate_issue": ".issues",
        "acreate_merge_request_note": ".merge_requests",
        "atrigger_pipeline": ".pipelines",
        "atrigger_pipeline_and_wait": ".pipelines",
        "await_for_pipeline": ".pipelines",
        "cancel_pipeline": ".pipelines",
        "create_issue": ".issues",
        "create_merge_request_note": ".merge_requests",
        "trigger_pipeline": ".pipelines",
        "trigger_pipeline_and_wait": ".pipelines",
        "wait_for_pipeline": ".pipelines",
    },
)
