"""The headers that say who asks: found in the arguments and the environment, and not shown.

No text that is made here holds a key: no repr, and no error. A key that no header can hold is
refused here for that reason, since the HTTP library's own error would quote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cassette_stream.client.environment import first_set
from cassette_stream.client.provider_table import Provider
from cassette_stream.exceptions import AuthenticationError, BadRequestError

__all__ = ("Hidden", "headers_of")

_NOT_IN_A_KEY = re.compile(r"[^\x21-\x7e]")
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e]")


class Hidden(Mapping[str, str]):
    """A mapping that shows its names and never its values."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{', '.join(self)}: hidden>" if self else "<nothing>"


def headers_of(
    provider: Provider, model: str, api_key: str | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """What *provider* wants in the head of a request: the key, and whatever its row names.

    Raises:
        AuthenticationError: There is no key and it needs one, or no header can hold the key.
        BadRequestError: No header can hold the value of another variable.
    """
    headers = {}
    for name, variables in provider.headers:
        told = first_set(variables, environ)
        if told is None:
            continue
        variable, value = told
        if _NOT_IN_A_HEADER.search(value):
            raise BadRequestError(
                f"{variable} holds a letter that no header can, one beyond ASCII or a line "
                f"break: {value!r}",
                status_code=400,
                llm_provider=provider.name,
                model=model,
            )
        headers[name] = value
    found = _key(provider, api_key, environ)
    if found is not None:
        return headers | _credential(provider, model, *found)
    if not provider.needs_key:
        return headers
    names = " or ".join(provider.keys + provider.tokens)
    raise _no_access(provider, model, f"{provider.name} needs a key; give api_key, or set {names}")


def _key(
    provider: Provider, api_key: str | None, environ: Mapping[str, str]
) -> tuple[str, str] | None:
    """What gave the key, and the key; an empty *api_key* is none, whatever *environ* holds."""
    if api_key is not None:
        return ("api_key", api_key) if api_key else None
    if first_set(provider.other_access, environ):
        return None
    return first_set(provider.keys + provider.tokens, environ)


def _credential(provider: Provider, model: str, source: str, key: str) -> dict[str, str]:
    wrong = _NOT_IN_A_KEY.search(key)
    if wrong is not None:
        raise _no_access(
            provider,
            model,
            f"{source} is no key: a blank, a line break or a letter beyond ASCII stands at "
            f"position {wrong.start() + 1} of {len(key)}",
        )
    if source in provider.tokens or provider.key_header == "authorization":
        return {"authorization": f"Bearer {key}"}
    return {provider.key_header: key}


def _no_access(provider: Provider, model: str, message: str) -> AuthenticationError:
    return AuthenticationError(message, status_code=401, llm_provider=provider.name, model=model)
