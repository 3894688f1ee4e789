"""A caller's messages and parameters, looked at before anything is sent.

They are chat completions': what is missing or of the wrong type is told by its name.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from cassette_stream.dialects.call import Call, accepted_params
from cassette_stream.dialects.encoding import json_object
from cassette_stream.exceptions import UnsupportedParamsError

__all__ = (
    "Json",
    "arguments_of",
    "budget_of",
    "data_uri",
    "function_of",
    "given",
    "instructions_of",
    "mapping",
    "mappings",
    "need",
    "nothing",
    "parts",
    "refused",
    "schema_of",
    "stops_of",
    "url_of",
)

Json: TypeAlias = Mapping[str, Any]

_DATA_URI: Final = re.compile(r"data:([^;,]*)(?:;(?!base64,)[^;,]*)*(;base64)?,(.*)", re.DOTALL)
_BUDGETS: Final = {"none": 0, "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096}
_INSTRUCTIONS: Final = frozenset({"system", "developer"})


def mapping(value: object, what: str) -> Json:
    """*value*, a mapping.

    Raises:
        TypeError: It is something else; *what* names it.
    """
    if not isinstance(value, Mapping):
        raise TypeError(f"{what} is a mapping, not {value!r}")
    return value


def mappings(value: object, name: str, each: str) -> list[Json]:
    """*value*, a list of mappings; nothing is an empty one.

    Raises:
        TypeError: It is something else, as *name* says, or one of it is, which *each* names.
    """
    items = value or ()
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise TypeError(f"{name} is a list, not {value!r}")
    return [mapping(item, each) for item in items]


def need(value: Json, name: str) -> Any:
    """What *value* has as *name*.

    Raises:
        ValueError: Nothing.
    """
    if value.get(name) is None:
        raise ValueError(f"{name!r} is missing beside {', '.join(map(repr, value)) or 'nothing'}")
    return value[name]


def parts(message: Json) -> list[Json]:
    """The content of *message* as a list of parts, none of them an empty text.

    Raises:
        TypeError: It is neither a text, nor a list of parts, nor None.
    """
    content = message.get("content")
    if content is None or isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, Sequence):
        raise TypeError(f"content is a text, a list of parts or None, not {content!r}")
    found = [mapping(part, "a part of content") for part in content]
    return [part for part in found if part.get("type") != "text" or need(part, "text")]


def stops_of(stop: object) -> list[str]:
    """The texts at which an answer is to *stop*, of which one may stand alone.

    Raises:
        TypeError: It is neither a text nor a list of texts.
    """
    texts = [stop] if isinstance(stop, str) else stop
    if isinstance(texts, Sequence) and all(isinstance(text, str) for text in texts):
        return list(texts)
    raise TypeError(f"stop is a text or a list of texts, not {stop!r}")


def instructions_of(messages: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The parts of all system and developer messages, and the messages of other roles.

    Raises:
        TypeError: A message or its content is of the wrong type.
    """
    checked = [mapping(message, "a message") for message in messages]
    system = [message for message in checked if _instructs(message)]
    spoken = [message for message in checked if not _instructs(message)]
    return [part for message in system for part in parts(message)], spoken


def _instructs(message: Json) -> bool:
    role = message.get("role")
    return isinstance(role, str) and role in _INSTRUCTIONS


def function_of(value: object, what: str) -> Json:
    """The *function* of a tool, a tool call or a tool choice.

    Raises:
        TypeError: *value*, which *what* names, or its function is no mapping.
        ValueError: It has none, or that has no name.
    """
    function = mapping(need(mapping(value, what), "function"), f"the function of {what}")
    need(function, "name")
    return function


def arguments_of(function: Json) -> dict[str, Any]:
    """The arguments of a tool call as an object; no text is no arguments.

    Raises:
        ValueError: They are no JSON object.
    """
    arguments = function.get("arguments") or ""
    if isinstance(arguments, Mapping):
        return dict(arguments)
    try:
        return json_object(arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the arguments of a call of {function.get('name')!r} must be a JSON object, "
            f"not {arguments!r}"
        ) from error


def url_of(part: Json) -> str:
    """The address in an ``image_url`` part, which may be a ``data:`` one.

    Raises:
        ValueError: There is none.
        TypeError: It is no text.
    """
    image = need(part, "image_url")
    url = need(image, "url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        raise TypeError(f"an image's url is a text, not {url!r}")
    return url


def data_uri(url: str) -> tuple[str, str] | None:
    """The media type and the base64 of a ``data:`` *url*, None for any other."""
    found = _DATA_URI.fullmatch(url)
    if found is None:
        return None
    kind, base64, data = found.groups()
    if base64 is None:
        data = b64encode(unquote_to_bytes(data)).decode()
    return kind or "text/plain", data


def given(
    call: Call,
    accepted: Collection[str],
    only: Json,
    *,
    dialect: str,
    older: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The parameters of *call* that say something, in the order in which they were given.

    Args:
        call: What is asked; it also says whether parameters may be dropped.
        accepted: The names of those that a dialect has.
        only: Further ones that may say what happens anyway, each with the value that does.
        dialect: Its name, for the error.
        older: Names that do not count beside a newer one for the same.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
    """
    params = accepted_params(call, {*accepted, *only}, dialect=dialect)
    for name, value in only.items():
        found = params.pop(name, None)
        if found is not None and found != value:
            refused(call, name, f"{dialect} takes {name}={value!r} only, not {found!r}")
    told = {name: value for name, value in params.items() if value is not None}
    return {name: value for name, value in told.items() if older.get(name) not in told}


def refused(call: Call, param: str, why: str) -> Json:
    """No field, where *call* drops what a dialect does not have.

    Raises:
        UnsupportedParamsError: It does not, as *why* says.
    """
    if call.drop_params:
        return {}
    problem = f"{why}; leave it out, or set drop_params=True"
    raise UnsupportedParamsError(problem, status_code=400, param=param)


def nothing(_: Call, __: Any) -> Json:
    """No field, for what happens anyway: usage is told by most without being asked for."""
    return {}


def budget_of(effort: Any) -> int:
    """The tokens that a reasoning *effort* may take, 0 for none.

    Raises:
        ValueError: It is no effort.
    """
    if effort not in _BUDGETS:
        raise ValueError(f"reasoning_effort is one of {', '.join(_BUDGETS)}, not {effort!r}")
    return _BUDGETS[effort]


def schema_of(wanted: Json) -> Any:
    """The schema of a *wanted* response format of the type ``json_schema``.

    Raises:
        ValueError: It has none.
        TypeError: It is of the wrong type.
    """
    return need(mapping(need(wanted, "json_schema"), "json_schema"), "schema")
