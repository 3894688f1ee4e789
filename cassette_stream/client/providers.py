"""Where a model is: from its name to an address, the credentials and the dialect.

Nothing is sent, and nothing is asked of anybody but the environment. Whose a model is, its
name says, or the caller; an address says it only where scheme, host, port and path are that
provider's, so no key goes to a place that merely looks like one.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ParamSpec, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

from cassette_stream.client.access import Access
from cassette_stream.client.addresses import is_within, read_address
from cassette_stream.client.credentials import Hidden, headers_of
from cassette_stream.client.environment import first_set
from cassette_stream.client.provider_table import BARE_NAMES, PROVIDERS, Dialect, Provider
from cassette_stream.dialects import openai_chat
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import BadRequestError

__all__ = ("PROVIDERS", "Dialect", "Endpoint", "Provider", "register_provider", "resolve")

P = ParamSpec("P")
T = TypeVar("T")

_ANYBODY = "openai_like"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_DIALECT = ("request", "whole_body", "Decoder")

_registered: dict[str, Provider] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to send a call, and how.

    Attributes:
        provider: The provider's name.
        model: The model's, as the provider wants it.
        dialect: The module of its wire format.
        base: What the path of a request is appended to; it does not end in a slash.
        headers: The credentials, and what else the provider wants; names are lower-case.
        adapt: To be applied to a call before the dialect makes the request.
        query: Belongs at the end of every address.
        arguments: The parameters of a call that are said already, and no model's.
        access: What lets a request in besides; it is asked before each attempt.
    """

    provider: str
    model: str
    dialect: Dialect = field(repr=False)
    base: str
    headers: Mapping[str, str]
    adapt: Callable[[Call], Call] = field(repr=False)
    query: Mapping[str, str]
    arguments: tuple[str, ...] = field(repr=False)
    access: Access | None = field(default=None, repr=False)

    def url(self, path: str) -> str:
        """The address of a request to *path*, which may have a query of its own."""
        address = f"{self.base}{path}"
        if not self.query:
            return address
        joint = "&" if "?" in path else "?"
        # A value that was no UTF-8 goes out as the bytes that it was.
        return f"{address}{joint}{urlencode(self.query, errors='surrogateescape')}"


def register_provider(
    prefix: str,
    *,
    base: str,
    key_env: str | Sequence[str] | None = None,
    base_env: str | None = None,
    dialect: Dialect = openai_chat,
) -> None:
    """Add a provider: from then on ``prefix/model`` is a model of it.

    It holds for this process; the last one of the same *prefix* counts.

    Args:
        prefix: Lower-case letters, digits, ``_``, ``-`` and ``.``.
        base: What the path of a request is appended to, as ``/chat/completions`` is.
        key_env: The environment variables with the key, the first that is set counts. With
            None, a key is sent only where the caller gives one.
        base_env: The environment variable with another base.
        dialect: Its wire format: a module of `cassette_stream.dialects`, or one of your own that
            has a ``request``, a ``whole_body`` and a ``Decoder`` too.

    Raises:
        TypeError: *dialect* lacks one of these.
        ValueError: *prefix* is a provider's that comes with the package, or no prefix;
            *base* is no address; *key_env* or *base_env* is no variable's name.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"a prefix is lower-case letters, digits, '_', '-' and '.', not {prefix!r}"
        )
    if prefix in PROVIDERS:
        raise ValueError(f"{prefix} is there already; give another prefix, or api_base at the call")
    read_address(base, "base")
    keys = (key_env,) if isinstance(key_env, str) else tuple(key_env or ())
    bases = () if base_env is None else (base_env,)
    for variable in keys + bases:
        if not _VARIABLE.fullmatch(variable):
            # It is not shown: it may be a key, given where the name of its variable belongs.
            raise ValueError("key_env and base_env are names of environment variables, not values")
    missing = [name for name in _DIALECT if not callable(getattr(dialect, name, None))]
    if missing:
        raise TypeError(
            f"a dialect has {', '.join(_DIALECT)}; there is no {', '.join(missing)} in {dialect!r}"
        )
    _registered[prefix] = Provider(
        name=prefix,
        dialect=dialect,
        base=base,
        keys=keys,
        needs_key=bool(keys),
        bases=bases,
    )


def resolve(
    model: str,
    *,
    custom_llm_provider: str | None = None,
    api_base: str | None = None,
    api_key: str | None = None,
    params: Mapping[str, object] = MappingProxyType({}),
    environ: Mapping[str, str] = os.environ,
) -> Endpoint:
    """Where *model* is.

    Whose it is says *custom_llm_provider*; else the part of its name before the first slash;
    else *api_base*, where that is a provider's; else how a name without a slash begins. Any
    other name is a model of an OpenAI-compatible server at *api_base*.

    *api_base*, *api_key* and those of *params* that are the provider's ``arguments`` win over the
    variables in *environ*; an empty variable is none.

    Raises:
        AuthenticationError: The provider needs a key and there is none, or it cannot be sent.
        BadRequestError: It cannot be told whose the model is, or where that is.
        TypeError: An argument is no text.
    """
    given: dict[str, object] = {
        "model": model,
        "custom_llm_provider": custom_llm_provider,
        "api_base": api_base,
        "api_key": api_key,
    }
    for name, value in given.items():
        if not isinstance(value, str) and (value is not None or name == "model"):
            raise TypeError(f"{name} is a text, not {type(value).__name__}")
    provider, model = _whose(model, custom_llm_provider, api_base)
    dialect = provider.dialect
    word, slash, rest = model.partition("/")
    if slash and word in provider.below:
        dialect, model = provider.below[word], rest
    if not model:
        raise _refusal(f"there is no model behind {provider.name}/", provider.name, model)
    if not model.isprintable():
        problem = f"{model!r} is no model: it holds a character that cannot be printed"
        raise _refusal(problem, provider.name, model)
    environ = _with_arguments(provider, params, environ)
    base, query = _place(provider, model, api_base, environ)
    headers = headers_of(provider, model, api_key, environ)
    access = None
    if provider.access is not None and "authorization" not in headers:
        access = _made(provider, model, provider.access, base, model, environ)
    return Endpoint(
        provider=provider.name,
        model=model,
        dialect=dialect,
        base=base,
        headers=Hidden(headers),
        adapt=provider.adapt,
        query=Hidden(query),
        arguments=provider.arguments,
        access=access,
    )


def _whose(model: str, named: str | None, api_base: str | None) -> tuple[Provider, str]:
    if named is not None:
        return _provider(named, model), model.removeprefix(f"{named}/")
    prefix, slash, rest = model.partition("/")
    if slash and (prefix in PROVIDERS or prefix in _registered):
        return _provider(prefix, model), rest
    known = _at(api_base) if api_base is not None else None
    if known is not None:
        return known, model
    if not slash:
        for begins, name in BARE_NAMES:
            if begins.match(model):
                return _provider(name, model), model
    if api_base is not None:
        return PROVIDERS[_ANYBODY], model
    return _provider(prefix if slash else "", model), rest


def _provider(name: str, model: str) -> Provider:
    found = _registered.get(name, PROVIDERS.get(name))
    if found is not None:
        return found
    prefixes = sorted({*PROVIDERS, *_registered})
    if name:
        problem = f"there is no provider {name!r}, which {model!r} asks for{_nearest(name)}"
    else:
        problem = f"{model!r} does not say whose model it is; write PROVIDER/{model}"
    raise _refusal(
        f"{problem}. Providers are {', '.join(prefixes)}. Any other that speaks OpenAI chat "
        "completions: give api_base, or call register_provider",
        name or None,
        model,
    )


def _nearest(name: str) -> str:
    import difflib  # noqa: PLC0415 - costs 12 ms, and only this message needs it

    near = difflib.get_close_matches(name.lower(), [*PROVIDERS, *_registered], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _refusal(message: str, provider: str | None, model: str) -> BadRequestError:
    return BadRequestError(message, status_code=400, llm_provider=provider, model=model)


def _at(api_base: str) -> Provider | None:
    """The provider whose own place *api_base* is; one that needs no key is anybody's."""
    try:
        asked = read_address(api_base, "api_base")
    except ValueError:
        return None  # reported when the place is made
    for provider in (*_registered.values(), *PROVIDERS.values()):
        if provider.base is not None and provider.needs_key:
            bases = (provider.base, *provider.also)
            if any(is_within(asked, read_address(base, "base")) for base in bases):
                return provider
    return None


