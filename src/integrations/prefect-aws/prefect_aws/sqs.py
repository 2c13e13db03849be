"""Amazon SQS: tasks that send, receive and delete messages, and a trigger that starts flow runs for them.

Examples:
    Work off what is in a queue:

    ```python
    from prefect import flow
    from prefect_aws import AwsCredentials
    from prefect_aws.sqs import delete_messages, receive_messages

    @flow
    def print_orders(queue_url: str) -> None:
        credentials = AwsCredentials.load("BLOCK_NAME")
        messages = receive_messages(queue_url, credentials, max_messages=100)
        for message in messages:
            print(message.json())
        delete_messages(queue_url, messages, credentials)
    ```

    Start a run of a deployment for each message, in a process of its own:

    ```python
    from prefect_aws import AwsCredentials
    from prefect_aws.sqs import SqsFlowTrigger

    if __name__ == "__main__":
        SqsFlowTrigger(
            queue_url="https://sqs.eu-central-1.amazonaws.com/123456789012/orders",
            deployment="pack-order/nightly",
            parameters={"number": "order.number"},
            aws_credentials=AwsCredentials.load("BLOCK_NAME"),
        ).serve()
    ```
"""

from collections.abc import Sequence
from typing import Any

from prefect.tasks import task

from prefect_integration_kit.dispatch import run_sync_in_worker_thread, sync_task
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.message_trigger import TriggerCounts
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from ._sqs_queue import OutgoingMessage, SqsMessage, SqsQueue
from ._sqs_trigger import SqsFlowTrigger
from .credentials import AwsCredentials

__all__ = [
    "OutgoingMessage",
    "SqsFlowTrigger",
    "SqsMessage",
    "TriggerCounts",
    "adelete_messages",
    "areceive_messages",
    "asend_message",
    "asend_messages",
    "delete_messages",
    "receive_messages",
    "send_message",
    "send_messages",
]

_clock: Clock = SYSTEM_CLOCK


def _receive(
    queue_url: str,
    aws_credentials: AwsCredentials,
    max_messages: int,
    wait_seconds: int,
    visibility_seconds: int | None,
) -> list[SqsMessage]:
    queue = SqsQueue(queue_url, aws_credentials, _clock)
    messages = queue.receive_many(max_messages, wait_seconds, visibility_seconds)
    run_logger(__name__).info("Received %d messages from %s", len(messages), queue.subject)
    return messages


@task
async def areceive_messages(
    queue_url: str,
    aws_credentials: AwsCredentials,
    max_messages: int = 10,
    wait_seconds: int = 20,
    visibility_seconds: int | None = None,
) -> list[SqsMessage]:
    """Async form of `receive_messages`."""
    return await run_sync_in_worker_thread(
        _receive, queue_url, aws_credentials, max_messages, wait_seconds, visibility_seconds
    )


@sync_task(areceive_messages)
def receive_messages(
    queue_url: str,
    aws_credentials: AwsCredentials,
    max_messages: int = 10,
    wait_seconds: int = 20,
    visibility_seconds: int | None = None,
) -> list[SqsMessage]:
    """Receive messages. They stay in the queue, hidden from others, until `delete_messages` or their time is up.

    Args:
        queue_url: URL of the queue.
        aws_credentials: Who we are at AWS.
        max_messages: How many to receive at most. It receives ten at a time until there are so many or the queue has
            no more to give.
        wait_seconds: Seconds to wait for the first message, up to 20; 0 does not wait, and may miss messages that are
            there ([long polling](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html)).
        visibility_seconds: Seconds for which others do not receive the messages, up to 43,200; as the queue says when
            not given.

    Returns:
        The messages; none when none came in time.

    Raises:
        AwsNotFound: If there is no such queue.
        AwsInvalidRequest: If `queue_url` is no URL, or a number is out of its range.
        AwsAccessDenied: If this identity may not receive from the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.sqs import delete_messages, receive_messages

        @flow
        def print_orders(queue_url: str) -> None:
            credentials = AwsCredentials.load("BLOCK_NAME")
            messages = receive_messages(queue_url, credentials, visibility_seconds=300)
            for message in messages:
                print(message.json())
            delete_messages(queue_url, messages, credentials)
        ```
    """
    return _receive(queue_url, aws_credentials, max_messages, wait_seconds, visibility_seconds)


