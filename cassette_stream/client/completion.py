"""`completion` and `acompletion`: one call for every provider, streamed or whole.

The overloads differ in *stream* and in nothing else; ``tests/test_signatures.py`` sees to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from cassette_stream.chunks import ModelResponse
from cassette_stream.client.asked import ask, limits_of, retries_of
from cassette_stream.client.connections import async_client, sync_client
from cassette_stream.client.exchange import Opened
from cassette_stream.client.opening import aopened, opened
from cassette_stream.client.stream import (
    CustomStreamWrapper,
    agiven,
    areadings,
    given,
    readings,
)

__all__ = ("acompletion", "completion")


@overload
def completion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: Literal[True],
    timeout: float | None = 600,
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper: ...
@overload
def completion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: Literal[False] | None = False,
    timeout: float | None = 600,
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> ModelResponse: ...
@overload
def completion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: bool | None,
    timeout: float | None = 600,
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper | ModelResponse: ...
def completion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: bool | None = False,
    timeout: float | None = 600,
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper | ModelResponse:
    """Ask a *model*, and give its answer: chunk by chunk with *stream*, else whole.

    Args:
        model: ``provider/model``, or a name that says whose it is, such as ``gpt-4o``.
        messages: The conversation, in the shape of the chat completions API.
        stream: Give a `CustomStreamWrapper` instead of a `ModelResponse`.
        timeout: Seconds without a chunk that says something; comments and pings of the
            provider are none. None: no limit.
        stream_timeout: *timeout* where the answer is streamed, if given.
        first_chunk_timeout: The same for the head of the response, and for what follows until
            the first chunk; *timeout* if not given. Silence on a socket that goes on once the
            head is there is noticed after *timeout* at the latest, not before.
        total_timeout: Seconds from this call to the end of the stream. It is noticed when
            something comes, or after *timeout* seconds of silence.
        num_retries: How often a request is sent again that gets no answer, or one with
            status 408, 409, 429, 500 and above; 2 if not given. Never once a stream has begun.
        max_retries: Another name for *num_retries*.
        strict: What is not as the provider's format says is an error. Else it is left out, and
            the stream's *warnings* say so.
        http_client: A client of httpx or httpx2 to send the request with. It stays open.
        api_key: The key; else an environment variable of the provider's holds it.
        api_base: The address that the provider's paths are appended to.
        base_url: Another name for *api_base*.
        custom_llm_provider: Whose the model is, where its name does not say.
        extra_headers: Headers besides, or instead.
        extra_body: Fields of the body besides, or instead, as they are.
        drop_params: Leave out parameters that the provider does not have.
        params: Parameters of the chat completions API, such as ``temperature``, ``tools`` and
            ``stream_options``; those that are None are not sent. And where some providers are, or
            as whom: ``organization`` of OpenAI, ``api_version`` of Azure, ``aws_region_name`` and
            other ``aws_`` names of Bedrock, ``vertex_project`` and ``vertex_location``.

    Raises:
        TypeError: An argument is of the wrong type; nothing was sent.
        ValueError: It has a value that cannot be; nothing was sent.
        APIError: No such provider, no key, no connection, or the provider refuses. Iterating
            raises it as well; the class says what happened.
    """
    asked = ask(
        model,
        messages,
        stream=stream,
        limits=limits_of(
            timeout, first_chunk_timeout, total_timeout, streamed=stream_timeout, stream=stream
        ),
        max_retries=retries_of(num_retries, max_retries),
        strict=strict,
        api_key=api_key,
        api_base=_either(api_base, base_url),
        custom_llm_provider=custom_llm_provider,
        extra_headers=extra_headers,
        extra_body=extra_body,
        drop_params=drop_params,
        params=params,
    )
    if http_client is None:
        client: Any = sync_client(asked.url)
    else:
        client = _own(http_client, "Client", "close")
    answer, response = opened(asked, client)
    if not asked.stream:
        return _whole(answer)
    if answer.chunks is not None:
        return CustomStreamWrapper(answer.reading, given(answer.chunks))
    return CustomStreamWrapper(answer.reading, readings(answer.reading, response), response)


@overload
async def acompletion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: Literal[True],
    timeout: float | None = 600,  # noqa: ASYNC109 - of silence, not of the call
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper: ...
@overload
async def acompletion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: Literal[False] | None = False,
    timeout: float | None = 600,  # noqa: ASYNC109 - of silence, not of the call
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> ModelResponse: ...
@overload
async def acompletion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: bool | None,
    timeout: float | None = 600,  # noqa: ASYNC109 - of silence, not of the call
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper | ModelResponse: ...
async def acompletion(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: bool | None = False,
    timeout: float | None = 600,  # noqa: ASYNC109 - of silence, not of the call
    stream_timeout: float | None = None,
    first_chunk_timeout: float | None = None,
    total_timeout: float | None = None,
    num_retries: int | None = None,
    max_retries: int | None = None,
    strict: bool = True,
    http_client: object = None,
    api_key: str | None = None,
    api_base: str | None = None,
    base_url: str | None = None,
    custom_llm_provider: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, object] | None = None,
    drop_params: bool = False,
    **params: object,
) -> CustomStreamWrapper | ModelResponse:
    """The same as `completion`, for asynchronous code; the stream is for ``async for``.

    After a ``break`` the event loop closes the stream a little later, and trio warns of that;
    ``async with`` closes it at the end of the block.
    """
    asked = ask(
        model,
        messages,
        stream=stream,
        limits=limits_of(
            timeout, first_chunk_timeout, total_timeout, streamed=stream_timeout, stream=stream
        ),
        max_retries=retries_of(num_retries, max_retries),
        strict=strict,
        api_key=api_key,
        api_base=_either(api_base, base_url),
        custom_llm_provider=custom_llm_provider,
        extra_headers=extra_headers,
        extra_body=extra_body,
        drop_params=drop_params,
        params=params,
    )
    if http_client is None:
        client: Any = await async_client(asked.url)
    else:
        client = _own(http_client, "AsyncClient", "aclose")
    answer, response = await aopened(asked, client)
    if not asked.stream:
        return _whole(answer)
    if answer.chunks is not None:
        return CustomStreamWrapper(answer.reading, agiven(answer.chunks))
    return CustomStreamWrapper(answer.reading, await areadings(answer.reading, response), response)


def _own(client: object, kind: str, close: str) -> object:
    """The caller's own *client*, if it is one of that *kind*, which has a *close* of its own."""
    if not (hasattr(client, "build_request") and hasattr(client, close)):
        raise TypeError(f"http_client must be a {kind} of httpx or httpx2 here, not {client!r}")
    return client


def _whole(answer: Opened) -> ModelResponse:
    response = answer.reading.response()
    assert response is not None  # what has no chunk is an error before this
    return response


def _either(api_base: str | None, base_url: str | None) -> str | None:
    if None not in (api_base, base_url) and api_base != base_url:
        raise ValueError(
            f"api_base={api_base!r} and base_url={base_url!r} are two names for the same: "
            "give one of them"
        )
    return base_url if api_base is None else api_base
