"""Plans: as YAML both ways, chance that is the same everywhere, and which rule wins."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies_faults import plans, rules
from support import SOAK

from cassette_stream.cassette.model import Request
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import (
    AfterText,
    Byte,
    Distribution,
    Event,
    Match,
    Occasion,
    Plan,
    Range,
    Rule,
    Span,
    Time,
    When,
    body,
    parse_rule,
    plan_of,
    read_plan,
    write_plan,
)
from cassette_stream.faults.draws import draw
from cassette_stream.script import Emit, Head

some = settings(
    max_examples=1000 if SOAK else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

THE_PLAN = """\
faults:
  schema: 1
  seed: 20261123              # optional; printed when drawn
  mode: all                   # all | one | swarm(p)   (which rules are active in a run)
  on_unfired: error
  rules:
    - name: dies-inside-emoji
      fault: body.fin          # id from the catalogue (or family.how)
      at: {event: 6, inside: utf8}
      scope: {request: 1, attempt: 1}
      expect: raises            # raises | tolerates | either  -> default from the catalogue
    - name: overloaded-mid-stream
      fault: sem.error_event
      with: {type: overloaded_error, message: Overloaded}
      at: {after_text: 20}
      scope: {match: {path: "*/messages", model: "claude-*"}, times: 2}   # then works
    - name: slow-start
      fault: head.delay
      with: {distribution: lognormal, median: 900ms, sigma: 0.6, max: 30s}
      p: 0.3
    - name: drip
      fault: body.slice
      with: {size: 1..7, every: 0ms}      # slicer: new chunk boundaries, same bytes
    - name: rate-limited-twice
      fault: head.429
      with: {retry_after: "1", form: seconds}   # seconds | http-date | ms | absent | inf
      scope: {attempt: 1..2}
