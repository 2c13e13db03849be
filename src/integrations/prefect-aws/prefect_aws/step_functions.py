"""AWS Step Functions: tasks that start an execution of a state machine and wait for its result.

Examples:
    Start an execution and use its output:

    ```python
    from prefect import flow
    from prefect_aws import AwsCredentials
    from prefect_aws.step_functions import start_execution_and_wait

    @flow
    def pack_order(number: int) -> str:
        execution = start_execution_and_wait(
            "arn:aws:states:eu-central-1:123456789012:stateMachine:pack-order",
            AwsCredentials.load("BLOCK_NAME"),
            execution_input={"order": number},
            timeout_seconds=900,
        )
        return execution.output["parcel"]
    ```
"""

from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._executions import Execution, ExecutionRequest, ExecutionResult
from ._remote_work import Patience, arun, persist, run
from .credentials import AwsCredentials

__all__ = [
    "ExecutionResult",
    "astart_execution",
    "astart_execution_and_wait",
    "start_execution",
    "start_execution_and_wait",
]

_clock: Clock = SYSTEM_CLOCK


def _start(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any,
    name: str | None,
    options: dict[str, Any],
) -> str:
    request = ExecutionRequest.make(state_machine_arn, execution_input, name, options)
    execution = Execution(aws_credentials, request, must_be_standard=False, clock=_clock)
    persist(execution.start, _clock)
    return execution.arn


@task
async def astart_execution(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any = None,
    name: str | None = None,
    **start_kwargs: Any,
) -> str:
    """Async form of `start_execution`."""
    return await run_sync_in_worker_thread(
        _start, state_machine_arn, aws_credentials, execution_input, name, start_kwargs
    )


@sync_task(astart_execution)
def start_execution(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any = None,
    name: str | None = None,
    **start_kwargs: Any,
) -> str:
    """Start an execution of a state machine, without waiting for it.

    A retry of the task finds the execution that the task run started before: one that is under way or succeeded is
    taken, after one that failed a new one is started. For EXPRESS state machines, which know no names, each try starts
    an execution.

    Args:
        state_machine_arn: ARN of the state machine, of a version or of an alias.
        aws_credentials: Who we are at AWS.
        execution_input: Input of the execution: whatever can be written as JSON, `{}` when not given. It may have
            [256 KiB](https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
        name: Name of the execution, of at most 80 characters. It is made of the task run's ID when not given. For 90
            days there can be one execution of a name: it is taken when it has the same input.
        start_kwargs: Further arguments of boto3's
            [`start_execution`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/stepfunctions/client/start_execution.html).

    Returns:
        ARN of the execution.

    Raises:
        AwsNotFound: If there is no such state machine.
        AwsInvalidRequest: If the input is not JSON or too long, or an argument is refused.
        AwsAlreadyExists: If there is an execution of that name with another input.
        AwsAccessDenied: If this identity may not start it.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.step_functions import start_execution

        @flow
        def pack_order(number: int) -> str:
            return start_execution(
                "arn:aws:states:eu-central-1:123456789012:stateMachine:pack-order",
                AwsCredentials.load("BLOCK_NAME"),
                execution_input={"order": number},
                name=f"order-{number}",
            )
        ```
    """
    return _start(state_machine_arn, aws_credentials, execution_input, name, start_kwargs)


def _execution(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any,
    name: str | None,
    options: dict[str, Any],
) -> Execution:
    request = ExecutionRequest.make(state_machine_arn, execution_input, name, options)
    return Execution(aws_credentials, request, clock=_clock)


@task
async def astart_execution_and_wait(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any = None,
    name: str | None = None,
    interval_seconds: float = 5.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> ExecutionResult:
    """Async form of `start_execution_and_wait`. Only the requests take a thread, not the time between them."""
    execution = _execution(state_machine_arn, aws_credentials, execution_input, name, start_kwargs)
    return await arun(execution, Patience(interval_seconds, timeout_seconds, clock=_clock))


@sync_task(astart_execution_and_wait)
def start_execution_and_wait(
    state_machine_arn: str,
    aws_credentials: AwsCredentials,
    execution_input: Any = None,
    name: str | None = None,
    interval_seconds: float = 5.0,
    timeout_seconds: float | None = None,
    **start_kwargs: Any,
) -> ExecutionResult:
    """Start an execution of a STANDARD state machine and wait until it has succeeded.

    When the wait is cancelled, interrupted or out of time, the execution is stopped. Looks that fail for a passing
    reason (throttling, lost connections, errors on AWS's side) are repeated for ten minutes.

    A retry of the task attaches to the execution that the task run started before, when that one is under way or has
    succeeded; after one that failed, a new one is started.

    EXPRESS state machines are refused: their executions can be neither looked at nor stopped
    ([workflow types](https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html)). The type is
    asked for before anything is started, where this identity may call `states:DescribeStateMachine`.

    Args:
        state_machine_arn: ARN of the state machine, of a version or of an alias.
        aws_credentials: Who we are at AWS.
        execution_input: Input of the execution: whatever can be written as JSON, `{}` when not given. It may have
            [256 KiB](https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
        name: Name of the execution, of at most 80 characters. It is made of the task run's ID when not given. For 90
            days there can be one execution of a name: it is waited for when it has the same input.
        interval_seconds: Seconds between two looks at the execution.
        timeout_seconds: Seconds after which to give up; `None` waits for ever.
        start_kwargs: Further arguments of boto3's
            [`start_execution`](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/services/stepfunctions/client/start_execution.html).

    Returns:
        The execution at its end, with its output read from JSON.

    Raises:
        AwsJobFailed: If the execution failed, timed out or was aborted. It is a `RuntimeError` and names the execution,
            the error, its cause, and the state that failed.
        AwsWaitTimeout: If the time was up. It is a `TimeoutError`.
        AwsNotFound: If there is no such state machine.
        AwsInvalidRequest: If the state machine is EXPRESS, the input is no JSON or too long, or an argument is refused.
        AwsAlreadyExists: If there is an execution of that name with another input.
        AwsAccessDenied: If this identity may not start it.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.step_functions import start_execution_and_wait

        @flow
        def pack_order(number: int) -> str:
            execution = start_execution_and_wait(
                "arn:aws:states:eu-central-1:123456789012:stateMachine:pack-order",
                AwsCredentials.load("BLOCK_NAME"),
                execution_input={"order": number},
            )
            return execution.output["parcel"]
        ```
    """
    execution = _execution(state_machine_arn, aws_credentials, execution_input, name, start_kwargs)
    return run(execution, Patience(interval_seconds, timeout_seconds, clock=_clock))
