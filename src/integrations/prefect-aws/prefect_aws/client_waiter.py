"""A task that waits for a long-running AWS operation, with boto3's waiters or one's own."""

import copy
from typing import Any, cast

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.replaced import is_replaced
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .credentials import AwsCredentials
from .errors import (
    AwsConnectionFailed,
    AwsInvalidRequest,
    AwsThrottled,
    AwsUnavailable,
    aws_errors,
    error_class,
)

_clock: Clock = SYSTEM_CLOCK


class _Wait:
    """One wait, look by look. botocore's own loop can only block a thread, and a throttled look ends it."""

    def __init__(self, waiter: "_Waiter", subject: str, arguments: dict[str, Any]) -> None:
        options = cast("dict[str, Any]", arguments.pop("WaiterConfig", None) or {})
        self._waiter = waiter
        self._subject = subject
        self._arguments = arguments
        self._acceptors = list(waiter.config.acceptors)
        self._delay_seconds = float(options.get("Delay", waiter.config.delay))
        self._attempts_left = int(options.get("MaxAttempts", waiter.config.max_attempts))
        self._matched = ""
        self._was_reached = False

    @classmethod
    def open(
        cls,
        service: str,
        waiter_name: str,
        credentials: AwsCredentials,
        definition: dict[str, Any] | None,
        arguments: dict[str, Any],
    ) -> "_Wait | _OwnWait":
        client = credentials.get_client(service)
        subject = f"Waiter {waiter_name!r} of {service}"
        with aws_errors(subject):
            waiter = _find_waiter(client, waiter_name, definition, subject)
        if not isinstance(waiter, _Waiter):
            return _OwnWait(waiter, subject, arguments)
        return cls(waiter, subject, dict(arguments))

    def look(self) -> float | None:
        """Look once.

        Returns:
            Seconds until the next look, `None` when the wait is over.
        """
        try:
            response = self._response()
        except AwsConnectionFailed as exc:
            if not self._was_reached:
                raise
            return self._next({"Error": {"Code": exc.code, "Message": str(exc)}})
        self._was_reached = True
        for acceptor in self._acceptors:
            if acceptor.matcher_func(response):
                self._matched = acceptor.explanation
                if acceptor.state == "success":
                    return None
                if acceptor.state == "failure":
                    reason = f"Waiter encountered a terminal failure state: {acceptor.explanation}"
                    self._fail(reason, response)
                return self._next(response)
        error: dict[str, Any] = response.get("Error") or {}
        if "Code" in error and not issubclass(error_class(error["Code"]), AwsThrottled | AwsUnavailable):
            self._fail(f"An error occurred ({error['Code']}): {error.get('Message', '')}", response)
        return self._next(response)

    def _response(self) -> dict[str, Any]:
        import botocore
        from botocore.exceptions import ClientError

        method_name: str = cast("Any", botocore).xform_name(self._waiter.config.operation)
        operation = getattr(self._waiter.client, method_name)
        with aws_errors(self._subject):
            try:
                return operation(**self._arguments)
            except ClientError as exc:
                return cast("dict[str, Any]", exc.response)

    def _next(self, response: dict[str, Any]) -> float:
        self._attempts_left -= 1
        if self._attempts_left <= 0:
            seen = f". Previously accepted state: {self._matched}" if self._matched else ""
            self._fail(f"Max attempts exceeded{seen}", response)
        return self._delay_seconds

    def _fail(self, reason: str, response: dict[str, Any]) -> None:
        from botocore.exceptions import WaiterError

        with aws_errors(self._subject):
            raise WaiterError(name=self._waiter.name, reason=reason, last_response=response)


class _Waiter:
    """A waiter's name and botocore configuration, with the client that it looks through."""

    def __init__(self, name: str, config: Any, client: Any) -> None:
        self.name = name
        self.config = config
        self.client = client


class _OwnWait:
    """The wait of a waiter that is not botocore's own, such as one that a test puts there: it waits by itself."""

    def __init__(self, waiter: Any, subject: str, arguments: dict[str, Any]) -> None:
        self._waiter = waiter
        self._subject = subject
        self._arguments = arguments

    def look(self) -> None:
        """Wait until it is over."""
        with aws_errors(self._subject):
            self._waiter.wait(**self._arguments)


