"""Bugs that are known to be there are found, told apart from what is right, and made small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import planted
import pytest
from breaking import stream
from planted_client import AsyncClient, Client, ClientError, Messages, cassette

from cassette_stream import chaos
from cassette_stream.chaos import Flag, Verdict
from cassette_stream.faults import parse_rule, text_of

RIGHT: dict[str, tuple[type[Client], str]] = {
    "text": (Client, "openai_chat"),
    "calls": (Client, "openai_chat"),
    "messages": (Messages, "anthropic"),
}
OPTIONS: dict[str, Any] = {"match_on": ("method", "url"), "raises": ClientError}
LAYERS = ("connect.*", "head.*", "body.*", "sse.*", "json.*", "sem.*")


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One that is planted.

    Attributes:
        client: Who has it; its base has not.
        faults: What a sweep finds it by.
        verdict: How it shows.
        flags: And what else is told.
        large: A plan that it shows with, larger than it need be.
        small: The smallest there is.
        cassette: What is played.
    """

    client: type[Client]
    faults: Sequence[str]
    verdict: Verdict
    flags: tuple[Flag, ...] = ()
    large: tuple[str, ...]
    small: str
    cassette: str = "text"

    def __str__(self) -> str:
        return self.client.__name__


NOISE = ("sse.comments@count=2", "body.slice@size=7")
"""What harms no client that is right with it."""


def bug(client: type[Client], faults: str, verdict: Verdict, *large: str, **more: Any) -> Bug:
    return Bug(client=client, faults=faults.split(), verdict=verdict, large=large, **more)


