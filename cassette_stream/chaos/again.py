"""How to run one trial again: a line of command, a line of Python, and the plan as values.

A trial is told by its rule, which is without chance, so the same line does the same thing.
"""

from __future__ import annotations

import json
import shlex

import yaml

from cassette_stream.chaos.report import Report
from cassette_stream.chaos.trials import told_rule
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import Plan, parse_rule, read_plan, write_plan

__all__ = ("command_of", "line_of_command", "line_of_python", "plan_json", "plan_told")


def command_of(report: Report) -> str:
    """The command that made *report*, without what chooses its trials."""
    return shlex.join(("cassette-stream", "chaos", report.subject, "--cassette", report.cassette))


def plan_told(rule: str) -> Plan | None:
    """The plan that the text of a result tells; None for faults of the user's own."""
    try:
        several = rule.startswith("faults:")
        plan = read_plan(rule) if several else Plan(tuple(map(parse_rule, rule.split(" + "))))
        # A name that holds the separator would read as two rules.
        return plan if told_rule(plan) == rule else None
    except PlanError:
        return None


def line_of_command(rule: str, command: str) -> str | None:
    """The line that begins as *command* and tries *rule* alone; None where that takes a file."""
    plan = plan_told(rule)
    if plan is None or len(plan.rules) != 1 or rule.startswith("faults:"):
        return None
    return f"{command} --fault {shlex.quote(rule)}"


def line_of_python(rule: str, report: Report) -> str | None:
    """The same in Python, which fails where a correct client would do otherwise."""
    plan = plan_told(rule)
    if plan is None:
        return None
    subject = f"chaos.subject_named({report.subject!r})"
    told = f"[{rule!r}]"
    if len(plan.rules) != 1 or rule.startswith("faults:"):
        told = f"faults.read_plan({write_plan(plan)!r})"
    return f"chaos.sweep({subject}, {report.cassette!r}, {told}).raise_for_bad()"


def plan_json(rule: str) -> str | None:
    """The plan as JSON, in the words of the YAML."""
    plan = plan_told(rule)
    if plan is None:
        return None
    return json.dumps(yaml.safe_load(write_plan(plan)), ensure_ascii=False)
