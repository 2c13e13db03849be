"""What Cloud Run says when it refuses: missing things, old etags, quotas, images that cannot be pulled."""

from __future__ import annotations

from .errors import ApiError, aborted, not_found
from .run_bodies import project_of, region_of

CANNOT_PULL = {
    "CONTAINER_MISSING": "Image '{image}' not found.",
    "CONTAINER_IMAGE_UNAUTHORIZED": (
        "Google Cloud Run Service Agent service-1234567890@serverless-robot-prod.iam.gserviceaccount.com must have "
        "permission to read the image, {image}. Ensure that the provided container image URL is correct and that the "
        "above account has permission to access the image."
    ),
    "CONTAINER_PERMISSION_DENIED": "Permission denied while pulling the image {image}.",
    "SECRETS_ACCESS_CHECK_FAILED": "Permission denied on secret: {image}.",
    "VPC_NETWORK_NOT_FOUND": "VPC network of the connector was not found.",
    "INTERNAL": "Internal error occurred while deploying {image}.",
}
"""What Cloud Run says, by the reason of a condition."""


def no_such(kind: str, name: str) -> ApiError:
    """404.

    Args:
        kind: `JOB`, `EXECUTION`.
        name: Full name.
    """
    return not_found(
        f"Resource '{name.rpartition('/')[2]}' of kind '{kind}' in region '{region_of(name)}' in project "
        f"'{project_of(name)}' does not exist."
    )


def check_etag(thing: str, given: str, current: str) -> None:
    """Refuse an old etag.

    Raises:
        ApiError: 409 ABORTED.
    """
    if given and given != current:
        raise aborted(
            f"Conflict for resource '{thing}': version '{given}' was specified but current version is '{current}'."
        )


def quota_exceeded(what: str, limit: str, parent: str, most: int) -> ApiError:
    """429 of a quota of things, not of calls.

    https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto, RESOURCE_QUOTA_EXCEEDED
    """
    project, location = project_of(parent), region_of(parent)
    metadata = {
        "service": "run.googleapis.com",
        "quota_limit": limit,
        "quota_limit_value": str(most),
        "quota_location": location,
        "quota_metric": f"run.googleapis.com/{what.lower().replace(' ', '_')}",
        "consumer": f"projects/{project}",
    }
    return ApiError(
        429,
        f"Quota exceeded for quota metric '{what}' and limit '{what} per region' of service 'run.googleapis.com' "
        f"for consumer 'project_number:{project}'.",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RESOURCE_QUOTA_EXCEEDED",
                "domain": "googleapis.com",
                "metadata": metadata,
            }
        ],
    )
