"""Templates of Azure Resource Manager: expressions, parameters, the order of resources."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_integration_tests.backends._azure.arm_errors import ArmError
from prefect_integration_tests.backends._azure.deployment_template import Place, Template
from prefect_integration_tests.backends._azure.template_expressions import TemplateError, evaluate
from prefect_integration_tests.backends._azure.template_functions import PLAIN, unique_string

from ._azure import SCHEMA

Json = dict[str, Any]
PLACE = Place("sub", "prefect", "westeurope", "run")


def template(**parts: Any) -> Json:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [], **parts}


def resource(name: str = "etl", **parts: Any) -> Json:
    kind = "Microsoft.ContainerInstance/containerGroups"
    return {"type": kind, "apiVersion": "2023-05-01", "name": name, **parts}


def read(raw: Json, **parameters: Any) -> Template:
    return Template(raw, {name: {"value": value} for name, value in parameters.items()}, PLACE)


def refused(raw: Json, **parameters: Any) -> str:
    with pytest.raises(ArmError) as caught:
        read(raw, **parameters)
    assert (caught.value.status, caught.value.code) == (400, "InvalidTemplate")
    return caught.value.message


def nothing(name: str, is_full: bool) -> Any:
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("[[not one]", "[not one]"),
        ("[concat('a', 'it''s', 1)]", "ait's1"),
        ("[toUpper(concat('a','b'))]", "AB"),
        ("[format('{0}-{1:D3}{{}}', 'x', 7)]", "x-007{}"),
        ("[if(equals(1, 2), div(1, 0), 'no')]", "no"),
        ("[createArray('a', 'b')[1]]", "b"),
        ("[createObject('a', createObject('b', 3)).a.b]", 3),
        ("[length(split('a,b;c', createArray(',', ';')))]", 3),
        ("[substring('prefect', 0, 3)]", "pre"),
        ("[replace(toLower('A_B'), '_', '-')]", "a-b"),
        ("[coalesce(null(), 'x')]", "x"),
        ("[and(true(), not(empty('')))]", False),
        ("[union(createObject('a', 1), createObject('b', 2))]", {"a": 1, "b": 2}),
        ("[base64ToString(base64('ü'))]", "ü"),
        ("[json('{\"a\": [1]}').a[0]]", 1),
        ("[string(createObject('a', true()))]", '{"a":true}'),
        ("[join(createArray('a', 'b'), '-')]", "a-b"),
        ("[max(1, 5, add(2, 2))]", 5),
        ("[contains(createArray('a'), 'a')]", True),
        ("[padLeft('7', 3, '0')]", "007"),
    ],
)
def test_expressions_are_evaluated(text, value):
    assert evaluate(text, PLAIN) == value


def test_expressions_are_found_however_deep():
    assert evaluate({"[concat('a','b')]": [{"x": "[add(1, 2)]"}, None, 1.5]}, PLAIN) == {"ab": [{"x": 3}, None, 1.5]}


@pytest.mark.parametrize(
    "text",
    ["[concat('a']", "[concat('a') b]", "[nope()]", "[concat('a]", "[a]", "[]", "[createArray(1)[3]]", "[int('x')]"],
)
def test_an_expression_that_is_wrong_is_refused(text):
    with pytest.raises(TemplateError):
        evaluate(text, PLAIN)


def test_a_unique_string_depends_on_its_texts_alone():
    assert unique_string("a", "b") == unique_string("a", "b") != unique_string("a", "c")
    assert len(unique_string("a")) == 13
    assert unique_string("a").isalnum()


def test_parameters_variables_and_surroundings_are_known():
    raw = template(
        parameters={"name": {"type": "string", "defaultValue": "[uniqueString(resourceGroup().id)]"}},
        variables={"full": "[concat(variables('start'), parameters('NAME'))]", "start": "x-"},
        resources=[
            resource("[variables('full')]", location="[resourceGroup().location]", tags={"d": "[deployment().name]"})
        ],
    )
    (planned,) = read(raw).resources
    own = unique_string("/subscriptions/sub/resourceGroups/prefect")
    assert planned.name == f"x-{own}"
    assert planned.body == {"location": "westeurope", "tags": {"d": "run"}}
    assert planned.id.endswith(f"/resourceGroups/prefect/providers/Microsoft.ContainerInstance/containerGroups/x-{own}")
    assert read(raw, name="etl").resources[0].name == "x-etl"


@pytest.mark.parametrize(
    ("spec", "value", "said"),
    [
        ({"type": "string"}, 1, "Expected a value of type 'string'"),
        ({"type": "int"}, True, "Expected a value of type 'int'"),
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "not part of the allowed value(s): 'a,b'"),
        ({"type": "string", "minLength": 2}, "a", "'minLength' is '2'"),
        ({"type": "int", "maxValue": 2}, 3, "'maxValue' is '2'"),
        ({"type": "cow"}, "a", "unknown type 'cow'"),
    ],
    ids=["string", "int", "allowed", "length", "value", "type"],
)
def test_a_parameter_that_does_not_fit_is_refused(spec, value, said):
    assert said in refused(template(parameters={"p": spec}), p=value)


def test_parameters_that_are_missing_or_unknown_are_refused():
    assert "'p' is not provided" in refused(template(parameters={"p": {"type": "string"}}))
    assert "do not correspond to any parameters" in refused(template(), q=1)


def test_values_of_secure_parameters_are_not_shown():
    raw = template(
        parameters={"a": {"type": "secureString"}, "b": {"type": "secureObject"}, "c": {"type": "int"}},
        outputs={"x": {"type": "secureString", "value": "[parameters('a')]"}, "y": {"type": "int", "value": 3}},
    )
    done = read(raw, a="s3cret", b={"k": "s3cret"}, c=1)
    assert done.shown_parameters == {
        "a": {"type": "SecureString"},
        "b": {"type": "SecureObject"},
        "c": {"type": "Int", "value": 1},
    }
    assert done.outputs(nothing) == {"x": {"type": "secureString"}, "y": {"type": "Int", "value": 3}}


def test_resources_are_ordered_by_what_they_depend_on():
    first = resource("first", dependsOn=["[resourceId('Microsoft.ContainerInstance/containerGroups', 'second')]"])
    raw = template(resources=[first, resource("second", dependsOn=["third"]), resource("third")])
    assert [each.name for each in read(raw).resources] == ["third", "second", "first"]
    assert "Circular" in refused(template(resources=[resource("a", dependsOn=["b"]), resource("b", dependsOn=["a"])]))
    assert "'c' is not defined" in refused(template(resources=[resource("a", dependsOn=["c"])]))


def test_resources_may_have_conditions_copies_and_symbols():
    copied = resource("[concat('etl-', copyIndex())]", copy={"name": "loop", "count": 2})
    raw = template(resources=[resource("no", condition="[equals(1, 2)]"), copied])
    assert [each.name for each in read(raw).resources] == ["etl-0", "etl-1"]
    raw = template(languageVersion="2.0", resources={"one": resource("etl"), "two": resource("b", dependsOn=["one"])})
    assert [each.symbol for each in read(raw).resources] == ["one", "two"]


def test_references_are_evaluated_when_what_they_name_is_there():
    raw = template(
        resources=[
            resource("a"),
            resource("b", tags={"ip": "[reference('a').ip]", "id": "[reference('a', '', 'Full').id]"}),
        ]
    )
    done = read(raw)
    body = done.body_of(done.resources[1], lambda name, is_full: {"id": name} if is_full else {"ip": "10.0.0.1"})
    assert body == {"tags": {"ip": "10.0.0.1", "id": "a"}}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"contentVersion": "1", "resources": []}, "'$schema'"),
        ({"$schema": SCHEMA, "resources": []}, "'contentVersion' not found"),
        ({"$schema": SCHEMA, "contentVersion": "1"}, "'resources' not found"),
        (template(resource=[]), "Could not find member 'resource'"),
        (template(resources=[{"type": "a/b", "name": "x"}]), "has no 'apiVersion'"),
        (template(resources=[resource("a/b")]), "incorrect segment lengths"),
        (template(resources=[resource("a"), resource("A")]), "occurs more than once"),
        (template(resources=[resource("[parameters('x')]")]), "The template parameter 'x' is not found"),
    ],
    ids=["schema", "version", "resources", "member", "api-version", "segments", "twice", "parameter"],
)
def test_a_template_that_is_wrong_is_refused(raw, said):
    assert said in refused(raw)
