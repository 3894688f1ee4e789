"""A sweep over Dask's workers, which are processes of their own, is the sweep in order."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import swept
from breaking import stream
from planted_client import cassette
from support import PROJECT, SOAK

from cassette_stream import chaos
from cassette_stream.chaos import Result
from cassette_stream.exceptions import SweepError

distributed = pytest.importorskip("distributed")

sweep = partial(chaos.sweep, match_on=("method", "url"), positions="every-event")
FAULTS = ("sse.comments", "body.clean_end", "json.cut")


def _see(folder: str) -> None:
    sys.path.insert(0, folder)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            processes=True,
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        # As the path of a worker has the code that it is to run; those that start anew too.
        client.register_worker_callbacks(partial(_see, str(PROJECT / "tests")))
        yield client


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "text.yaml"
    path.write_bytes(cassette(stream("openai_chat"), swept.URL))
    return path


@pytest.mark.rest
@pytest.mark.parametrize("subject", [swept.naive, swept.anaive], ids=["sync", "async"])
def test_workers_find_what_a_sweep_in_order_finds(
    subject: Any, client: Any, recording: Path
) -> None:
    here = sweep(subject, recording, FAULTS)
    with client.get_executor() as executor:
        there = sweep(subject, recording, FAULTS, executor=executor)

    assert there == here
    assert there.digest == here.digest


def test_a_worker_that_dies_is_made_up_for_by_the_others(
    client: Any, recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "parent").write_text("0")
    file = tmp_path / "results.jsonl"
    with client.get_executor() as executor:
        report = sweep(
            partial(swept.deadly, str(tmp_path)),
            recording,
            FAULTS,
            executor=executor,
            results=file,
        )

    assert (tmp_path / "dead").exists()
    assert report.digest == sweep(swept.naive, recording, FAULTS).digest
    assert len(file.read_bytes().splitlines()) == 1 + len(report.results)


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="Dask starts worker after worker before it gives up: 20 s")
def test_a_trial_that_kills_every_worker_ends_the_sweep_and_the_rest_is_kept(
    client: Any, recording: Path, tmp_path: Path
) -> None:
    (tmp_path / "parent").write_text("0")
    file, found = tmp_path / "results.jsonl", list[int]()

    def note(result: Result, _: int) -> None:
        found.append(result.number)

    kill = partial(swept.deadly, str(tmp_path), always=True)
    with client.get_executor(retries=0) as executor, pytest.raises(SweepError, match="worker died"):
        sweep(kill, recording, FAULTS, executor=executor, results=file, progress=note)
    kept = set(found)
    assert len(file.read_bytes().splitlines()) == 1 + len(kept)

    found.clear()
    again = partial(swept.deadly, str(tmp_path / "nowhere"), always=None)
    report = sweep(again, recording, FAULTS, results=file, progress=note)

    assert not kept & set(found)
    assert report.digest == sweep(swept.naive, recording, FAULTS).digest
