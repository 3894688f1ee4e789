"""Cassettes of streams of 500 chunks, written, played and read, beside vcrpy and cassetter.

Everybody works on a real file and in the documented default. vcrpy and cassetter keep
neither chunk boundaries nor times nor how a stream ended; we do, and the figures hold
what that costs. "serialise" makes the bytes, "verify" also reads them back and compares,
"commit" also puts them in the place of a file, all or nothing; "save" is what others do:
make the bytes and write them. "play one" opens a file, finds the last recording by its
request and hands out its response.
"""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from array import array
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from measure import interleaved, introduce, show, version_of

from cassette_stream import storage
from cassette_stream.cassette import (
    Cassette,
    CassetteReader,
    Interaction,
    Request,
    Response,
    check_written,
    dumps,
)
from cassette_stream.cassette.match import matchers
from cassette_stream.replayer import Replayer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNKS = 500
COUNTS = (1, 10, 100, 1000)
ROUNDS = {1: 100, 10: 20, 100: 5, 1000: 3}
URL = "https://api.openai.com/v1/chat/completions?case="
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVENT = (
    'data: {"id":"chatcmpl-CfeG%07d","object":"chat.completion.chunk","created":1763893812,'
    '"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_51db84a",'
    '"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],'
    '"usage":null}\n\n'
)
REQUEST_HEADERS = {"content-type": ["application/json"], "user-agent": ["OpenAI/Python 3.54.0"]}
HEADERS = {
    "content-type": ["text/event-stream; charset=utf-8"],
    "date": ["Mon, 23 Nov 2026 12:00:00 GMT"],
    "x-request-id": ["req_4f4c7f2e"],
}

Figures = dict[str, "Callable[[], object]"]


def question(number: int) -> bytes:
    messages = [
        {"role": "system", "content": "You count.\nYou say nothing else.\n"},
        {"role": "user", "content": f"Count from 1 to {number}"},
    ]
    return json.dumps({"model": "gpt-4o-mini", "stream": True, "messages": messages}).encode()


def interaction(number: int) -> Interaction:
    events = [(EVENT % (number, place)).encode() for place in range(CHUNKS)]
    return Interaction(
        recorded_at=NOON,
        request=Request(
            method="POST",
            url=f"{URL}{number}",
            headers={name: tuple(values) for name, values in REQUEST_HEADERS.items()},
            body=question(number),
        ),
        response=Response(
            status=200,
            headers={name: tuple(values) for name, values in HEADERS.items()},
            head_after_us=212_400,
            body=b"".join(events),
            sizes=array("q", map(len, events)),
            gaps_us=array("q", [place * 7919 % 60_000 for place in range(CHUNKS)]),
        ),
    )


def ours(folder: Path, count: int) -> Iterator[Figures]:
    path = folder / f"ours-{count}.yaml"
    whole = Cassette(interactions=tuple(map(interaction, range(count))), recorded_with="bench")
    storage.write(path, dumps(whole))
    last = whole.interactions[-1].request

    def play_one() -> None:
        reader = CassetteReader(path.read_bytes(), file=str(path))
        number = Replayer(reader, matchers()).find(last)
        assert number == count - 1
        assert reader.interaction(number).response is not None

    def verified() -> bytes:
        data = dumps(whole)
        check_written(data, whole)
        return data

    yield {
        "serialise": lambda: dumps(whole),
        "save": lambda: path.write_bytes(dumps(whole)),
        "verify": verified,
        "commit": lambda: storage.write(path, verified()),
        "play one": play_one,
        "read all": lambda: list(CassetteReader(path.read_bytes(), file=str(path))),
    }


