# ---
# title: A release told in one thread
# description: Roll a release out by a flow that keeps one Slack message up to date, with replies, a log and a hook.
# icon: slack
# keywords: ["slack", "notification", "thread", "webhook", "rate limit", "file upload", "state hook"]
# dependencies: ["prefect-slack", "prefect-integration-tests"]
# cmd: ["python", "examples/slack_release.py"]
# order: 14
# ---
#
# A shop rolls a release out to three regions. The team does not want a message for each step: it wants one in the
# channel that always says how far things are, the details as replies below it, and the log as a file. And when the
# rollout fails, those on call want to hear of it by a webhook, even if nobody reads the thread.
#
# The program needs no Slack account: a server in the shape of Slack's Web API and a Prefect server start with it, and
# end with it. The server limits the rate once, as Slack does to those who write much, and the flow waits as it is told.

import os

from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import (
    SlackCredentials,
    SlackWebhook,
    add_reaction,
    remove_reaction,
    send_chat_message,
    update_chat_message,
    upload_file,
)
from prefect_slack.errors import SlackError

REGIONS = ["north", "east", "south"]
CAPACITY = {"north": 7, "east": 12, "south": 4}

# ## Roll out one region
#
# An ordinary task. It fails where there is no capacity; the release then must not go on.


@task
def roll_out(release: str, region: str) -> str:
    if CAPACITY[region] < 1:
        raise RuntimeError(f"{region} has no free machine")
    return f"{release} runs on {CAPACITY[region]} machines in {region}"


# ## Tell of it
#
# `send_chat_message` returns what names the message: the channel's ID and `ts`. `update_chat_message` changes
# the text, `add_reaction` shows the state at a glance, and `thread_ts` makes a reply of a message or a file.
#
# Telling must not break what is told of: an error of Slack's in the end is logged, and the release counts.


def bar(done: int) -> str:
    return ":large_green_square:" * done + ":white_large_square:" * (len(REGIONS) - done)


def tell_of_failure(flow, flow_run, state) -> None:
    SlackWebhook.load("on-call").notify(state.message, subject=f"{flow.name}: {flow_run.name} has failed")


@flow(name="Rollout", on_failure=[tell_of_failure])
def rollout(release: str) -> str:
    slack_credentials = SlackCredentials.load("slack")
    message = send_chat_message("#general", slack_credentials, f"*{release}* {bar(0)}", with_permalink=True)
    where = (message["channel"], slack_credentials, message["ts"])
    add_reaction(*where, "hourglass_flowing_sand")
    log = []
    for done, region in enumerate(REGIONS, start=1):
        try:
            log.append(roll_out(release, region))
        except RuntimeError as error:
            remove_reaction(*where, "hourglass_flowing_sand")
            add_reaction(*where, "x")
            send_chat_message(message["channel"], slack_credentials, f"Stopped: {error}.", thread_ts=message["ts"])
            raise
        send_chat_message(message["channel"], slack_credentials, log[-1], thread_ts=message["ts"])
        update_chat_message(*where, f"*{release}* {bar(done)}")
    try:
        content = "\n".join(log).encode()
        upload_file(message["channel"], slack_credentials, content, "rollout.log", title="Log", thread_ts=message["ts"])
        remove_reaction(*where, "hourglass_flowing_sand")
        add_reaction(*where, "white_check_mark")
    except SlackError as error:
        print(f"The release is out, but Slack does not know all of it: {error}")
    return message["permalink"]


# ## See what the team sees
#
# The first release goes well, though Slack asks for patience in between. The second meets a region without machines.


def show(slack: SlackServer) -> None:
    for message in slack.channel("general").messages:
        indent = "    " if "thread_ts" in message else ""
        files = "".join(f" [{file['title']}: {file['name']}]" for file in message.get("files", []))
        reactions = "".join(f" :{name}:" for name in message.get("reactions", []))
        print(f"  {indent}{message['text']}{files}{reactions}")
    for post in slack.hook_posts:
        print(f"  on call: {post['blocks'][0]['text']['text']}")


if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # the temporary server must not report its use either
    with SlackServer() as slack, prefect_test_harness(server_startup_timeout=120):
        SlackCredentials(token=TOKEN, base_url=slack.api_url).save("slack")
        SlackWebhook(url=slack.webhook_url).save("on-call")

        slack.fail("chat.postMessage", "ratelimited", status=429, retry_after="1", skip=2)
        link = rollout("shop 4.1")
        print(f"\n{link}")
        CAPACITY["east"] = 0
        state = rollout("shop 4.2", return_state=True)
        print(f"The second rollout: {state.name}\n")

        show(slack)
        print(f"\nSlack was asked {len(slack.calls)} times.")
