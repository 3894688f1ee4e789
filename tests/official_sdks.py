"""What a client hears in a body: the official SDKs, and ours.

Typed objects are folded by hand, by what the providers' documentation says of them; no
accumulator takes part, theirs or ours. Each fold stops where its client does, and keeps what
came before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import httpx2
import pytest

from cassette_stream import completion

EVENTS = "text/event-stream"
QUESTION: Any = [{"role": "user", "content": "hi"}]


@dataclass
class Call:
    """A tool call: its *spelt* arguments are JSON text, or the input of a custom tool.

    They are what it *began* with where nothing was spelt.
    """

    id: str = ""
    name: str = ""
    spelt: str = ""
    began: str = "{}"

    @property
    def value(self) -> Any:
        """What the arguments say; where that is no JSON, because they were cut, their text."""
        try:
            return json.loads(self.spelt or self.began)
        except ValueError:
            return self.spelt


@dataclass
class Answer:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: dict[object, Call] = field(default_factory=dict)
    finish: str | None = None

    def call(self, key: object) -> Call:
        return self.calls.setdefault(key, Call())


@dataclass
class Heard:
    """*counts* are the tokens asked, answered, in total, cached and thought, where told."""

    answers: dict[int, Answer] = field(default_factory=dict)
    counts: tuple[int | None, ...] | None = None
    error: Exception | None = None

    def answer(self, index: int = 0) -> Answer:
        return self.answers.setdefault(index, Answer())

    @property
    def broken(self) -> bool:
        """Whether the answer did not come to its end, as far as this client can tell."""
        finishes = [answer.finish for answer in self.answers.values()]
        return self.error is not None or not finishes or None in finishes


class ReportedError(Exception):
    """An error that the SDK does not raise, but gives as an event."""


Fold = Callable[[Heard], None]


def heard(fold: Fold) -> Heard:
    """What *fold* makes of a stream, up to its error if it has one."""
    found = Heard()
    try:
        fold(found)
    except Exception as error:
        found.error = error
    return found


class Wire:
    """A transport for httpx and httpx2 that answers every request with the same *body*."""

    def __init__(self, body: bytes = b"", status: int = 200, content_type: str = EVENTS) -> None:
        self.set(body, status, content_type)

    def set(self, body: bytes, status: int, content_type: str) -> None:
        self._answer = {
            "status_code": status,
            "headers": {"content-type": content_type},
            "content": body,
        }

    def client(self, library: Any) -> Any:
        def respond(request: object) -> Any:
            return library.Response(**self._answer)

        return library.Client(transport=library.MockTransport(respond))


class Ours:
    """`completion`, told whose format it is by the *model*."""

    def __init__(self, model: str) -> None:
        self.model = model

    def hear(self, body: bytes, status: int = 200, content_type: str = EVENTS) -> Heard:
        return heard(lambda found: self._fold(found, Wire(body, status, content_type)))

    def _fold(self, found: Heard, wire: Wire) -> None:
        with wire.client(httpx) as client:
            for chunk in completion(
                self.model,
                QUESTION,
                stream=True,
                api_key="none",
                api_base="http://127.0.0.1" if self.model.startswith("bedrock/") else None,
                num_retries=0,
                http_client=client,
            ):
                for choice in chunk.choices:
                    answer, delta = found.answer(choice.index), choice.delta
                    answer.text += delta.content or ""
                    answer.reasoning += delta.reasoning_content or ""
                    answer.refusal += delta.refusal or ""
                    answer.finish = choice.finish_reason or answer.finish
                    for piece in delta.tool_calls or ():
                        call, custom = answer.call(piece.index), piece.custom
                        call.id += piece.id or ""
                        call.name += (custom or piece.function).name or ""
                        call.spelt += custom.input if custom else piece.function.arguments


class OpenAIChat:
    formats = ("openai-chat",)
    model = "openai/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = EVENTS) -> Heard:
        def fold(found: Heard) -> None:
            with openai_client(body, status, content_type) as client:
                for chunk in client.chat.completions.create(
                    model="m", messages=QUESTION, stream=True
                ):
                    if chunk.usage is not None:
                        found.counts = counts_of_chat(chunk.usage)
                    for choice in chunk.choices or ():
                        answer = found.answer(choice.index)
                        answer.finish = choice.finish_reason or answer.finish
                        if choice.delta is not None:
                            take_chat_delta(answer, choice.delta)

        return heard(fold)


def openai_client(body: bytes, status: int = 200, content_type: str = EVENTS) -> Any:
    import openai

    client = Wire(body, status, content_type).client(httpx2)
    return openai.OpenAI(api_key="none", max_retries=0, http_client=client)


def take_chat_delta(answer: Answer, delta: Any) -> None:
    parts = delta.content if isinstance(delta.content, list) else [{"text": delta.content}]
    answer.text += "".join(part.get("text") or "" for part in parts)
    answer.reasoning += getattr(delta, "reasoning_content", None) or ""
    answer.refusal += delta.refusal or ""
    for piece in delta.tool_calls or ():
        # Mistral has no index: its calls come whole, each with its id.
        call = answer.call(piece.id if piece.index is None else piece.index)
        call.id = call.id or piece.id or ""
        if piece.function is not None:
            call.name = call.name or piece.function.name or ""
            call.spelt += piece.function.arguments or ""
        # The SDK passes it on as it came, without a type of its own.
        if (custom := getattr(piece, "custom", None)) is not None:
            call.name = call.name or custom.get("name") or ""
            call.spelt += custom.get("input") or ""


def counts_of_chat(usage: Any) -> tuple[int | None, ...]:
    prompt, answer = usage.prompt_tokens_details, usage.completion_tokens_details
    return (
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        prompt and prompt.cached_tokens,
        answer and answer.reasoning_tokens,
    )


class OpenAIResponses:
    formats = ("openai-responses",)
    model = "openai/responses/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = EVENTS) -> Heard:
        def fold(found: Heard) -> None:
            with openai_client(body, status, content_type) as client:
                for event in client.responses.create(model="m", input="hi", stream=True):
                    take_response_event(found, event)
                    if found.answers and found.answer().finish is not None:
                        return

        return heard(fold)


def take_response_event(found: Heard, event: Any) -> None:
    answer = found.answer()
    match event.type:
        case "response.output_text.delta":
            answer.text += event.delta
        case "response.refusal.delta":
            answer.refusal += event.delta
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
            answer.reasoning += event.delta
        case "response.output_item.added" | "response.output_item.done":
            item = event.item
            if item.type in {"function_call", "custom_tool_call"}:
                spelt = item.arguments if item.type == "function_call" else item.input
                answer.calls[event.output_index] = Call(item.call_id, item.name, spelt or "")
        case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
            answer.call(event.output_index).spelt += event.delta
        case "error":
            raise ReportedError(event.message)
        case "response.failed":
            raise ReportedError(event.response.error and event.response.error.message)
        case "response.completed" | "response.incomplete":
            details = event.response.incomplete_details
            answer.finish = (details and details.reason) or "completed"
            if (usage := event.response.usage) is not None:
                prompt, spoken = usage.input_tokens_details, usage.output_tokens_details
                found.counts = (
                    usage.input_tokens,
                    usage.output_tokens,
                    usage.total_tokens,
                    prompt and prompt.cached_tokens,
                    spoken and spoken.reasoning_tokens,
                )


class Anthropic:
    formats = ("anthropic",)
    model = "anthropic/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = EVENTS) -> Heard:
        def fold(found: Heard) -> None:
            usage: dict[str, Any] = {}
            with anthropic_client(body, status, content_type) as client:
                for event in client.messages.create(
                    model="m", max_tokens=64, messages=QUESTION, stream=True
                ):
                    take_message_event(found, usage, event)
                    if event.type == "message_stop":
                        return

        return heard(fold)


def anthropic_client(body: bytes, status: int = 200, content_type: str = EVENTS) -> Any:
    import anthropic

    client = Wire(body, status, content_type).client(httpx2)
    return anthropic.Anthropic(api_key="none", max_retries=0, http_client=client)


def take_message_event(found: Heard, usage: dict[str, Any], event: Any) -> None:
    answer = found.answer()
    match event.type:
        case "message_start":
            usage |= event.message.usage.model_dump(exclude_none=True, warnings=False)
        case "content_block_start":
            block = event.content_block
            if block.type == "text":
                answer.text += block.text
            elif block.type in {"tool_use", "server_tool_use", "mcp_tool_use"}:
                began = json.dumps(block.input or {})
                answer.calls[event.index] = Call(block.id, block.name, began=began)
        case "content_block_delta":
            delta = event.delta
            if delta.type == "text_delta":
                answer.text += delta.text
            elif delta.type == "thinking_delta":
                answer.reasoning += delta.thinking
            elif delta.type == "input_json_delta" and event.index in answer.calls:
                answer.call(event.index).spelt += delta.partial_json
        case "message_delta":
            answer.finish = event.delta.stop_reason or answer.finish
            usage |= event.usage.model_dump(exclude_none=True, warnings=False)
            found.counts = counts_of_message(usage)


def counts_of_message(usage: dict[str, Any]) -> tuple[int | None, ...]:
    cached = usage.get("cache_read_input_tokens", 0)
    asked = usage["input_tokens"] + cached + usage.get("cache_creation_input_tokens", 0)
    answered = usage["output_tokens"]
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens")
    return asked, answered, asked + answered, cached, thought


class Gemini:
    formats = ("gemini", "gemini-jsonarray")
    model = "gemini/m"

    @staticmethod
    def hear(
        body: bytes, status: int = 200, content_type: str = EVENTS, *, vertex: bool = False
    ) -> Heard:
        wire, client = gemini_client(vertex=vertex)
        wire.set(body, status, content_type)

        def fold(found: Heard) -> None:
            for response in client.models.generate_content_stream(model="m", contents="hi"):
                feedback, usage = response.prompt_feedback, response.usage_metadata
                if feedback is not None and feedback.block_reason is not None:
                    found.answer().finish = "content_filter"
                    found.answer().refusal = feedback.block_reason_message or ""
                for place, candidate in enumerate(response.candidates or ()):
                    index = place if candidate.index is None else candidate.index
                    take_candidate(found.answer(index), candidate)
                if usage is not None:
                    found.counts = counts_of_gemini(usage)

        return heard(fold)


@cache
def gemini_client(*, vertex: bool = False) -> tuple[Wire, Any]:
    """One for all: each loads its certificates, which takes longer than a stream."""
    genai = pytest.importorskip("google.genai", reason="google-genai is in the group 'sdks'")

    wire = Wire()
    options: Any = {"httpx_client": wire.client(httpx2)}
    return wire, genai.Client(vertexai=vertex, api_key="none", http_options=options)


def take_candidate(answer: Answer, candidate: Any) -> None:
    for part in (candidate.content and candidate.content.parts) or ():
        if part.thought:
            answer.reasoning += part.text or ""
        else:
            answer.text += part.text or ""
        if (call := part.function_call) is None:
            continue
        if call.name:
            spelt = json.dumps(call.args or {})
            answer.calls[len(answer.calls)] = Call(call.id or "", call.name, spelt)
        for piece in call.partial_args or ():
            told = answer.calls[len(answer.calls) - 1]
            told.spelt = json.dumps(placed(json.loads(told.spelt), piece))
    if candidate.finish_reason is not None:
        answer.finish = candidate.finish_reason.value
        answer.refusal = candidate.finish_message or ""


def placed(arguments: dict[str, Any], piece: Any) -> dict[str, Any]:
    """*arguments* with one of ``partialArgs``, whose path is of names alone; texts go on."""
    *way, last = piece.json_path.removeprefix("$.").split(".")
    inner = arguments
    for name in way:
        inner = inner.setdefault(name, {})
    if piece.string_value is not None:
        inner[last] = inner.get(last, "") + piece.string_value
    else:
        inner[last] = piece.number_value if piece.bool_value is None else piece.bool_value
    return arguments


def counts_of_gemini(usage: Any) -> tuple[int | None, ...]:
    thought = usage.thoughts_token_count
    answered = (usage.candidates_token_count or 0) + (thought or 0)
    asked, total, cached = (
        usage.prompt_token_count,
        usage.total_token_count,
        usage.cached_content_token_count,
    )
    return asked, answered, total, cached, thought


class Cohere:
    formats = ("cohere-v2",)
    model = "cohere/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = EVENTS) -> Heard:
        def fold(found: Heard) -> None:
            with Wire(body, status, content_type).client(httpx) as http:
                client = cohere_client(http)
                for event in client.chat_stream(model="m", messages=QUESTION):
                    take_cohere_event(found, event)

        return heard(fold)


def cohere_client(http: Any) -> Any:
    cohere = pytest.importorskip("cohere", reason="cohere is in the group 'sdks'")

    return cohere.ClientV2(api_key="none", max_retries=0, httpx_client=http)


def take_cohere_event(found: Heard, event: Any) -> None:
    answer = found.answer()
    match event.type:
        case "content-start" | "content-delta":
            content = event.delta.message.content
            answer.text += getattr(content, "text", None) or ""
            answer.reasoning += getattr(content, "thinking", None) or ""
        case "tool-plan-delta":
            answer.reasoning += event.delta.message.tool_plan
        case "tool-call-start":
            call = event.delta.message.tool_calls
            answer.calls[event.index] = Call(call.id, call.function.name, call.function.arguments)
        case "tool-call-delta":
            answer.call(event.index).spelt += event.delta.message.tool_calls.function.arguments
        case "message-end":
            if event.delta.error:
                raise ReportedError(event.delta.error)
            answer.finish = event.delta.finish_reason
            if (usage := event.delta.usage) is not None:
                found.counts = counts_of_cohere(usage)


def counts_of_cohere(usage: Any) -> tuple[int | None, ...]:
    asked, answered = int(usage.tokens.input_tokens), int(usage.tokens.output_tokens)
    cached = usage.cached_tokens
    return asked, answered, asked + answered, None if cached is None else int(cached), None


class Ollama:
    formats = ("ollama",)
    model = "ollama/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = "application/x-ndjson") -> Heard:
        ollama = pytest.importorskip("ollama", reason="ollama is in the group 'sdks'")

        def fold(found: Heard) -> None:
            transport = httpx.MockTransport(
                lambda _: httpx.Response(
                    status, headers={"content-type": content_type}, content=body
                )
            )
            with ollama.Client("http://127.0.0.1", transport=transport) as client:
                if b'"response":' in body:
                    for part in client.generate(model="m", prompt="hi", stream=True):
                        take_ollama_part(found, part, part.response, part.thinking)
                    return
                for part in client.chat(model="m", messages=[], stream=True):
                    said = part.message
                    take_ollama_part(found, part, said.content, said.thinking)
                    for call in said.tool_calls or ():
                        calls = found.answer().calls
                        spelt = json.dumps(dict(call.function.arguments))
                        calls[len(calls)] = Call("", call.function.name, spelt)

        return heard(fold)


def take_ollama_part(found: Heard, part: Any, text: str | None, thinking: str | None) -> None:
    answer = found.answer()
    answer.text += text or ""
    answer.reasoning += thinking or ""
    if part.done:
        # Before there were reasons, being done was all that was said.
        answer.finish = part.done_reason or "stop"
    if part.eval_count is not None:
        asked, answered = part.prompt_eval_count or 0, part.eval_count
        found.counts = asked, answered, asked + answered, None, None


AWS_STREAM = "application/vnd.amazon.eventstream"


class BedrockConverse:
    """botocore, asked as its users do; only the connection is not there."""

    formats = ("bedrock-converse",)
    model = "bedrock/converse/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = AWS_STREAM) -> Heard:
        wire, client = bedrock_client()
        wire.set(body, status, content_type)

        def fold(found: Heard) -> None:
            answered = client.converse_stream(modelId="m", messages=[])
            for event in answered["stream"]:
                [(kind, said)] = event.items()
                take_converse_event(found, kind, said)

        return heard(fold)


class Raw:
    """What botocore reads a body from."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self) -> Any:
        return iter([self.body])

    def close(self) -> None:
        pass


