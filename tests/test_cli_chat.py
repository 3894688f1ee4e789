"""`cassette-stream chat`: what it shows, whom it asks, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_completions import TRICKY, completions
from support import SOAK
from typer.testing import CliRunner, Result

from cassette_stream import LoopbackServer, completion
from cassette_stream.cassette import Ending, How, Request, loads
from cassette_stream.chunks import Choices, Message, ModelResponse
from cassette_stream.cli import app, asking
from cassette_stream.cli.screen import Screen, visible
from cassette_stream.cli.tools_file import read_tools
from cassette_stream.client.provider_table import PROVIDERS
from cassette_stream.exceptions import APIError
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Step, Wait

MODELS = {
    "openai": "openai/gpt-4o-mini",
    "responses": "openai/responses/gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-flash",
    "cohere": "command-a-03-2025",
    "ollama": "ollama/qwen3",
    "converse": "bedrock/amazon.nova-lite-v1:0",
    "invoke": "bedrock/invoke/anthropic.claude-opus-4-v1:0",
    "vertex": "vertex_ai/gemini-2.5-pro",
}
# Whose key may stand in the environment.
KEYED = {name: model for name, model in MODELS.items() if name != "vertex"}
KEY = "sk-proj-a1B2c3D4e5F6g7H8"
NO_KEYS = {
    variable: None for row in PROVIDERS.values() for variable in row.keys + row.tokens + row.bases
}
PLAIN = {"COLUMNS": "80", "FORCE_COLOR": None, "TTY_COMPATIBLE": None, **NO_KEYS}
KEYS = dict.fromkeys(
    [
        "ANTHROPIC_API_KEY",
        "AWS_BEARER_TOKEN_BEDROCK",
        "COHERE_API_KEY",
        "GEMINI_API_KEY",
        "OLLAMA_API_KEY",
        "OPENAI_API_KEY",
    ],
    KEY,
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
        },
    }
    for name in ("get_weather", "get_time")
]
STREAM = Head(200, (("content-type", "text/event-stream"),))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_GAP", 0.0)
    monkeypatch.setattr(asking, "_FIRST_GAP", 0.0)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def own() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


def chat(*arguments: object, stdin: bytes | None = None, **env: str) -> Result:
    given = ["chat", *map(str, arguments)]
    return CliRunner(env=PLAIN | env).invoke(app, given, input=stdin)


def base(server: LoopbackServer, model: str) -> str:
    if model == MODELS["gemini"]:
        return f"{server.url}/v1beta"
    speaks_openai = model.startswith(("openai", "custom_openai")) or model not in MODELS.values()
    return server.openai_url if speaks_openai else server.url


def ask(server: LoopbackServer, model: str, *arguments: object, **env: str) -> Result:
    return chat(model, "Hello", "--api-base", base(server, model), *arguments, **KEYS | env)


def rows(result: Result) -> dict[str, str]:
    """What is beside the answer, by its labels."""
    found: dict[str, str] = {}
    last = ""
    for line in filter(None, result.stderr.splitlines()):
        label, text = line[:10].strip(), line[10:]
        last = label or last
        found[last] = f"{found[last]} {text}" if last in found else text
    return found


def word(text: str, **more: Any) -> Emit:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    chunk = {"id": "c1", "created": 1, "model": "m", "choices": [choice | more]}
    return Emit(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@pytest.mark.parametrize("model", KEYED.values(), ids=KEYED)
@settings(max_examples=300 if SOAK else 7)
@given(answer=completions())
def test_standard_output_is_the_text_and_nothing_else(
    server: LoopbackServer, model: str, answer: ModelResponse
) -> None:
    server.answer(answer)
    try:
        whole = completion(
            model,
            [{"role": "user", "content": "Hello"}],
            stream=True,
            api_base=base(server, model),
            api_key=KEY,
        )
        text, code = "".join(chunk.choices[0].delta.content or "" for chunk in whole), 0
        calls = [call.function.name for call in whole.response.choices[0].message.tool_calls or ()]
    except APIError as error:
        text, code, calls = error.generated_content, 1, []
    result = ask(server, model)

    assert result.stdout_bytes == text.encode()
    assert result.exit_code == code
    assert [
        line.split()[2] for line in re.findall(r"^call .*", result.stderr, re.MULTILINE)
    ] == calls


parts = st.sampled_from(["text", "reasoning", "call 1", "call 2"])


@given(st.lists(st.tuples(parts, st.text("abc {}", min_size=1, max_size=5)), max_size=20))
def test_no_fragment_is_lost_or_shown_as_part_of_something_else(
    said: list[tuple[str, str]],
) -> None:
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        screen = Screen()
        for part, fragment in said:
            screen.text(fragment) if part == "text" else screen.beside(part, fragment)
    shown: dict[str, str] = {}
    for line in err.buffer.getvalue().decode().splitlines():  # type: ignore[attr-defined]
        label = line[:10].strip()
        shown[label] = shown.get(label, "") + line[10:]
    wanted: dict[str, str] = {}
    for part, fragment in said:
        wanted[part] = wanted.get(part, "") + fragment

    assert out.buffer.getvalue().decode() == wanted.pop("text", "")  # type: ignore[attr-defined]
    shown.pop("", None)
    assert shown == wanted


@given((st.text() | st.sampled_from(TRICKY)).filter(lambda text: "\\" not in text))
def test_nothing_that_is_shown_controls_a_terminal(text: str) -> None:
    shown = visible(text)

    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
    assert re.sub(r"\\x(..)", lambda it: chr(int(it[1], 16)), shown) == text


@given(
    blanks=st.lists(st.text(" \n\t\r", max_size=3), min_size=3, max_size=3),
    number=st.integers(0, 3),
)
def test_a_tool_that_is_none_is_told_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, blanks: list[str], number: int
) -> None:
    begin, before, behind = blanks
    items = [json.dumps(tool) for tool in (TOOLS * 2)[:number]] + ["{}"]
    text = f"{begin}[{f'{behind},{before}'.join([before + items[0], *items[1:]])}{behind}]"
    file = tmp_path_factory.getbasetemp() / "tools.json"
    file.write_bytes(text.encode())
    place = text.rindex("{}")
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)

    with pytest.raises(ValueError, match=re.escape(f"{file}:{line}:{column}: this is no tool")):
        read_tools(file)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_loopback_server_answers_for_every_provider_whatever_the_environment_holds(
    name: str, tmp_path: Path
) -> None:
    row, file = PROVIDERS[name], tmp_path / "run.yaml"
    elsewhere = "http://127.0.0.1:9"
    hostile = dict.fromkeys(row.keys + row.tokens, KEY) | dict.fromkeys(row.bases, elsewhere)
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), elsewhere)
    result = chat(f"{name}/model", "Count to 3", "--record", file, **hostile, **proxies)

    assert (result.stdout, result.exit_code) == ("1, 2, 3.", 0)
    assert rows(result)["loopback"].startswith(f"this process answers as {name} would")
    assert KEY not in result.stderr + file.read_text()


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_reasoning_text_end_usage_and_times_are_told(model: str) -> None:
    result = chat(model, "Count from 1 to 5", "--reasoning", "low", "--system", "Be brief")
    told = rows(result)

    assert (result.stdout, result.exit_code) == ("1, 2, 3, 4, 5.", 0)
    assert told["reasoning"].startswith("The user wants me to count from 1 to 5.")
    assert told["finish"].split()[0] == "stop"
    uncounted = (MODELS["ollama"], MODELS["converse"])
    thought = "" if model in uncounted else " (15 reasoning)"
    assert told["usage"] == f"7 tokens in, 20 out{thought}"
    assert re.fullmatch(r"first chunk [\d.]+ m?s, end [\d.]+ m?s, \d+ chunks", told["times"])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_parallel_tool_calls_are_told_apart(model: str, tmp_path: Path) -> None:
    file = tmp_path / "tools.json"
    file.write_text(json.dumps(TOOLS))
    result = chat(model, 'Both for "Paris"', "--tools", file)
    told = rows(result)

    assert (result.stdout, result.exit_code) == ("", 0)
    assert told["call 1"] == 'get_weather {"location": "Paris"}'
    assert told["call 2"] == 'get_time {"location": "Paris"}'
    assert told["finish"].startswith("tool_calls")


def test_calls_that_come_in_turns_stay_apart(own: LoopbackServer) -> None:
    def part(index: int, text: str, name: str | None = None) -> Emit:
        call = {"index": index, "id": name, "function": {"name": name, "arguments": text}}
        return word("", delta={"tool_calls": [call]})

    end = word("", delta={}, finish_reason="tool_calls")
    steps = [part(0, '{"a"', "f"), part(1, '{"b"', "g"), part(0, ":1}"), part(1, ":2}"), end]
    own.respond([STREAM, *steps, Emit(b"data: [DONE]\n\n")])
    result = ask(own, "openai/m")

    assert result.stderr.splitlines()[1:5] == [
        'call 1    f {"a"',
        'call 2    g {"b"',
        "call 1    :1}",
        "call 2    :2}",
    ]


def test_what_is_odd_about_an_answer_is_told(own: LoopbackServer) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a'}}
    end = word("", delta={}, finish_reason="tool_calls")
    own.respond([STREAM, word("", delta={"tool_calls": [call]}), end, Emit(b"data: [DONE]\n\n")])
    result = ask(own, "openai/m")

    assert result.exit_code == 1
    assert "call 1" in rows(result)
    assert "tool call 0 (f): arguments are no JSON" in result.stderr


def test_a_custom_tool_is_called_with_any_text(own: LoopbackServer) -> None:
    call = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "run", "input": "a\nb"}}
    end = word("", delta={}, finish_reason="tool_calls")
    own.respond([STREAM, word("", delta={"tool_calls": [call]}), end, Emit(b"data: [DONE]\n\n")])
    result = ask(own, "openai/m")

    assert result.stderr.splitlines()[1:3] == ["call 1    run a", f"{'':10}b"]


def test_what_has_no_place_in_a_terminal_is_named(own: LoopbackServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    delta = {"role": "assistant", "images": [image], "refusal": "No."}
    end = word("", delta={}, finish_reason="stop")
    own.respond([STREAM, word("", delta=delta), end, Emit(b"data: [DONE]\n\n")])
    told = rows(ask(own, "openai/m"))

    assert (told["refusal"], told["not shown"], told["usage"]) == ("No.", "images", "none was told")


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("[", "1:2", "Expecting value"),
        ('[{"type": "function"}\n 1]', "2:2", "Expecting ',' delimiter"),
        ("\n {}", "2:2", "this is no list of tools"),
        ("[]", "1:1", "there is no tool in this list"),
        ("[1]", "1:2", "this is no tool; give {"),
        ('[{"type": "function", "name": "f"}]', "1:2", "this tool has no function.name"),
        ("[" * 100_000, "1:1", "this is nested too deeply"),
        ("", "1:1", "Expecting value"),
        ('[\n "\udcff"]', "2:3", "it is no UTF-8"),
    ],
    ids=["cut", "no comma", "no list", "empty", "number", "flat", "deep", "nothing", "bytes"],
)
def test_a_tools_file_that_cannot_be_read_is_told_by_its_place(
    tmp_path: Path, text: str, place: str, problem: str
) -> None:
    file = tmp_path / "tools.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    result = chat("gpt-4o", "Hello", "--tools", file)

    assert (result.stdout, result.exit_code) == ("", 2)
    assert result.stderr.startswith(f"error: {file}:{place}: {problem}")
    assert result.stderr.count("\n") == 1


MISUSES: dict[str, tuple[list[object], str]] = {
    "no such provider": (["opnai/gpt-4o", "Hello"], "did you mean 'openai'?"),
    "a model of nobody": (["llama3", "Hello"], "does not say whose model it is"),
    "a model that is somebody else's": (["vertex_ai/claude-x", "Hello"], "models of Google alone"),
    "no key": (["gpt-4o", "Hello", "--live"], "set OPENAI_API_KEY"),
    "no key for an address": (
        ["gpt-4o", "Hello", "--api-base", "http://127.0.0.1:9"],
        "set OPENAI_API_KEY",
    ),
    "no address": (["custom_openai/m", "Hello", "--api-base", "nowhere"], "api_base is no http://"),
    "a password": (
        ["custom_openai/m", "Hello", "--api-base", f"http://me:{KEY}@127.0.0.1"],
        "api_base holds an '@'",
    ),
    "no such effort": (
        ["claude-sonnet-4-5", "Hello", "--reasoning", "lots"],
        "reasoning_effort is one of none, minimal, low, medium, high, not 'lots'",
    ),
    "no time at all": (["gpt-4o", "Hello", "--timeout", "0"], "timeout must be above 0 seconds"),
    "no tools file": (["gpt-4o", "Hello", "--tools", "nowhere.json"], "nowhere.json cannot be"),
    "half a character": (["gpt-4o", "\ud800"], "surrogate"),
}


@pytest.mark.parametrize(("arguments", "text"), MISUSES.values(), ids=MISUSES)
def test_what_cannot_be_asked_is_told_in_one_line(arguments: list[object], text: str) -> None:
    result = chat(*arguments)
    last = result.stderr.splitlines()[-1]

    assert (result.stdout, result.exit_code) == ("", 2)
    assert last.startswith("error: ")
    assert text in last
    assert KEY not in result.stderr


def test_the_command_explains_itself() -> None:
    shown = chat("--help").stdout

    assert [it for it in ("--live", "--api-base", "--tools", "--record") if it not in shown] == []


def test_what_standard_output_cannot_encode_is_spelled_out(own: LoopbackServer) -> None:
    own.answer(whole(Message(content="“Hi”")))
    with start(own, env=environment(PYTHONIOENCODING="ascii")) as process:
        out, told = process.communicate(timeout=60)

    assert (out, process.returncode) == (rb"\u201cHi\u201d", 0)
    assert b"Traceback" not in told


def test_two_places_are_one_too_many() -> None:
    result = chat("gpt-4o", "Hello", "--live", "--api-base", "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert "name two places" in result.stderr


def test_a_prompt_of_a_dash_is_standard_input() -> None:
    result = chat("gpt-4o", "-", stdin="Zählé “this”\n".encode())

    assert result.exit_code == 0
    assert result.stdout.startswith("You said: “Zählé “this””. ")


def test_standard_input_that_is_no_text_is_refused() -> None:
    result = chat("gpt-4o", "-", stdin=b"ab\xff")

    assert result.exit_code == 2
    assert result.stderr == "error: standard input is no UTF-8 at byte 2: a prompt is a text\n"


FAILURES: dict[str, tuple[list[Step], str, str]] = {
    "cut": ([STREAM, word("Half"), Fail(FailureKind.FIN)], "Half", "StreamTruncatedError: "),
    "ended too soon": ([STREAM, word("Half")], "Half", "StreamTruncatedError: "),
    "empty": ([STREAM], "", "EmptyStreamError: "),
    "no JSON": ([STREAM, word("Half"), Emit(b"data: {\n\n")], "Half", "MalformedStreamError: "),
    "silent": ([STREAM, word("Half"), Wait(60.0)], "Half", "Timeout: "),
    "an error in the stream": (
        [
            STREAM,
            word("Half"),
            Emit(b'data: {"error": {"message": "too\\nbusy", "code": 429}}\n\n'),
        ],
        "Half",
        "RateLimitError: too busy",
    ),
    "refused": (
        [
            Head(401, (("content-type", "application/json"),)),
            Emit(json.dumps({"error": {"message": f"Incorrect API key: {KEY}"}}).encode()),
        ],
        "",
        "AuthenticationError: Incorrect API key: [key]",
    ),
}


@pytest.mark.parametrize(("steps", "text", "error"), FAILURES.values(), ids=FAILURES)
def test_a_stream_that_fails_is_told_behind_its_text(
    own: LoopbackServer, steps: list[Step], text: str, error: str
) -> None:
    own.respond(steps)
    result = ask(own, "openai/m", "--timeout", "0.3")
    last = result.stderr.splitlines()[-1]

    assert (result.stdout, result.exit_code) == (text, 1)
    assert last.startswith(f"error: {error}")
    assert KEY not in result.stderr


def test_a_refusal_that_quotes_a_signed_request_is_told_without_its_secrets(
    own: LoopbackServer, tmp_path: Path
) -> None:
    def quote(request: Request) -> Script:
        said = {name: values[0] for name, values in request.headers.items()}
        body = json.dumps({"message": f"the signature of {said} is wrong"})
        return iter(
            [Head(403, (("x-amzn-errortype", "SignatureDoesNotMatch"),)), Emit(body.encode())]
        )

    own.script("/model/m/converse-stream", quote)
    environ = dict.fromkeys(
        ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"], str(tmp_path / "no")
    )
    environ |= {"AWS_ACCESS_KEY_ID": "AKIDQUOTED", "AWS_REGION": "eu-north-1"}
    environ |= {"AWS_SECRET_ACCESS_KEY": "secret-a1b2c3", "AWS_SESSION_TOKEN": "session-d4e5f6"}
    result = chat("bedrock/m", "Hello", "--api-base", own.url, **environ)
    [authorization] = own.requests[0].headers["authorization"]
    signature = authorization.rpartition("Signature=")[2]

    assert result.exit_code == 1
    assert "error: PermissionDeniedError: the signature of" in result.stderr
    assert "Signature=[key]" in result.stderr
    assert [it for it in ("AKIDQUOTED", "session-d4e5f6", signature) if it in result.stderr] == []


def test_live_asks_where_the_environment_says_that_the_provider_is(own: LoopbackServer) -> None:
    result = chat("gpt-4o", "Count to 2", "--live", **own.environment)

    assert (result.stdout, result.exit_code) == ("1, 2.", 0)
    assert rows(result)["asking"] == f"gpt-4o of openai at {own.openai_url}"
    assert len(own.exchanges) == 1


def test_a_model_of_any_name_may_be_at_an_address(own: LoopbackServer) -> None:
    result = chat("llama3", "Count to 2", "--api-base", own.openai_url, "--max-tokens", "1")

    assert (result.stdout, rows(result)["finish"]) == ("1,", "length")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-5", "max_completion_tokens"),
        ("openai/responses/gpt-5", "max_output_tokens"),
        ("groq/m", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_provider_knows(
    own: LoopbackServer, model: str, name: str
) -> None:
    keys = {"OPENAI_API_KEY": KEY, "GROQ_API_KEY": KEY}
    options = ("--api-base", own.openai_url, "--max-tokens", 2)
    result = chat(model, "Count to 9", *options, **keys)
    [exchange] = own.exchanges

    assert (result.stdout, result.exit_code) == ("1, 2,", 0)
    assert json.loads(exchange.request.body)[name] == 2


def ending_of(file: Path) -> Ending:
    [interaction] = loads(file.read_bytes(), file=file.name).interactions
    assert interaction.response is not None
    return interaction.response.ending


@pytest.mark.parametrize("model", KEYED.values(), ids=KEYED)
def test_a_run_is_recorded_and_replaces_the_one_before(
    server: LoopbackServer, model: str, tmp_path: Path
) -> None:
    server.answer(None)
    file = tmp_path / "run.yaml"
    for _ in range(2):
        result = ask(server, model, "--record", file)
    with contextlib.chdir(tmp_path):
        shown = CliRunner(env=PLAIN).invoke(app, ["inspect", "run.yaml"])

    assert result.exit_code == 0
    assert result.stderr.replace("\n" + " " * 10, "").endswith(f"recorded  {file}\n")
    assert ending_of(file).how is How.COMPLETE
    assert result.stdout[:40] in shown.stdout
    assert KEY not in file.read_text()


def test_a_run_that_failed_is_recorded_too(own: LoopbackServer, tmp_path: Path) -> None:
    own.respond([STREAM, word("Half"), Fail(FailureKind.FIN)])
    result = ask(own, "openai/m", "--record", tmp_path / "run.yaml")

    assert result.exit_code == 1
    assert ending_of(tmp_path / "run.yaml").failure is FailureKind.FIN


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def other(path: Path) -> Path:
    path.write_text("services: {}\n")
    return path


UNWRITABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a folder": (folder, "is a folder"),
    "no cassette": (other, "1:1: "),
    "below a file": (lambda path: other(path) / "run.yaml", "cannot be written"),
}


@pytest.mark.parametrize(("made", "text"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_model_is_not_asked_where_its_answer_could_not_be_recorded(
    own: LoopbackServer, tmp_path: Path, made: Callable[[Path], Path], text: str
) -> None:
    result = ask(own, "openai/m", "--record", made(tmp_path / "there"))

    assert (result.stdout, result.exit_code) == ("", 2)
    assert result.stderr.startswith("error: ")
    assert text in result.stderr
    assert own.exchanges == ()


def test_a_write_protected_cassette_stays_as_it_is(
    own: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run.yaml"
    ask(own, "openai/m", "--record", file)
    before = file.read_bytes()
    # Root may write anything, and tests may run as root.
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (file, os.W_OK))
    result = ask(own, "openai/m", "--record", file)

    assert (result.stdout, result.exit_code) == ("", 2)
    assert "is write-protected" in result.stderr
    assert (file.read_bytes(), len(own.exchanges)) == (before, 1)


def whole(message: Message) -> ModelResponse:
    choices = [Choices(message=message, finish_reason="stop")]
    return ModelResponse(id="c1", created=1, model="m", choices=choices)


def environment(**more: str) -> dict[str, str]:
    unwanted = {*PLAIN, "PYTHONUNBUFFERED"}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    return inherited | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"} | KEYS | more


# As in a terminal: what is run in the background, this suite perhaps, ignores Ctrl-C.
FOREGROUND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from cassette_stream.cli import main
main()
"""