def _find_waiter(client: Any, name: str, definition: dict[str, Any] | None, subject: str) -> Any:
    """Find what a waiter looks for, as a `_Waiter`; one that is not botocore's own is returned as it is."""
    from botocore.waiter import Waiter, WaiterModel

    if definition is None:
        if name not in client.waiter_names:
            known = ", ".join(client.waiter_names) or "none"
            raise AwsInvalidRequest(
                f"{subject} does not exist. There are: {known}. For another one give waiter_definition.",
                subject=subject,
            )
        waiter = client.get_waiter(name)
        if not issubclass(type(waiter), Waiter) or is_replaced(Waiter, "wait", "botocore.waiter"):
            return waiter
        return _Waiter(waiter.name, waiter.config, client)
    if name not in (definition.get("waiters") or {}):
        raise AwsInvalidRequest(
            f"{subject} is not in waiter_definition; its key 'waiters' must hold it.",
            subject=subject,
        )
    model: Any = WaiterModel(copy.deepcopy(definition))
    return _Waiter(name, model.get_waiter(name), client)


@task
async def aclient_waiter(
    client: str,
    waiter_name: str,
    aws_credentials: AwsCredentials,
    waiter_definition: dict[str, Any] | None = None,
    **waiter_kwargs: Any,
) -> None:
    """Async form of `client_waiter`. Only the looks take a thread, not the time between them."""
    wait = await run_sync_in_worker_thread(
        _Wait.open, client, waiter_name, aws_credentials, waiter_definition, waiter_kwargs
    )
    run_logger(__name__).info("Waiting on %s job", client)
    while (delay := await run_sync_in_worker_thread(wait.look)) is not None:
        await _clock.asleep(delay)
    run_logger(__name__).info("Finished waiting on %s job", client)


@sync_task(aclient_waiter)
def client_waiter(
    client: str,
    waiter_name: str,
    aws_credentials: AwsCredentials,
    waiter_definition: dict[str, Any] | None = None,
    **waiter_kwargs: Any,
) -> None:
    """Wait until an AWS resource is in the state that a boto3 waiter describes.

    A look that is throttled, or meets a broken connection after an earlier one got through, counts as "not yet".

    Args:
        client: The service to ask, as boto3 names it, such as `batch` or `ec2`.
        waiter_name: Name of the waiter, such as `instance_exists`, or of one in `waiter_definition`.
        aws_credentials: Who we are at AWS.
        waiter_definition: A waiter model of one's own: a dictionary with `version` 2 and, under `waiters`, the
            definition, in botocore's format.
        waiter_kwargs: Arguments of the operation that the waiter repeats, and `WaiterConfig`, a dictionary with `Delay`
            (seconds between two looks) and `MaxAttempts`.

    Raises:
        AwsInvalidRequest: If there is no such waiter. It is a `ValueError`.
        AwsWaitFailed: If the resource can no longer come into that state. It is a `RuntimeError` and a botocore
            `WaiterError`.
        AwsWaitTimeout: If the attempts were used up. It is a `TimeoutError` and a botocore `WaiterError`.
        AwsError: If the service refuses to be asked.

    Example:
        Wait until an EC2 instance exists:

        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.client_waiter import client_waiter

        @flow
        def example_client_wait_flow():
            client_waiter(
                "ec2",
                "instance_exists",
                AwsCredentials.load("BLOCK_NAME"),
                InstanceIds=["i-0123456789abcdef0"],
                WaiterConfig={"Delay": 5, "MaxAttempts": 60},
            )
        ```
    """
    wait = _Wait.open(client, waiter_name, aws_credentials, waiter_definition, waiter_kwargs)
    run_logger(__name__).info("Waiting on %s job", client)
    while (delay := wait.look()) is not None:
        _clock.sleep(delay)
    run_logger(__name__).info("Finished waiting on %s job", client)
