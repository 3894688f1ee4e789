"""Code under test in all its forms: how it is called, what it swallows, what it leaves behind."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
import swept
from breaking import stream
from planted_client import cassette

from cassette_stream import chaos
from cassette_stream.chaos import Flag, Result, Verdict, subject_named
from cassette_stream.chaos.families import families_of
from cassette_stream.chaos.subject import Subject
from cassette_stream.clock import run_virtually
from cassette_stream.exceptions import APIError, PlanError

sweep = partial(chaos.sweep, match_on=("method", "url"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("subject") / "text.yaml"
    path.write_bytes(cassette(stream("openai_chat"), swept.URL))
    return path


def one(recording: Path, subject: Callable[..., Any], fault: str, **options: Any) -> Result:
    """The result of a single trial."""
    [result] = sweep(subject, recording, fault, **options).results
    return result


# -- how it is called


def plain(*args: int, more: int = 0) -> list[int]:
    return [*args, more]


def pieces(*args: int, more: int = 0) -> Iterator[int]:
    yield from (*args, more)


async def later(*args: int, more: int = 0) -> list[int]:
    return [*args, more]


async def pieces_later(*args: int, more: int = 0) -> AsyncIterator[int]:
    for number in (*args, more):
        yield number


async def pieces_of_later(*args: int, more: int = 0) -> AsyncIterator[int]:
    return pieces_later(*args, more=more)


class Callable1:
    async def __call__(self, *args: int, more: int = 0) -> list[int]:
        return [*args, more]


FORMS = [plain, pieces, later, pieces_later, pieces_of_later, Callable1(), partial(later)]


@pytest.mark.parametrize(
    "function", FORMS, ids=lambda it: getattr(it, "__name__", type(it).__name__)
)
def test_what_iterates_is_read_to_its_end_whatever_form_it_has(function: Any) -> None:
    subject = Subject(function=function, args=(1, 2), kwargs={"more": 3})
    found = run_virtually(subject.arun) if subject.is_async else subject.run()

    assert found == [1, 2, 3]
    assert subject.is_async is (function not in {plain, pieces})
    assert subject.module == __name__


def test_what_has_to_be_awaited_and_does_not_say_so_is_an_error_with_a_remedy() -> None:
    with pytest.raises(TypeError, match="wrap it in an async def"):
        Subject(function=lambda: later(1)).run()


@functools.wraps(plain)
def wrapped(*args: int, more: int = 0) -> list[int]:
    return plain(*args, more=more)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (plain, "plain"),
        (partial(plain, 1), "plain"),
        (wrapped, "plain"),
        (Callable1(), "Callable1"),
    ],
    ids=["function", "partial", "wrapped", "callable"],
)
def test_a_subject_is_called_what_the_command_calls_it(function: Any, name: str) -> None:
    assert Subject(function=function).name == f"{__name__}:{name}"


def test_a_name_is_the_function_that_it_names() -> None:
    assert subject_named("swept:naive") is swept.naive
    assert subject_named("planted:TrustsTheEnd.ask").__name__ == "ask"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("swept", "module:function"),
        ("swept:", "module:function"),
        (":naive", "module:function"),
        ("no_such_module:f", "cannot be imported"),
        ("swept:no_such", "has no 'no_such'"),
        ("swept:URL", "cannot be called"),
    ],
)
def test_a_name_of_nothing_that_can_be_called_is_an_error(place: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        subject_named(place)


def test_set_up_and_tear_down_stand_around_every_run(recording: Path) -> None:
    told: list[str] = []

    def subject() -> str:
        told.append("run")
        return swept.naive()

    result = one(
        recording,
        subject,
        "body.clean_end@event=5",
        set_up=lambda: told.append("up"),
        tear_down=lambda: told.append("down"),
    )

    assert result.verdict is Verdict.SILENT
    assert told == ["up", "run", "down"] * 3  # clean, broken, and whether it recovers


# -- what it does with a broken stream


@pytest.mark.parametrize(
    "fault", ["body.reset@event=6", "body.clean_end@event=6", "json.cut@event=6"]
)
def test_whoever_swallows_everything_is_silent(fault: str, recording: Path) -> None:
    assert one(recording, swept.swallows_everything, fault).verdict is Verdict.SILENT


@pytest.mark.parametrize("subject", [swept.swallows_everything, swept.wraps_everything])
@pytest.mark.parametrize("fault", ["body.stall@event=6", "head.stall"])
def test_a_wait_without_deadline_is_a_hang_whatever_becomes_of_the_error(
    subject: Any, fault: str, recording: Path
) -> None:
    result = one(recording, subject, fault, kwargs={"timeout": None})
    patient = one(recording, subject, fault)

    assert result.verdict is Verdict.HANG
    assert patient.verdict is not Verdict.HANG


@pytest.mark.parametrize("subject", [swept.swallows_everything, swept.wraps_everything])
@pytest.mark.parametrize("fault", ["sem.loop@event=6", "sse.keepalive_stall@event=6,every=1"])
def test_a_stream_without_end_is_a_hang_for_whoever_has_no_bound(
    subject: Any, fault: str, recording: Path
) -> None:
    result = one(recording, subject, fault)

    assert result.verdict is Verdict.HANG
    assert result.recovered


def test_an_exception_of_the_subjects_own_module_is_one_that_users_are_told_of(
    recording: Path,
) -> None:
    own = one(recording, swept.wraps_everything, "body.reset@event=6")
    foreign = one(recording, swept.wraps_everything, "body.reset@event=6", raises=httpx.HTTPError)
    by_hand = one(recording, swept.naive, "body.reset@event=6")
    leaking = one(recording, swept.naive, "json.cut@event=6")

    assert (own.verdict, own.error) == (Verdict.RAISED, "swept.SweptError: wrapped")
    assert foreign.verdict is Verdict.WRONG_ERROR
    assert by_hand.verdict is Verdict.RAISED
    assert leaking.verdict is Verdict.WRONG_ERROR
    assert "JSONDecodeError" in str(leaking.error)


@pytest.mark.parametrize(
    ("agent", "root"),
    [
        ("OpenAI/Python 3.54.0", openai.OpenAIError),
        ("AsyncOpenAI/Python 3.54.0", openai.OpenAIError),
        ("Anthropic/Python 2.12", anthropic.AnthropicError),
        ("AsyncAnthropic/Python 2.12", anthropic.AnthropicError),
        ("python-httpx/0.28.1", httpx.HTTPError),
        ("python-httpx2/2.16", httpx2.HTTPError),
        ("cassette-stream/0.1.0", APIError),
    ],
)
def test_a_client_library_is_known_by_its_user_agent(agent: str, root: type[Exception]) -> None:
    assert root in families_of("nowhere", [agent])
    assert families_of("nowhere", [f"something {agent}"]) == ()


def test_an_agent_of_a_library_that_is_not_here_is_no_error() -> None:
    assert families_of("nowhere", ["cohere/5.0", "", "Mozilla/5.0"]) == ()
    assert families_of("swept", []) == (swept.SweptError,)


def test_whoever_keeps_what_broke_does_not_recover(recording: Path) -> None:
    swept.forgives()
    bad = one(recording, swept.keeps_a_grudge, "body.clean_end@event=6")
    swept.forgives()
    good = one(recording, swept.keeps_a_grudge, "body.clean_end@event=6", set_up=swept.forgives)
    unasked = one(
        recording,
        swept.keeps_a_grudge,
        "body.clean_end@event=6",
        set_up=swept.forgives,
        recovery=False,
    )

    assert (bad.verdict, bad.recovered) == (Verdict.RAISED, False)
    assert (good.verdict, good.recovered) == (Verdict.RAISED, True)
    assert unasked.recovered is None


# -- what it leaves behind


def test_a_task_that_is_left_is_a_leak_and_is_told_by_what_it_runs(recording: Path) -> None:
    first, again = (one(recording, swept.leaves_a_task, "body.clean_end@event=6") for _ in range(2))

    assert Flag.LEAKED in first.flags
    assert not first.good
    assert first.left_open == ("the task of Event.wait still runs",)
    assert first == again


@pytest.mark.parametrize("fault", ["body.gzip_corrupt@event=6", "body.encoding_lie"])
def test_what_the_loop_itself_still_closes_is_no_leak(fault: str, recording: Path) -> None:
    result = one(recording, swept.anaive, fault)

    assert result.left_open == ()
    assert result.verdict is Verdict.RAISED


@pytest.mark.parametrize(
    ("subject", "fault", "verdict", "left"),
    [
        (swept.gives_pieces, "end.abandoned", Verdict.OK, 0),
        (swept.agives_pieces, "end.abandoned", Verdict.OK, 0),
        (swept.gives_pieces_of_a_kept_response, "end.abandoned", Verdict.OK, 1),
        (swept.naive, "end.abandoned", None, 0),
        (swept.anaive, "end.cancel_leak", Verdict.OK, 0),
        (swept.agives_pieces, "end.cancel_leak", Verdict.OK, 0),
        (swept.waits_while_it_is_cancelled, "end.cancel_leak", Verdict.OK, 1),
        (swept.naive, "end.cancel_leak", None, 0),
        (swept.naive, "end.close_evicts", Verdict.OK, 0),
        (swept.leaves_early, "end.close_evicts", Verdict.OK, 1),
        (swept.leaves_early, "end.close_hangs", Verdict.OK, 0),
        (swept.naive, "end.close_hangs", Verdict.RAISED, 0),
        (swept.anaive, "end.cross_loop", Verdict.OK, 0),
        (swept.naive, "end.cross_loop", None, 0),
    ],
    ids=lambda it: getattr(it, "__name__", str(it)),
)
def test_a_probe_finds_what_is_left_and_says_where_it_has_no_hold(
    subject: Any, fault: str, verdict: Verdict | None, left: int, recording: Path
) -> None:
    result = one(recording, subject, fault)

    assert result.verdict is verdict
    assert bool(result.left_open) is bool(left)
    assert (Flag.LEAKED in result.flags) is bool(left)
    assert (result.why is None) is (verdict is not None)


@pytest.mark.parametrize("subject", [swept.waits_while_it_is_cancelled, swept.anaive])
def test_a_probe_finds_the_same_under_trio(subject: Any, recording: Path) -> None:
    [result] = sweep(subject, recording, "end.cancel_leak", backend="trio").results

    assert result.verdict is Verdict.OK
    assert bool(result.left_open) is (subject is swept.waits_while_it_is_cancelled)
