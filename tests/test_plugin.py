from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inner import INI, MODULE


@pytest.fixture
def module(pytester: pytest.Pytester) -> Path:
    pytester.makeini(INI)
    return pytester.makepyfile(
        test_app=MODULE
        + """
@pytest.mark.cassette
def test_default_name():
    assert ask(answer) == [b"data: 1\\n\\n", b"data: 2\\n\\n"]


@pytest.mark.cassette("shared")
@pytest.mark.parametrize("n", [1, 2])
def test_named(n):
    ask(answer)


class TestClass:
    @pytest.mark.cassette(mode="once")
    @pytest.mark.parametrize("text", ["a/b", "../../x"])
    def test_hostile(self, text, cassette_session):
        ask(answer)
        assert len(cassette_session.interactions) == 1
"""
    )


def test_a_marked_test_records_and_then_plays(pytester: pytest.Pytester, module: Path) -> None:
    pytester.runpytest().assert_outcomes(passed=5)
    module.write_text(module.read_text().replace("ask(answer)", "ask(offline)"))
    files = sorted(path.relative_to(pytester.path) for path in pytester.path.rglob("*.yaml"))
    pytester.runpytest("--cassette-mode=none").assert_outcomes(passed=5)

    assert files[0] == Path("cassettes/shared.yaml")
    assert Path("cassettes/test_app/test_default_name.yaml") in files
    assert len(files) == 4
    assert all(path.parts[0] == "cassettes" for path in files)


def test_the_folder_can_be_told(pytester: pytest.Pytester, module: Path) -> None:
    pytester.runpytest("--cassette-dir=tapes", "-k", "named").assert_outcomes(passed=2)
    pytester.makeini("[pytest]\ncassette_dir = spools\ncassette_mode = once\n")
    pytester.runpytest("-k", "named").assert_outcomes(passed=2)

    assert (pytester.path / "tapes" / "shared.yaml").exists()
    assert (pytester.path / "spools" / "shared.yaml").exists()


def test_the_option_wins_over_the_marker(pytester: pytest.Pytester, module: Path) -> None:
    result = pytester.runpytest("--cassette-mode=none", "-k", "hostile")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines("*CassetteNotFoundError*")


@pytest.mark.parametrize(
    "test",
    [
        "@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n    assert False",
        "def test_it(cassette_session):\n    ask(answer)\n    assert False",
        "@pytest.mark.cassette\ndef test_it(broken): ...",
        "@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n    pytest.skip('late')",
        "@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n    pytest.exit('enough')",
        "@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n    raise KeyboardInterrupt",
    ],
    ids=["fails", "fails without a marker", "fixture fails", "skips", "exits", "interrupted"],
)
def test_a_test_that_does_not_get_to_its_end_leaves_no_recording(
    pytester: pytest.Pytester, test: str
) -> None:
    # Ctrl-C would end the run that this is a part of.
    run = pytester.runpytest_subprocess if "Interrupt" in test else pytester.runpytest
    broken = "\n@pytest.fixture\ndef broken():\n    ask(answer)\n    raise OSError\n\n\n"
    pytester.makepyfile(MODULE + broken + test)
    run()

    assert [it for it in pytester.path.rglob("cassettes/**/*") if it.is_file()] == []


def test_one_that_fails_as_expected_leaves_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a")
@pytest.mark.xfail
def test_it():
    ask(answer)
    assert False
"""
    )
    pytester.runpytest().assert_outcomes(xfailed=1)

    assert (pytester.path / "cassettes" / "a.yaml").exists()


def test_what_a_class_does_once_is_not_part_of_the_test_that_comes_first(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette
class TestIt:
    @pytest.fixture(scope="class", autouse=True)
    def login(self):
        ask(answer)

    @pytest.mark.parametrize("n", [1, 2])
    def test_it(self, n, cassette_session):
        ask(answer)
        assert len(cassette_session.interactions) == 1
"""
    )
    pytester.runpytest().assert_outcomes(passed=2)

    pytester.runpytest("-k", "2", "--cassette-mode=none").assert_outcomes(passed=1, deselected=1)


def test_a_swallowed_miss_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a")
def test_records():
    ask(answer)


@pytest.mark.cassette("a")
def test_misses():
    with httpx.Client() as client:
        try:
            client.get(URL)
        except Exception:
            pass
"""
    )
    result = pytester.runpytest()

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines("*CassetteMissError: nothing is recorded for GET*")


def test_a_fault_and_an_asynchronous_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette("a")
def test_records():
    ask(answer)


@pytest.mark.cassette("a", faults="body.fin@event=2")
@pytest.mark.anyio
async def test_breaks():
    got = []
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            async with client.stream("POST", URL, json={"n": 2}) as response:
                async for chunk in response.aiter_raw():
                    got.append(chunk)
    assert got == [b"data: 1\\n\\n"]


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
    )

    pytester.runpytest().assert_outcomes(passed=2)


@pytest.mark.parametrize("marker", ["cassette('a', 'b')", "cassette(3)", "cassette('a', name='b')"])
def test_a_marker_takes_one_name(pytester: pytest.Pytester, marker: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n")
    result = pytester.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*takes one name*")


def test_a_marked_test_asks_for_the_session_before_any_other_fixture_of_its_own(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.fixture(autouse=True)
def asked():
    return ask(answer)


@pytest.mark.cassette("a")
def test_it(asked, cassette_session):
    assert len(cassette_session.recorded) == 1
"""
    )

    pytester.runpytest().assert_outcomes(passed=1)


def test_the_plugin_loads_nothing_until_a_cassette_is_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import sys


def test_nothing():
    heavy = {"cassette_stream", "httpx", "yaml", "hypothesis", "msgspec"}
    assert "pytest_cassette_stream" in sys.modules
    assert heavy & set(sys.modules) == set()
"""
    )
    others = ("hypothesispytest", "anyio", "respx")
    result = pytester.runpytest_subprocess(*(f"-pno:{name}" for name in others))

    result.assert_outcomes(passed=1)


def test_importing_the_package_loads_neither_http_nor_yaml_nor_an_event_loop() -> None:
    code = (
        "import sys; before = set(sys.modules); import cassette_stream; dir(cassette_stream);"
        "heavy = {'httpx', 'httpx2', 'yaml', 'asyncio', 'msgspec', 'socket'};"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_front_door_has_what_it_says() -> None:
    import cassette_stream

    assert [
        name for name in cassette_stream.__all__ if getattr(cassette_stream, name) is None
    ] == []
    assert dir(cassette_stream) == sorted(cassette_stream.__all__)
    with pytest.raises(AttributeError, match="no attribute 'cassete'"):
        _ = cassette_stream.cassete
