"""What the README says works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import PROJECT

from cassette_stream import LoopbackServer

README = (PROJECT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def block(words: str) -> str:
    (found,) = [text for text in BLOCKS if words in text]
    return found


def run(folder: Path, code: str, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name != "CI"} | environment
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_lines_record_a_stream_and_play_it_back(tmp_path: Path) -> None:
    code = block("chat.completions.create")
    with LoopbackServer() as server:
        environment = server.environment
        live = run(tmp_path, code, **environment)
    replayed = run(tmp_path, code, **environment)

    assert "5" in live
    assert replayed == live
    assert (tmp_path / "cassettes" / "count.yaml").is_file()


def test_the_loopback_server_answers_the_sdk(tmp_path: Path) -> None:
    code = block("LoopbackServer()")
    told = run(
        tmp_path,
        "import openai\n" + code + "    print(client.chat.completions.create(model='m', messages="
        "[{'role': 'user', 'content': 'Count from 1 to 5'}]).choices[0].message.content)\n",
    )

    assert "5" in told


def test_marked_tests_run_as_they_stand(pytester: pytest.Pytester) -> None:
    marked = "\n\n".join(text for text in BLOCKS if "@pytest.mark.cassette" in text)
    assert marked.count("def test_") == 2
    pytester.makeconftest(
        """
import builtins
import httpx
import pytest
from types import SimpleNamespace


class Answer(str):
    text = property(str)
    interrupted = False


def events(request):
    words = ["1", ", ", "2", ", ", "3, 4, 5"]
    return httpx.Response(200, content=(f"data: {word}\\n\\n".encode() for word in words))


def ask(client):
    text, interrupted = "", False
    try:
        with client.stream("POST", "https://api.test/v1") as response:
            for data in response.iter_bytes():
                text += data.decode()[6:-2]
    except httpx.TransportError:
        interrupted = True
    answer = Answer(text)
    answer.interrupted = interrupted
    return answer


builtins.ask = ask


@pytest.fixture
def client():
    with httpx.Client(transport=httpx.MockTransport(events)) as client:
        yield client
"""
    )
    pytester.makepyfile(marked)
    record = '@pytest.mark.cassette("count")\ndef test_record(client):\n    ask(client)\n'
    pytester.makepyfile(test_first="import pytest\n\n\n" + record)
    env_free = ["-p", "no:cacheprovider", "--cassette-mode=once"]

    pytester.runpytest(*env_free, "test_first.py").assert_outcomes(passed=1)
    pytester.runpytest(*env_free).assert_outcomes(passed=3)


@pytest.mark.rest
def test_the_laws_run_as_they_stand(tmp_path: Path) -> None:
    code = block("chunkings(RECORDED)")
    told = run(
        tmp_path,
        "from hypothesis import settings\n"
        "from cassette_stream import stream_chunk_builder as accumulate\n"
        "from cassette_stream.wire import SSEDecoder\n"
        "settings.register_profile('few', max_examples=20, deadline=None)\n"
        "settings.load_profile('few')\n"
        "RECORDED = 'data: \\u00e9\\r\\n\\r\\ndata: [DONE]\\n\\n'.encode()\n"
        "def decode(chunks):\n"
        "    decoder = SSEDecoder(errors='replace')\n"
        "    return [event for chunk in chunks for event in decoder.feed(chunk)]\n"
        "def my_answer(chunks):\n"
        "    return accumulate(chunks).choices[0].message.content\n"
        + code
        + "test_my_decoder_does_not_care_about_boundaries()\n"
        "test_my_client_says_what_the_model_said()\n"
        "test_my_decoder_keeps_the_laws()\n"
        "test_my_accumulator_survives_every_provider()\n"
        "print('held')\n",
    )

    assert told == "held\n"


def test_one_loop_speaks_to_three_providers(tmp_path: Path) -> None:
    code = block("from cassette_stream import completion")
    with LoopbackServer() as server:
        told = run(tmp_path, code, **server.environment)

    assert told.count("1, 2, 3, 4, 5") == 3


def test_every_fault_of_the_table_exists() -> None:
    from cassette_stream import faults

    table = set(re.findall(r"^\| `([a-z]+\.[a-z_0-9]+)` \|", README, re.MULTILINE))

    assert table < set(faults.catalogue())
    assert f"and {len(faults.catalogue()) - len(table)} more" in README


def test_a_sweep_fails_for_a_reader_that_takes_half_an_answer(tmp_path: Path) -> None:
    code = block("raise_for_bad()")
    told = run(
        tmp_path,
        "import openai\n"
        "from cassette_stream import LoopbackServer, use_cassette\n"
        "client = openai.OpenAI(base_url='http://127.0.0.1:9/v1', api_key='none')\n"
        "def ask():\n"
        "    return list(client.chat.completions.create(model='m', stream=True, messages=[\n"
        "        {'role': 'user', 'content': 'Count from 1 to 5'}]))\n"
        "with LoopbackServer() as server:\n"
        "    client.base_url = server.openai_url\n"
        "    with use_cassette('cassettes/count.yaml'):\n"
        "        ask()\n" + code + "try:\n    test_no_broken_stream_passes_for_an_answer()\n"
        "except AssertionError as error:\n    print(error)\n",
        CI="",
    )

    assert "silent: body.clean_end@event=1" in told
