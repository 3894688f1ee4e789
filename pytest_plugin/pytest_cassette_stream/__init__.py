"""The pytest plugin of cassette-stream: a cassette for a test, by a marker.

It is loaded into every run of pytest wherever the package is installed, so it imports
pytest and nothing else until a test asks for a cassette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_cassette_stream.state import MODES, UNPLAYED, State, setting, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cassette_stream import Session
    from pytest_cassette_stream.serving import StreamServer
    from pytest_cassette_stream.sweeping import Chaos
    from pytest_cassette_stream.use import Use

__all__ = ("cassette_config", "cassette_session", "chaos", "current_cassette", "stream_server")

_ITEM = pytest.StashKey[pytest.Item]()
_SERVER = pytest.StashKey["StreamServer"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cassette-stream", "recorded streams")
    group.addoption(
        "--cassette-mode",
        dest="cassette_mode",
        choices=MODES,
        help="what tests with a cassette do with requests; wins over the marker",
    )
    group.addoption(
        "--cassette-dir",
        dest="cassette_dir",
        metavar="DIR",
        help="where cassettes are, relative to the test module (default: cassettes)",
    )
    group.addoption(
        "--cassette-seed",
        dest="cassette_seed",
        type=int,
        metavar="N",
        help="what faults and sweeps are drawn by; wins over the seed of a plan",
    )
    group.addoption(
        "--cassette-unplayed",
        dest="cassette_unplayed",
        choices=UNPLAYED,
        help="what becomes of a test that did not play its whole cassette "
        "(default: warn, and ignore where the marker names the cassette)",
    )
    group.addoption(
        "--cassette-keep-failed",
        dest="cassette_keep_failed",
        action="store_true",
        default=None,
        help="save what tests recorded that failed",
    )
    group.addoption(
        "--cassette-block-network",
        dest="cassette_block_network",
        action="store_true",
        default=None,
        help="refuse connections to other machines, in tests without a cassette too",
    )
    parser.addini("cassette_mode", "the mode of tests whose marker does not say")
    parser.addini("cassette_dir", "where cassettes are, relative to the test module")
    parser.addini("cassette_seed", "what faults and sweeps are drawn by")
    parser.addini("cassette_unplayed", "ignore, warn or fail where a cassette was not all played")
    parser.addini("cassette_keep_failed", "save what failing tests recorded", "bool", default=None)
    parser.addini("cassette_block_network", "refuse other machines", "bool", default=None)
    parser.addini("cassette_allowed_hosts", "hosts that are not blocked; * stands for any", "args")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "cassette(name=None, **options): play or record what the test does over HTTP; "
        "the options are those of cassette_stream.use_cassette, and unplayed, keep_failed, "
        "virtual_time",
    )
    config.addinivalue_line(
        "markers",
        "cassette_allowed_hosts(*hosts): hosts that this test may reach though the network is "
        "blocked; * stands for any",
    )
    for name, known in (("cassette_mode", MODES), ("cassette_unplayed", UNPLAYED)):
        value = config.getini(name)
        if value and value not in known:
            raise pytest.UsageError(f"{name} = {value}: there are {', '.join(known)}")
    seed = config.getini("cassette_seed")
    if seed and not seed.removeprefix("-").isdecimal():
        raise pytest.UsageError(f"cassette_seed = {seed}: a whole number is needed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names: list[str] = getattr(item, "fixturenames", [])
        if "cassette_session" in names or item.get_closest_marker("cassette"):
            # A sweep opens the cassette for each of its trials.
            added = ["_cassette_use"] if "chaos" in names else ["_cassette_use", "cassette_session"]
            _put_first(item, names, added)
        elif "chaos" in names:
            _put_first(item, names, ["_cassette_use"])


def _put_first(item: pytest.Item, names: list[str], added: list[str]) -> None:
    # Before the other fixtures of the test, so that none speaks to the network before
    # it; behind those of a module or class, which would else be recorded with
    # whichever test happens to come first.
    wider = [name for name in names if _outlives_a_test(item, name)]
    rest = [name for name in names if name not in {*added, *wider}]
    names[:] = [*wider, *added, *rest]


def _outlives_a_test(item: pytest.Item, fixture: str) -> bool:
    # pytest has no public way to ask for the scope of a fixture before it is set up.
    info = item._fixtureinfo  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return any(it.scope != "function" for it in info.name2fixturedefs.get(fixture, ())[-1:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.config.stash[_ITEM] = item
    if not setting(item.config, "cassette_block_network"):
        return (yield)
    from cassette_stream import block_network  # noqa: PLC0415 - only who asks pays for it

    hosts = list(item.config.getini("cassette_allowed_hosts"))
    for marker in item.iter_markers("cassette_allowed_hosts"):
        hosts += marker.args
    with block_network(allowed_hosts=hosts):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if State.KEY not in item.stash and _SERVER not in item.config.stash:
        return (yield)
    from pytest_cassette_stream.running import running  # noqa: PLC0415 - as above

    with running(item, item.config.stash.get(_SERVER, None)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        # What the server was told is forgotten; the next test finds it at the same place.
        if (server := item.config.stash.get(_SERVER, None)) is not None:
            state_of(item).count(server=server)
            server.reset()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    state = item.stash.get(State.KEY, None)
    if state is not None:
        if report.when == "call":
            state.went_well = report.passed or hasattr(report, "wasxfail")
            state.error = call.excinfo.value if call.excinfo is not None else None
        if report.failed and state.session is not None:
            from pytest_cassette_stream.report import section  # noqa: PLC0415 - as above

            report.sections.append(section(state.session))
        if report.when == "teardown" and state.counts:
            report.cassette_stream = state.counts  # type: ignore[attr-defined]  # goes with it from xdist's workers
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [it for several in terminalreporter.stats.values() for it in several]
    counts = [it.cassette_stream for it in reports if hasattr(it, "cassette_stream")]
    if counts:
        from pytest_cassette_stream.report import summarise  # noqa: PLC0415 - as above

        summarise(terminalreporter, counts)


@pytest.fixture(scope="session")
def cassette_config() -> dict[str, Any]:
    """Options for the cassettes of a package or module, which overrides this fixture.

    They are those of the marker, which win.
    """
    return {}


@pytest.fixture
def _cassette_use(request: pytest.FixtureRequest, cassette_config: dict[str, Any]) -> Use:
    from pytest_cassette_stream.use import use_of  # noqa: PLC0415 - as above

    state = state_of(request.node)
    state.use = use_of(request.node, cassette_config)
    return state.use


@pytest.fixture
def cassette_session(request: pytest.FixtureRequest, _cassette_use: Use) -> Generator[Session]:
    """The session of this test's cassette, told by ``@pytest.mark.cassette``.

    Nothing is written unless the test went well to its end: a recording of half a test
    would stand for the whole from then on. A file that was there before stays.
    """
    from pytest_cassette_stream.opening import opened  # noqa: PLC0415 - as above

    yield from opened(request.node, _cassette_use)


@pytest.fixture(scope="session")
def current_cassette(pytestconfig: pytest.Config) -> Callable[[], Session]:
    """A function that gives the session of the running test.

    For tests of Hypothesis, whose examples cannot have a fixture each: the session is the
    same for all of them, rewound before each.
    """

    def current() -> Session:
        session = state_of(pytestconfig.stash[_ITEM]).session
        if session is None:
            raise pytest.UsageError(
                f"{pytestconfig.stash[_ITEM].nodeid} has no cassette: mark it with "
                "@pytest.mark.cassette"
            )
        return session

    return current


@pytest.fixture(scope="session")
def stream_server(pytestconfig: pytest.Config) -> Generator[StreamServer]:
    """A server on the loopback interface that plays cassettes and answers as models do.

    It is one for the whole run. What it was told lasts for a test; in tests of Hypothesis,
    for an example.
    """
    from pytest_cassette_stream.serving import StreamServer  # noqa: PLC0415 - as above

    with StreamServer(lambda: pytestconfig.stash[_ITEM]) as server:
        pytestconfig.stash[_SERVER] = server
        yield server
        # It goes before the hook comes to the last test.
        state_of(pytestconfig.stash[_ITEM]).count(server=server)
        del pytestconfig.stash[_SERVER]


@pytest.fixture(scope="session")
def chaos(pytestconfig: pytest.Config) -> Chaos:
    """Sweeps over the cassette of the running test.

    The cassette is that of the marker, or of the test's name. Where there is none yet, and
    the mode allows it, the subject records it first.
    """
    from pytest_cassette_stream.sweeping import Chaos  # noqa: PLC0415 - as above

    return Chaos(lambda: pytestconfig.stash[_ITEM])
