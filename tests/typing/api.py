"""The public API as a type checker sees it; checked by mypy, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import httpx
import respx

from cassette_stream import (
    Cassette,
    CustomStreamWrapper,
    Interaction,
    LoopbackServer,
    ModelResponse,
    ModelResponseStream,
    Redactor,
    Request,
    Response,
    Session,
    acompletion,
    completion,
    exceptions,
    faults,
    read_cassette,
    run_virtually,
    use_cassette,
    wire,
    write_cassette,
)


def as_a_context_manager(path: Path) -> None:
    with use_cassette(path, mode="none", pace=10.0, faults=["body.fin@event=6"]) as session:
        assert_type(session, Session)
        assert_type(session.interactions, tuple[Interaction, ...])
        assert_type(session.respx(respx.mock), respx.Route)
        assert_type(session.transport(), httpx.BaseTransport)
        assert_type(session.async_transport(), httpx.AsyncBaseTransport)
        httpx.Client(
            transport=session.transport(httpx.MockTransport(lambda _: httpx.Response(200)))
        )


def as_a_value(path: Path) -> None:
    cassette = assert_type(read_cassette(path), Cassette)
    write_cassette(path, cassette, redact=None)


async def one() -> int:
    return 1


def in_virtual_time() -> None:
    assert_type(run_virtually(one, backend="trio"), int)


async def in_asynchronous_code() -> None:
    async with use_cassette("a.yaml", redact=None) as session:
        assert_type(session, Session)


@use_cassette("a.yaml")
def decorated(number: int) -> str:
    return str(number)


@use_cassette("a.yaml", redact=Redactor(), pace="recorded")
async def decorated_too(number: int) -> str:
    return str(number)


async def decorators_keep_signatures() -> None:
    assert_type(decorated(1), str)
    assert_type(await decorated_too(1), str)


def quiet(request: Request) -> Request | None:
    return request if request.method == "POST" else None


def short(response: Response) -> Response | None:
    return response


def differs(recorded: Request, live: Request) -> str | None:
    return None if recorded.url == live.url else "url"


def hooks() -> None:
    use_cassette(
        "a.yaml",
        match_on=("method", differs),
        ignore=["metadata.run_id"],
        before_record_request=quiet,
        before_record_response=short,
        faults=faults.body.Fin(at=faults.Event(6, inside="utf8")),
    )


def events(chunks: list[bytes]) -> list[str]:
    decoder = wire.SSEDecoder()
    return [event.data for chunk in chunks for event in decoder.feed(chunk)]


def serve() -> str:
    with LoopbackServer(gap=0.01) as server:
        assert_type(server.environment, dict[str, str])
        return server.openai_url


QUESTION = [{"role": "user", "content": "Hello"}]


def a_call_gives_what_stream_says(either: bool) -> None:
    assert_type(completion("gpt-4o", QUESTION), ModelResponse)
    assert_type(completion("gpt-4o", QUESTION, stream=False, temperature=0), ModelResponse)
    assert_type(completion("gpt-4o", QUESTION, stream=None), ModelResponse)
    assert_type(completion(model="gpt-4o", messages=QUESTION, stream=True), CustomStreamWrapper)
    assert_type(completion("gpt-4o", QUESTION, stream=either), CustomStreamWrapper | ModelResponse)
    for chunk in completion("gpt-4o", QUESTION, stream=True, timeout=5, tools=[]):
        assert_type(chunk, ModelResponseStream)
    with completion("gpt-4o", QUESTION, stream=True) as stream:
        assert_type(stream, CustomStreamWrapper)
    completion("gpt-4o", QUESTION, stream="yes")  # type: ignore[call-overload]  # no such value
    completion("gpt-4o", QUESTION, timeout="5")  # type: ignore[call-overload]  # no number


async def an_asynchronous_call_does_too(either: bool) -> None:
    assert_type(await acompletion("gpt-4o", QUESTION), ModelResponse)
    assert_type(await acompletion("gpt-4o", QUESTION, stream=False, seed=1), ModelResponse)
    assert_type(await acompletion("gpt-4o", QUESTION, stream=None), ModelResponse)
    assert_type(await acompletion("gpt-4o", QUESTION, stream=True), CustomStreamWrapper)
    assert_type(
        await acompletion("gpt-4o", QUESTION, stream=either), CustomStreamWrapper | ModelResponse
    )
    async for chunk in await acompletion("gpt-4o", QUESTION, stream=True):
        assert_type(chunk, ModelResponseStream)
    async with await acompletion("gpt-4o", QUESTION, stream=True) as stream:
        assert_type(stream, CustomStreamWrapper)
    await acompletion("gpt-4o", QUESTION, stream=True, timeout="5")  # type: ignore[call-overload]


def errors() -> tuple[type[Exception], ...]:
    return (exceptions.CassetteMissError, exceptions.HangError)
