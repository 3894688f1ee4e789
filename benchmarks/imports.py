"""What it costs to import us, and to have our plugin installed: CPU time of new processes.

Each statement runs in an interpreter of its own, all in turn, round after round; what a
bare interpreter takes is subtracted. Byte code is written in the first, unmeasured round,
as it is where a package is installed and not developed. Each plugin of pytest that is
installed here is loaded alone, into a run of one empty test, all others kept out by
``-p no:``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from measure import introduce, show, version_of

IMPORT_ROUNDS = 5
START_ROUNDS = 15
PEER_ROUNDS = 5
MOST_MILLISECONDS = 10.0
MOST_RATIO = 1.03
PACKAGE, DOOR = "import cassette_stream", "from cassette_stream import use_cassette"
BARE, NO_PLUGIN, PLUGIN = "a bare interpreter", "no plugin", "pytest_cassette_stream"
PEERS = {
    "httpx": "httpx",
    "httpx2": "httpx2",
    "httpx_sse": "httpx-sse",
    "yaml": "PyYAML",
    "pytest": "pytest",
    "respx": "respx",
    "vcr": "vcrpy",
    "cassetter": "cassetter",
    "openai": "openai",
    "anthropic": "anthropic",
}


def cpu(command: Sequence[str], folder: str) -> float:
    """The CPU milliseconds, user and system, of a process."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return (usage.ru_utime + usage.ru_stime) * 1000


def rounds(commands: Mapping[str, Sequence[str]], count: int) -> list[dict[str, float]]:
    """What each of the *commands* takes, *count* times in turn, after a first to warm up."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_empty.py").write_text("def test_nothing():\n    pass\n")
        taken = [
            {name: cpu(command, folder) for name, command in commands.items()}
            for _ in range(1 + count)
        ]
    return taken[1:]


def median(taken: Sequence[Mapping[str, float]], name: str) -> float:
    return statistics.median(each[name] for each in taken)


def show_imports() -> None:
    statements = {BARE: "pass", PACKAGE: PACKAGE, DOOR: DOOR}
    statements |= {f"import {it}": f"import {it}" for it, dist in PEERS.items() if version_of(dist)}
    commands = {name: [sys.executable, "-c", code] for name, code in statements.items()}
    taken = rounds(commands, IMPORT_ROUNDS)
    bare = median(taken, BARE)
    rows = []
    for name in commands:
        over = statistics.median(each[name] - each[BARE] for each in taken)
        verdict = ""
        if name == PACKAGE:
            held = over <= MOST_MILLISECONDS
            verdict = f"{'at most' if held else 'OVER'} {MOST_MILLISECONDS:g} ms"
        rows.append([name, f"{bare:.1f}" if name == BARE else f"{over:+.1f}", verdict])
    show("milliseconds, over a bare interpreter's", ["statement", "CPU", "verdict"], rows)


def show_starts() -> None:
    plugins = sorted({it.name for it in entry_points(group="pytest11")})
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    def only(wanted: str) -> list[str]:
        return [*pytest, *(word for it in plugins if it != wanted for word in ("-p", f"no:{it}"))]

    # The difference that ours makes is small beside the noise, so it is measured more often.
    ours = rounds({name: only(name) for name in (NO_PLUGIN, PLUGIN)}, START_ROUNDS)
    others = [it for it in plugins if it != PLUGIN]
    theirs = rounds({name: only(name) for name in (NO_PLUGIN, *others)}, PEER_ROUNDS)
    rows = [[NO_PLUGIN, f"{median(ours, NO_PLUGIN):.0f}", "", ""]]
    for name in (PLUGIN, *others):
        taken = ours if name == PLUGIN else theirs
        ratio = statistics.median(each[name] / each[NO_PLUGIN] for each in taken)
        verdict = f"{'at most' if ratio <= MOST_RATIO else 'OVER'} {MOST_RATIO:g}"
        rows.append(
            [
                name,
                f"{median(taken, name):.0f}",
                f"{ratio:.3f}",
                verdict if name == PLUGIN else "",
            ]
        )
    show("start and end of pytest, milliseconds", ["plugin", "CPU", "over none", "verdict"], rows)


def main() -> None:
    introduce(
        f"Imports and the start of pytest, CPU time of processes, medians of {IMPORT_ROUNDS} "
        f"rounds, {START_ROUNDS} for our plugin",
        *("cassette-stream", *PEERS.values(), "pytest-httpx", "pytest-recording", "anyio"),
    )
    show_imports()
    show_starts()


if __name__ == "__main__":
    main()
