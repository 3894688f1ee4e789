"""The table of docs/clients.md: what today's clients do with every fault of the catalogue.

    make clients            # or: python docs/clients.py [--only openai,anthropic] [--workers 2]

Each client asks a loopback server once, which is recorded; then the recording is swept, with
every fault there is, without network and in virtual time. Clients that are not installed are
named as skipped. Every client has a timeout of two seconds and tries once.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cassette_stream import LoopbackServer, __version__, chaos, use_cassette
from cassette_stream.chaos import Report, Result, Verdict

logging.disable()  # some tell at length of each event that they skip

# Else it asks the network for prices when it is imported.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

PAGE = Path(__file__).with_name("clients.md")
QUESTION = [{"role": "user", "content": "Count from 1 to 5"}]
TIMEOUT = 2.0
GAP = 0.02


@cache
def openai_client(base: str) -> Any:
    import openai

    return openai.OpenAI(base_url=f"{base}/v1", api_key="none", timeout=TIMEOUT, max_retries=0)


@cache
def anthropic_client(base: str) -> Any:
    import anthropic

    return anthropic.Anthropic(base_url=base, api_key="none", timeout=TIMEOUT, max_retries=0)


@cache
def gemini_client(base: str) -> Any:
    from google import genai

    options = {"base_url": base, "timeout": int(TIMEOUT * 1000)}
    return genai.Client(api_key="none", http_options=options)


@cache
def mistral_client(base: str) -> Any:
    from mistralai.client import Mistral

    return Mistral(api_key="none", server_url=base, timeout_ms=int(TIMEOUT * 1000))


@cache
def cohere_client(base: str) -> Any:
    import cohere

    return cohere.ClientV2(api_key="none", base_url=base, timeout=TIMEOUT)


@cache
def ollama_client(base: str) -> Any:
    import ollama

    return ollama.Client(host=base, timeout=TIMEOUT)


@cache
def httpx_client() -> Any:
    import httpx

    return httpx.Client(timeout=TIMEOUT)


def openai(base: str) -> Any:
    return list(
        openai_client(base).chat.completions.create(
            model="gpt-4o-mini", messages=QUESTION, stream=True
        )
    )


def openai_stream(base: str) -> Any:
    stream = openai_client(base).chat.completions.stream(model="gpt-4o-mini", messages=QUESTION)
    with stream as events:
        return events.get_final_completion()


def openai_responses(base: str) -> Any:
    return list(
        openai_client(base).responses.create(model="gpt-4o-mini", input=QUESTION, stream=True)
    )


def anthropic(base: str) -> Any:
    return list(
        anthropic_client(base).messages.create(
            model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION, stream=True
        )
    )


def anthropic_stream(base: str) -> Any:
    with anthropic_client(base).messages.stream(
        model="claude-sonnet-4-5", max_tokens=100, messages=QUESTION
    ) as events:
        return events.get_final_message()


def google_genai(base: str) -> Any:
    return list(
        gemini_client(base).models.generate_content_stream(
            model="gemini-2.5-flash", contents="Count from 1 to 5"
        )
    )


def mistralai(base: str) -> Any:
    with mistral_client(base).chat.stream(
        model="mistral-small-latest", messages=QUESTION
    ) as events:
        return [event.data for event in events]


def cohere(base: str) -> Any:
    return list(
        cohere_client(base).chat_stream(
            model="command-a-03-2025", messages=QUESTION, request_options={"max_retries": 0}
        )
    )


def ollama(base: str) -> Any:
    return list(ollama_client(base).chat(model="llama3.2", messages=QUESTION, stream=True))


def litellm(base: str) -> Any:
    import litellm as library

    library.suppress_debug_info = True
    return list(
        library.completion(
            model="openai/gpt-4o-mini",
            messages=QUESTION,
            stream=True,
            api_base=f"{base}/v1",
            api_key="none",
            timeout=TIMEOUT,
            max_retries=0,
        )
    )


def httpx_by_hand(base: str) -> Any:
    import json

    text = []
    question = {"model": "gpt-4o-mini", "messages": QUESTION, "stream": True}
    with httpx_client().stream("POST", f"{base}/v1/chat/completions", json=question) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if not line.startswith("data: "):
                continue
            if line == "data: [DONE]":
                break
            event = json.loads(line.removeprefix("data: "))
            text += [choice["delta"].get("content") or "" for choice in event["choices"]]
    return "".join(text)


def ours(base: str, model: str = "openai/gpt-4o-mini", path: str = "/v1") -> Any:
    from cassette_stream import completion

    stream = completion(
        model,
        QUESTION,
        stream=True,
        api_base=f"{base}{path}",
        api_key="none",
        timeout=TIMEOUT,
        total_timeout=300,
        num_retries=0,
    )
    for _ in stream:
        pass
    return stream.response


def ours_responses(base: str) -> Any:
    return ours(base, "openai/responses/gpt-4o-mini")


def ours_anthropic(base: str) -> Any:
    return ours(base, "anthropic/claude-sonnet-4-5", "")


def ours_gemini(base: str) -> Any:
    return ours(base, "gemini/gemini-2.5-flash", "/v1beta")


def ours_cohere(base: str) -> Any:
    return ours(base, "cohere/command-a-03-2025", "")


def ours_ollama(base: str) -> Any:
    return ours(base, "ollama/llama3.2", "")


def ours_converse(base: str) -> Any:
    return ours(base, "bedrock/amazon.nova-lite-v1:0", "")


def ours_invoke(base: str) -> Any:
    return ours(base, "bedrock/invoke/anthropic.claude-sonnet-4-5-20250929-v1:0", "")


@dataclass(frozen=True)
class Client:
    """A client, the package that it is of, and what is called."""

    name: str
    package: str
    ask: Callable[[str], Any]


CLIENTS = (
    Client("openai", "openai", openai),
    Client("openai `.stream()`", "openai", openai_stream),
    Client("openai Responses", "openai", openai_responses),
    Client("anthropic", "anthropic", anthropic),
    Client("anthropic `.stream()`", "anthropic", anthropic_stream),
    Client("google-genai", "google-genai", google_genai),
    Client("mistralai", "mistralai", mistralai),
    Client("cohere", "cohere", cohere),
    Client("ollama", "ollama", ollama),
    Client("litellm openai/", "litellm", litellm),
    Client("httpx by hand", "httpx", httpx_by_hand),
    Client("**ours**, chat completions", "cassette-stream", ours),
    Client("**ours**, Responses", "cassette-stream", ours_responses),
    Client("**ours**, Anthropic", "cassette-stream", ours_anthropic),
    Client("**ours**, Gemini", "cassette-stream", ours_gemini),
    Client("**ours**, Cohere", "cassette-stream", ours_cohere),
    Client("**ours**, Ollama", "cassette-stream", ours_ollama),
    Client("**ours**, Converse", "cassette-stream", ours_converse),
    Client("**ours**, InvokeModel", "cassette-stream", ours_invoke),
)


def sweep(client: Client, folder: Path, workers: int) -> Report:
    """Record *client* once, and break the recording in every way."""
    path = folder / f"{client.ask.__name__}.yaml"
    with LoopbackServer(gap=GAP) as server:
        base = server.url
        with use_cassette(path, mode="rewrite", guard=False):
            client.ask(base)
    with executor(workers) as pool:
        return chaos.sweep(
            client.ask, path, "all", args=(base,), executor=pool, recovery=False, patience=600
        )


@contextlib.contextmanager
def executor(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    if workers < 2:
        yield None
        return
    with ProcessPoolExecutor(workers) as pool:
        yield pool


def row(client: Client, report: Report) -> str:
    """One line of the table: faults, each counted by the worst that it led to."""
    worst = [_worst(results) for results in report.by_fault().values()]
    found = [result for result in worst if result is not None]
    harmful = [it for it in found if it.expect in {"raises", "either"}]
    benign = [it for it in found if it.expect == "tolerates"]
    counts = [
        sum(it.verdict == verdict for it in harmful) for verdict in (Verdict.RAISED, Verdict.OK)
    ]
    counts += [
        sum(it.verdict == verdict for it in harmful)
        for verdict in (Verdict.WRONG_ERROR, Verdict.SILENT, Verdict.HANG)
    ]
    refused = sum(not it.good for it in benign)
    name = f"{client.name} {_version(client.package)}"
    cells = [name, *map(str, counts), str(len(benign) - refused), str(refused)]
    return f"| {' | '.join(cells)} |"


def _worst(results: tuple[Result, ...]) -> Result | None:
    """The worst of what one fault led to; None where it never struck."""
    order = [Verdict.HANG, Verdict.SILENT, Verdict.WRONG_ERROR, Verdict.RAISED, Verdict.OK]
    struck = [it for it in results if it.verdict is not None and it.expect != "undetectable"]
    return min(struck, key=lambda it: (it.good, order.index(it.verdict)), default=None)


def details(client: Client, report: Report) -> Iterator[str]:
    """The faults that go wrong, by what happens."""
    for verdict in (Verdict.SILENT, Verdict.HANG, Verdict.WRONG_ERROR, Verdict.RAISED):
        faults = sorted(
            {it.fault for it in report.bad if it.verdict == verdict},
        )
        if faults:
            words = "refused though harmless" if verdict == Verdict.RAISED else verdict
            yield f"* {client.name}, {words}: {', '.join(f'`{fault}`' for fault in faults)}"


def _version(package: str) -> str:
    return __version__ if package == "cassette-stream" else version(package)


def _is_there(package: str) -> bool:
    try:
        _version(package)
    except PackageNotFoundError:
        return False
    return True


HEAD = """# What today's clients do with a stream that breaks

