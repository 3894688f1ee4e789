"""The probes: ways to run code, told by the catalogue and performed by no replay."""

from __future__ import annotations

import pytest

from cassette_stream.exceptions import PlanError
from cassette_stream.faults import FaultInfo, Plan, Rule, catalogue, end
from cassette_stream.faults.injector import Injector

IDS = ("close_evicts", "close_hangs", "cancel_leak", "abandoned", "cross_loop")


def test_the_layer_has_all_its_rows() -> None:
    assert [id_ for id_ in catalogue() if id_.startswith("end.")] == [f"end.{it}" for it in IDS]


@pytest.mark.parametrize("info", end.FAULTS, ids=lambda info: info.id)
def test_a_probe_breaks_nothing_and_a_correct_client_survives_it(info: FaultInfo) -> None:
    assert info.kind == "probe"
    assert info.make is None
    assert info.expected(None) == "tolerates"
    assert info.has(None)
    with pytest.raises(PlanError, match=r"is a way to run code: chaos\.sweep does that"):
        Rule(info.id).build()
    with pytest.raises(PlanError, match="is a way to run code"):
        Injector(Plan((Rule(info.id),)))
