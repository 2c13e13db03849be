"""Tasks: called in flows of both kinds, their effect is seen at the server and their result can be used."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Callable
from email.mime.multipart import MIMEMultipart
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.context import get_run_context

from prefect_email import EmailServerCredentials, SentEmail, email_send_many, email_send_message
from prefect_email.errors import (
    EmailAuthenticationError,
    EmailBatchError,
    EmailConnectionError,
    EmailError,
    EmailRecipientsRefused,
    HeaderInjection,
    InvalidEmail,
)
from prefect_integration_tests.backends.smtp import PASSWORD, USERNAME, SMTPBackend

Maker = Callable[..., EmailServerCredentials]


def mail(**fields: Any) -> dict[str, Any]:
    return {"subject": "Hi", "msg": "<p>x</p>", "email_from": "me@x.com", "email_to": "a@x.com", **fields}


def run_plainly(body: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run the body of a task outside of any flow."""
    return asyncio.run(body.fn(*args, **kwargs))  # pyright: ignore[reportFunctionMemberAccess]


def test_a_sync_flow_calls_it_as_it_stands(prefect_harness: None, tls: SMTPBackend, credentials_for: Maker) -> None:
    @flow
    def report() -> Any:
        return email_send_message(
            email_server_credentials=credentials_for(tls), subject="Hi", msg="<b>x</b>", email_to="a@x.com, b@x.com"
        )

    message = report()
    assert isinstance(message, MIMEMultipart)
    arrived = tls.mailbox.only()
    assert (arrived.sender, arrived.recipients) == (USERNAME, ("a@x.com", "b@x.com"))
    assert arrived.message["From"] == USERNAME
    assert arrived.message["Message-ID"] == message["Message-ID"]
    assert arrived.message.get_payload()[0].get_content() == "<b>x</b>"


def test_a_program_written_for_a_coroutine_may_run_the_result(
    prefect_harness: None, tls: SMTPBackend, credentials_for: Maker
) -> None:
    fields: dict[str, Any] = mail(email_server_credentials=credentials_for(tls))

    @flow
    def report() -> Any:
        called, run = email_send_message(**fields), asyncio.run(email_send_message(**fields))
        assert isinstance(called, MIMEMultipart)
        for again in (pickle.loads(pickle.dumps(called)), copy.deepcopy(called)):
            assert type(again) is MIMEMultipart
            assert again.as_bytes() == called.as_bytes()
        many = asyncio.run(email_send_many([mail()], fields["email_server_credentials"]))
        return [called["Message-ID"], run["Message-ID"], many[0].message_id]

    sent = report()
    assert [arrived["Message-ID"] for arrived in tls.mailbox.messages] == sent


async def test_an_async_flow_awaits_it(prefect_harness: None, starttls: SMTPBackend, credentials_for: Maker) -> None:
    @flow
    async def report() -> Any:
        return await email_send_message("Hi", "x", credentials_for(starttls), "plain", "me@x.com", ["a@x.com"])

    message = await report()
    arrived = starttls.mailbox.only()
    assert arrived.sender == "me@x.com"
    assert arrived.message["Message-ID"] == message["Message-ID"]
    plain, html = arrived.message.get_payload()[0].iter_parts()
    assert (plain.get_content(), html.get_content()) == ("plain", "x")


def test_it_is_submitted_with_options_of_its_own(
    prefect_harness: None, plain: SMTPBackend, credentials_for: Maker
) -> None:
    @flow
    def report(addresses: list[str]) -> list[Any]:
        credentials = credentials_for(plain)
        futures = [
            email_send_message.with_options(name=f"email {address}").submit(
                email_server_credentials=credentials, **mail(email_to=address)
            )
            for address in addresses
        ]
        return [future.result() for future in futures]

    messages = report(["a@x.com", "b@x.com"])
    assert sorted(message["To"] for message in messages) == ["a@x.com", "b@x.com"]
    assert sorted(arrived.recipients[0] for arrived in plain.mailbox.mails) == ["a@x.com", "b@x.com"]


def test_it_is_mapped(prefect_harness: None, plain: SMTPBackend, credentials_for: Maker) -> None:
    @flow
    def report() -> None:
        from prefect import unmapped

        credentials = unmapped(credentials_for(plain))
        email_send_message.map(
            subject=["one", "two"],
            msg="x",
            email_server_credentials=credentials,
            email_from="m@x.com",
            email_to="a@x.com",
        ).result()

    report()
    assert sorted(message["Subject"] for message in plain.mailbox.messages) == ["one", "two"]


