"""Our own client over the whole catalogue: what harms it is told, and what does not is no matter.

In every dialect, synchronous and not, over an answer of text and over one of reasoning, text
and parallel calls. What passes silently is what the bytes do not show, fault by fault.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from breaking import BASES, MODELS, SPOKEN, has
from support import SOAK
from sweeping import MATCH_ON, QUESTION, record

from cassette_stream import acompletion, chaos, completion
from cassette_stream.chaos import Report, Verdict
from cassette_stream.faults import catalogue

# A drip, or a chunk again and again, never ends: somebody must bound the whole of it.
OPTIONS: dict[str, Any] = {"stream": True, "api_key": "none", "total_timeout": 60.0}


def ours(model: str, base: str | None) -> Any:
    stream = completion(model, QUESTION, api_base=base, **OPTIONS)
    for _ in stream:
        pass
    return stream.response


async def aours(model: str, base: str | None) -> Any:
    async with await acompletion(model, QUESTION, api_base=base, **OPTIONS) as stream:
        async for _ in stream:
            pass
    return stream.response


def pieces(model: str, base: str | None) -> Iterator[Any]:
    return completion(model, QUESTION, api_base=base, **OPTIONS)


async def apieces(model: str, base: str | None) -> AsyncIterator[Any]:
    return await acompletion(model, QUESTION, api_base=base, **OPTIONS)


def whole(model: str, base: str | None) -> Any:
    return completion(model, QUESTION, api_base=base, **OPTIONS | {"stream": False})


async def awhole(model: str, base: str | None) -> Any:
    return await acompletion(model, QUESTION, api_base=base, **OPTIONS | {"stream": False})


WHOLE = {"sync": whole, "asyncio": awhole, "trio": awhole}
ASKS = {"sync": ours, "asyncio": aours, "trio": aours}
PIECES = {"sync": pieces, "asyncio": apieces, "trio": apieces}
SOME_SWEEPS = [
    *((dialect, "text", "sync") for dialect in SPOKEN),
    *((dialect, "calls", "asyncio") for dialect in SPOKEN),
    ("openai_chat", "calls", "trio"),
]
SWEEPS = [(dialect, said, way) for dialect in SPOKEN for said in ("text", "calls") for way in ASKS]

UNORDERED = {"sem.dropped", "sem.duplicated", "sem.empty_success", "sem.reordered"}
NOT_SHOWN: dict[str, set[str]] = {
    "openai_chat": {*UNORDERED, "sem.replay_after_retry"},
    # Its events are numbered.
    "openai_responses": {"sem.empty_success"},
    **{key: {*UNORDERED, "sem.replay_after_retry"} for key in ("gemini", "ollama")},
    # They begin with an event of its own, so that a second beginning is seen.
    **dict.fromkeys(("anthropic", "cohere", "bedrock_converse", "bedrock_invoke"), UNORDERED),
}
"""By dialect, what passes silently, since no byte tells of it."""

WITHOUT_CALLS: dict[str, set[str]] = {
    **{key: {"sem.tool_cut", "sem.tool_delta"} for key in SPOKEN},
    # Their calls come whole: Gemini's cut one is a finish reason, Ollama has none.
    **{key: {"sem.tool_delta"} for key in ("gemini", "ollama")},
}
"""What cannot strike an answer of text alone."""

NO_HOLD: dict[str, set[str]] = {
    "sync": {"end.abandoned", "end.cancel_leak", "end.cross_loop"},
    "asyncio": {"end.abandoned"},
    "trio": {"end.abandoned"},
}
"""The probes that have no hold on a function that reads its stream to the end itself."""


def swept(subject: Any, dialect: str, path: Path, faults: Any, way: str, **more: Any) -> Report:
    return chaos.sweep(
        subject,
        path,
        faults,
        args=(MODELS[dialect], BASES.get(dialect)),
        match_on=MATCH_ON,
        backend="trio" if way == "trio" else "asyncio",
        **more,
    )


@pytest.mark.matrix(4)
@pytest.mark.parametrize(("dialect", "said", "way"), SWEEPS if SOAK else SOME_SWEEPS)
def test_nothing_harmful_passes_and_nothing_harmless_is_refused(
    dialect: str, said: str, way: str, tmp_path: Path
) -> None:
    path = record(tmp_path / "it.yaml", dialect, calls=said == "calls")
    report = swept(
        ASKS[way],
        dialect,
        path,
        "all",
        way,
        positions="every-event" if SOAK else "sampled",
        recovery=SOAK or (said, way) == ("text", "sync"),
    )

    report.raise_for_bad()
    silent = {it.fault: it.expect for it in report.tried if it.verdict is Verdict.SILENT}
    assert set(silent.values()) == {"undetectable"}
    # Between two calls more is seen, and a sample may miss the text before them.
    assert silent.keys() <= NOT_SHOWN[dialect]
    assert silent.keys() == NOT_SHOWN[dialect] or (said == "calls" and not SOAK)
    tried, struck = ({it.fault for it in results} for results in (report.results, report.tried))
    assert tried == {fault.id for fault in catalogue().values() if has(fault, dialect)}
    assert tried - struck == NO_HOLD[way] | (WITHOUT_CALLS[dialect] if said == "text" else set())
    assert not [it.rule for it in report.results if it.real_time or it.missed]
    assert not [it.rule for it in report.results if it.recovered is False]


@pytest.mark.matrix(12)
@pytest.mark.parametrize("way", WHOLE)
@pytest.mark.parametrize("said", ["text", "calls"])
@pytest.mark.parametrize("dialect", SPOKEN)
def test_an_answer_that_comes_whole_is_given_whole_or_not_at_all(
    dialect: str, said: str, way: str, tmp_path: Path
) -> None:
    path = record(tmp_path / "it.yaml", dialect, calls=said == "calls", streamed=False)
    positions = "every-event" if SOAK else "sampled"
    report = swept(WHOLE[way], dialect, path, "all", way, positions=positions)

    report.raise_for_bad()
    assert {it.verdict for it in report.tried} == {Verdict.OK, Verdict.RAISED}
    layers = {it.fault.partition(".")[0] for it in report.tried}
    assert layers == {"connect", "head", "body", "sse", "end"}
    assert not [it.rule for it in report.results if it.recovered is False]


# Trio closes what was dropped, as the others do, but says that one should not drop it.
@pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
@pytest.mark.matrix(2)
@pytest.mark.parametrize("way", ASKS)
@pytest.mark.parametrize("dialect", SPOKEN)
def test_whatever_is_done_to_it_nothing_is_left_behind(
    dialect: str, way: str, tmp_path: Path
) -> None:
    path = record(tmp_path / "it.yaml", dialect, calls=True)
    report = swept(PIECES[way], dialect, path, "end.*", way)

    report.raise_for_bad()
    struck = {it.fault for it in report.tried}
    assert struck == {it.fault for it in report.results} - (NO_HOLD[way] - {"end.abandoned"})
    assert {it.verdict for it in report.tried} == {Verdict.OK}


def test_together_the_sweeps_try_the_whole_catalogue() -> None:
    struck = {"end.abandoned"}  # where nothing is left behind
    for dialect, said, way in SOME_SWEEPS:
        vain = NO_HOLD[way] | (WITHOUT_CALLS[dialect] if said == "text" else set())
        struck |= {it.id for it in catalogue().values() if has(it, dialect)} - vain

    assert struck == catalogue().keys()


@pytest.mark.skipif(not SOAK, reason="every byte is for CASSETTE_STREAM_SOAK")
@pytest.mark.parametrize("dialect", SPOKEN)
def test_so_it_is_at_every_byte(dialect: str, tmp_path: Path) -> None:
    path = record(tmp_path / "it.yaml", dialect)
    faults = [it.id for it in catalogue().values() if "byte" in it.places]
    report = swept(ours, dialect, path, faults, "sync", positions="every-byte", recovery=False)

    report.raise_for_bad()
    assert Verdict.SILENT not in {it.verdict for it in report.tried}
