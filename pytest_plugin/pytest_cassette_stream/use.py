"""How a test uses its cassette: what marker, fixture, ini file and command line say together.

The nearest wins: the command line over the markers, the inner marker over the outer, the
markers over the fixture ``cassette_config``, and that over the ini file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from cassette_stream import CassetteNames, cassette_name, use_cassette
from pytest_cassette_stream.state import MODES, UNPLAYED, is_of_hypothesis, setting

if TYPE_CHECKING:
    from cassette_stream.faults import Plan

__all__ = ("Unplayed", "Use", "cassette_named", "path_of", "seed_of", "use_of")

Unplayed = Literal["ignore", "warn", "fail"]

_OWN = {"unplayed", "keep_failed", "virtual_time"}
_KNOWN = _OWN | (use_cassette.__kwdefaults__ or {}).keys()
_NAMES = pytest.StashKey[dict[str, Path | str]]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How one test uses its cassette.

    Attributes:
        path: The file.
        options: What `cassette_stream.use_cassette` is told.
        unplayed: What becomes of the test where interactions were left over.
        keep_failed: Save what it recorded even if it failed.
        virtual_time: Its event loop, or its thread, is in virtual time.
    """

    path: Path
    options: Mapping[str, Any]
    unplayed: Unplayed
    keep_failed: bool
    virtual_time: bool


def use_of(item: pytest.Item, configured: Mapping[str, Any]) -> Use:
    """How *item* uses its cassette, where the fixture says *configured*.

    Raises:
        pytest.UsageError: The marker, or what stands around it, says what cannot be.
    """
    name, marked = _marked(item)
    config = item.config
    told = {"mode": config.getini("cassette_mode") or None, **configured, **marked}
    if mode := config.getoption("cassette_mode"):
        told["mode"] = mode
    if unknown := sorted(told.keys() - _KNOWN):
        raise _wrong(item, f"{unknown[0]!r} is no option; there are {', '.join(sorted(_KNOWN))}")
    is_shared, played_in_part = name is not None, is_of_hypothesis(item)
    if played_in_part:
        # Else each example would ask the provider.
        told["mode"] = "none"
    if "faults" in told:
        told["faults"] = _seeded(told["faults"], seed_of(config))
    unplayed = (
        config.getoption("cassette_unplayed")
        or told.get("unplayed")
        or config.getini("cassette_unplayed")
        or ("ignore" if is_shared else "warn")
    )
    virtual_time = told.get("virtual_time", False)
    if not isinstance(virtual_time, bool):
        raise _wrong(item, f"virtual_time={virtual_time!r}: it is True or False")
    if unplayed not in UNPLAYED:
        raise _wrong(item, f"unplayed={unplayed!r}: there are {', '.join(UNPLAYED)}")
    if told["mode"] is not None and told["mode"] not in MODES:
        raise _wrong(item, f"mode={told['mode']!r}: there are {', '.join(MODES)}")
    return Use(
        path=path_of(item),
        options={key: value for key, value in told.items() if key not in _OWN},
        unplayed="ignore" if played_in_part else cast("Unplayed", unplayed),
        keep_failed=bool(told.get("keep_failed", setting(config, "cassette_keep_failed"))),
        virtual_time=virtual_time,
    )


def path_of(item: pytest.Item) -> Path:
    """The cassette of *item*.

    Raises:
        pytest.UsageError: Its name leads out of the folder, or is that of another test.
    """
    stash = item.config.stash
    if _NAMES not in stash or item.nodeid not in stash[_NAMES]:
        # All tests of the run, as each worker of xdist has them, though it runs only some.
        stash[_NAMES] = _claimed([*item.session.items, item])
    path = stash[_NAMES][item.nodeid]
    if isinstance(path, str):
        raise pytest.UsageError(path)
    return path


def cassette_named(item: pytest.Item, cassette: str | Path) -> Path:
    """The path of *cassette*, which is one, or a name in the folder of *item*'s cassettes."""
    if isinstance(cassette, Path):
        return cassette
    return _folder(item) / _file(cassette)


def seed_of(config: pytest.Config) -> int | None:
    """What faults and sweeps are drawn by, where somebody says."""
    told = setting(config, "cassette_seed")
    return None if told is None else int(told)


def _claimed(items: list[pytest.Item]) -> dict[str, Path | str]:
    """The cassette of each of *items* by its id, or why it can have none."""
    names, found = CassetteNames(), dict[str, Path | str]()
    for item in items:
        folder = _folder(item)
        try:
            name, _ = _marked(item)
            if name is None:
                # The module is a folder, as two modules may well have a test of one name.
                own = f"{item.path.stem}/{cassette_name(item.nodeid.partition('::')[2])}"
                found[item.nodeid] = names.claim(folder, own, test=item.nodeid)
            else:
                claimed = names.claim(folder, _file(name), test=item.nodeid, shared=True)
                found[item.nodeid] = claimed
        except (ValueError, pytest.UsageError) as error:
            found[item.nodeid] = str(error)
    return found


def _folder(item: pytest.Item) -> Path:
    return item.path.parent / (setting(item.config, "cassette_dir") or "cassettes")


def _file(name: str) -> str:
    return name if name.endswith(".yaml") else f"{name}.yaml"


def _marked(item: pytest.Item) -> tuple[str | None, dict[str, Any]]:
    """The name and the options that the markers of *item* tell, the inner before the outer."""
    name: str | None = None
    options: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("cassette"))):
        told = dict(marker.kwargs)
        names = (*marker.args, *([told.pop("name")] if "name" in told else []))
        if len(names) > 1 or any(not isinstance(each, str) for each in names):
            raise _wrong(item, f"it takes one name, and got {names!r}")
        name = names[0] if names else name
        options |= told
    return name, options


def _seeded(faults: Any, seed: int | None) -> Plan:
    from cassette_stream.faults import plan_of  # noqa: PLC0415 - few tests break anything

    plan = plan_of(faults)
    return plan if seed is None else replace(plan, seed=seed)


def _wrong(item: pytest.Item, words: str) -> pytest.UsageError:
    return pytest.UsageError(f"{item.nodeid}: @pytest.mark.cassette: {words}")
