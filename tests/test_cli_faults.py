"""`cassette-stream faults`: all of the catalogue, as a person and as a program reads it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from test_cli import run

from cassette_stream.cli.breaking import Layer
from cassette_stream.cli.faults import WORDS, example_of
from cassette_stream.faults import FaultInfo, catalogue, parse_rule
from cassette_stream.faults.framing import FRAMINGS
from cassette_stream.faults.info import LAYERS

pytestmark = pytest.mark.matrix(5)

ALL = tuple(catalogue().values())


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("info", ALL, ids=lambda info: info.id)
def test_the_example_of_every_fault_is_a_rule_of_that_fault(info: FaultInfo) -> None:
    rule = parse_rule(example_of(info))

    assert rule.fault == info.id
    assert (rule.at is not None) is bool(info.places)


@pytest.mark.parametrize("info", ALL, ids=lambda info: info.id)
def test_everything_about_a_fault_is_told(info: FaultInfo) -> None:
    lines = run("faults", info.id).stdout.splitlines()
    told = words(" ".join(lines))
    framings = [FRAMINGS[it] for it in info.framings or ()]
    parts = [info.id, info.name, info.description, info.transport, info.reference, info.kind]
    parts += [*info.places, *info.insides, *(info.dialects or ()), *framings, WORDS[info.expect]]
    for parameter in info.parameters:
        parts += [parameter.name, parameter.description, *parameter.choices, parameter.accepted()]

    assert [part for part in parts if words(part) not in told] == []
    assert max(map(len, lines[:-1])) <= 80
    assert lines[-1].startswith("as in ")


@pytest.mark.parametrize("columns", [64, 80, 120])
def test_the_list_has_every_fault_once_and_fits_the_terminal(columns: int) -> None:
    result = run("faults", COLUMNS=str(columns))
    lines = result.stdout.splitlines()
    ids = [
        found[1] for line in lines if (found := re.match(r"[★ ] ([a-z]+\.\S+) +[a-z]+ +\S", line))
    ]

    assert ids == list(catalogue())
    assert max(map(len, lines)) <= columns
    assert sum(line.startswith("★ ") for line in lines) == sum(info.common for info in ALL)
    assert result.exit_code == 0


def test_layers_are_those_of_the_catalogue_in_its_order() -> None:
    assert tuple(Layer) == LAYERS
    assert sorted(ALL, key=lambda info: LAYERS.index(info.layer)) == list(ALL)


@pytest.mark.parametrize("layer", LAYERS)
def test_one_layer_is_that_layer_alone(layer: str) -> None:
    told: list[dict[str, Any]] = json.loads(run("faults", "--layer", layer, "--json").stdout)

    assert [it["id"] for it in told] == [info.id for info in ALL if info.layer == layer]


def test_the_json_has_all_of_the_catalogue() -> None:
    told = {it["id"]: it for it in json.loads(run("faults", "--json").stdout)}

    assert told.keys() == catalogue().keys()
    for info in ALL:
        it = told[info.id]
        assert (it["name"], it["expect"], it["common"]) == (info.name, info.expect, info.common)
        assert it["places"] == list(info.places)
        assert [one["name"] for one in it["parameters"]] == [one.name for one in info.parameters]
        assert it == json.loads(run("faults", info.id, "--json").stdout)


def test_a_number_is_told_with_its_range_and_a_word_without() -> None:
    found = {
        (info.id, one["name"]): one
        for info in ALL
        for one in json.loads(run("faults", info.id, "--json").stdout)["parameters"]
    }

    assert found["body.stall", "seconds"]["default"] == "inf"
    assert found["body.stall", "seconds"]["low"] == 0
    assert found["body.stall", "seconds"]["low_is_excluded"] is True
    assert found["head.garbage", "what"]["choices"] == ["banner", "tls_alert"]
    assert found["head.garbage", "what"]["low"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("faults", "body.fim"), "error: no fault 'body.fim'; nearest: body.fin; "),
        (("faults", "nothing"), "error: no fault 'nothing'; "),
        (("faults", "body.fin", "--layer", "body"), "give one of them"),
        (("faults", "--layer", "nothing"), "'nothing' is not one of"),
    ],
    ids=["near", "far", "both", "layer"],
)
def test_what_there_is_not_is_told_with_code_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)

    assert message in words(result.stderr.replace("│", " "))
    assert result.exit_code == 2


def test_a_pipe_gets_no_control_codes() -> None:
    for arguments in (["faults"], ["faults", "body.fin"], ["faults", "--json"]):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", run(*arguments).stdout)
