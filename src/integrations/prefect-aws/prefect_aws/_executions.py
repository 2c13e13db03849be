"""Executions of Step Functions' state machines: start or take over, look, stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.run_keys import run_key
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._remote_work import RemoteWork, is_passing, persist
from .credentials import AwsCredentials
from .errors import AwsAlreadyExists, AwsError, AwsInvalidRequest, AwsJobFailed, AwsNotFound, aws_errors

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
_SUCCEEDED = "SUCCEEDED"
_FAILED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})

# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
_MAX_INPUT_BYTES = 262_144
_MAX_NAME = 80
_HISTORY_EVENTS = 100
_MAX_CAUSE = 32_768


@dataclass(frozen=True)
class ExecutionResult:
    """An execution that has ended with success.

    Attributes:
        execution_arn: ARN of the execution.
        name: Its name.
        status: `SUCCEEDED`.
        output: What it returned, read from JSON.
        started_at: When it began.
        stopped_at: When it ended.
    """

    execution_arn: str
    name: str
    status: str
    output: Any
    started_at: datetime
    stopped_at: datetime | None


@dataclass(frozen=True)
class ExecutionRequest:
    """What is to be started.

    Attributes:
        state_machine_arn: The state machine.
        input: The input as JSON text.
        names: Names to try, in order.
        is_named: Whether the caller chose the name.
        options: Further arguments of StartExecution.
    """

    state_machine_arn: str
    input: str
    names: tuple[str, ...]
    is_named: bool
    options: Mapping[str, Any]

    @classmethod
    def make(
        cls, state_machine_arn: str, execution_input: Any, name: str | None, options: Mapping[str, Any]
    ) -> ExecutionRequest:
        """Check the arguments and name the execution after the task run, where it has no name.

        Raises:
            AwsInvalidRequest: If the ARN or the input is not one, or the name is too long.
        """
        subject = f"Step Functions state machine {state_machine_arn!r}"
        if not state_machine_arn.startswith("arn:"):
            raise AwsInvalidRequest(
                f"{subject}: state_machine_arn is no ARN; it looks like "
                "arn:aws:states:REGION:ACCOUNT:stateMachine:NAME.",
                subject=subject,
            )
        if name is not None and not 0 < len(name) <= _MAX_NAME:
            raise AwsInvalidRequest(
                f"{subject}: the name of the execution has {len(name)} characters; from 1 to {_MAX_NAME} are allowed.",
                subject=subject,
            )
        text = _as_json(execution_input, subject)
        key = run_key({"state_machine": state_machine_arn, "input": text})
        names = tuple(key.names()) if name is None else (name,)
        return cls(state_machine_arn, text, names, name is not None, options)


def _as_json(value: Any, subject: str) -> str:
    try:
        text = json.dumps({} if value is None else value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as exc:
        raise AwsInvalidRequest(
            f"{subject}: execution_input cannot be written as JSON ({exc}). Give text, numbers, lists, dictionaries.",
            subject=subject,
        ) from exc
    size = len(text.encode())
    if size > _MAX_INPUT_BYTES:
        raise AwsInvalidRequest(
            f"{subject}: execution_input has {size} bytes as JSON; at most {_MAX_INPUT_BYTES} are allowed. Put what is "
            "long into S3 and pass its key.",
            subject=subject,
        )
    return text


class Execution(RemoteWork[ExecutionResult]):
    """One execution of a state machine.

    Args:
        credentials: Who we are at AWS.
        request: What to start.
        must_be_standard: Whether EXPRESS state machines are refused.
        clock: Time.
    """

    def __init__(
        self,
        credentials: AwsCredentials,
        request: ExecutionRequest,
        *,
        must_be_standard: bool = True,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._credentials = credentials
        self._request = request
        self._must_be_standard = must_be_standard
        self._clock = clock
        self._seen: Mapping[str, Any] = {}
        self.arn = ""

    @property
    def _client(self) -> Any:
        return self._credentials.get_client("stepfunctions")

    @property
    def _machine(self) -> str:
        return f"Step Functions state machine {self._request.state_machine_arn.rpartition(':stateMachine:')[2]!r}"

    @property
    def subject(self) -> str:
        """The state machine, and the execution once there is one."""
        if not self.arn:
            return self._machine
        return f"{self._machine}, execution {self.arn.rpartition(':')[2]}"

    @property
    def is_started(self) -> bool:
        """Whether it is under way, as far as is known."""
        return bool(self.arn) and self._seen.get("status") not in (_SUCCEEDED, *_FAILED)

    def start(self) -> None:
        """Start it, or take over what an earlier try of the same task run started."""
        if self._must_be_standard:
            self._refuse_express()
        logger = run_logger(__name__)
        for number, name in enumerate(self._request.names, 1):
            try:
                arn = self._start(name)
            except AwsAlreadyExists:
                is_last = number == len(self._request.names)
                if not self._adopts(name, is_last=is_last):
                    continue
                logger.info("Took over %s, which was started before", self.subject)
                return
            if self._must_be_standard and ":express:" in arn:
                raise AwsInvalidRequest(
                    f"{_express(self._machine)} One execution was started before that was known.",
                    subject=self._machine,
                )
            self.arn = arn
            logger.info("Started %s", self.subject)
            return

    def _start(self, name: str) -> str:
        client = self._client
        with aws_errors(self._machine):
            answer = client.start_execution(
                stateMachineArn=self._request.state_machine_arn,
                name=name,
                input=self._request.input,
                **self._request.options,
            )
        return str(answer["executionArn"])

    def _refuse_express(self) -> None:
        client = self._client
        try:
            with aws_errors(self._machine):
                kind = client.describe_state_machine(stateMachineArn=self._request.state_machine_arn)["type"]
        except AwsNotFound:
            raise
        except AwsError as exc:
            if is_passing(exc):
                raise
            run_logger(__name__).debug("Could not ask for the type of %s: %s", self._machine, exc)
            return
        if kind == "EXPRESS":
            raise AwsInvalidRequest(_express(self._machine), subject=self._machine)

    def _adopts(self, name: str, *, is_last: bool) -> bool:
        """Take over the execution of that name; `False` when a new one should be started instead."""
        arn = _execution_arn(self._request.state_machine_arn, name)
        client = self._client
        with aws_errors(f"{self._machine}, execution {name}"):
            found = client.describe_execution(executionArn=arn)
        if not _same_json(found.get("input"), self._request.input):
            raise AwsAlreadyExists(
                f"{self._machine}: there is an execution {name!r} with another input. Give another name.",
                subject=self._machine,
                code="ExecutionAlreadyExists",
            )
        if found["status"] in _FAILED and not is_last and not self._request.is_named:
            return False
        self.arn, self._seen = arn, found
        return True

    def look(self) -> bool:
        """Describe it."""
        client = self._client
        with aws_errors(self.subject):
            self._seen = client.describe_execution(executionArn=self.arn)
        run_logger(__name__).debug("%s is %s", self.subject, self._seen["status"])
        return self._seen["status"] in (_SUCCEEDED, *_FAILED)

    def result(self) -> ExecutionResult:
        """What it returned, or why it failed."""
        status = str(self._seen["status"])
        if status in _FAILED:
            raise self._failure(status)
        run_logger(__name__).info("%s succeeded", self.subject)
        return ExecutionResult(
            execution_arn=self.arn,
            name=str(self._seen.get("name", "")),
            status=status,
            output=_from_json(self._seen.get("output")),
            started_at=self._seen["startDate"],
            stopped_at=self._seen.get("stopDate"),
        )

    def _failure(self, status: str) -> AwsJobFailed:
        error = str(self._seen.get("error") or "")
        cause = str(self._seen.get("cause") or "")
        state = self._failed_state()
        where = f" in state {state!r}" if state else ""
        why = ": ".join(part for part in (error, cause) if part) or "Step Functions gives no reason."
        return AwsJobFailed(
            f"{self.subject} ended as {status}{where}: {why}", subject=self.subject, code=error or status
        )

    def _failed_state(self) -> str | None:
        """Find the state that failed in the last events of the history; without the right to read it, nothing."""
        client = self._client

        def read() -> list[Mapping[str, Any]]:
            with aws_errors(self.subject):
                answer = client.get_execution_history(
                    executionArn=self.arn, reverseOrder=True, maxResults=_HISTORY_EVENTS, includeExecutionData=False
                )
            return cast("list[Mapping[str, Any]]", answer["events"])

        try:
            return failed_state(persist(read, self._clock))
        except AwsError as exc:
            run_logger(__name__).warning("Could not read the history of %s: %s", self.subject, exc)
            return None

    def stop(self, reason: str) -> None:
        """Stop it; the cause says that it was Prefect."""
        client = self._client
        with aws_errors(self.subject):
            client.stop_execution(executionArn=self.arn, error="Prefect.Stopped", cause=reason[:_MAX_CAUSE])


def failed_state(events: list[Mapping[str, Any]]) -> str | None:
    """Find the state in which an execution ended.

    Args:
        events: The last events of its history, the newest first, as GetExecutionHistory returns them.

    Returns:
        Its name; `None` when it stands before these events or the execution failed in none.
    """
    known = {int(event["id"]): event for event in events}
    event = events[0] if events else None
    for _ in range(len(events)):
        if event is None:
            return None
        entered = cast("Mapping[str, Any]", event.get("stateEnteredEventDetails") or {})
        if entered.get("name"):
            return str(entered["name"])
        before = int(event.get("previousEventId") or int(event["id"]) - 1)
        event = known.get(before)
    return None


def _execution_arn(state_machine_arn: str, name: str) -> str:
    """ARN of an execution: that of its machine, without version or alias, with the name."""
    parts = state_machine_arn.split(":")
    return ":".join([*parts[:5], "execution", parts[6], name])


def _express(machine: str) -> str:
    return (
        f"{machine} is EXPRESS: its executions can be neither looked at nor stopped. Start it with start_execution, "
        "which does not wait, or make it STANDARD."
    )


def _same_json(one: str | None, other: str) -> bool:
    return _from_json(one) == _from_json(other)


def _from_json(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:  # AWS keeps to JSON; what is not stays text
        return text
