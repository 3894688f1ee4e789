"""The page docs/decoders.md: what today's decoders of event streams make of each rule.

    python docs/decoders.py

The law of `pytest_cassette_stream.laws.check_decoder` is pointed at each decoder. What breaks
it is written down, with the smallest stream, and left out from then on, until the law holds.
Examples are drawn by a fixed seed, so the page is the same in every run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from pytest_cassette_stream.laws import FRAMING_RULES, SSE_RULES, LawError, check_decoder

PAGE = Path(__file__).with_name("decoders.md")
SEED = 1
EXAMPLES = settings(
    max_examples=150, database=None, phases=[Phase.generate, Phase.shrink], deadline=None
)


def response(library: Any, chunks: Iterable[bytes]) -> Any:
    """A reply of httpx or httpx2 that brings *chunks* as they are."""
    request = library.Request("POST", "https://none.invalid")
    head = {"content-type": "text/event-stream"}
    return library.Response(200, headers=head, content=iter(chunks), request=request)


def openai_decoder(chunks: Iterable[bytes]) -> Any:
    from openai._streaming import SSEDecoder

    return SSEDecoder().iter_bytes(iter(chunks))


def anthropic_decoder(chunks: Iterable[bytes]) -> Any:
    from anthropic._streaming import SSEDecoder

    return SSEDecoder().iter_bytes(iter(chunks))


def httpx2_decoder(chunks: Iterable[bytes]) -> Any:
    import httpx2

    return httpx2.EventSource(response(httpx2, chunks))


def httpx_sse_decoder(chunks: Iterable[bytes]) -> Any:
    import httpx
    import httpx_sse

    return httpx_sse.EventSource(response(httpx, chunks)).iter_sse()


def ours(chunks: Iterable[bytes]) -> Any:
    from cassette_stream.wire import SSEDecoder

    decoder = SSEDecoder(errors="replace")
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish()


def ours_strict(chunks: Iterable[bytes]) -> Any:
    from cassette_stream.wire import SSEDecoder

    decoder = SSEDecoder()
    for chunk in chunks:
        yield from decoder.feed(chunk)
    yield from decoder.finish()


@cache
def openai_client() -> Any:
    import openai

    return openai.OpenAI(api_key="none")


@cache
def anthropic_client() -> Any:
    import anthropic

    return anthropic.Anthropic(api_key="none")


def openai_stream(chunks: Iterable[bytes]) -> Any:
    import httpx2
    import openai
    from openai.types.chat import ChatCompletionChunk

    reply = response(httpx2, chunks)
    return openai.Stream(cast_to=ChatCompletionChunk, response=reply, client=openai_client())


def anthropic_stream(chunks: Iterable[bytes]) -> Any:
    import anthropic
    import httpx2
    from anthropic.types import RawMessageStreamEvent

    reply = response(httpx2, chunks)
    return anthropic.Stream(
        cast_to=RawMessageStreamEvent,
        response=reply,
        client=anthropic_client(),
    )


def ours_dialect(dialect: str) -> Callable[[Iterable[bytes]], Any]:
    def decode(chunks: Iterable[bytes]) -> Any:
        from cassette_stream import dialects

        decoder = getattr(dialects, dialect).Decoder()
        for chunk in chunks:
            yield from decoder.feed(chunk)
        yield from decoder.finish()

    return decode


@dataclass(frozen=True)
class Decoder:
    """A decoder, the package that it is of, and for whose streams it is."""

    name: str
    package: str
    decode: Callable[[Iterable[bytes]], Any]
    dialect: str | None = None


DECODERS = (
    Decoder("openai `SSEDecoder`", "openai", openai_decoder),
    Decoder("anthropic `SSEDecoder`", "anthropic", anthropic_decoder),
    Decoder("httpx2 `EventSource`", "httpx2", httpx2_decoder),
    Decoder("httpx-sse `EventSource`", "httpx-sse", httpx_sse_decoder),
    Decoder("**ours**, `wire.SSEDecoder`", "cassette-stream", ours_strict),
    Decoder('**ours**, `errors="replace"`', "cassette-stream", ours),
    Decoder("openai `Stream`", "openai", openai_stream, "openai_chat"),
    Decoder("anthropic `Stream`", "anthropic", anthropic_stream, "anthropic"),
    Decoder(
        "**ours**, chat completions", "cassette-stream", ours_dialect("openai_chat"), "openai_chat"
    ),
    Decoder("**ours**, Anthropic", "cassette-stream", ours_dialect("anthropic"), "anthropic"),
)


def findings(decoder: Decoder) -> Iterator[LawError]:
    """What breaks the law, each with the smallest stream, until nothing does."""
    left_out: set[str] = set()
    known = SSE_RULES if decoder.dialect is None else FRAMING_RULES
    while True:
        try:
            check_decoder(
                decoder.decode,
                dialect=decoder.dialect,
                exclude=left_out,
                settings=EXAMPLES,
                seed=SEED,
            )
        except LawError as error:
            yield error
            rules = [name for name in known if name in error.seen]
            if not rules:
                return
            left_out.add(max(rules, key=_special))
        else:
            return


def _special(rule: str) -> int:
    """How little else a *rule* says; of several the most special is to blame."""
    order = (
        "multi_line",
        "utf8",
        "cr",
        "crlf",
        "mixed_line_ends",
        "event",
        "id",
        "retry",
        "comment",
    )
    return order.index(rule) if rule in order else len(order)


def is_there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def section(decoder: Decoder) -> str:
    """What is told of one decoder."""
    rows = [row(found) for found in findings(decoder)]
    head = f"## {decoder.name} {version(decoder.package)}\n\n"
    if not rows:
        return head + f"Nothing was found in {EXAMPLES.max_examples} examples of each law.\n"
    table = ["| stream | came | expected | needs |", "|---|---|---|---|", *rows]
    return head + "\n".join(table) + "\n"


def row(found: LawError) -> str:
    needs = ", ".join(f"`{name}`" for name in found.seen) or "nothing special"
    stream = " then ".join(code(shortened(chunk)) for chunk in found.stream) or "nothing"
    cells = [stream, told(found.came), told(found.expected), needs]
    return f"| {' | '.join(cells)} |"


def shortened(chunk: object) -> str:
    text = repr(chunk)
    return text if len(text) <= 120 else f"{text[:70]} ... {text[-30:]}"


def told(value: Any) -> str:
    """Events in few words: what is not the default."""
    if isinstance(value, Exception):
        return f"raises `{type(value).__name__}`"
    if isinstance(value, list):
        return ", ".join(code(ascii(_short(event))) for event in value) or "no event"
    return code(ascii(value))


def _short(event: Any) -> Any:
    if not isinstance(event, dict):
        return event
    usual = {"event": "message", "id": ""}
    return {name: it for name, it in event.items() if usual.get(name) != it}


def code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`` {escaped} ``" if "`" in text else f"`{escaped}`"


HEAD = """# What today's decoders make of an event stream

Made by `python docs/decoders.py`, which points `pytest_cassette_stream.laws.check_decoder` at
each decoder. What breaks the law is shown by the smallest stream, left out from then on, and
so on until the law holds. The text that counts is the
[WHATWG's](https://html.spec.whatwg.org/multipage/server-sent-events.html); for `Stream` objects
it is the answer in the stream, whose events are written in every way that says the same.
Of events that came only what is not the default is shown. The page does not judge: to raise
where bytes are no UTF-8, for one, is stricter than the text and may well be better.

"""

TAIL = """
## What streams need

{rules}
"""


def page(sections: Iterable[str]) -> str:
    rules = "\n".join(f"* `{name}`: {text}" for name, text in (SSE_RULES | FRAMING_RULES).items())
    return HEAD + "\n".join(sections) + TAIL.format(rules=rules)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--print", action="store_true", help="print the page, and write nothing")
    told_to = parser.parse_args()
    missing = [it.name for it in DECODERS if not is_there(it.package)]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}; all of them belong on the page")
    text = page(section(decoder) for decoder in DECODERS)
    if told_to.print:
        print(text)
    else:
        PAGE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