def test_a_failing_flow_tells_of_its_error(prefect_harness: None, tls: SMTPBackend, credentials_for: Maker) -> None:
    def notify(exc: Exception) -> None:
        name = get_run_context().flow_run.name  # pyright: ignore[reportAttributeAccessIssue]
        credentials = credentials_for(tls)
        email_send_message(
            email_server_credentials=credentials,
            subject=f"Flow run {name!r} failed",
            msg=f"Flow run {name!r} failed due to {exc}.",
            email_to=credentials.username,
        )

    @flow
    def doomed() -> None:
        try:
            1 / 0  # noqa: B018
        except Exception as exc:
            notify(exc)
            raise

    with pytest.raises(ZeroDivisionError):
        doomed()
    message = tls.mailbox.only().message
    assert message["Subject"].startswith("Flow run ")
    assert "division by zero" in message.get_payload()[0].get_content()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_state_hook_tells_of_a_failure(
    kind: str, prefect_harness: None, plain: SMTPBackend, credentials_for: Maker
) -> None:
    async def tell(flow: Any, flow_run: Any, state: Any) -> None:
        await email_send_message(
            email_server_credentials=credentials_for(plain), **mail(subject=f"{flow.name} failed", msg=state.message)
        )

    @flow(name="nightly", on_failure=[tell])
    def sync_flow() -> None:
        raise RuntimeError("no data")

    @flow(name="nightly", on_failure=[tell])
    async def async_flow() -> None:
        raise RuntimeError("no data")

    if kind == "sync":
        await asyncio.to_thread(sync_flow, return_state=True)
    else:
        await async_flow(return_state=True)
    message = plain.mailbox.only().message
    assert message["Subject"] == "nightly failed"
    assert "no data" in message.get_payload()[0].get_content()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_task_retries_can_depend_on_whether_a_failure_may_pass(
    kind: str, prefect_harness: None, plain: SMTPBackend, credentials_for: Maker
) -> None:
    def may_pass(task: Any, task_run: Any, state: Any) -> bool:
        error = state.result(raise_on_failure=False)
        return isinstance(error, EmailError) and error.is_transient

    async def amay_pass(task: Any, task_run: Any, state: Any) -> bool:
        error = await state.aresult(raise_on_failure=False)
        return isinstance(error, EmailError) and error.is_transient

    condition: Any = may_pass if kind == "sync" else amay_pass
    send = email_send_message.with_options(retries=5, retry_condition_fn=condition)
    credentials = credentials_for(plain, max_attempts=1)

    @flow
    def sync_flow() -> None:
        send(email_server_credentials=credentials, **mail())

    @flow
    async def async_flow() -> None:
        await send(email_server_credentials=credentials, **mail())

    plain.mailbox.fail("RCPT", "450 4.2.0 Greylisted", times=2)
    plain.mailbox.fail("RCPT", "550 5.1.1 No such user")
    with pytest.raises(EmailRecipientsRefused, match="No such user"):
        await (asyncio.to_thread(sync_flow) if kind == "sync" else async_flow())
    assert plain.mailbox.connections == 3


def test_a_sync_task_calls_it_too(prefect_harness: None, plain: SMTPBackend, credentials_for: Maker) -> None:
    @task
    def notify() -> Any:
        return email_send_message.fn, email_send_message(email_server_credentials=credentials_for(plain), **mail())

    @flow
    def report() -> Any:
        return notify()

    assert report()[1]["Message-ID"] == plain.mailbox.only().message["Message-ID"]


def test_its_function_works_outside_of_a_flow(plain: SMTPBackend, credentials_for: Maker) -> None:
    run_plainly(email_send_message, email_server_credentials=credentials_for(plain), **mail())
    assert len(plain.mailbox.mails) == 1


