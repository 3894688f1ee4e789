"""What marker, fixture, ini file and command line say of a cassette, and which one wins."""

from __future__ import annotations

import pytest
from inner import INI, MODULE


def files(pytester: pytest.Pytester) -> list[str]:
    return sorted(str(path.relative_to(pytester.path)) for path in pytester.path.rglob("*.yaml"))


def test_the_nearest_setting_wins(pytester: pytest.Pytester) -> None:
    pytester.makeini(f"{INI}cassette_mode = none\n")
    pytester.makepyfile(
        MODULE
        + """
pytestmark = pytest.mark.cassette(pace="recorded", allow_repeats=True)


@pytest.fixture
def cassette_config():
    return {"mode": "rewrite", "pace": 3, "ignore_hosts": ["a.test"]}


def told(session):
    options = session._options
    return options.mode, options.pace, options.allow_repeats, options.ignore_hosts


def test_the_fixture_wins_over_the_ini_file_and_the_marker_over_it(cassette_session):
    assert told(cassette_session) == ("rewrite", "recorded", True, ("a.test",))


@pytest.mark.cassette(mode="all")
class TestInner:
    def test_the_inner_marker_wins(self, cassette_session):
        assert told(cassette_session) == ("all", "recorded", True, ("a.test",))

    @pytest.mark.cassette("name", pace="instant")
    def test_of_all_of_them(self, cassette_session):
        assert told(cassette_session) == ("all", "instant", True, ("a.test",))
        assert cassette_session.path.name == "name.yaml"
"""
    )

    pytester.runpytest().assert_outcomes(passed=3)
    pytester.runpytest("--cassette-mode=once").assert_outcomes(failed=3)


def test_a_seed_is_that_of_the_command_line_or_of_the_ini_file_or_of_the_plan(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        MODULE
        + """
from cassette_stream.faults import Plan


@pytest.mark.cassette(faults=Plan((), seed=3))
def test_it(cassette_session):
    assert cassette_session._options.faults.seed == SEED
""".replace("SEED", "int(__import__('os').environ['SEED'])")
    )
    for seed, ini, arguments in (
        (3, "", []),
        (4, "cassette_seed = 4\n", []),
        (-5, "cassette_seed = 4\n", ["--cassette-seed=-5"]),
    ):
        pytester.makeini(INI + ini)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SEED", str(seed))
            pytester.runpytest(*arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("ini", "words"),
    [
        ("cassette_mode = sometimes", "*cassette_mode = sometimes: there are none, once*"),
        ("cassette_unplayed = no", "*cassette_unplayed = no: there are ignore, warn, fail*"),
        ("cassette_seed = x", "*cassette_seed = x: a whole number*"),
    ],
)
def test_an_ini_file_that_says_what_cannot_be_stops_the_run(
    pytester: pytest.Pytester, ini: str, words: str
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = pytester.runpytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(words)


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("mode='sometimes'", "*test_it: @pytest.mark.cassette: mode='sometimes': there are*"),
        ("unplayed='no'", "*unplayed='no': there are ignore, warn, fail"),
        ("record='all'", "*'record' is no option; there are *allow_repeats*virtual_time"),
        ("faults='body.finn'", "*no fault 'body.finn'*"),
        ("'../a'", "*'../a.yaml' is no name inside*"),
        ("'/a'", "*'/a.yaml' is no name inside*"),
    ],
)
def test_a_marker_that_says_what_cannot_be_fails_its_test(
    pytester: pytest.Pytester, marker: str, words: str
) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.cassette({marker})\ndef test_it(): pass\n")
    result = pytester.runpytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(words)


def test_tests_whose_cassettes_some_system_takes_for_one_are_told(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        MODULE
        + """
@pytest.mark.cassette
@pytest.mark.parametrize("name", ["a", "A", "b"])
def test_it(name):
    ask(answer)


@pytest.mark.cassette("test_twins/test_it[b]")
def test_thief():
    ask(answer)
"""
    ).rename(pytester.path / "test_twins.py")
    result = pytester.runpytest("-p", "no:cacheprovider")

    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*test_it[[]A[]] would have*and *test_it[[]a[]] has*one file on some systems*",
            "*test_thief would have*which is that of *test_it[[]b[]]*",
        ]
    )


def test_every_test_has_a_folder_beside_its_module(pytester: pytest.Pytester) -> None:
    test = f"{MODULE}\n@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n"
    for module in ("a/test_one.py", "b/test_one.py", "b/test_two.py"):
        path = pytester.path / module
        path.parent.mkdir(exist_ok=True)
        path.write_text(test)
    pytester.runpytest("--import-mode=importlib").assert_outcomes(passed=3)

    assert files(pytester) == [
        "a/cassettes/test_one/test_it.yaml",
        "b/cassettes/test_one/test_it.yaml",
        "b/cassettes/test_two/test_it.yaml",
    ]


def test_modules_of_one_name_cannot_share_one_folder(pytester: pytest.Pytester) -> None:
    test = f"{MODULE}\n@pytest.mark.cassette\ndef test_it():\n    ask(answer)\n"
    for module in ("a/test_one.py", "b/test_one.py"):
        path = pytester.path / module
        path.parent.mkdir(exist_ok=True)
        path.write_text(test)
    tapes = pytester.path / "tapes"
    result = pytester.runpytest("--import-mode=importlib", f"--cassette-dir={tapes}")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("*which is that of a/test_one.py::test_it*")


NETWORK = """
import socket

import httpx
import pytest


def connect(host):
    with httpx.Client(trust_env=False) as client:
        client.get(f"http://{host}:9/", timeout=0.01)


def refused(host):
    try:
        connect(host)
    except httpx.HTTPError:
        return False
    except Exception as error:
        assert "the network is blocked" in str(error)
        return True


@pytest.fixture(scope="module")
def early():
    return refused("192.0.2.1")


def test_without_a_cassette(early):
    assert early
    assert refused("192.0.2.1")
    assert not refused("127.0.0.1")
    assert not refused("192.0.2.9")


@pytest.mark.cassette_allowed_hosts("192.0.2.1", "192.0.2.2")
def test_with_hosts_of_its_own():
    assert not refused("192.0.2.1")
    assert refused("192.0.2.3")


@pytest.mark.cassette_allowed_hosts("*")
def test_that_is_free():
    assert not refused("192.0.2.3")
"""


@pytest.mark.parametrize("way", ["option", "ini"])
def test_the_network_can_be_blocked_for_all_tests(pytester: pytest.Pytester, way: str) -> None:
    by_ini = "cassette_block_network = true\n" if way == "ini" else ""
    pytester.makeini(f"{INI}cassette_allowed_hosts = 192.0.2.9\n{by_ini}")
    pytester.makepyfile(NETWORK)

    result = pytester.runpytest(*([] if by_ini else ["--cassette-block-network"]))
    result.assert_outcomes(passed=3)


def test_options_begin_with_ours_and_are_told_in_the_help(pytester: pytest.Pytester) -> None:
    lines = pytester.runpytest("--help").stdout.lines
    start = next(i for i, line in enumerate(lines) if line.startswith("recorded streams"))
    ours = lines[start + 1 : lines.index("", start + 1)]

    assert sum(line.startswith("  --") for line in ours) == 6
    assert all(line.startswith(("  --cassette-", "    ")) for line in ours)
