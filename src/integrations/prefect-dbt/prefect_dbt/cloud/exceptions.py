"""What can go wrong with dbt Cloud, as Python exceptions.

    DbtCloudException
    ├── DbtCloudGetJobFailed, DbtCloudCreateJobFailed, DbtCloudDeleteJobFailed
    ├── DbtCloudJobRunTriggerFailed     no run was started, or nobody knows whether one was
    ├── DbtCloudGetRunFailed, DbtCloudListRunArtifactsFailed, DbtCloudGetRunArtifactFailed
    ├── DbtCloudJobRunFailed            the run ended with an error
    ├── DbtCloudJobRunCancelled         somebody cancelled the run
    ├── DbtCloudJobRunTimedOut          the run did not end within the time that we wait
    └── DbtCloudJobRunIncomplete        results were asked for while the run goes on

Messages name the job or run, what dbt Cloud said, and the link to the run where there is one.
"""

from __future__ import annotations


class DbtCloudException(Exception):
    """Base of the errors of dbt Cloud.

    Attributes:
        run_id: The run that the error is about; `None` where it is about none.
        run_url: The run's page in dbt Cloud; `None` where it is not known.
    """

    run_id: int | None = None
    run_url: str | None = None


class DbtCloudGetRunFailed(DbtCloudException):
    """A run could not be retrieved."""


class DbtCloudListRunArtifactsFailed(DbtCloudException):
    """The artifacts of a run could not be listed."""


class DbtCloudGetRunArtifactFailed(DbtCloudException):
    """An artifact of a run or job could not be retrieved."""


class DbtCloudJobRunFailed(DbtCloudException):
    """A run ended with an error."""


class DbtCloudJobRunCancelled(DbtCloudException):
    """A run was cancelled."""


class DbtCloudJobRunTimedOut(DbtCloudException):
    """A run did not end within the time that was given; the message says whether it goes on."""


class DbtCloudJobRunTriggerFailed(DbtCloudException):
    """A job could not be triggered."""


class DbtCloudGetJobFailed(DbtCloudException):
    """A job could not be retrieved."""


class DbtCloudJobRunIncomplete(DbtCloudException):
    """Results were asked for of a run that has not ended."""


class DbtCloudCreateJobFailed(DbtCloudException):
    """A job could not be created."""


class DbtCloudDeleteJobFailed(DbtCloudException):
    """A job could not be deleted."""
