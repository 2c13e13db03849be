"""Models check what is made, take what is read, and keep what they do not know."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from prefect_databricks.models import jobs as models
from prefect_databricks.models._model import OpenEnum

ALL = [getattr(models, name) for name in models.__all__ if name != "TaskKeyStr"]
ENUMS: list[Any] = [each for each in ALL if issubclass(each, OpenEnum)]
OBJECTS: list[Any] = [each for each in ALL if issubclass(each, BaseModel)]


@pytest.mark.parametrize("model", OBJECTS, ids=lambda model: model.__name__)
def test_every_model_can_be_built_and_described(model: Any) -> None:
    model.model_rebuild()
    assert model.model_json_schema()
    assert model.model_config["frozen"] is True
    for name, field in model.model_fields.items():
        assert name == "root" or (field.description or "").endswith("."), name


@pytest.mark.parametrize("enumeration", ENUMS, ids=lambda enumeration: enumeration.__name__)
def test_every_enumeration_takes_values_that_are_new_at_databricks(enumeration: Any) -> None:
    new = enumeration("SOMETHING_NEW")
    assert isinstance(new, enumeration)
    assert (new, new.name, new.value) == ("SOMETHING_NEW", "SOMETHING_NEW", "SOMETHING_NEW")
    assert enumeration("SOMETHING_NEW") == new
    assert new not in list(enumeration)
    assert pickle.loads(pickle.dumps(new)) == copy.deepcopy(new) == new
    with pytest.raises(ValueError, match="7"):
        enumeration(7)


def test_known_members_are_the_same_object_after_pickling() -> None:
    assert pickle.loads(pickle.dumps(models.RunResultState.success)) is models.RunResultState.success


ANSWER = {
    "run_id": 7,
    "state": {"life_cycle_state": "HIBERNATING", "result_state": "PARTLY", "state_message": ""},
    "trigger": "FULL_MOON",
    "run_type": "JOB_RUN",
    "schedule": {"quartz_cron_expression": "0 0 * * * ?", "timezone_id": "UTC", "pause_status": "HALF"},
    "tasks": [
        {
            "task_key": "a",
            "run_if": "NEVER",
            "depends_on": [{"task_key": "b", "why": "so"}],
            "new_cluster": {"spark_version": "x", "aws_attributes": {"availability": "MOON"}},
        }
    ],
    "git_source": {"git_url": "https://example.com/a.git", "git_provider": "newForge"},
    "a_new_field": {"deep": [1]},
}


@pytest.mark.parametrize(
    "read",
    [models.Run.model_validate, lambda answer: models.Run.model_validate_json(json.dumps(answer))],
    ids=["objects", "text"],
)
def test_an_answer_with_new_choices_and_fields_is_read_and_kept(read: Any) -> None:
    run = read(ANSWER)
    assert run.state.life_cycle_state == "HIBERNATING"
    assert run.trigger == "FULL_MOON"
    assert run.schedule.pause_status == "HALF"
    assert run.tasks[0].new_cluster.aws_attributes.availability == "MOON"
    assert run.a_new_field == {"deep": [1]}
    assert run.model_dump(mode="json", exclude_unset=True) == ANSWER
    assert pickle.loads(pickle.dumps(run)) == run


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: models.AwsAttributes(availability="SPOTT"), "availability"),
        (lambda: models.RunState(life_cycle_state="RUNING"), "life_cycle_state"),
        (lambda: models.NewCluster(spark_version="x", aws_attributes={"ebs_volume_type": "SSD"}), "ebs_volume_type"),
        (lambda: models.NewCluster(spark_version="x", num_workers="many"), "num_workers"),
        (lambda: models.NewCluster(), "spark_version"),
        (lambda: models.JobTaskSettings(task_key="a b"), "task_key"),
        (lambda: models.JobCluster(job_cluster_key=""), "job_cluster_key"),
        (lambda: models.JobTaskSettings(task_key="a", depends_on=[{"task_key": []}]), "depends_on"),
        (lambda: models.AccessControlRequest(user_name="a", permission_level="CAN_DO"), "permission_level"),
        (lambda: models.GitSource(git_provider="sourceforge"), "git_provider"),
        (lambda: models.JobSettings(job_clusters=[{"job_cluster_key": "a"}] * 101), "job_clusters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_in_code_is_told_by_field(make: Any, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        make()


def test_fields_of_a_later_version_are_kept_and_dumped() -> None:
    task = models.RunSubmitTaskSettings(task_key="a", some_new_task={"x": 1})
    assert task.model_dump(exclude_none=True) == {"task_key": "a", "some_new_task": {"x": 1}}


def test_models_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        models.AutoScale(min_workers=1).min_workers = 2


@pytest.mark.parametrize("name", ["schema", "schema_"])
def test_a_field_whose_name_python_has_taken_may_be_given_by_both(name: str) -> None:
    task = models.DbtTask(commands=["dbt run"], **{name: "sales"})
    assert task.schema_ == "sales"
    assert task.model_dump(by_alias=True, exclude_none=True) == {"commands": ["dbt run"], "schema": "sales"}


@pytest.mark.parametrize("name", ["s3", "S3"])
def test_an_init_script_in_s3_is_sent_as_databricks_spells_it(name: str) -> None:
    script = models.InitScriptInfo(**{name: {"destination": "s3://b/k", "region": "us-west-2"}})
    assert script.model_dump(by_alias=True, exclude_none=True) == {
        "s3": {"destination": "s3://b/k", "region": "us-west-2"}
    }


@pytest.mark.parametrize("given", [[{"task_key": "b"}], [models.TaskDependency(task_key="b")]], ids=["dicts", "models"])
def test_dependencies_may_be_any_list(given: Any) -> None:
    for dependencies in (given, models.TaskDependencies(given)):
        task = models.JobTaskSettings(task_key="a", depends_on=dependencies)
        assert isinstance(task.depends_on, models.TaskDependencies)
        assert task.depends_on == [models.TaskDependency(task_key="b")]
        assert task.model_dump(exclude_none=True)["depends_on"] == [{"task_key": "b"}]


@pytest.mark.parametrize("level", ["CAN_MANAGE", "CAN_MANAGE_RUN", "CAN_VIEW", "IS_OWNER"])
def test_permission_levels_are_told_apart(level: str) -> None:
    request = models.AccessControlRequest(user_name="a@example.com", permission_level=level)
    assert request.permission_level is not None
    assert isinstance(request.permission_level.root, Enum)
    assert request.model_dump(mode="json", exclude_none=True) == {
        "user_name": "a@example.com",
        "permission_level": level,
    }


def test_the_git_provider_may_be_in_any_case() -> None:
    assert models.GitSource(git_provider="GITHUB").git_provider == "gitHub"
    assert models.GitSource(git_provider="azuredevopsservices").git_provider == "azureDevOpsServices"


def test_numbers_are_taken_where_databricks_wants_text() -> None:
    assert models.PythonWheelTask(parameters=[1, "b"]).parameters == ["1", "b"]


def test_a_task_in_a_for_each_task_is_a_task() -> None:
    task = models.JobTaskSettings(
        task_key="all", for_each_task={"inputs": "[1, 2]", "task": {"task_key": "one", "run_if": "ALL_DONE"}}
    )
    assert task.for_each_task is not None
    assert isinstance(task.for_each_task.task, models.JobTaskSettings)


def test_many_threads_may_be_the_first_to_use_a_model() -> None:
    script = (
        "import sys, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from prefect_databricks.models import jobs as m\n"
        "sys.setswitchinterval(1e-6)\n"
        "barrier = threading.Barrier(8)\n"
        "def use(i):\n"
        "    barrier.wait()\n"
        "    if i % 2: return m.JobTaskSettings(task_key='a', new_cluster={'spark_version': 'x'})\n"
        "    return m.Run.model_validate({'tasks': [{'task_key': 'a'}]})\n"
        "with ThreadPoolExecutor(8) as pool: list(pool.map(use, range(8)))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_import_builds_no_model() -> None:
    script = (
        "from prefect_databricks.models import jobs as m\n"
        "from pydantic import BaseModel\n"
        "models = [getattr(m, name) for name in m.__all__ if isinstance(getattr(m, name), type)]\n"
        "built = [each for each in models if issubclass(each, BaseModel) and each.__pydantic_complete__]\n"
        "assert not built, built\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_password_is_neither_shown_nor_in_errors(canary: str) -> None:
    image = models.DockerImage(url="registry/image", basic_auth={"username": "me", "password": canary})
    assert canary not in repr(models.NewCluster(spark_version="x", docker_image=image))
    assert canary not in repr(models.DbtOutput(artifacts_headers={"token": canary}))
    assert image.basic_auth is not None
    assert image.basic_auth.password == canary
    with pytest.raises(ValidationError) as caught:
        models.NewCluster(spark_version="x", docker_image={"basic_auth": {"password": [canary]}})
    assert "basic_auth.password" in str(caught.value)
    assert canary not in str(caught.value)