def test_everything_that_a_mail_can_have_arrives(
    plain: SMTPBackend, credentials_for: Maker, tmp_path: Path, png: bytes
) -> None:
    picture, table = tmp_path / "chart.png", tmp_path / "table.csv"
    picture.write_bytes(png)
    table.write_text("a,b\n")
    run_plainly(
        email_send_message,
        email_server_credentials=credentials_for(plain),
        **mail(
            msg='<img src="cid:chart"><img src="cid:other">',
            msg_plain="two pictures",
            email_to=["Ann <a@x.com>", "b@x.com"],
            email_to_cc="c@x.com,d@x.com",
            email_to_bcc=["eve@x.com"],
            attachments=[str(table), ("größe.txt", BytesIO(b"x"), "text/plain")],
            inline_images={"chart": str(picture), "other": png},
            reply_to="help@x.com",
            headers={"X-Team": "data"},
            envelope_from="bounces@x.com",
            importance="low",
        ),
    )
    arrived = plain.mailbox.only()
    assert arrived.sender == "bounces@x.com"
    assert arrived.recipients == ("a@x.com", "b@x.com", "c@x.com", "d@x.com", "eve@x.com")
    message = arrived.message
    assert (message["To"], message["Cc"], message["Bcc"]) == ("Ann <a@x.com>, b@x.com", "c@x.com, d@x.com", None)
    assert b"eve" not in arrived.content
    assert (message["Reply-To"], message["X-Team"], message["Importance"]) == ("help@x.com", "data", "low")
    assert [part.get_filename() for part in message.iter_attachments() if part.get_filename()] == [
        "table.csv",
        "größe.txt",
    ]
    images = [part for part in message.walk() if part.get_content_maintype() == "image"]
    assert [(part["Content-ID"], part.get_filename()) for part in images] == [
        ("<chart>", "chart.png"),
        ("<other>", "other"),
    ]


def test_a_passing_failure_is_tried_again(plain: SMTPBackend, credentials_for: Maker, quick_retries: None) -> None:
    plain.mailbox.fail("MAIL", "451 4.3.0 Try later", times=3)
    run_plainly(email_send_message, email_server_credentials=credentials_for(plain), **mail())
    assert len(plain.mailbox.mails) == 1


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"email_to": None}, ValueError, "nobody to send"),
        ({"email_to": "not an address"}, InvalidEmail, "email_to: 'not an address'"),
        ({"email_from": None}, InvalidEmail, "email_from"),
        ({"subject": "Hi\r\nBcc: victim@x.com"}, HeaderInjection, "Subject"),
        ({"email_to": "a@x.com\nBcc: victim@x.com"}, HeaderInjection, "email_to"),
        ({"attachments": ["gone.csv"]}, FileNotFoundError, "gone.csv"),
        ({"attachments": ["/"]}, IsADirectoryError, "is a folder"),
        ({"inline_images": {"c": "gone.png"}}, FileNotFoundError, "gone.png"),
        ({"max_message_bytes": 10}, ValueError, "max_message_bytes"),
    ],
)
def test_a_mail_that_cannot_be_built_is_refused_before_anybody_is_called(
    fields: dict[str, Any], error: type[Exception], words: str, plain: SMTPBackend, credentials_for: Maker
) -> None:
    with pytest.raises(error, match=words) as caught:
        run_plainly(email_send_message, email_server_credentials=credentials_for(plain), **mail(**fields))
    assert isinstance(caught.value, EmailError)
    assert plain.mailbox.connections == 0


async def test_a_failure_ends_the_run_with_its_cause_and_without_secrets(
    prefect_harness: None, tls: SMTPBackend, credentials_for: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    @flow
    async def report() -> Any:
        await email_send_message(email_server_credentials=credentials_for(tls, password="c4nary-wrong"), **mail())

    state = await report(return_state=True)
    assert state.is_failed()
    with pytest.raises(EmailAuthenticationError):
        await state.aresult()
    assert f"localhost:{tls.port} does not accept the login" in str(state.message)
    assert "c4nary" not in f"{state.message}{''.join(capsys.readouterr())}"


def test_the_faces_have_the_same_parameters_and_the_published_ones_come_first() -> None:
    for name in ("email_send_message", "email_send_many"):
        published: Any = {"email_send_message": email_send_message, "email_send_many": email_send_many}[name]
        ours = inspect.signature(published._other).parameters.values()
        theirs = inspect.signature(published.fn).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]
    assert list(inspect.signature(email_send_message.fn).parameters)[:10] == [
        "subject",
        "msg",
        "email_server_credentials",
        "msg_plain",
        "email_from",
        "email_to",
        "email_to_cc",
        "email_to_bcc",
        "attachments",
        "inline_images",
    ]


# Many mails


def test_many_mails_go_over_one_connection(prefect_harness: None, tls: SMTPBackend, credentials_for: Maker) -> None:
    @flow
    def news(readers: list[str]) -> Any:
        return email_send_many([mail(email_to=reader) for reader in readers], credentials_for(tls))

    readers = [f"reader{number}@x.com" for number in range(30)]
    sent = news(readers)
    assert [item.recipients for item in sent] == [(reader,) for reader in readers]
    assert [arrived.recipients for arrived in tls.mailbox.mails] == [(reader,) for reader in readers]
    assert (tls.mailbox.connections, len(tls.mailbox.logins)) == (1, 1)


