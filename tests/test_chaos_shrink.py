"""Shrinking by law: what comes out fails, is no larger, and cannot be made smaller by a step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.chaos.shrink import shrink_plan
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Byte, Event, Plan, Rule, Time, catalogue, parse_rule, text_of

many = settings(max_examples=400 if SOAK else 30, deadline=None)
ids = st.sampled_from([info.id for info in catalogue().values() if info.make is not None])
places = (
    st.builds(Event, st.integers(1, 40))
    | st.builds(Event, st.integers(1, 40), inside=st.sampled_from(["utf8", "json", "crlf"]))
    | st.builds(Event, st.sampled_from(["first", "last", "terminator", -2]))
    | st.builds(Byte, st.integers(0, 3000))
    | st.builds(Time, st.floats(0, 5))
)
scopes = st.fixed_dictionaries(
    {}, optional={"times": st.integers(1, 3), "attempt": st.just("1..2"), "request": st.just(1)}
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    fault, at, scope = draw(ids), draw(places), draw(scopes)
    for place in (at, Event(7), Byte(7), None):
        try:
            return Rule(fault, at=place, **scope)
        except PlanError:
            continue
    raise AssertionError(f"{fault} takes no place")


plans = st.lists(rules(), min_size=1, max_size=4).map(lambda it: Plan(tuple(it)))


def counted(fails: Callable[[Plan], bool]) -> tuple[Callable[[Plan], bool], list[Plan]]:
    tried: list[Plan] = []

    def count(plan: Plan) -> bool:
        tried.append(plan)
        return fails(plan)

    return count, tried


def layers(plan: Plan) -> set[str]:
    return {rule.layer for rule in plan.rules}


@many
@given(plan=plans, data=st.data())
def test_what_comes_out_fails_and_was_tried(plan: Plan, data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(sorted(layers(plan))))
    fails, tried = counted(lambda it: wanted in layers(it))
    shrunk = shrink_plan(plan, fails)

    assert fails(shrunk.plan)
    assert shrunk.plan == plan or shrunk.plan in tried
    assert shrunk.trials == len(tried) - 1
    assert len(shrunk.plan.rules) == 1


@many
@given(plan=plans, data=st.data())
def test_shrinking_what_is_shrunk_changes_nothing(plan: Plan, data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(sorted(layers(plan))))
    least = data.draw(st.integers(1, 9))

    def fails(it: Plan) -> bool:
        return any(
            rule.layer == wanted
            and (
                not isinstance(rule.at, Event)
                or not isinstance(rule.at.n, int)
                or rule.at.n >= least
            )
            for rule in it.rules
        )

    if fails(plan):
        shrunk = shrink_plan(plan, fails, most=100_000)
        assert shrink_plan(shrunk.plan, fails, most=100_000).plan == shrunk.plan


@many
@given(plan=plans, most=st.integers(0, 30))
def test_it_takes_no_more_trials_than_it_may_and_none_twice(plan: Plan, most: int) -> None:
    fails, tried = counted(lambda it: True)
    shrunk = shrink_plan(plan, fails, most=most)

    assert shrunk.trials == len(tried) <= most
    assert len(set(map(repr, tried))) == len(tried)


@many
@given(plan=plans)
def test_what_fails_in_no_smaller_way_stays_as_it_is(plan: Plan) -> None:
    assert shrink_plan(plan, lambda it: it == plan).plan == plan


@many
@given(first=st.integers(1, 40), more=st.integers(0, 60))
def test_the_earliest_place_is_found_though_later_ones_do_not_fail(first: int, more: int) -> None:
    at = {first, first + more}

    def fails(plan: Plan) -> bool:
        [rule] = plan.rules
        return rule.fault == "body.fin" and isinstance(rule.at, Event) and rule.at.n in at

    shrunk = shrink_plan(Plan((Rule("body.fin", at=Event(first + more)),)), fails)

    assert [text_of(rule) for rule in shrunk.plan.rules] == [f"body.fin@event={first}"]


@pytest.mark.parametrize(
    ("large", "small"),
    [
        ("body.h2_rst@event=9,inside=json,code=CANCEL,times=2", "body.fin@event=1"),
        ("body.h2_rst@byte=1234,attempt=1..3", "body.fin@event=1"),
        ("body.clean_end@event=last", "body.fin@event=1"),
        ("body.stall@time=1.5,seconds=9", "body.fin@event=1"),
        ("body.slice@size=9,path=/v1/*", "body.fin@event=1"),
        ("sem.tool_delta@quirk=same_index", "sem.error_event@event=1"),
        ("head.429@form=http-date", "head.close"),
        ("json.surrogate@event=-1,kind=lone", "json.cut@event=1"),
    ],
)
def test_what_always_fails_comes_to_the_first_fault_of_its_layer(large: str, small: str) -> None:
    shrunk = shrink_plan(Plan((parse_rule(large),)), lambda _: True)

    assert [text_of(rule) for rule in shrunk.plan.rules] == [small]


def test_rules_that_only_fail_together_stay_together() -> None:
    plan = Plan(tuple(map(parse_rule, ("sse.comments", "body.fin@event=9", "json.cut@event=4"))))
    shrunk = shrink_plan(plan, lambda it: {"body", "json"} <= layers(it))

    assert [text_of(it) for it in shrunk.plan.rules] == ["body.fin@event=1", "json.cut@event=1"]