BUGS = [
    bug(
        planted.TrustsTheEnd,
        "body.clean_end",
        Verdict.SILENT,
        "body.h2_end_cut@event=9,attempt=1..2",
        *NOISE,
        small="body.clean_end@event=1",
    ),
    bug(
        planted.KeepsWhatCame,
        "body.reset",
        Verdict.SILENT,
        "body.h2_rst@event=11,code=CANCEL",
        *NOISE,
        small="body.fin@event=1",
    ),
    bug(
        planted.WaitsForEver,
        "body.stall",
        Verdict.HANG,
        "body.stall@event=12,inside=json,seconds=5000,times=3",
        *NOISE,
        small="body.stall@event=1",
    ),
    bug(
        planted.HasNoDeadline,
        "body.drip",
        Verdict.HANG,
        "body.drip@byte=1800,times=2",
        "sse.comments@count=2",
        "sem.ping@event=3",
        small="body.drip@event=1",
        cassette="calls",
    ),
    bug(
        planted.LetsHttpxOut,
        "body.*",
        Verdict.WRONG_ERROR,
        "body.bad_chunk@event=10,part=footer",
        *NOISE,
        small="body.fin@event=1",
    ),
    bug(
        planted.DecodesEachChunk,
        "body.split",
        Verdict.SILENT,
        "body.slice@size=2",
        "sse.comments@count=2",
        "sem.ping@event=3",
        small="body.split",
    ),
    bug(
        planted.TakesChunksForEvents,
        "body.split",
        Verdict.RAISED,
        "body.slice@size=30,every=0.01",
        "sse.comments@count=2",
        "sem.ping@event=3",
        small="body.split",
    ),
    bug(
        planted.StartsOver,
        "body.reset@event=9,times=1",
        Verdict.SILENT,
        "body.reset@event=9,inside=json,times=1",
        *NOISE,
        flags=(Flag.DUPLICATED,),
        small="body.fin@event=3,times=1",
    ),
    bug(
        planted.ReadsOn,
        "body.hold_open",
        Verdict.WRONG_ERROR,
        "body.hold_open@attempt=1..3",
        "sse.comments@count=2",
        "sem.ping@event=3",
        small="body.hold_open",
    ),
    bug(
        planted.LeavesItOpen,
        "json.*",
        Verdict.RAISED,
        "json.control@event=10,kind=esc,times=2",
        *NOISE,
        flags=(Flag.LEAKED,),
        small="json.cut@event=1",
    ),
    bug(
        planted.LosesItsReader,
        "body.fin body.reset",
        Verdict.HANG,
        "body.h2_goaway@event=13,code=ENHANCE_YOUR_CALM",
        *NOISE,
        small="body.fin@event=1",
    ),
    bug(
        planted.LeavesItsReader,
        "body.hold_open",
        Verdict.OK,
        "body.hold_open@attempt=1..3",
        "sse.comments@count=2",
        "sem.ping@event=3",
        flags=(Flag.LEAKED,),
        small="body.hold_open",
    ),
    bug(
        planted.IgnoresTheStatus,
        "head.502_html",
        Verdict.SILENT,
        "head.524_html@attempt=1..9",
        *NOISE,
        small="head.401",
    ),
    bug(
        planted.CountsTheSeconds,
        "head.429",
        Verdict.WRONG_ERROR,
        "head.429@form=http-date,retry_after=30,times=4",
        *NOISE,
        small="head.429@form=http-date",
    ),
    bug(
        planted.WantsABlank,
        "sse.no_space",
        Verdict.SILENT,
        "sse.no_space@times=2,path=/v1/*",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.no_space",
    ),
    bug(
        planted.SplitsLines,
        "sse.unicode_newlines",
        Verdict.RAISED,
        "sse.unicode_newlines@event=9,kind=nel",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.unicode_newlines@event=1",
    ),
    bug(
        planted.ParsesNothing,
        "sse.meta_only",
        Verdict.WRONG_ERROR,
        "sse.meta_only@event=12,kind=id",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.meta_only@event=1",
    ),
    bug(
        planted.HearsTheHeartbeat,
        "sse.keepalive_stall",
        Verdict.HANG,
        "sse.keepalive_stall@event=13,every=2",
        "sem.ping@event=3",
        small="sse.keepalive_stall@event=1",
    ),
    bug(
        planted.KnowsOneLineEnd,
        "sse.newlines",
        Verdict.RAISED,
        "sse.newlines@kind=cr,times=2",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.newlines",
    ),
    bug(
        planted.DropsTheMark,
        "sse.bom",
        Verdict.SILENT,
        "sse.bom@attempt=1..2",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.bom",
        cassette="bare",
    ),
    bug(
        planted.KeepsTheLastLine,
        "sse.multiline",
        Verdict.RAISED,
        "sse.multiline@attempt=1",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.multiline",
    ),
    bug(
        planted.WantsNames,
        "sse.event_missing",
        Verdict.SILENT,
        "sse.event_missing@attempt=1",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.event_missing",
        cassette="messages",
    ),
    bug(
        planted.HasALimit,
        "sse.huge",
        Verdict.WRONG_ERROR,
        "sse.huge@event=9,size=500000",
        "sem.ping@event=3",
        small="sse.huge@event=1",
    ),
    bug(
        planted.PassesOverLines,
        "sse.bare_error",
        Verdict.SILENT,
        "sse.bare_error@event=9,kind=html",
        "body.slice@size=7",
        "sem.ping@event=3",
        small="sse.bare_error@event=1",
    ),
    bug(
        planted.SkipsWhatItCannotRead,
        "json.cut",
        Verdict.SILENT,
        "json.deep@event=9,depth=90000",
        *NOISE,
        small="json.cut@event=2",
    ),
    bug(
        planted.ReadsTheFirst,
        "json.concat",
        Verdict.SILENT,
        "json.concat@event=9,times=1",
        *NOISE,
        small="json.concat@event=1",
    ),
    bug(
        planted.CountsOnObjects,
        "json.scalar",
        Verdict.WRONG_ERROR,
        "json.scalar@event=9,times=1",
        *NOISE,
        small="json.scalar@event=1",
    ),
    bug(
        planted.EncodesHalves,
        "json.surrogate",
        Verdict.WRONG_ERROR,
        "json.surrogate@event=3,kind=lone",
        *NOISE,
        small="json.surrogate@event=3",
    ),
    bug(
        planted.MissesTheError,
        "sem.error_event",
        Verdict.SILENT,
        "sem.error_string@event=9,message=Too long,then=done",
        *NOISE,
        small="sem.error_event@event=1",
    ),
    bug(
        planted.MakesUpTheFinish,
        "sem.finish_missing",
        Verdict.SILENT,
        "sem.finish_missing@times=2",
        *NOISE,
        flags=(Flag.MADE_UP_FINISH,),
        small="sem.finish_missing",
    ),
    bug(
        planted.CountsOnAChoice,
        "sem.empty_choices",
        Verdict.WRONG_ERROR,
        "sem.empty_choices@event=9,times=2",
        *NOISE,
        small="sem.empty_choices@event=1",
    ),
    bug(
        planted.CountsOnADelta,
        "sem.null_delta",
        Verdict.WRONG_ERROR,
        "sem.null_delta@event=9,times=2",
        *NOISE,
        small="sem.null_delta@event=1",
    ),
    bug(
        planted.CallsWithHalf,
        "sem.tool_cut",
        Verdict.SILENT,
        "sem.tool_cut@times=2",
        *NOISE,
        flags=(Flag.INCOMPLETE_TOOL_CALL,),
        small="sem.tool_cut",
        cassette="calls",
    ),
    bug(
        planted.JoinsNames,
        "sem.tool_delta",
        Verdict.SILENT,
        "sem.tool_delta@quirk=repeated_name,times=2",
        *NOISE,
        small="sem.tool_delta@quirk=repeated_name",
        cassette="calls",
    ),
]


