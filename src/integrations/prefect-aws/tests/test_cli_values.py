"""What is wrong with an option is said before AWS is asked, with the option's name and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from prefect_aws._cli import values
from prefect_aws._cli.failures import CommandFailed

REGION = "eu-central-1"
CLOUD = "https://api.prefect.cloud/api/accounts/a/workspaces/b"
OWN = "https://prefect.example.org/api"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:prefect-key-AbCdEf"


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (lambda: values.stack_name("1st"), "--stack-name is '1st'; it must begin with a letter"),
        (lambda: values.stack_name("a" * 129), "at most 128"),
        (lambda: values.stack_name("a_b"), "--stack-name"),
        (lambda: values.work_pool_name(" "), "--work-pool-name is ' '"),
        (lambda: values.work_pool_name("a/b"), "nor contain"),
        (lambda: values.vpc_id("my-vpc"), "--existing-vpc-id is 'my-vpc'"),
        (lambda: values.subnet_ids(""), "--existing-subnet-ids is ''"),
        (lambda: values.subnet_ids("subnet-1;subnet-2"), "separated by commas"),
        (lambda: values.size(256, 4096), "--task-cpu 256 and --task-memory 4096 do not go together"),
        (lambda: values.size(256, 4096), "512, 1024 or 2048 MiB"),
        (lambda: values.size(300, 512), "256, 512, 1024"),
        (lambda: values.capacity(2, 1, 3), "--min-capacity is 2, --desired-count 1 and --max-capacity 3"),
        (lambda: values.capacity(1, 4, 3), "ascending"),
        (lambda: values.capacity(-1, 0, 1), "none of them negative"),
        (lambda: values.log_retention(31), "The nearest is 30"),
        (lambda: values.api_url("prefect.example.org"), "--prefect-api-url is 'prefect.example.org'"),
        (lambda: values.api_url("http://localhost:4200/api"), "can be reached from the VPC"),
        (lambda: values.docker_image("my image"), "--docker-image"),
        (lambda: values.cluster_identifier("a/b", region=REGION), "--existing-cluster-identifier is 'a/b'"),
        (lambda: values.cluster_arn("flows", region=REGION), "--existing-cluster-arn is 'flows'; it must be an ARN"),
        (
            lambda: values.cluster_arn("arn:aws:ecs:us-east-1:123456789012:cluster/flows", region=REGION),
            "which is in us-east-1, but the stack is in eu-central-1",
        ),
        (lambda: values.secret_arn("--prefect-api-key-secret-arn", "my-key", region=REGION), "not the ARN of a secret"),
        (lambda: values.secret_arn("--x", f"{SECRET}:field::", region=REGION), "a field of it cannot be named"),
        (lambda: values.secret_arn("--x", SECRET, region="us-east-1"), "which is in eu-central-1"),
    ],
)
def test_a_bad_value_is_refused_by_its_option(check: Callable[[], Any], said: str):
    with pytest.raises(CommandFailed) as caught:
        check()
    assert said in str(caught.value)


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(CommandFailed) as caught:
        values.api_url("https://admin:hunter22@prefect.example.org/api")
    assert "--prefect-auth-string" in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "chosen", "said"),
    [
        (CLOUD, {}, "Prefect Cloud asks for an API key"),
        (CLOUD, {"auth_string": "admin:x"}, "--prefect-auth-string is for Prefect servers of your own"),
        (
            CLOUD,
            {"api_key": "k", "api_key_secret_arn": SECRET},
            "--prefect-api-key-secret-arn and --prefect-api-key are",
        ),
        (OWN, {"api_key": "k", "auth_string": "admin:x"}, "give one of them"),
        (OWN, {"auth_string_secret_arn": "key"}, "--prefect-auth-string-secret-arn is not the ARN"),
    ],
)
def test_one_way_to_sign_in_is_asked_for(url: str, chosen: dict[str, str], said: str):
    with pytest.raises(CommandFailed) as caught:
        values.authentication(url, values.Authentication(**chosen), region=REGION)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("url", "chosen"),
    [
        (CLOUD, {"api_key": "k"}),
        (CLOUD, {"api_key_secret_arn": SECRET}),
        (OWN, {}),
        (OWN, {"auth_string": "admin:x"}),
        (OWN, {"auth_string_secret_arn": SECRET}),
        (OWN, {"api_key": "behind a proxy that asks for one"}),
    ],
)
def test_these_ways_to_sign_in_are_accepted(url: str, chosen: dict[str, str]):
    wanted = values.Authentication(**chosen)
    assert values.authentication(url, wanted, region=REGION) == wanted


def test_an_existing_stack_keeps_its_way_to_sign_in():
    assert not values.authentication(CLOUD, values.Authentication(), region=REGION, keeps_old=True).given()


def test_what_signs_in_does_not_show_itself(canary: str):
    assert canary not in repr(values.Authentication(api_key=canary))


def test_a_queue_is_called_after_its_pool():
    assert values.events_queue_name("my-ecs-pool") == "my-ecs-pool-events"


@pytest.mark.parametrize("pool", ["my pool", "müsli", "a.b", "p" * 200, "日本"])
def test_a_pool_that_no_queue_may_be_called_after_gets_one_of_its_own(pool: str):
    name = values.events_queue_name(pool)
    assert values._QUEUE_NAME.fullmatch(name)
    assert name.endswith("-events")
    assert name != values.events_queue_name(f"{pool}!")


def test_lists_may_have_blanks_and_repetitions():
    assert values.subnet_ids(" subnet-1, subnet-2,subnet-1,") == ["subnet-1", "subnet-2"]
    assert values.work_queues("a, b,,") == "a,b"