def _delete(queue_url: str, messages: Sequence[SqsMessage | str], aws_credentials: AwsCredentials) -> None:
    queue = SqsQueue(queue_url, aws_credentials, _clock)
    queue.delete([message if isinstance(message, str) else message.receipt_handle for message in messages])
    run_logger(__name__).info("Deleted %d messages from %s", len(messages), queue.subject)


@task
async def adelete_messages(
    queue_url: str, messages: Sequence[SqsMessage | str], aws_credentials: AwsCredentials
) -> None:
    """Async form of `delete_messages`."""
    await run_sync_in_worker_thread(_delete, queue_url, messages, aws_credentials)


@sync_task(adelete_messages)
def delete_messages(queue_url: str, messages: Sequence[SqsMessage | str], aws_credentials: AwsCredentials) -> None:
    """Delete messages that were received, ten with each request. Deleting one again is harmless.

    Args:
        queue_url: URL of the queue.
        messages: The messages, or their receipt handles.
        aws_credentials: Who we are at AWS.

    Raises:
        AwsBatchRefused: If some were not deleted, for example because their handle is too old. Its `failed` names
            them by their place.
        AwsNotFound: If there is no such queue.
        AwsAccessDenied: If this identity may not delete from the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.sqs import delete_messages, receive_messages

        @flow
        def empty_queue(queue_url: str) -> None:
            credentials = AwsCredentials.load("BLOCK_NAME")
            while messages := receive_messages(queue_url, credentials, max_messages=100, wait_seconds=2):
                delete_messages(queue_url, messages, credentials)
        ```
    """
    _delete(queue_url, messages, aws_credentials)


def _send(queue_url: str, messages: Sequence[Any], aws_credentials: AwsCredentials) -> list[str]:
    queue = SqsQueue(queue_url, aws_credentials, _clock)
    ids = queue.send(messages)
    run_logger(__name__).info("Sent %d messages to %s", len(ids), queue.subject)
    return ids


@task
async def asend_messages(queue_url: str, messages: Sequence[Any], aws_credentials: AwsCredentials) -> list[str]:
    """Async form of `send_messages`."""
    return await run_sync_in_worker_thread(_send, queue_url, messages, aws_credentials)


@sync_task(asend_messages)
def send_messages(queue_url: str, messages: Sequence[Any], aws_credentials: AwsCredentials) -> list[str]:
    """Send messages, ten with each request.

    What SQS could not take for a reason on its own side is sent again for a minute. A retry of the task sends all
    messages again: where that matters, use a FIFO queue and give each message a `deduplication_id`.

    Args:
        queue_url: URL of the queue.
        messages: Bodies: text as it is, anything else as JSON; or `OutgoingMessage`s, which can have more.
        aws_credentials: Who we are at AWS.

    Returns:
        IDs of the messages, in the order given.

    Raises:
        AwsBatchRefused: If some were not accepted. Its `failed` names them by their place; the others were sent.
        AwsInvalidRequest: If a message is empty or cannot be written as JSON; nothing was sent then.
        AwsNotFound: If there is no such queue.
        AwsAccessDenied: If this identity may not send to the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.sqs import OutgoingMessage, send_messages

        @flow
        def announce_orders(queue_url: str, numbers: list[int]) -> list[str]:
            messages = [OutgoingMessage({"order": number}, delay_seconds=60) for number in numbers]
            return send_messages(queue_url, messages, AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    return _send(queue_url, messages, aws_credentials)


@task
async def asend_message(queue_url: str, message: Any, aws_credentials: AwsCredentials) -> str:
    """Async form of `send_message`."""
    return (await run_sync_in_worker_thread(_send, queue_url, [message], aws_credentials))[0]


@sync_task(asend_message)
def send_message(queue_url: str, message: Any, aws_credentials: AwsCredentials) -> str:
    """Send one message.

    Args:
        queue_url: URL of the queue.
        message: Its body: text as it is, anything else as JSON; or an `OutgoingMessage`, which can have more.
        aws_credentials: Who we are at AWS.

    Returns:
        ID of the message.

    Raises:
        AwsBatchRefused: If it was not accepted.
        AwsInvalidRequest: If it is empty or cannot be written as JSON.
        AwsNotFound: If there is no such queue.
        AwsAccessDenied: If this identity may not send to the queue.

    Example:
        ```python
        from prefect import flow
        from prefect_aws import AwsCredentials
        from prefect_aws.sqs import send_message

        @flow
        def announce_order(queue_url: str, number: int) -> str:
            return send_message(queue_url, {"order": number}, AwsCredentials.load("BLOCK_NAME"))
        ```
    """
    return _send(queue_url, [message], aws_credentials)[0]