class BotocoreWire:
    """The same as `Wire`, for botocore."""

    def set(self, body: bytes, status: int, content_type: str) -> None:
        self._answer = status, {"content-type": content_type}, body

    def __call__(self, request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]

        status, headers, body = self._answer
        return AWSResponse(request.url, status, headers, Raw(body))


@cache
def bedrock_client() -> tuple[BotocoreWire, Any]:
    import botocore.session  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    wire = BotocoreWire()
    client = botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
        config=Config(retries={"max_attempts": 0}),
    )
    client.meta.events.register("before-send.bedrock-runtime", wire)
    return wire, client


def take_converse_event(found: Heard, kind: str, said: Any) -> None:
    answer = found.answer()
    match kind:
        case "contentBlockStart":
            tool = said["start"]["toolUse"]
            answer.calls[said["contentBlockIndex"]] = Call(tool["toolUseId"], tool["name"])
        case "contentBlockDelta":
            delta = said["delta"]
            answer.text += delta.get("text", "")
            answer.reasoning += delta.get("reasoningContent", {}).get("text", "")
            if "toolUse" in delta:
                answer.call(said["contentBlockIndex"]).spelt += delta["toolUse"]["input"]
        case "messageStop":
            answer.finish = said["stopReason"]
        case "metadata":
            found.counts = counts_of_converse(said["usage"])


def counts_of_converse(usage: dict[str, int]) -> tuple[int | None, ...]:
    read, written = usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens")
    asked = usage["inputTokens"] + (read or 0) + (written or 0)
    return asked, usage["outputTokens"], usage["totalTokens"], read, None


class BedrockInvoke:
    """Anthropic's SDK, as far as it speaks to Bedrock: it reads frames by botocore."""

    formats = ("bedrock-invoke",)
    model = "bedrock/invoke/m"

    @staticmethod
    def hear(body: bytes, status: int = 200, content_type: str = AWS_STREAM) -> Heard:
        import anthropic

        def fold(found: Heard) -> None:
            usage: dict[str, Any] = {}
            http = Wire(body, status, content_type).client(httpx2)
            with anthropic.AnthropicBedrock(
                api_key="none", aws_region="us-east-1", max_retries=0, http_client=http
            ) as client:
                for event in client.messages.create(
                    model="m", max_tokens=64, messages=QUESTION, stream=True
                ):
                    take_message_event(found, usage, event)
                    if event.type == "message_stop":
                        return

        return heard(fold)
