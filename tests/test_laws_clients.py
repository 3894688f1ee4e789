"""A client that loses text without a word is found by the smallest plan; a careful one passes."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_cassette_stream.laws import LawError, check_client
from subjects import BrokenAnswerError, careful, naive, ours
from support import PROJECT

from cassette_stream.exceptions import PlanError

TEXT = PROJECT / "fixtures" / "openai_text.yaml"


@pytest.mark.parametrize(
    ("subject", "options"), [(careful, {"raises": BrokenAnswerError}), (ours, {})]
)
def test_a_client_that_tells_its_user_passes(subject: Any, options: Any) -> None:
    report = check_client(subject, TEXT, ["body.clean_end", "body.fin"], **options)

    assert report.tried
    assert not report.bad


def test_the_worst_is_told_by_the_smallest_plan() -> None:
    with pytest.raises(LawError) as raised:
        check_client(naive, TEXT, ["body.clean_end", "body.fin"], recovery=False, seed=1)
    found = raised.value

    assert found.law.startswith("a stream that breaks raises an exception")
    assert "silent" in found.law
    assert found.stream == ["body.clean_end@event=1"]
    assert found.came.startswith("silent")
    assert found.expected == "an exception of the client's own family"
    assert list(found.seen) == ["body.clean_end"]


def test_the_message_is_a_line_that_breaks_it_again() -> None:
    with pytest.raises(LawError) as raised:
        check_client(naive, TEXT, "body.clean_end", recovery=False)

    line = "chaos.sweep(subject, cassette, ['body.clean_end@event=1']).raise_for_bad()"
    assert line in str(raised.value)


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(PlanError):
        check_client(naive, TEXT, "body.clean_and")