def start(server: LoopbackServer, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    asked = ["chat", "openai/m", "Hello", "--api-base", server.openai_url, *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, "-c", FOREGROUND, *asked],
        **{"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def test_each_fragment_is_written_when_it_comes_and_ctrl_c_closes_the_stream(
    own: LoopbackServer, tmp_path: Path
) -> None:
    own.respond([STREAM, word("Hello"), Wait(600.0), word("never")])
    with start(own, "--timeout", 30, "--record", tmp_path / "run.yaml") as process:
        assert process.stdout is not None
        first = process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)

    assert (first + rest, process.returncode) == (b"Hello", 130)
    assert b"stopped   by you; the stream is closed\n" in told
    assert b"Traceback" not in told
    assert ending_of(tmp_path / "run.yaml").how in {How.CANCELLED, How.CLOSED_BY_CALLER}


def test_ctrl_c_before_the_answer_is_quiet_too(own: LoopbackServer) -> None:
    own.respond([Wait(600.0), STREAM])
    with start(own) as process:
        assert process.stderr is not None
        asking_ = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)

    assert asking_.startswith(b"asking")
    assert (rest, process.returncode) == (b"", 130)
    assert b"Traceback" not in told


def test_a_reader_who_leaves_ends_the_command_without_a_traceback(own: LoopbackServer) -> None:
    own.answer(whole(Message(content="word " * 100_000)))
    with start(own) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(4)
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 1
    assert b"Traceback" not in told


