"""Code under test for sweeps: small clients of one recording, good and bad, as users write them.

Each makes the request of ``fixtures/openai_text.yaml`` and takes no arguments.
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from cassette_stream import acompletion

URL = "https://api.openai.com/v1/chat/completions"
BODY: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "Count from 1 to 10"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


class BrokenAnswerError(Exception):
    """What the users of `careful` are told to expect."""


def naive() -> str:
    """What a first attempt looks like: it takes any end for the end of the answer."""
    parts = []
    with httpx.stream("POST", URL, json=BODY, timeout=5) as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:])["choices"]:
                    parts.append(choice["delta"].get("content") or "")
                    print(parts[-1], end="")
    return "".join(parts)


def careful() -> str:
    """The same, which says so when the answer is not whole."""
    parts, finish = [], None
    try:
        with httpx.stream("POST", URL, json=BODY, timeout=5) as response:
            response.raise_for_status()
            for line in response.iter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    for choice in json.loads(line[6:])["choices"]:
                        parts.append(choice["delta"].get("content") or "")
                        finish = choice["finish_reason"] or finish
    except (httpx.HTTPError, ValueError) as error:
        raise BrokenAnswerError("the stream broke") from error
    if finish is None:
        raise BrokenAnswerError("the stream ended without a finish reason")
    return "".join(parts)


async def patient() -> str:
    """It waits for ever, and for nobody."""
    async with httpx.AsyncClient(timeout=None) as client:
        response = await client.send(client.build_request("POST", URL, json=BODY), stream=True)
        body = await response.aread()
    return body.decode()


def rude() -> str:
    """Its errors hold everything that a report must not obey."""
    try:
        return careful()
    except BrokenAnswerError:
        raise RuntimeError('\x1b[31m<script>alert("\ud83d")</script>\x07\u202e & more') from None


def unrecorded() -> str:
    """It asks for something that is in no cassette."""
    return httpx.post(URL, json={**BODY, "model": "another"}).text


async def ours() -> Any:
    """Our own client, in an event loop."""
    answer = await acompletion(
        "openai/gpt-4o-mini",
        BODY["messages"],
        stream=True,
        stream_options={"include_usage": True},
        api_key="k",
    )
    return [chunk async for chunk in answer]
