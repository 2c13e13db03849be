"""What AWS answers when it refuses: faults that every service knows, each in the service's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class StubMisused(AssertionError):
    """A request was not scripted, or it or a scripted answer does not fit the service's model."""


@dataclass(frozen=True)
class AwsError:
    """An error answer with the service's own code."""

    code: str
    message: str = ""
    status: int = 400
    details: Mapping[str, str] = field(default_factory=dict[str, str])


class Fault(Enum):
    """Refusals that every service knows, each in the service's own words."""

    ACCESS_DENIED = "access denied"
    EXPIRED_TOKEN = "expired token"
    CLOCK_SKEW = "clock skew"
    UNKNOWN_KEY = "unknown key"
    WRONG_REGION = "wrong region"
    THROTTLED = "throttled"
    INTERNAL = "internal"

    def error(self, model: Any) -> AwsError:
        """Put the fault into the words of one service.

        Args:
            model: botocore's model of the service.
        """
        return _FAULTS[self](model)


def _denial(model: Any) -> AwsError:
    message = f"User: arn:aws:iam::000000000000:user/tests is not authorized to perform: {model.service_name}"
    return _by_protocol(model, ("AccessDenied", 403), "AccessDeniedException", message)


def _by_protocol(model: Any, xml: tuple[str, int], json_code: str, message: str) -> AwsError:
    """XML protocols and JSON ones have different codes; `json` answers 400 where REST answers 403."""
    protocol = model.resolved_protocol
    if protocol in ("query", "rest-xml"):
        return AwsError(xml[0], message, xml[1])
    return AwsError(json_code, message, 400 if protocol == "json" else 403)


def _clock_skew(model: Any) -> AwsError:
    if model.service_name == "s3":
        message = "The difference between the request time and the current time is too large."
        return AwsError("RequestTimeTooSkewed", message, 403)
    message = "Signature expired: 20200101T000000Z is now earlier than 20200101T001500Z"
    return _by_protocol(model, ("SignatureDoesNotMatch", 403), "InvalidSignatureException", message)


def _wrong_region(model: Any) -> AwsError:
    if model.service_name != "s3":
        raise StubMisused(
            f"{model.service_name} has no answer to a wrong region: what was made in another region is not found."
        )
    message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
    return AwsError("AuthorizationHeaderMalformed", message, 400, {"Region": "eu-west-1"})


def _throttled(model: Any) -> AwsError:
    if model.service_name == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    if model.resolved_protocol == "rest-json":
        return AwsError("TooManyRequestsException", "Rate exceeded", 429)
    return _by_protocol(model, ("Throttling", 400), "ThrottlingException", "Rate exceeded")


def _expired(model: Any) -> AwsError:
    s3 = model.service_name == "s3"
    message = "The provided token has expired." if s3 else "The security token included in the request is expired"
    return _by_protocol(model, ("ExpiredToken", 400 if s3 else 403), "ExpiredTokenException", message)


def _unknown_key(model: Any) -> AwsError:
    code = "InvalidAccessKeyId" if model.service_name == "s3" else "InvalidClientTokenId"
    message = "The security token included in the request is invalid."
    return _by_protocol(model, (code, 403), "UnrecognizedClientException", message)


_FAULTS: dict[Fault, Callable[[Any], AwsError]] = {
    Fault.ACCESS_DENIED: _denial,
    Fault.EXPIRED_TOKEN: _expired,
    Fault.CLOCK_SKEW: _clock_skew,
    Fault.UNKNOWN_KEY: _unknown_key,
    Fault.WRONG_REGION: _wrong_region,
    Fault.THROTTLED: _throttled,
    Fault.INTERNAL: lambda _: AwsError("InternalError", "We encountered an internal error. Please try again.", 500),
}