async def test_many_mails_go_in_an_async_flow(
    prefect_harness: None, plain: SMTPBackend, credentials_for: Maker
) -> None:
    @flow
    async def news() -> Any:
        return await email_send_many([mail(), mail()], credentials_for(plain))

    sent = await news()
    assert [type(item) for item in sent] == [SentEmail, SentEmail]
    assert (plain.mailbox.connections, len(plain.mailbox.mails)) == (1, 2)


def test_no_mails_need_no_connection(plain: SMTPBackend, credentials_for: Maker) -> None:
    assert run_plainly(email_send_many, [], credentials_for(plain)) == []
    assert plain.mailbox.connections == 0


def test_one_refused_mail_does_not_stop_the_others(plain: SMTPBackend, credentials_for: Maker) -> None:
    plain.mailbox.refuse("b@x.com")
    emails = [mail(email_to=f"{letter}@x.com") for letter in "abc"]
    with pytest.raises(EmailBatchError, match=r"2 of 3 mails were sent; 1 failed.*\nnumber 1: .*b@x\.com") as caught:
        run_plainly(email_send_many, emails, credentials_for(plain))
    assert [arrived.recipients for arrived in plain.mailbox.mails] == [("a@x.com",), ("c@x.com",)]
    assert set(caught.value.sent) == {0, 2}
    assert isinstance(caught.value.failures[1], EmailRecipientsRefused)
    assert plain.mailbox.connections == 1
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.sent == caught.value.sent
    assert repr(again.failures) == repr(caught.value.failures)


def test_the_first_failure_stops_when_asked(plain: SMTPBackend, credentials_for: Maker) -> None:
    plain.mailbox.refuse("b@x.com")
    emails = [mail(email_to=f"{letter}@x.com") for letter in "abc"]
    with pytest.raises(EmailBatchError) as caught:
        run_plainly(email_send_many, emails, credentials_for(plain), stop_on_failure=True)
    assert (set(caught.value.sent), set(caught.value.failures)) == ({0}, {1, 2})
    assert len(plain.mailbox.mails) == 1


def test_all_mails_are_checked_before_the_first_is_sent(plain: SMTPBackend, credentials_for: Maker) -> None:
    wrong: list[Any] = [mail(), mail(email_to=""), {"subject": "no text"}, mail(emial_to="x")]
    with pytest.raises(EmailBatchError, match="No mail was sent") as caught:
        run_plainly(email_send_many, wrong, credentials_for(plain))
    assert set(caught.value.failures) == {1, 2, 3}
    assert "msg" in str(caught.value.failures[2])
    assert "emial_to" in str(caught.value.failures[3])
    assert plain.mailbox.connections == 0


def test_a_wrong_password_is_tried_once_for_all_mails(tls: SMTPBackend, credentials_for: Maker) -> None:
    with pytest.raises(EmailBatchError, match="0 of 3") as caught:
        run_plainly(email_send_many, [mail()] * 3, credentials_for(tls, password="wrong"))
    assert isinstance(caught.value.failures[0], EmailAuthenticationError)
    assert tls.mailbox.connections == 1


def test_a_server_that_goes_for_good_ends_the_batch(
    plain: SMTPBackend, credentials_for: Maker, quick_retries: None
) -> None:
    credentials = credentials_for(plain, max_attempts=2)
    plain.mailbox.drop("RCPT", times=None)
    with pytest.raises(EmailBatchError, match="0 of 3") as caught:
        run_plainly(email_send_many, [mail()] * 3, credentials)
    assert isinstance(caught.value.failures[0], EmailConnectionError)
    assert plain.mailbox.connections == 2


def test_an_attachment_that_vanishes_meanwhile_fails_its_mail_only(
    plain: SMTPBackend, credentials_for: Maker, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")

    class Vanishing(BytesIO):
        def read(self, *args: Any) -> bytes:
            path.unlink()
            return b"x"

    emails = [mail(attachments=[("b.csv", Vanishing())]), mail(attachments=[path]), mail()]
    with pytest.raises(EmailBatchError) as caught:
        run_plainly(email_send_many, emails, credentials_for(plain))
    assert isinstance(caught.value.failures[1], FileNotFoundError)
    assert set(caught.value.sent) == {0, 2}


def test_the_password_stays_out_of_the_task_s_logs(
    prefect_harness: None, tls: SMTPBackend, credentials_for: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    @flow(log_prints=True)
    def report() -> None:
        credentials = credentials_for(tls)
        print(credentials)
        email_send_message(email_server_credentials=credentials, **mail())

    report()
    assert PASSWORD not in "".join(capsys.readouterr())
