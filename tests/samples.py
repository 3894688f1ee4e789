"""Samples of a page, run as they stand and as the same asynchronous code.

A sample is a program and what it prints. Its asynchronous form is derived from its syntax,
never written a second time, so the two can only differ in the client.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio

_BLOCK = re.compile(
    r"^## (?P<title>[^\n]+)$|^```python\n(?P<code>.*?)^```\n\n```text\n(?P<printed>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Sample:
    """A program, what it prints, and where on the page it stands."""

    title: str
    code: str
    printed: str

    def with_model(self, model: str) -> Sample:
        """The same for another *model*; only what the client is asked for changes."""
        return replace(self, code=self.code.replace('model="gpt-4o-mini"', f'model="{model}"'))

    def printed_is(self, told: str) -> bool:
        """Whether *told* is what is printed; ``…`` stands for anything, line breaks too."""
        pattern = ".*".join(map(re.escape, self.printed.split(_ANYTHING)))
        return re.fullmatch(pattern, told, re.DOTALL) is not None


def samples_of(page: str) -> list[Sample]:
    """The samples of a Markdown *page*: each a python block that a text block follows."""
    found, title = [], ""
    for block in _BLOCK.finditer(page):
        if block["title"]:
            title = block["title"]
        else:
            found.append(Sample(title, block["code"], block["printed"]))
    return found


class _Asynchronous(ast.NodeTransformer):
    """Makes ``completion`` awaited and whatever iterates or enters its stream asynchronous."""

    def __init__(self) -> None:
        self.loops = 0

    def visit_alias(self, node: ast.alias) -> ast.alias:
        return ast.alias("acompletion") if node.name == "completion" else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not _is_name(node.func, "completion"):
            return node
        return ast.Await(ast.Call(ast.Name("acompletion", ast.Load()), node.args, node.keywords))

    def visit_For(self, node: ast.For) -> ast.stmt:
        stream = _is_name(node.iter, "response")
        self.generic_visit(node)
        if not stream:
            return node
        self.loops += 1
        return ast.AsyncFor(node.target, node.iter, node.body, node.orelse)

    def visit_With(self, node: ast.With) -> ast.stmt:
        call = node.items[0].context_expr
        stream = isinstance(call, ast.Call) and _is_name(call.func, "completion")
        self.generic_visit(node)
        return ast.AsyncWith(node.items, node.body) if stream else node


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def as_asynchronous(code: str) -> ast.Module:
    """*code* with ``await acompletion``, ``async for`` and ``async with``.

    Raises:
        ValueError: Nothing in it iterates a stream, so nothing was changed that matters.
    """
    changes = _Asynchronous()
    tree = ast.fix_missing_locations(changes.visit(ast.parse(code)))
    if not changes.loops:
        raise ValueError(f"no loop over a variable called response in {code!r}")
    return tree


def _coroutine_of(code: str) -> Callable[[], Any]:
    """The asynchronous form of *code* as a function, which gives its variables."""
    function: Any = ast.parse("async def main():\n    return locals()").body[0]
    function.body[:0] = as_asynchronous(code).body
    tree = ast.fix_missing_locations(ast.Module([function], type_ignores=[]))
    names: dict[str, Any] = {}
    exec(compile(tree, "<the asynchronous form of a sample>", "exec"), names)
    main: Callable[[], Any] = names["main"]
    return main


def run_sync(code: str, then: Callable[[], object] = lambda: None) -> str:
    """What *code* prints; *then* is called while its variables are still there."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(compile(code, "<a sample>", "exec"), names)
        then()
    return told.getvalue()


def run_async(backend: str, code: str, then: Callable[[], object] = lambda: None) -> str:
    """What the asynchronous form of *code* prints; *then* as in `run_sync`."""

    async def run() -> None:
        held = await _coroutine_of(code)()
        await anyio.to_thread.run_sync(then)
        del held

    with contextlib.redirect_stdout(io.StringIO()) as told:
        anyio.run(run, backend=backend)
    return told.getvalue()


WAYS: dict[str, Callable[..., str]] = {
    "sync": run_sync,
    "asyncio": partial(run_async, "asyncio"),
    "trio": partial(run_async, "trio"),
}
