"""Client parameters reach boto3 as it wants them, and can be saved whatever they were made from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from prefect_aws.client_parameters import AwsClientParameters


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text("certificates")
    return path


def test_only_what_is_set_is_passed_on() -> None:
    assert AwsClientParameters().get_params_override() == {"use_ssl": True}
    assert AwsClientParameters(
        api_version="2006-03-01", use_ssl=False, endpoint_url="http://x"
    ).get_params_override() == {
        "api_version": "2006-03-01",
        "use_ssl": False,
        "endpoint_url": "http://x",
    }


def test_the_config_becomes_botocore_s() -> None:
    options = {"retries": {"mode": "adaptive", "total_max_attempts": 9}, "s3": {"addressing_style": "path"}}
    config = AwsClientParameters(config=options).get_params_override()["config"]
    assert isinstance(config, Config)
    assert (config.retries, config.s3) == (options["retries"], options["s3"])


@pytest.mark.parametrize("given", [{"signature_version": "unsigned"}, Config(signature_version=UNSIGNED)])
def test_unsigned_requests_can_be_asked_for_and_saved(given: Any) -> None:
    parameters = AwsClientParameters(config=given)
    assert parameters.get_params_override()["config"].signature_version is UNSIGNED
    again = AwsClientParameters.model_validate_json(parameters.model_dump_json())
    assert again == parameters


def test_a_config_object_is_kept_as_its_arguments() -> None:
    parameters = AwsClientParameters(config=Config(connect_timeout=3, proxies={"https": "proxy:3128"}))
    assert parameters.config == {"connect_timeout": 3, "proxies": {"https": "proxy:3128"}}


def test_a_password_in_a_proxy_s_url_is_not_shown(canary: str) -> None:
    parameters = AwsClientParameters(config={"proxies": {"https": f"http://me:{canary}@proxy"}})
    assert canary not in repr(parameters)


def test_a_bundle_takes_the_place_of_verify(bundle: Path) -> None:
    assert AwsClientParameters(verify_cert_path=bundle).get_params_override()["verify"] == str(bundle)
    assert AwsClientParameters(verify=True, verify_cert_path=bundle).get_params_override()["verify"] == str(bundle)
    assert AwsClientParameters(verify=True).get_params_override()["verify"] is True


def test_a_path_in_verify_still_works_and_warns(bundle: Path) -> None:
    with pytest.warns(DeprecationWarning, match="verify_cert_path"):
        parameters = AwsClientParameters(verify=bundle)
    assert parameters.get_params_override()["verify"] == str(bundle)


def test_a_bundle_that_is_not_used_warns(bundle: Path) -> None:
    with pytest.warns(UserWarning, match="no effect"):
        parameters = AwsClientParameters(verify=False, verify_cert_path=bundle)
    assert parameters.get_params_override()["verify"] is False


def test_nothing_warns_where_nothing_is_wrong(bundle: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AwsClientParameters(verify=False)
        AwsClientParameters(verify_cert_path=bundle)
        AwsClientParameters()


def test_a_missing_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="verify_cert_path"):
        AwsClientParameters(verify_cert_path=tmp_path / "none.pem")


def test_equal_parameters_have_equal_hashes() -> None:
    first, second = (AwsClientParameters(config={"retries": {"mode": "standard"}}) for _ in range(2))
    assert hash(first) == hash(second)
    assert hash(first) != hash(AwsClientParameters(config={"retries": {"mode": "legacy"}}))
