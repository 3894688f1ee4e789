"""One sweep's work as a value that can be sent to a worker, and the running of one trial.

A worker gets the job, cassette included, and the rules of its trials; nothing else. The
clean run is made once in each process: results are compared where they are made, since
few of them could be sent anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack
from uuid import uuid4

from msgspec.structs import replace

from cassette_stream import storage
from cassette_stream.cassette import CassetteReader
from cassette_stream.cassette.match import Matcher
from cassette_stream.cassette.model import Interaction
from cassette_stream.chaos.families import families_of
from cassette_stream.chaos.subject import Backend, Subject
from cassette_stream.chaos.verdict import Outcome
from cassette_stream.chaos.witness import Witness, Witnessed
from cassette_stream.clock import VirtualClock, run_virtually, virtual_time
from cassette_stream.exceptions import HangError, PlanError
from cassette_stream.faults import Plan, Strike
from cassette_stream.session import current
from cassette_stream.session.options import Options
from cassette_stream.session.session import Session

__all__ = ("How", "Job", "JobOptions", "Run", "job_of", "left_running")

_PASSES = 20

How: TypeAlias = Callable[[Subject, VirtualClock, list[str]], object]
"""Runs a subject on a clock, and notes what it left running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the subject.

    Attributes:
        outcome: What came of it.
        asked: The interactions that it asked for, in the order of the requests.
        replies: What it saw, in order.
        strikes: Which rules struck.
        unfired: Why the others did not.
        missed: What it asked for that is not recorded.
        seconds: How long it took, in virtual time.
        real_time: Why it waited in real time, and how often.
    """

    outcome: Outcome
    asked: tuple[Interaction, ...]
    replies: tuple[Witnessed, ...]
    strikes: tuple[Strike, ...]
    unfired: tuple[str, ...]
    missed: tuple[str, ...]
    seconds: float
    real_time: dict[str, int]


class JobOptions(TypedDict, total=False):
    """How a subject is called, and what is made of what it does.

    Attributes:
        args: Its positional arguments.
        kwargs: Its arguments by name.
        set_up: Called before each run.
        tear_down: Called after each run.
        backend: The event loop of an asynchronous subject.
        raises: The exceptions that its users are told to expect; by default those of its own
            package and of the client library that sent the requests.
        key: What of a result counts; by default all of it or, for the answers of the
            libraries that are known, text, tool calls and finish reason.
        match_on: As `cassette_stream.use_cassette` has it.
        ignore: The same.
        patience: Seconds of virtual time after which a stream that goes on is a hang; 1800.
    """

    args: Sequence[object]
    kwargs: Mapping[str, object]
    set_up: Callable[[], object] | None
    tear_down: Callable[[], object] | None
    backend: Backend
    raises: type[BaseException] | tuple[type[BaseException], ...] | None
    key: Callable[[object], object] | None
    match_on: Sequence[str | Matcher]
    ignore: Sequence[str]
    patience: float


def job_of(subject: Callable[..., Any], cassette: str | Path, **options: Unpack[JobOptions]) -> Job:
    """The job of running *subject* on *cassette*.

    Raises:
        CassetteError: The cassette cannot be read.
    """
    raises = options.get("raises")
    return Job(
        subject=Subject(
            function=subject,
            args=tuple(options.get("args", ())),
            kwargs=dict(options.get("kwargs", {})),
            set_up=options.get("set_up"),
            tear_down=options.get("tear_down"),
            backend=options.get("backend", "asyncio"),
        ),
        cassette=storage.read(Path(cassette).absolute()),
        file=str(cassette),
        raises=(raises,) if isinstance(raises, type) else raises,
        key=options.get("key"),
        match_on=tuple(options.get("match_on", ("method", "url", "body"))),
        ignore=tuple(options.get("ignore", ())),
        patience=options.get("patience", 1800.0),
    )


class _Kept(CassetteReader):
    """A reader that reads each interaction once: a sweep plays them again and again."""

    def __init__(self, data: bytes, *, file: str) -> None:
        super().__init__(data, file=file)
        self._kept: dict[int, Interaction] = {}

    def interaction(self, index: int, *, refit: bool = False) -> Interaction:
        found = self._kept.get(index)
        if found is None:
            found = self._kept[index] = super().interaction(index, refit=refit)
        return found


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a sweep runs, and on what.

    Attributes:
        subject: The code under test.
        cassette: The recording that it plays, as the file has it.
        file: The name of that file, for messages.
        raises: The exceptions that its users are told to expect; looked up if None.
        key: What of a result counts.
        match_on: As `use_cassette` has it.
        ignore: The same.
        patience: Seconds after which a stream that goes on is a hang.
        token: Tells this job from others, wherever it is sent.
    """

    subject: Subject
    cassette: bytes
    file: str
    raises: tuple[type[BaseException], ...] | None
    key: Callable[[object], object] | None
    match_on: tuple[str | Matcher, ...]
    ignore: tuple[str, ...]
    patience: float
    token: str = field(default_factory=lambda: uuid4().hex, compare=False, repr=False)

    @cached_property
    def reader(self) -> CassetteReader:
        return _Kept(self.cassette, file=self.file)

    @cached_property
    def clean(self) -> Run:
        """The run without faults.

        Raises:
            PlanError: It fails, hangs or leaves something open without any fault.
        """
        run = self.perform(Plan(()))
        error = run.outcome.error
        if error is not None:
            raise PlanError(
                f"{self.subject.name} fails without any fault, so there is nothing to compare "
                f"with: {type(error).__name__}: {error}"
            ) from error
        if run.outcome.left_open:
            raise PlanError(
                f"{self.subject.name} leaves something open without any fault: "
                f"{'; '.join(run.outcome.left_open)}"
            )
        if not run.replies:
            raise PlanError(f"{self.subject.name} asked for nothing that {self.file} holds")
        return run

    @cached_property
    def families(self) -> tuple[type[BaseException], ...]:
        """The exceptions that count as raised for the user."""
        if self.raises is not None:
            return self.raises
        agents = [
            agent
            for reply in self.clean.replies
            for agent in reply.request.headers.get("user-agent", ())
        ]
        return families_of(self.subject.module, agents)

    @cached_property
    def options(self) -> Options:
        return Options.checked(
            mode="none",
            match_on=self.match_on,
            ignore=self.ignore,
            pace="instant",
            faults=(),
            redact="default",
            allow_repeats=False,
            before_record_request=None,
            before_record_response=None,
            ignore_hosts=(),
            ignore_localhost=False,
            guard=True,
        )

    def __getstate__(self) -> dict[str, Any]:
        # What was found here is found anew there.
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def perform(self, plan: Plan, how: How | None = None) -> Run:
        """Run the subject, with replies that are broken as *plan* says.

        *how* runs it in some other way than from its beginning to its end.
        """
        witness, clock = Witness(self.patience), VirtualClock()
        session = Session(
            self.file, replace(self.options, faults=plan), recorded=self.reader, observe=witness
        )
        tasks: list[str] = []
        result: object = None
        error: BaseException | None = None
        hung = False
        with ExitStack() as stack:
            if self.subject.set_up is not None:
                self.subject.set_up()
            if self.subject.tear_down is not None:
                stack.callback(self.subject.tear_down)
            session.open()
            stack.callback(session.leave)
            current.tie(session, clock)  # other trials may run beside this one
            try:
                result = (how or _through)(self.subject, clock, tasks)
            except HangError as caught:
                error, hung = caught, True
            except Exception as caught:  # noqa: BLE001 - it is judged
                error = caught
        return Run(
            outcome=Outcome(
                result=result,
                error=error,
                hung=hung or clock.hangs > 0,
                left_open=(*witness.left_open, *tasks),
                bodies=witness.bodies,
            ),
            asked=session.asked,
            replies=tuple(witness.replies),
            strikes=session.strikes,
            unfired=tuple(session.unfired()),
            missed=tuple(str(miss) for miss in session.misses),
            seconds=clock.now(),
            real_time=dict(clock.real_time_waits),
        )


def _through(subject: Subject, clock: VirtualClock, tasks: list[str]) -> object:
    """The result of *subject*; *tasks* gets those that it left running."""
    if not subject.is_async:
        with virtual_time(clock):
            return subject.run()

    async def main() -> object:
        try:
            return await subject.arun()
        finally:
            if subject.backend == "asyncio":
                tasks.extend(await left_running())

    return run_virtually(main, clock=clock, backend=subject.backend)


async def left_running() -> list[str]:
    """The tasks that still run beside this one, given some passes of the loop to end in.

    The loop itself closes what nobody holds any more in a task, such as the inner iterator
    of a response that failed. Tasks are told by what they run: their numbers are chance.
    """
    this = asyncio.current_task()
    for _ in range(_PASSES):
        if asyncio.all_tasks() == {this}:
            break
        await asyncio.sleep(0)
    return sorted(
        f"the task of {_name_of(task.get_coro())} still runs"
        for task in asyncio.all_tasks()
        if task is not this
    )


def _name_of(coroutine: object) -> str:
    return getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