def seen(ours: int) -> bytes:
    """What a terminal got until the command left it."""
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that nobody writes any more
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    return shown


def test_a_terminal_that_gets_the_text_alone_gets_its_line_ended(own: LoopbackServer) -> None:
    pty = pytest.importorskip("pty", reason="there are no terminals to open here")
    own.answer(whole(Message(content="Hi")))
    ours, theirs = pty.openpty()
    with start(own, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        shown = seen(ours)
        assert process.stderr is not None
        told = process.stderr.read()

    assert (shown, process.returncode) == (b"Hi\r\n", 0)
    assert told.splitlines()[1].startswith(b"finish")


def test_a_terminal_shows_reasoning_dim_and_obeys_no_character_of_the_answer(
    own: LoopbackServer,
) -> None:
    pty = pytest.importorskip("pty", reason="there are no terminals to open here")
    own.answer(whole(Message(content="Hi\x1b[2J there", reasoning_content="Hmm")))
    ours, theirs = pty.openpty()
    with start(own, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = seen(ours)
    plain = re.sub(rb"\x1b\[[\d;]*m", b"", shown).decode().splitlines()

    assert process.returncode == 0
    assert b"\x1b[2mHmm\x1b[0m" in shown
    assert plain[1:6] == ["reasoning Hmm", "", r"Hi\x1b[2J there", "", "finish    stop"]