Made by `make clients`, which records each client once and then sweeps the recording with every
fault of the catalogue ({catalogue} ids). Each fault is counted once, by the worst that it led
to at any of its places and in any of its variants. Timeout {timeout:g} s, no retries; ours has
a total timeout as well, which the others do not offer.

| client | raised | full answer | foreign | silent | hang | benign: fine | benign: refused |
|---|---|---|---|---|---|---|---|
"""

TAIL = """
*raised*: an exception of the family that the client documents, or a finish reason that is no
good one. *full answer*: the broken stream still held all of it. *foreign*: an exception of
httpx, json, Python. *silent*: it returned, and something is lost, doubled or made up. *hang*:
it waited without a deadline. Faults that no client can see, as a lost event in a stream
without numbers, are not counted.

## Which
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="packages, separated by commas")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--print", action="store_true", help="print the page, and write nothing")
    told = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = [it for it in CLIENTS if not told.only or it.package in told.only.split(",")]
    rows, lists, skipped, count = [], [], [], 0
    with TemporaryDirectory() as folder:
        for client in chosen:
            if not _is_there(client.package):
                skipped.append(client.name)
                continue
            report = sweep(client, Path(folder), told.workers)
            count = report.catalogue
            rows.append(row(client, report))
            lists += details(client, report)
            print(rows[-1], file=sys.stderr, flush=True)
    page = HEAD.format(catalogue=count, timeout=TIMEOUT) + "\n".join(rows) + "\n" + TAIL
    page += "\n" + "\n".join(lists) + "\n"
    if skipped:
        page += f"\nNot installed, so skipped: {', '.join(skipped)}.\n"
    if told.print:
        print(page)
    else:
        PAGE.write_text(page, "utf-8")


if __name__ == "__main__":
    # Workers import the subjects by the name of this module.
    sys.path.insert(0, str(Path(__file__).parent))
    importlib.import_module("clients").main()