"""


def test_the_plan_of_the_manual_reads_as_it_is_meant() -> None:
    assert read_plan(THE_PLAN) == Plan(
        (
            Rule(
                "body.fin", at=Event(6, inside="utf8"), name="dies-inside-emoji",
                request=1, attempt=1, expect="raises",
            ),
            Rule(
                "sem.error_event", at=AfterText(20), name="overloaded-mid-stream", times=2,
                parameters={"type": "overloaded_error", "message": "Overloaded"},
                match=Match(path="*/messages", model="claude-*"),
            ),
            Rule(
                "head.delay", name="slow-start", p=0.3,
                parameters={"seconds": Distribution(median=0.9, sigma=0.6, most=30.0)},
            ),
            Rule("body.slice", name="drip", parameters={"size": Range(1, 7)}),
            Rule("head.429", name="rate-limited-twice", attempt=Span(1, 2)),
        ),
        seed=20261123,
    )  # fmt: skip


def test_the_plan_of_the_manual_is_written_as_it_was_read() -> None:
    assert read_plan(write_plan(read_plan(THE_PLAN))) == read_plan(THE_PLAN)


@some
@given(plans())
def test_what_write_plan_writes_read_plan_reads(plan: Plan) -> None:
    text = write_plan(plan)

    assert read_plan(text) == plan
    assert read_plan(text.encode()) == plan
    assert write_plan(read_plan(text)) == text


@some
@given(plans())
def test_other_readers_of_yaml_read_the_same(plan: Plan) -> None:
    told = yaml.safe_load(write_plan(plan))["faults"]

    assert told["seed"] == plan.seed
    assert [rule["name"] for rule in told["rules"]] == [rule.name for rule in plan.rules]
    assert [rule["fault"] for rule in told["rules"]] == [rule.fault for rule in plan.rules]


@some
@given(plans())
def test_plans_can_be_printed_and_pickled(plan: Plan) -> None:
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert repr(plan.seed) in repr(plan)


PIECES = [
    "faults:", "  rules:", "  - fault: body.fin", "    at: {event: 1}", "    at: {event: {type: a}}",
    "    with: {seconds: 1}", "    p: 0.5", "  seed: 1", "  mode: one", "  schema: 2", "    scope:",
    "      times: 2", "      match: {path: x}", "    name: [a]", "  - 5", "- x", "  rules: []", "a: &b c",
    "    at: {when: 5}", "  mode: [x]", "  on_unfired: {}", "\t", "  seed: 1e999", "    at: {time: 1s}",
    "    with: {distribution: uniform}", "    expect: []", "      match: {body: {'a b': 1}}", "...", "---",
]  # fmt: skip


@some
@given(st.lists(st.sampled_from(PIECES)).map("\n".join) | st.text() | st.binary())
def test_any_text_is_a_plan_or_a_plan_error(data: str | bytes) -> None:
    try:
        plan = read_plan(data)
    except PlanError:
        return

    assert read_plan(write_plan(plan)) == plan


def a_rule(text: str) -> str:
    return f"faults:\n  rules:\n  - {text}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1:1: here the document ends, and there is nothing in it"),
        ("# nothing\n", "p.yaml:2:1: here the document ends, and there is nothing in it"),
        ("faults:\r\n  mode: \x1f\n", "p.yaml:2:9: control characters are not allowed; write it as an escape"),
        ("faults: 5\n", "p.yaml:1:9: 'faults' takes a map, and here is text"),
        ("fault:\n  rules: []\n", "p.yaml:1:1: the plan has no 'fault'; did you mean 'faults'?"),
        ("faults:\n  seeds: 5\n", "p.yaml:2:3: faults has no 'seeds'; did you mean 'seed'?"),
        ("faults:\n  schema: 2\n", "p.yaml:2:11: this is a plan of schema 2, and this package reads 1"),
        ("faults:\n  seed: x\n", "seed is 'x'; it can be a whole number"),
        ("faults:\n  mode: some\n", "mode is 'some'; it can be all, one, or as in swarm(0.5)"),
        ("faults:\n  mode: [all]\n", "mode is ['all']; it can be"),
        ("faults:\n  mode: swarm(2)\n", "mode is 'swarm(2)'; it can be"),
        ("faults:\n  on_unfired: [x]\n", "on_unfired is ['x']; it can be error or warn"),
        ("faults:\n  layered: maybe\n", "layered is 'maybe'; it can be true or false"),
        ("faults: &a {}\n", "p.yaml:1:9: a cassette takes no anchors"),
        ("faults: {\n", "p.yaml:"),
        (a_rule("5"), "p.yaml:3:5: a rule takes a map, not 5"),
        (a_rule("{at: {event: 1}}"), "p.yaml:3:5: a rule names its fault, as in fault: body.fin"),
        (a_rule("{fault: body.fim, at: {event: 1}}"), "p.yaml:3:5: no fault 'body.fim'; nearest: body.fin"),
        (a_rule("{fault: body.fin, where: 1}"), "p.yaml:3:5: a rule takes no 'where'; "),
        (a_rule("{fault: body.fin, at: 5}"), "p.yaml:3:5: at takes a map, not 5"),
        (a_rule("{fault: body.fin, at: {}}"), "p.yaml:3:5: at takes one place, as in {event: 3}; this has 0"),
        (a_rule("{fault: body.fin, at: {event: 1, byte: 2}}"), "at takes one place, as in {event: 3}; this has event, byte"),
        (a_rule("{fault: body.fin, at: {evnt: 1}}"), "p.yaml:3:5: at takes no 'evnt'; nearest: event; "),
        (a_rule("{fault: body.fin, at: {event: 1, before: true}}"), "p.yaml:3:5: at takes no 'before'; a place is before its event, unless after: true"),
        (a_rule("{fault: body.fin, at: {event: 1, nth: 2}}"), "p.yaml:3:5: at takes no 'nth'; it counts the events of one type"),
        (a_rule("{fault: body.fin, at: {event: {type: a}, type: b}}"), "p.yaml:3:5: type is there twice, in event and beside it"),
        (a_rule("{fault: body.fin, at: {event: {kind: a}}}"), "p.yaml:3:5: event takes no 'kind'"),
        (a_rule("{fault: body.fin, at: {byte: 1, inside: utf8}}"), "inside says more of an event, and this has a byte"),
        (a_rule("{fault: body.fin, at: {event: [1]}}"), "event is [1]; it can be a whole number, first, last or terminator"),
        (a_rule("{fault: body.fin, at: {event: 1, inside: [x]}}"), "inside is ['x']; it can be"),
        (a_rule("{fault: body.fin, at: {event: 1, inside: chunk_header}}"), "inside is 'chunk_header'; it can be blank_line"),
        (a_rule("{fault: body.fin, at: {event: 1, after: 1}}"), "after is 1; it can be true or false"),
        (a_rule("{fault: body.fin, at: {when: 5}}"), "when is 5; write it like choices[0].finish_reason==stop"),
        (a_rule("{fault: body.fin, at: {time: [1]}}"), "time is [1]; it can be a number of seconds"),
        (a_rule("{fault: body.fin, at: {byte: x}}"), "byte is 'x'; it can be a whole number"),
        (a_rule("{fault: body.fin, at: {event: 1}, with: 5}"), "with takes a map, not 5"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {direction: up}}"), "p.yaml:3:5: scope takes no 'direction'; a fault breaks the reply"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {attempt: 0}}"), "attempt is 0"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {request: [1, 2]}}"), "request is [1, 2]"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {match: {url: x}}}"), "match takes no 'url'"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {match: {path: 5}}}"), "path is 5; it can be a text"),
        (a_rule("{fault: body.fin, at: {event: 1}, scope: {match: {body: {'a b': 5}}}}"), "body: 'a b' is no path"),
        (a_rule("{fault: body.fin, at: {event: 1}, name: [x]}"), "name is ['x']; it can be a text"),
        (a_rule("{fault: body.fin, at: {event: 1}, p: '1'}"), "p is '1'; it can be a number from 0 to 1"),
        (a_rule("{fault: body.fin, at: {event: 1}, expect: []}"), "expect is []; it can be raises"),
        (a_rule("{fault: body.fin, at: {event: 1}, p: 1, p: 1}"), "p.yaml:3:45: 'p' is there twice"),
        (a_rule("{fault: body.fin, with: {distribution: fixed, value: 1}}"), "body.fin has not one duration to distribute but none"),
        (a_rule("{fault: head.delay, with: {distribution: fixed}}"), "p.yaml:3:5: seconds: fixed takes value and max, this has nothing"),
        (a_rule("{fault: json.cut, at: {after_text: 20}}"), "p.yaml:3:5: json.cut takes event, and not after_text=20"),
        (a_rule("{fault: body.slice, with: {size: 7..1}}"), "p.yaml:3:5: size is '7..1'; a range goes up"),
        (a_rule("{fault: body.fin, at: {byte: 1}, name: a}\n  - {fault: body.fin, at: {byte: 1}, name: a}"), "two rules are called 'a'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_plan_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PlanError) as refused:
        read_plan(text, file="p.yaml")

    assert message in str(refused.value)
    assert str(refused.value).startswith("p.yaml:")


@pytest.mark.parametrize("data", [b"faults: \xff", "faults: \ud800"], ids=repr)
def test_what_is_no_utf_8_is_told(data: str | bytes) -> None:
    with pytest.raises(PlanError, match="^the plan is no UTF-8: "):
        read_plan(data)


@pytest.mark.parametrize(
    ("at", "place"),
    [
        ("{event: first}", Event("first")),
        ("{event: -1, after: true}", Event(-1, after=True)),
        ("{event: terminator}", Event("terminator")),
        ("{event: 2, type: ping}", Event(2, type="ping")),
        ("{event: {type: content_block_delta, nth: 3}}", Event(3, type="content_block_delta")),
        ("{event: {type: ping}}", Event(1, type="ping")),
        ("{event: {nth: last}, inside: crlf}", Event("last", inside="crlf")),
        ("{byte: 12}", Byte(12)),
        ("{time: 1.5s}", Time(1.5)),
        ("{time: 3}", Time(3)),
        ('{when: "choices[0].finish_reason == stop"}', When("choices[0].finish_reason", "stop")),
        ("{when: 'a==\"1\"'}", When("a", "1")),
    ],
)
def test_places_in_yaml(at: str, place: object) -> None:
    assert read_plan(a_rule(f"{{fault: body.fin, at: {at}}}")).rules[0].at == place


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("{seconds: 900ms}", 0.9),
        ("{seconds: 1..2}", Range(1, 2)),
        ("{seconds: 100ms..2s}", Range(0.1, 2)),
        ("{seconds: {distribution: uniform, low: 1s, high: 2min, max: 90s}}", Range(1, 90)),
        ("{distribution: fixed, value: 2s}", Range(2, 2)),
        ("{seconds: {distribution: lognormal, median: 1, sigma: 0}}", Distribution(median=1, sigma=0)),
    ],
)  # fmt: skip
def test_durations_in_yaml(told: str, value: object) -> None:
    plan = read_plan(a_rule(f"{{fault: head.delay, with: {told}}}"))

    assert plan.rules[0].parameters == {"seconds": value}


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan((Rule(lambda script: script),)), "is not in the catalogue, so it has no text"),
        (Plan((Rule("body.fin", at=Event(1), name="\ud800"),)), "a value of the plan has no text"),
        (Plan((Rule("body.fin", at=Event(1), match=Match(body={"a": math.nan})),)), "has no text"),
        (Plan((Rule("body.fin", at=Event(1), match=Match(body={"a": b""})),)), "has no text"),
    ],
)  # fmt: skip
def test_what_yaml_cannot_say_is_told(plan: Plan, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        write_plan(plan)


def occasion(number: int = 1, attempt: int = 1, url: str = "http://a/v1/messages") -> Occasion:
    return Occasion(request=Request(method="POST", url=url), number=number, attempt=attempt)


def told(rules_: list[Rule]) -> list[Any]:
    return [(rule.fault, rule.at, rule.parameters) for rule in rules_]


OCCASIONS = list(product(range(1, 4), range(1, 4)))


@some
@given(plans())
def test_a_resolved_plan_has_no_chance_left_and_hits_the_same(plan: Plan) -> None:
    resolved = plan.resolve(requests=3, attempts=3)

    assert not any(rule.is_random for rule in resolved.rules)
    for number, attempt in OCCASIONS:
        here = occasion(number, attempt)
        hits = plan.hits(here)
        if all(rule.times is None or not rule.is_random for rule in plan.rules):
            assert told(resolved.hits(here)) == told(hits)
        assert not any(rule.is_random for rule in hits)
        assert all(rule.applies(here) for rule in hits)


@some
@given(st.lists(rules(in_text=False), max_size=5), st.integers())
def test_the_first_of_each_layer_wins_and_they_apply_from_the_words_outwards(
    made: list[Rule], seed: int
) -> None:
    layered = Plan(tuple(made), seed=seed)
    every = Plan(tuple(made), seed=seed, layered=False)
    order = ["own", "sem", "json", "sse", "body", "head", "connect", "end"]
    for number, attempt in OCCASIONS:
        hits = layered.hits(occasion(number, attempt))
        layers = [rule.layer for rule in hits]
        first = {rule.layer: rule for rule in reversed(every.hits(occasion(number, attempt)))}

        assert layers == sorted(set(layers), key=order.index)
        assert hits == [first[layer] for layer in layers]
        assert len(first) == len(hits)
        assert [rule.name for rule in every.hits(occasion(number, attempt))] == [
            rule.name
            for rule in every.rules
            if rule.applies(occasion(number, attempt))
            and rule.resolve(seed, number, attempt) is not None
        ]


def test_what_is_spent_makes_way_for_the_next() -> None:
    plan = Plan((parse_rule("body.fin@event=1"), parse_rule("body.reset@event=2")))

    assert [rule.fault for rule in plan.hits(occasion())] == ["body.fin"]
    assert [rule.fault for rule in plan.hits(occasion(), ["body.fin"])] == ["body.reset"]
    assert plan.hits(occasion(), ["body.fin", "body.reset"]) == []


@pytest.mark.parametrize("p", [0.0, 0.05, 0.5, 0.9])
def test_a_chance_of_p_is_about_p(p: float) -> None:
    rule = Rule("body.fin", at=Event(1), p=p, name="x")
    count = 4000
    hits = sum(rule.resolve(seed, 1, 1) is not None for seed in range(count // 2))
    hits += sum(rule.resolve(7, number, 2) is not None for number in range(count // 2))

    assert abs(hits - count * p) <= 4 * math.sqrt(count * p * (1 - p))


def test_a_chance_of_one_is_certain() -> None:
    rule = Rule("body.slice", parameters={"size": Range(1, 7)}, name="x")
    sizes = [rule.resolve(0, number, 1).parameters.get("size", 1) for number in range(700)]

    assert set(sizes) == {1, 2, 3, 4, 5, 6, 7}


@given(st.lists(st.text() | st.integers(), max_size=4))
def test_draws_are_from_0_up_to_1_and_depend_on_every_part(place: list[str | int]) -> None:
    assert 0 <= draw(*place) < 1
    assert draw(*place) == draw(*place)
    assert draw(*place) != draw(*place, 0) != draw(*place, "0")


_CHILD = """
from cassette_stream.faults import read_plan, write_plan
import sys
print(write_plan(read_plan(sys.stdin.read()).resolve(requests=20, attempts=3)))
"""


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_another_process_draws_the_same(hash_seed: str) -> None:
    text = THE_PLAN.replace("mode: all ", "mode: swarm(0.7)")
    child = subprocess.run(
        [sys.executable, "-c", _CHILD], input=text, text=True, capture_output=True, check=True,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip

    assert (
        child.stdout.strip() == write_plan(read_plan(text).resolve(requests=20, attempts=3)).strip()
    )


def test_a_draw_is_for_ever() -> None:
    assert [round(draw(20261123, "slow-start", n, 1, ""), 6) for n in (1, 2, 3)] == [
        0.684726,
        0.398224,
        0.630236,
    ]


def test_one_rule_of_all_is_drawn_in_the_mode_one() -> None:
    rules_ = tuple(parse_rule(f"body.fin@event={n}") for n in (1, 2, 3))
    drawn = [Plan(rules_, seed=seed, mode="one").active() for seed in range(300)]

    assert {len(active) for active in drawn} == {1}
    for rule in Plan(rules_).rules:
        assert 60 <= sum(active == (rule,) for active in drawn) <= 140
    assert Plan((), mode="one").active() == ()


@pytest.mark.parametrize(
    ("mode", "share"), [("swarm(0)", 0), ("swarm(.25)", 0.25), ("swarm(1)", 1)]
)
def test_a_swarm_has_each_rule_with_its_chance(mode: str, share: float) -> None:
    rules_ = tuple(parse_rule(f"body.fin@event={n}") for n in (1, 2, 3, 4))
    count = sum(len(Plan(rules_, seed=seed, mode=mode).active()) for seed in range(500))

    assert abs(count - 2000 * share) <= 4 * math.sqrt(2000 * share * (1 - share))


def test_times_are_counted_over_the_occasions_of_a_resolved_plan() -> None:
    plan = Plan((Rule("body.fin", at=Event(1), p=0.5, times=2, name="x"),), seed=3)
    resolved = plan.resolve(requests=9, attempts=2)
    drawn = [
        (number, attempt)
        for number in range(1, 10)
        for attempt in (1, 2)
        if plan.hits(occasion(number, attempt))
    ]

    assert len(drawn) > 2
    assert [(rule.request, rule.attempt) for rule in resolved.rules] == [
        (Span(number, number), Span(attempt, attempt)) for number, attempt in drawn[:2]
    ]
    assert [rule.name for rule in resolved.rules] == [f"x/{n}/{k}" for n, k in drawn[:2]]


def test_names_are_made_where_they_are_missing() -> None:
    def mine(script: Any) -> Any:
        return script

    plan = Plan(
        (
            parse_rule("body.fin@event=1"),
            parse_rule("body.fin@event=2"),
            Rule(mine),
            Rule(body.Fin(at=Event(3))),
            parse_rule("body.fin@event=4,name=body.fin-2"),
        )
    )

    assert [rule.name for rule in plan.rules] == [
        "body.fin",
        "body.fin-3",
        "mine",
        "Fin",
        "body.fin-2",
    ]


def fin(n: int) -> Rule:
    return Rule("body.fin", at=Event(n))


@pytest.mark.parametrize(
    ("given_", "rules_"),
    [
        ((), []),
        ("body.fin@event=1", [fin(1)]),
        (fin(1), [fin(1)]),
        (["body.fin@event=1", fin(2)], [fin(1), fin(2)]),
        (iter([fin(3)]), [fin(3)]),
        (len, [Rule(len)]),
        ([len, body.Fin(at=Event(1))], [Rule(len), Rule(body.Fin(at=Event(1)))]),
    ],
    ids=["nothing", "text", "rule", "list", "iterator", "callable", "callables"],
)
def test_users_give_plans_in_many_forms(given_: Any, rules_: list[Rule]) -> None:
    assert plan_of(given_) == Plan(tuple(rules_), layered=False)


def test_a_plan_is_taken_as_it_is() -> None:
    plan = Plan((fin(1),), seed=5)

    assert plan_of(plan) is plan


@pytest.mark.parametrize("wrong", [5, None, [5], [None], b"body.fin"], ids=repr)
def test_what_is_no_plan_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="cassette_stream.faults or "):
        plan_of(wrong)


def test_bare_lists_apply_in_turn() -> None:
    plan = plan_of(["body.fin@event=3", "body.fin@event=2"])
    steps = [Head(200), *[Emit(b"data: %d\n\n" % n) for n in range(5)]]
    script = iter(steps)
    for rule in plan.hits(occasion()):
        script = rule.build()(script)

    assert [step for step in script if isinstance(step, Emit)] == steps[1:2]


@pytest.mark.parametrize("seed", [True, 1.0, "1", None], ids=repr)
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(PlanError, match=r"^seed is .*; it can be a whole number$"):
        Plan((), seed=seed)