def _place(
    provider: Provider, model: str, api_base: str | None, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The base for *model*, and the query that belongs at the end of every address there."""
    base, named = _base(provider, api_base, environ)
    if base is None and provider.origin is not None:
        base = _made(provider, model, provider.origin, model, environ)
    if base is None:
        raise _refusal(
            f"{provider.name} has no address of its own; give api_base, or set "
            f"{' or '.join(provider.bases)}",
            provider.name,
            model,
        )
    address = _made(provider, model, read_address, base, named)
    place = provider.place(address._replace(query="").geturl().rstrip("/"), model)
    if provider.inside is not None:
        place = _made(provider, model, provider.inside, place, model, environ)
    query = dict(parse_qsl(address.query, keep_blank_values=True, errors="surrogateescape"))
    # Azure's newest address has the version in its path, and refuses another.
    if provider.version and not place.endswith("/openai/v1"):
        argument, variable = provider.version
        version = environ[argument] or query.get("api-version") or environ.get(variable)
        if not version:
            raise _refusal(
                f"{provider.name} wants to know the version of its API; give {argument}, set "
                f"{variable}, or end api_base with ?api-version=...",
                provider.name,
                model,
            )
        query["api-version"] = version
    return place, query


def _with_arguments(
    provider: Provider, params: Mapping[str, object], environ: Mapping[str, str]
) -> Mapping[str, str]:
    """*environ* with the arguments of *provider*, which are empty where they are not given."""
    given = {}
    for name in provider.arguments:
        value = params.get(name)
        if not isinstance(value, str | None):
            raise TypeError(f"{name} is a text, not {type(value).__name__}")
        given[name] = value or ""
    return ChainMap(given, cast("dict[str, str]", environ)) if given else environ


def _made(
    provider: Provider, model: str, make: Callable[P, T], *args: P.args, **more: P.kwargs
) -> T:
    """What *make* makes of *args*; a `ValueError` of it is a refusal."""
    try:
        return make(*args, **more)
    except ValueError as error:
        raise _refusal(str(error), provider.name, model) from None


def _base(
    provider: Provider, api_base: str | None, environ: Mapping[str, str]
) -> tuple[str | None, str]:
    """The base as it was given, and by what."""
    if api_base is not None:
        return api_base, "api_base"
    if found := first_set(provider.bases, environ):
        variable, base = found
        return base, variable
    return provider.base, "base"
