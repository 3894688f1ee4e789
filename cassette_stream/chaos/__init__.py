"""Break a recording in every way in which streams break, and judge what code makes of it."""

from cassette_stream.chaos.answers import Answer, Call, answer_of
from cassette_stream.chaos.report import CleanRun, Report
from cassette_stream.chaos.results import Delivery, Result
from cassette_stream.chaos.shrink import Shrunk
from cassette_stream.chaos.subject import subject_named
from cassette_stream.chaos.sweep import shrink, sweep
from cassette_stream.chaos.verdict import Flag, Verdict

__all__ = (
    "Answer",
    "Call",
    "CleanRun",
    "Delivery",
    "Flag",
    "Report",
    "Result",
    "Shrunk",
    "Verdict",
    "answer_of",
    "shrink",
    "subject_named",
    "sweep",
)
