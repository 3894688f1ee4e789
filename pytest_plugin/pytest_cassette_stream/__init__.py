"""The pytest plugin of cassette-stream: a cassette for a test, by a marker.

It is loaded into every run of pytest wherever the package is installed, so it imports
pytest and nothing else until a test asks for a cassette.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from cassette_stream import Session

__all__ = ("cassette_session",)

_WENT_WELL = pytest.StashKey[bool]()
_MODES = ("none", "once", "new_episodes", "all", "rewrite")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cassette-stream", "recorded streams")
    group.addoption(
        "--cassette-mode",
        dest="cassette_mode",
        choices=_MODES,
        help="what tests with a cassette do with requests; wins over the marker",
    )
    group.addoption(
        "--cassette-dir",
        dest="cassette_dir",
        metavar="DIR",
        help="where cassettes are, relative to the test module (default: cassettes)",
    )
    parser.addini("cassette_mode", "the mode of tests whose marker does not say")
    parser.addini("cassette_dir", "where cassettes are, relative to the test module")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "cassette(name=None, **options): play or record what the test does over HTTP; "
        "the options are those of cassette_stream.use_cassette",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("cassette"):
            # Before the other fixtures of the test, so that none speaks to the network before
            # it; behind those of a module or class, which would else be recorded with
            # whichever test happens to come first.
            names: list[str] = getattr(item, "fixturenames", [])
            wider = [name for name in names if _outlives_a_test(item, name)]
            rest = [name for name in names if name not in {"cassette_session", *wider}]
            names[:] = [*wider, "cassette_session", *rest]


def _outlives_a_test(item: pytest.Item, fixture: str) -> bool:
    # pytest has no public way to ask for the scope of a fixture before it is set up.
    info = item._fixtureinfo  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return any(it.scope != "function" for it in info.name2fixturedefs.get(fixture, ())[-1:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_WENT_WELL] = report.passed or hasattr(report, "wasxfail")
    return report


@pytest.fixture
def cassette_session(request: pytest.FixtureRequest) -> Generator[Session]:
    """The session of this test's cassette, told by ``@pytest.mark.cassette``.

    Nothing is written unless the test went well to its end: a recording of half a test
    would stand for the whole from then on. A file that was there before stays.
    """
    from cassette_stream import use_cassette  # noqa: PLC0415 - only who asks pays for it

    name, options = _arguments(request)
    with use_cassette(_path(request, name), **options) as session:
        yield session
        if not request.node.stash.get(_WENT_WELL, False):
            session.discard()


def _arguments(request: pytest.FixtureRequest) -> tuple[str | None, dict[str, Any]]:
    marker = request.node.get_closest_marker("cassette")
    options = dict(marker.kwargs) if marker else {}
    names = (*marker.args, *([options.pop("name")] if "name" in options else [])) if marker else ()
    if len(names) > 1 or any(not isinstance(name, str) for name in names):
        raise pytest.UsageError(
            f"{request.node.nodeid}: @pytest.mark.cassette takes one name, and got {names!r}"
        )
    config = request.config
    if mode := (
        config.getoption("cassette_mode") or options.get("mode") or config.getini("cassette_mode")
    ):
        options["mode"] = mode
    return (names[0] if names else None), options


def _path(request: pytest.FixtureRequest, name: str | None) -> Path:
    from cassette_stream import cassette_name  # noqa: PLC0415 - as above

    config = request.config
    folder = config.getoption("cassette_dir") or config.getini("cassette_dir") or "cassettes"
    if name is None:
        # The module is a folder, as two modules may well have a test of one name.
        name = f"{request.path.stem}/{cassette_name(request.node.nodeid.partition('::')[2])}"
    return request.path.parent / folder / (name if name.endswith(".yaml") else f"{name}.yaml")