def vcrpy(folder: Path, count: int) -> Iterator[Figures]:
    from vcr.cassette import Cassette as Tape
    from vcr.request import Request as Asked

    path = folder / f"vcrpy-{count}.yaml"
    flat = {name: values[0] for name, values in REQUEST_HEADERS.items()}
    tape = Tape(str(path))
    for number in range(count):
        held = interaction(number)
        assert held.response is not None
        status = {"code": 200, "message": "OK"}
        answer = {"status": status, "headers": HEADERS, "body": {"string": held.response.body}}
        tape.append(Asked("POST", held.request.url, held.request.body, flat), answer)
    last = Asked("POST", f"{URL}{count - 1}", question(count - 1), flat)
    tape._save(force=True)

    yield {
        "save": lambda: tape._save(force=True),
        "play one": lambda: Tape.load(path=str(path)).play_response(last),
        "read all": lambda: Tape.load(path=str(path)).responses,
    }


def cassetter(folder: Path, count: int) -> Iterator[Figures]:
    from cassetter import Cassette as Tape
    from cassetter import RecordMode

    path = folder / f"cassetter-{count}.yaml"
    tape = Tape(path, record_mode=RecordMode.ALL)
    tape.load()
    for number in range(count):
        held = interaction(number)
        assert held.response is not None
        asked = ("POST", held.request.url, REQUEST_HEADERS, held.request.body)
        tape.record(*asked, 200, HEADERS, held.response.body)
    last = ("POST", f"{URL}{count - 1}", REQUEST_HEADERS, question(count - 1))

    def save() -> None:
        tape._dirty = True
        tape.save()

    def opened() -> Tape:
        tape = Tape(path)
        tape.load()
        return tape

    save()
    yield {
        "save": save,
        "play one": lambda: opened().play(*last).body.content,
        "read all": lambda: [held.response.body.content for held in opened().interactions],
    }


MAKERS = {"ours": ours, "vcrpy": vcrpy, "cassetter": cassetter}
OPERATIONS = ("serialise", "verify", "commit", "save", "play one", "read all")


def figures(folder: Path, names: list[str], count: int) -> dict[str, dict[str, str]]:
    """Milliseconds by operation and name, "refuses" where somebody cannot."""
    subjects = {name: next(MAKERS[name](folder, count)) for name in names}
    told: dict[str, dict[str, str]] = {operation: {} for operation in OPERATIONS}
    for operation in OPERATIONS:
        able: Figures = {}
        for name, each in subjects.items():
            try:
                each.get(operation, lambda: None)()
            except Exception as error:
                told[operation][name] = f"refuses ({type(error).__name__})"
            else:
                able |= {name: each[operation]} if operation in each else {}
        seconds = interleaved(able, rounds=ROUNDS[count])
        told[operation] |= {name: f"{each * 1000:.2f}" for name, each in seconds.items()}
    return told


def peak(folder: Path, count: int) -> str:
    """The peak of memory while all is read and kept, the file's bytes with it, in its sizes."""
    data = (folder / f"ours-{count}.yaml").read_bytes()
    tracemalloc.start()
    held = list(CassetteReader(data, file="x"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == count
    return f"{(len(data) + most) / len(data):.2f}"


def main() -> None:
    introduce(
        f"Cassettes, streams of {CHUNKS} chunks, median of rounds",
        *("cassette-stream", "PyYAML", "vcrpy", "cassetter"),
    )
    names = [name for name in MAKERS if name == "ours" or version_of(name)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows: dict[tuple[str, str], list[str]] = {}
        for count in COUNTS:
            for operation, each in figures(folder, names, count).items():
                for name, figure in each.items():
                    rows.setdefault((operation, name), []).append(figure)
        streams = [f"{count:,} streams" for count in COUNTS]
        show(
            "milliseconds of CPU",
            ["", *streams],
            [[f"{operation}, {name}", *row] for (operation, name), row in rows.items()],
        )
        peaks = list(map(partial(peak, folder), COUNTS[2:]))
        show(
            "peak memory of reading all, in sizes of the file",
            ["", *streams[2:]],
            [["ours", *peaks]],
        )


if __name__ == "__main__":
    main()