@pytest.fixture(scope="module")
def cassettes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("planted")
    bare = stream("openai_chat")
    (folder / "text.yaml").write_bytes(cassette(bare, Client.url))
    # The first event, which has the role alone, is lacking, and the wait before it.
    (folder / "bare.yaml").write_bytes(cassette(bare[:2] + bare[4:], Client.url))
    (folder / "calls.yaml").write_bytes(cassette(stream("openai_chat", calls=True), Client.url))
    (folder / "messages.yaml").write_bytes(cassette(stream("anthropic"), Messages.url))
    return lambda name: folder / f"{name}.yaml"


planted_bugs = pytest.mark.parametrize("bug", BUGS, ids=str)


def test_there_are_25_bugs_and_half_of_them_are_real() -> None:
    told = [bug.client.__doc__ or "" for bug in BUGS]

    assert len(BUGS) >= 25
    assert len({bug.client for bug in BUGS}) == len(BUGS)
    assert sum("#" in text for text in told) * 2 >= len(BUGS)


@pytest.mark.matrix(2)
@planted_bugs
def test_a_bug_is_found_and_whoever_has_it_not_is_clean(
    bug: Bug, cassettes: Callable[[str], Path]
) -> None:
    path = cassettes(bug.cassette)
    report = chaos.sweep(bug.client().ask, path, bug.faults, **OPTIONS)
    right = chaos.sweep(bug.client.__bases__[0]().ask, path, bug.faults, **OPTIONS)

    assert (bug.verdict, bug.flags) in {(it.verdict, it.flags) for it in report.bad}
    # Who is right does not read behind the end, and so never meets what happens there.
    assert right.tried or bug.faults == ["body.hold_open"]
    assert not right.bad


@pytest.mark.matrix(2)
@planted_bugs
def test_a_large_plan_shrinks_to_the_smallest_that_shows_the_bug(
    bug: Bug, cassettes: Callable[[str], Path]
) -> None:
    large = [parse_rule(text) for text in bug.large]
    shrunk = chaos.shrink(bug.client().ask, cassettes(bug.cassette), large, **OPTIONS)

    assert [text_of(rule) for rule in shrunk.plan.rules] == [bug.small]
    assert shrunk.trials < 200


@pytest.mark.parametrize(
    ("client", "name"),
    [(Client, "text"), (Client, "calls"), (Messages, "text"), (AsyncClient, "calls")],
    ids=["text", "calls", "messages", "async"],
)
def test_a_client_without_any_of_the_bugs_is_clean_whatever_happens(
    client: type[Client], name: str, cassettes: Callable[[str], Path]
) -> None:
    path = cassettes("messages" if client is Messages else name)
    report = chaos.sweep(client().ask, path, LAYERS, recovery=False, **OPTIONS)

    assert not report.bad
    assert len(report.tried) > 400
