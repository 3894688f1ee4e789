"""What an installed wheel must do, with nothing but itself: record, replay, break."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx

import cassette_stream

PROMPT = {
    "model": "demo",
    "stream": True,
    "messages": [{"role": "user", "content": "Count from 1 to 5"}],
}


def ask(url: str) -> list[bytes]:
    with (
        httpx.Client() as client,
        client.stream("POST", f"{url}/chat/completions", json=PROMPT) as response,
    ):
        return list(response.iter_raw())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "smoke.yaml"
        with cassette_stream.LoopbackServer() as server:
            url = server.openai_url
            with cassette_stream.use_cassette(path, mode="rewrite"):
                live = ask(url)
        with cassette_stream.use_cassette(path, mode="none"):
            replayed = ask(url)
        try:
            with cassette_stream.use_cassette(path, mode="none", faults="body.fin@event=3"):
                ask(url)
        except httpx.RemoteProtocolError as error:
            broken = error
    assert live == replayed, (live, replayed)
    assert "incomplete chunked read" in str(broken), broken
    print(f"smoke: {len(live)} chunks recorded, replayed and broken: ok")


if __name__ == "__main__":
    main()
