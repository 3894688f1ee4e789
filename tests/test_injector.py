"""Plans at work: who is counted as what, what strikes how often, and why something did not."""

from __future__ import annotations

import gc
import itertools
import json
import threading
from array import array
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import openai
import pytest
from breaking import ENCODERS, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_faults import rules
from support import SOAK

from cassette_stream import acompletion, completion, use_cassette
from cassette_stream.cassette import dumps
from cassette_stream.cassette.match import matchers
from cassette_stream.cassette.model import Cassette, Interaction, Request, Response
from cassette_stream.clock import VirtualClock, run_virtually, virtual_time
from cassette_stream.exceptions import (
    CassetteMissError,
    PlanError,
    UnfiredRuleError,
    UnfiredRuleWarning,
    UnplayedError,
)
from cassette_stream.faults import (
    Event,
    Injector,
    Match,
    Plan,
    Range,
    Rule,
    parse_rule,
    plan_of,
    watch,
)
from cassette_stream.replayer import Replayer, script_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

some = settings(max_examples=500 if SOAK else 50, deadline=None)

URL = "https://api.test/v1/chat/completions"
FIN = "body.fin@event=2"
EVENTS = (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n")


def interaction(
    body: Any = 0, *, frames: tuple[bytes, ...] = EVENTS, url: str = URL
) -> Interaction:
    return Interaction(
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        request=Request(
            method="POST",
            url=url,
            headers={"content-type": ("application/json",)},
            body=json.dumps(body).encode(),
        ),
        response=Response(
            status=200,
            headers={"content-type": ("text/event-stream",)},
            body=b"".join(frames),
            sizes=array("q", map(len, frames)),
            gaps_us=array("q", [1000] * len(frames)),
        ),
    )


@pytest.fixture
def cassette(tmp_path: Path) -> Callable[..., Path]:
    def write(*interactions: Interaction) -> Path:
        path = tmp_path / "a.yaml"
        path.write_bytes(dumps(Cassette(interactions=interactions)))
        return path

    return write


def ask(body: Any = 0, client: Any = httpx, url: str = URL) -> bytes | str:
    """What comes, or the name of the error that does."""
    try:
        with client.stream("POST", url, json=body) as response:
            return b"".join(response.iter_raw())
    except httpx.HTTPError as error:
        return type(error).__name__


WHOLE = b"".join(EVENTS)
BROKEN = "RemoteProtocolError"


@pytest.mark.parametrize(
    ("faults", "got"),
    [
        ([f"{FIN},attempt=1..2"], [BROKEN, BROKEN, WHOLE]),
        ([f"{FIN},times=1"], [BROKEN, WHOLE]),
        ([f"{FIN},times=3"], [BROKEN, BROKEN, BROKEN, WHOLE]),
        ([f"{FIN},attempt=1", "head.close@attempt=2"], [BROKEN, BROKEN, WHOLE]),
        ([f"{FIN},path=*/completions,host=api.test,method=POST,times=1"], [BROKEN, WHOLE]),
    ],
    ids=["attempts", "once", "thrice", "another next", "match"],
)
def test_who_asks_again_is_at_the_next_attempt(
    cassette: Any, faults: list[str], got: list[Any]
) -> None:
    with use_cassette(cassette(interaction()), mode="none", faults=faults) as session:
        assert [ask() for _ in got] == got
        session.check_played()
    told = [(strike.occasion.number, strike.occasion.attempt) for strike in session.strikes]

    assert told == [(1, attempt) for attempt in range(1, len(got))]


def test_requests_are_counted_by_the_recording_that_answers_them(cassette: Any) -> None:
    path = cassette(interaction(1), interaction(2), interaction(3))
    with use_cassette(path, mode="none", faults=[f"{FIN},request=2,attempt=1"]) as session:
        told = [ask(3), ask(1), ask(2)]

        assert told == [WHOLE, BROKEN, WHOLE]
        assert [it.request.body for it in session.asked] == [b"3", b"1", b"2"]
        assert ask(1) == WHOLE
    [strike] = session.strikes
    assert (strike.occasion.number, strike.occasion.attempt) == (2, 1)
    assert strike.rule.fault == "body.fin"


def chat() -> Interaction:
    frames = tuple(ENCODERS["openai_chat"].encode(answer()))
    return interaction({"model": "gpt-4o-mini"}, frames=frames)


def by_openai(retries: int) -> str:
    client = openai.OpenAI(api_key="none", base_url="https://api.test/v1", max_retries=retries)
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def by_us(retries: int) -> str:
    chunks = completion(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "hi"}],
        stream=True,
        api_key="none",
        base_url="https://api.test/v1",
        num_retries=retries,
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@pytest.mark.parametrize("subject", [by_openai, by_us], ids=["openai", "ours"])
@pytest.mark.parametrize("fault", ["head.429", "head.503", "connect.refused", "head.close"])
def test_a_client_that_retries_gets_through_when_the_fault_stops(
    cassette: Any, subject: Any, fault: str
) -> None:
    options: Any = {"mode": "none", "match_on": ("method", "path")}
    clock = VirtualClock()
    start = clock.now()
    with (
        virtual_time(clock),
        use_cassette(cassette(chat()), faults=f"{fault}@attempt=1..2", **options) as session,
    ):
        assert subject(2) == answer().choices[0].message.content
        assert clock.now() > start
        session.check_played()
    assert [strike.occasion.attempt for strike in session.strikes] == [1, 2]
    with (
        virtual_time(clock),
        use_cassette(cassette(chat()), faults=f"{fault}@attempt=1..2", **options) as session,
        pytest.raises(Exception, match=r".") as refused,
    ):
        subject(1)
    assert not isinstance(refused.value, CassetteMissError)
    assert len(session.strikes) == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_so_does_our_asynchronous_client(cassette: Any, backend: Any) -> None:
    async def main() -> str:
        chunks = await acompletion(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            api_key="none",
            base_url="https://api.test/v1",
            num_retries=2,
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    with use_cassette(
        cassette(chat()), mode="none", match_on=("method", "path"), faults="head.503@attempt=1..2"
    ) as session:
        assert run_virtually(main, backend=backend) == answer().choices[0].message.content
    assert [strike.occasion.attempt for strike in session.strikes] == [1, 2]


def test_a_broken_reply_comes_again_before_its_equal_neighbours(cassette: Any) -> None:
    other = tuple(it.replace(b": ", b": 1") for it in EVENTS)
    path = cassette(interaction(), interaction(frames=other), interaction(5))
    with use_cassette(path, mode="none", faults=[f"{FIN},request=1,attempt=1..2"]) as session:
        told = [ask() for _ in range(4)]

        assert told == [BROKEN, BROKEN, WHOLE, b"".join(other)]
        assert len(session.unplayed) == 1
        with pytest.raises(UnplayedError):
            session.check_played()
        with pytest.raises(CassetteMissError):
            ask()
        ask(5)
        session.check_played()
        session.misses.clear()


def test_a_gentle_fault_does_not_keep_the_next_equal_recording_waiting(cassette: Any) -> None:
    other = tuple(it.replace(b": ", b": 1") for it in EVENTS)
    path = cassette(interaction(), interaction(frames=other))
    with use_cassette(path, mode="none", faults="body.slice") as session:
        told = [ask(), ask(), ask()]

        assert told == [WHOLE, b"".join(other), WHOLE]
        assert len(session.strikes) == 3


def test_after_rewinding_everything_is_as_in_the_beginning(cassette: Any) -> None:
    path = cassette(interaction(1), interaction(2))
    faults = [f"{FIN},attempt=1", "head.503@attempt=2,request=2,times=1"]
    with use_cassette(path, mode="none", faults=faults) as session:
        runs = []
        for _ in range(3):
            runs.append([ask(1), ask(1), ask(2), ask(2), ask(2)])
            session.rewind()
            assert len(session.unplayed) == 2

        assert runs[0][:3] == [BROKEN, WHOLE, BROKEN]
        assert runs[0][4] == WHOLE
        assert runs[1] == runs[2] == runs[0]
        assert len(session.strikes) == 9


def test_repeats_are_attempts_too(cassette: Any) -> None:
    path = cassette(interaction())
    with use_cassette(path, mode="none", allow_repeats=True, faults=[f"{FIN},attempt=2"]):
        assert [ask(), ask(), ask(), ask()] == [WHOLE, BROKEN, WHOLE, WHOLE]


def at_once(count: int, path: Path, faults: Any) -> list[bytes | str]:
    """So many requests that are all open before the first is read."""
    with use_cassette(path, mode="none", faults=faults), httpx.Client() as client:
        opened = [
            client.send(client.build_request("POST", URL, json=0), stream=True)
            for _ in range(count)
        ]
        return [_rest(response) for response in opened]


def _rest(response: httpx.Response) -> bytes | str:
    try:
        return b"".join(response.iter_raw())
    except httpx.HTTPError as error:
        return type(error).__name__


def test_replies_that_overlap_are_not_broken_more_often_than_the_rule_says(cassette: Any) -> None:
    path = cassette(*[interaction()] * 4)

    assert at_once(4, path, [f"{FIN},times=2"]) == [BROKEN, BROKEN, WHOLE, WHOLE]


def test_threads_share_a_session_and_its_plan(cassette: Any) -> None:
    path = cassette(*[interaction(n) for n in range(24)])
    barrier = threading.Barrier(8)

    def work(numbers: range) -> list[bytes | str]:
        barrier.wait()
        return [ask(n) for n in numbers]

    plan = Plan((parse_rule(f"{FIN},times=5"),))
    with use_cassette(path, mode="none", faults=plan) as session, ThreadPoolExecutor(8) as pool:
        parts = [range(n, 24, 8) for n in range(8)]
        told = list(itertools.chain.from_iterable(pool.map(work, parts)))

        assert told.count(BROKEN) == len(session.strikes) == 5
        assert told.count(WHOLE) == 19


def test_sessions_have_plans_of_their_own(cassette: Any) -> None:
    path = cassette(interaction())
    with use_cassette(path, mode="none", faults=[FIN]) as outer:
        with use_cassette(path, mode="none") as inner:
            assert ask() == WHOLE
        assert ask() == BROKEN

    assert (len(outer.strikes), len(inner.strikes)) == (1, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_may_ask_at_once(cassette: Any, backend: str) -> None:
    told: list[Any] = []

    async def one(n: int) -> None:
        async with httpx.AsyncClient() as client:
            try:
                told.append((await client.post(URL, json=n)).content)
            except httpx.HTTPError as error:
                told.append(type(error).__name__)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for n in range(6):
                tasks.start_soon(one, n)

    path = cassette(*[interaction(n) for n in range(6)])
    with use_cassette(path, mode="none", faults=[f"{FIN},times=2"]):
        anyio.run(main, backend=backend)

    assert sorted(map(len, told)) == sorted([len(BROKEN)] * 2 + [len(WHOLE)] * 4)


def own(script: Any) -> Any:
    for step in script:
        yield Emit(step.data.upper()) if isinstance(step, Emit) else step


@pytest.mark.parametrize(
    ("faults", "got"),
    [
        (Plan((parse_rule(FIN),)), BROKEN),
        (parse_rule(FIN), BROKEN),
        (Rule("body.fin", at=Event(2)), BROKEN),
        (FIN, BROKEN),
        ([FIN], BROKEN),
        ((own,), WHOLE.upper()),
        (own, WHOLE.upper()),
        ([own, "body.fin@byte=12"], BROKEN),
        ([], WHOLE),
    ],
    ids=["plan", "rule", "built", "text", "list", "own", "bare own", "both", "nothing"],
)
def test_a_session_takes_faults_in_many_forms(cassette: Any, faults: Any, got: Any) -> None:
    with use_cassette(cassette(interaction()), mode="none", faults=faults) as session:
        assert ask() == got
        assert len(session.strikes) == (0 if faults == [] else len(plan_of(faults).rules))


@pytest.mark.parametrize(
    ("faults", "error", "words"),
    [
        ("body.fim@event=1", PlanError, "nearest: body.fin"),
        ("end.abandoned", PlanError, "end.abandoned is a way to run code: chaos.sweep does that, no replay"),
        (5, TypeError, "faults are values of cassette_stream.faults or their text: 5"),
    ],
)  # fmt: skip
def test_what_no_replay_can_do_is_refused_at_the_call(
    tmp_path: Path, faults: Any, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        use_cassette(tmp_path / "a.yaml", faults=faults)


def run(plan: Plan, asked: list[int], *, read: int | None = None) -> tuple[Injector, list[Any]]:
    """Ask for recordings by number, reading at most so many steps of each reply."""
    injector = Injector(plan)
    told = []
    for key in asked:
        steps = injector.rewrite(script_of(chat()), chat().request, key)
        told.append(list(itertools.islice(steps, 400 if read is None else read)))
    return injector, told


def faithful(_: object) -> Iterator[Step]:
    return script_of(chat())


@some
@given(
    st.lists(rules(in_text=False), max_size=4),
    st.lists(st.integers(1, 3), max_size=6),
    st.integers(),
    st.booleans(),
    st.none() | st.integers(0, 12),
)
def test_the_concrete_plan_does_the_same_again(
    made: list[Rule],
    asked: list[int],
    seed: int,
    layered: bool,
    read: int | None,
) -> None:
    plan = Plan(tuple(made), seed=seed, layered=layered)
    injector, told = run(plan, asked, read=read)
    again, same = run(injector.concrete(), asked, read=read)

    assert same == told
    assert not any(rule.is_random or rule.times for rule in injector.concrete().rules)
    assert len(again.strikes) == len(injector.strikes)
    assert again.unfired(faithful) == []


def test_a_concrete_plan_keeps_the_order_in_which_faults_apply() -> None:
    plan = plan_of(["body.fin@event=5", "json.cut@event=2", "body.fin@event=-1"])
    injector, told = run(plan, [1])

    assert [strike.rule.name for strike in injector.strikes] == [
        "json.cut",
        "body.fin",
        "body.fin-2",
    ]
    assert [rule.name for rule in injector.concrete().rules] == [
        "body.fin/1",
        "json.cut/2",
        "body.fin-2/3",
    ]
    assert run(injector.concrete(), [1])[1] == told


@pytest.mark.parametrize(
    ("rules_", "options", "read", "reasons"),
    [
        (["body.fin@event=2,attempt=2"], {}, None,
         ["body.fin@event=2,attempt=2 never fired: nothing was in its scope: there were 1 requests, and at most 1 attempts at one"]),
        (["body.fin@event=2,path=/x"], {}, None, ["body.fin@event=2,path=/x never fired: nothing was in its scope: there were 1 requests, and at most 1 attempts at one"]),
        (["body.fin@event=2,p=0"], {"seed": 7}, None, ["body.fin@event=2,p=0.0 never fired: its chance of 0 was not drawn in 1 tries; the seed is 7"]),
        (["body.fin@event=2", "body.reset@event=1"], {}, None, ["body.reset@event=1 never fired: another rule of its layer came first"]),
        (["body.fin@event=6"], {}, 4, ["body.fin@event=6 never fired: the stream was not read that far"]),
        (["body.fin@event=99"], {}, None, ["body.fin@event=99 never fired: the stream has 17 events"]),
        (["sem.order"], {}, None, ["sem.order never fired: it is for streams of anthropic, bedrock_converse, cohere, openai_responses, and this is openai_chat"]),
        (["body.fin@byte=-99999"], {}, None, ["body.fin@byte=-99999 never fired: the stream has 3,341 bytes"]),
    ],
    ids=["attempt", "match", "chance", "layer", "not read", "no place", "dialect", "bytes"],
)  # fmt: skip
def test_why_a_rule_never_struck(
    rules_: list[str], options: Any, read: int | None, reasons: list[str]
) -> None:
    plan = Plan(tuple(map(parse_rule, rules_)), **options)
    injector, _ = run(plan, [1], read=read)

    assert injector.unfired(faithful) == reasons


def test_why_a_rule_never_struck_where_nobody_asked() -> None:
    injector, _ = run(Plan((parse_rule(FIN),)), [])

    assert injector.unfired(faithful) == [f"{FIN} never fired: no recorded response was played"]


def test_why_a_rule_never_struck_is_told_of_what_the_faults_before_it_left() -> None:
    plan = plan_of(["body.clean_end@event=3", "body.fin@event=6"])
    injector, _ = run(plan, [1, 1])

    assert injector.unfired(faithful) == ["body.fin@event=6 never fired: the stream has 2 events"]


def test_why_a_rule_never_struck_behind_one_that_never_ends() -> None:
    plan = Plan((parse_rule("sse.keepalive_stall@event=3"), parse_rule("body.fin@event=6")))
    injector, _ = run(plan, [1], read=30)

    assert injector.unfired(faithful) == ["body.fin@event=6 never fired: the stream has 2 events"]


def test_a_rule_without_a_line_is_called_by_its_name() -> None:
    plan = Plan((Rule("body.fin", at=Event(1), match=Match(body={"a": 1}), name="deep"), Rule(own)))
    injector, _ = run(plan, [])

    assert [reason.partition(" never")[0] for reason in injector.unfired(faithful)] == [
        "deep",
        "own",
    ]


def test_rules_that_a_run_does_not_have_are_not_missed() -> None:
    rules_ = tuple(parse_rule(f"body.fin@event={n}") for n in (2, 3, 4))
    injector, told = run(Plan(rules_, mode="one", seed=1), [1])

    assert len(injector.strikes) == 1
    assert told[0][-1] == Fail(FailureKind.FIN)
    assert injector.unfired(faithful) == []


def test_a_warning_is_enough_where_the_plan_says_so(cassette: Any) -> None:
    plan = Plan((parse_rule("body.fin@event=60"),), on_unfired="warn")
    with (
        pytest.warns(UnfiredRuleWarning, match="event=60 never fired: the stream has 3 events"),
        use_cassette(cassette(interaction()), mode="none", faults=plan),
    ):
        assert ask() == WHOLE


def test_a_rule_that_never_struck_is_a_note_where_another_error_is_on_its_way(
    cassette: Any,
) -> None:
    with (
        pytest.raises(KeyError) as raised,
        use_cassette(cassette(interaction()), mode="none", faults="body.fin@event=60"),
    ):
        raise KeyError("own")

    assert raised.value.__notes__ == [
        "cassette-stream: body.fin@event=60 never fired: no recorded response was played"
    ]


def test_several_rules_that_never_struck_are_told_together(cassette: Any) -> None:
    with (
        pytest.raises(UnfiredRuleError, match="event=60") as raised,
        use_cassette(
            cassette(interaction()), mode="none", faults=["body.fin@event=60", "body.fin@event=61"]
        ),
    ):
        ask()

    assert "event=61" in raised.value.__notes__[0]


@some
@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8))
def test_a_fault_that_may_not_strike_leaves_the_script_as_it_was(
    kept: list[int], changed: list[int]
) -> None:
    script = [Wait(n) for n in kept]

    def fault(source: Any) -> Any:
        """Tells steps of its own, and reads one ahead of each."""
        for n in changed:
            next(source, None)
            yield Wait(n)

    refused: list[bool] = []

    def refuse() -> bool:
        refused.append(True)
        return False

    assert list(watch(fault, iter(script), refuse)) == script
    assert len(refused) == (kept != changed)


def test_a_replayer_gives_back_in_turn() -> None:
    class Recorded(tuple[Interaction, ...]):
        __slots__ = ()

        def request(self, number: int) -> Request:
            return self[number].request

        def interaction(self, number: int) -> Interaction:
            return self[number]

    replayer = Replayer(Recorded([interaction()] * 3), matchers(("method",), ()))
    live = interaction().request
    found = [replayer.find(live)]
    replayer.give_back(0)
    replayer.give_back(0, last=True)  # the stronger word stands
    found += [replayer.find(live), replayer.find(live)]
    replayer.give_back(1, last=True)
    found += [replayer.find(live), replayer.find(live), replayer.find(live)]

    assert found == [0, 0, 1, 2, 1, None]
    assert replayer.played == (2, 2, 1)
    replayer.give_back(2)
    replayer.rewind()
    assert [replayer.find(live) for _ in range(4)] == [0, 1, 2, None]


def test_ranges_are_drawn_anew_for_each_attempt(cassette: Any) -> None:
    plan = Plan((Rule("body.slice", parameters={"size": Range(2, 9)}, name="drip"),), seed=5)
    with use_cassette(
        cassette(interaction()), mode="none", allow_repeats=True, faults=plan
    ) as session:
        assert [ask() for _ in range(8)] == [WHOLE] * 8
    sizes = {strike.rule.parameters.get("size", 1) for strike in session.strikes}

    assert len(sizes) > 2
    assert sizes <= set(range(2, 10))


def test_nothing_of_a_reply_that_nobody_reads_is_kept(cassette: Any) -> None:
    with (
        pytest.raises(UnfiredRuleError, match="the stream was not read that far"),
        use_cassette(cassette(interaction()), mode="none", faults=[FIN]),
        httpx.Client() as client,
    ):
        with client.stream("POST", URL, json=0):
            pass
        gc.collect()


def test_a_head_is_needed_for_a_fault_to_break_it() -> None:
    injector = Injector(plan_of(["head.503"]))
    told = list(injector.rewrite(iter([Wait(1), Head(200)]), chat().request, 1))

    assert [step.status for step in told if isinstance(step, Head)] == [503]
