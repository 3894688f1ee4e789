"""What a replayed test costs with each plugin: CPU time of whole runs of pytest.

A run of one test is start-up, imports, one stream of 100 chunks played, and the end; a
run of 50 shows what each further test adds. Each plugin loads alone, all others are kept
out, and `pytest` here is a run of the same tests that ask `httpx.MockTransport`. Runs go
in turn, round after round; figures are medians.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from imports import cpu
from measure import introduce, show, version_of
from sse import chat_chunks
from stages import BODY, OURS, record

CHUNKS = 100
MANY = 50
ROUNDS = 9
BASELINE = "httpx.MockTransport"
PLUGINS = {
    OURS: ("pytest_cassette_stream", "@pytest.mark.cassette('stream', mode='none')"),
    "pytest-recording": ("recording", "@pytest.mark.vcr('stream.yaml', record_mode='none')"),
    "cassetter": ("cassetter", "@pytest.mark.vcr('stream.yaml', record_mode='none')"),
}
RECORDER = {OURS: OURS, "pytest-recording": "vcrpy", "cassetter": "cassetter"}

TEST = """
import httpx
import pytest

BODY = {body!r}
CHUNKS = {chunks!r}
TLS = httpx.create_ssl_context()


def client():
    {client}


{marker}
@pytest.mark.parametrize("n", range({count}))
def test_it(n):
    size = 0
    with client() as it, it.stream("POST", {url!r}, json=BODY) as response:
        for chunk in response.iter_bytes():
            size += len(chunk)
    assert size == {size}
"""
MOCKED = """
    def respond(request):
        return httpx.Response(200, content=iter(CHUNKS))
    return httpx.Client(transport=httpx.MockTransport(respond))
"""


def write(folder: Path, name: str, count: int, url: str, chunks: Sequence[bytes]) -> Path:
    """The test module of *name* with *count* tests, and the cassette where it looks for it."""
    plugin = PLUGINS.get(name)
    home = folder / f"{name.partition('.')[0]}_{count}"
    home.mkdir()
    module = home / "test_it.py"
    module.write_text(
        TEST.format(
            body=BODY,
            chunks=[] if plugin else list(chunks),
            client="return httpx.Client(verify=TLS)" if plugin else MOCKED.strip(),
            marker=plugin[1] if plugin else "",
            count=count,
            url=url,
            size=sum(map(len, chunks)),
        )
    )
    return home


def place(home: Path, cassette: Path) -> None:
    """The cassette where its plugin looks for it: by module, or for all."""
    for where in ("cassettes", "cassettes/test_it"):
        (home / where).mkdir(exist_ok=True)
        (home / where / "stream.yaml").write_bytes(cassette.read_bytes())


def command(plugin: str | None, home: Path) -> list[str]:
    installed = sorted({it.name for it in entry_points(group="pytest11")})
    out = [word for it in installed if it != plugin for word in ("-p", f"no:{it}")]
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *out, str(home)]


def main() -> None:
    introduce(
        f"Runs of pytest with 0, 1 and {MANY} replayed tests, milliseconds of CPU, medians of "
        f"{ROUNDS} rounds",
        *("cassette-stream", "pytest-recording", "vcrpy", "cassetter", "httpx", "pytest"),
    )
    names = [BASELINE, *(name for name in PLUGINS if name == OURS or version_of(name))]
    with tempfile.TemporaryDirectory() as place_of_all:
        folder = Path(place_of_all)
        chunks = chat_chunks(CHUNKS)
        url, paths = record(folder, chunks)
        (folder / "empty").mkdir()
        (folder / "empty" / "test_it.py").write_text("import httpx\ndef test_it(): pass\n")
        commands: dict[tuple[str, int], list[str]] = {}
        for name in names:
            plugin = PLUGINS[name][0] if name in PLUGINS else None
            commands[name, 0] = command(plugin, folder / "empty")
            for count in (1, MANY):
                home = write(folder, name, count, url, chunks)
                if name in PLUGINS:
                    place(home, paths[RECORDER[name]])
                commands[name, count] = command(plugin, home)
        taken = [
            {key: cpu(each, place_of_all) for key, each in commands.items()}
            for _ in range(1 + ROUNDS)
        ][1:]
    rows, one = [], {}
    for name in names:
        empty, first, many = (
            statistics.median(each[name, count] for each in taken) for count in (0, 1, MANY)
        )
        ratio = statistics.median(each[name, 1] / each[BASELINE, 1] for each in taken)
        one[name] = first
        each_more = (many - first) / (MANY - 1)
        rows.append(
            [name, f"{empty:.0f}", f"{first:.0f} ({ratio:.2f})", f"{many:.0f}", f"{each_more:.2f}"]
        )
    columns = ["plugin", "no test of it", "one test", f"{MANY} tests", "each more"]
    show(f"milliseconds ({BASELINE} = 1)", columns, rows)
    for name in names:
        if name in PLUGINS and name != OURS:
            held = "under" if one[OURS] <= one[name] else "OVER"
            print(f"one test of {OURS}: {one[OURS]:.0f}, {held} {name}: {one[name]:.0f}")


if __name__ == "__main__":
    main()
