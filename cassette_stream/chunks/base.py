"""What all response objects are: structs that also read as a mapping.

Every field that is declared exists on every instance, None where nothing was said; a key
that is not declared is kept in *extras*. For any ``key``, ``obj[key]`` works exactly where
``key in obj`` and ``getattr(obj, key)`` do. Objects are mutable, and not tracked by the
garbage collector: do not tie one into a cycle.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

__all__ = ("ResponseObject", "plain", "public_fields")


class ResponseObject(
    msgspec.Struct,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    repr_omit_defaults=True,
):
    """Declared fields, and *extras*: what else the provider said, None where nothing."""

    # No JSON key of a provider is spelled like that, so none is taken for this field.
    extras: dict[str, Any] | None = msgspec.field(default=None, name="(extras)")

    # A type checker shall still see a misspelt field.
    if not TYPE_CHECKING:  # pragma: no branch

        def __getattr__(self, name: str) -> Any:
            # The second half guards `extras` itself, missing while an object is unpickled.
            if name != "extras" and self.extras is not None and name in self.extras:
                return self.extras[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getitem__(self, key: str) -> Any:
        if key in public_fields(type(self)):
            return getattr(self, key)
        if self.extras is not None:
            return self.extras[key]
        raise KeyError(key)

    def __setitem__(self, key: str, value: object) -> None:
        if key in public_fields(type(self)):
            setattr(self, key, value)
        elif self.extras is None:
            self.extras = {key: value}
        else:
            self.extras[key] = value

    def __contains__(self, key: object) -> bool:
        return key in public_fields(type(self)) or (self.extras is not None and key in self.extras)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        for name in public_fields(type(self)):
            yield name, getattr(self, name)
        yield from (self.extras or {}).items()

    def get(self, key: str, default: Any = None) -> Any:
        """The value of *key*, *default* where there is no such key. A None is a value."""
        try:
            return self[key]
        except KeyError:
            return default

    def model_dump(self, *, exclude_none: bool = False, exclude_unset: bool = False) -> Any:
        """A dict of plain values, extras included.

        *exclude_none* and *exclude_unset* mean the same here: they leave out what is None.
        """
        return plain(self, keep_none=not (exclude_none or exclude_unset))

    def model_dump_json(
        self, *, indent: int | None = None, exclude_none: bool = False, exclude_unset: bool = False
    ) -> str:
        """The same as JSON text, on one line or indented by *indent* blanks."""
        value = self.model_dump(exclude_none=exclude_none, exclude_unset=exclude_unset)
        text = msgspec.json.encode(value)
        return (text if indent is None else msgspec.json.format(text, indent=indent)).decode()

    def to_dict(self) -> Any:
        return self.model_dump()

    def json(self) -> Any:
        """A dict, as LiteLLM has it; `model_dump_json` gives text."""
        return self.model_dump()


@cache
def public_fields(kind: type[ResponseObject]) -> tuple[str, ...]:
    """The names that *kind* declares and shows, its tag first if it has one."""
    tag = kind.__struct_config__.tag_field
    shown = tuple(
        name for name in kind.__struct_fields__ if name != "extras" and not name.startswith("_")
    )
    return shown if tag is None else (tag, *shown)


def plain(value: object, *, keep_none: bool = True) -> Any:
    """*value* with every response object in it turned into a dict."""
    if isinstance(value, ResponseObject):
        pairs: Any = value
    elif isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, (list, tuple)):
        return [plain(item, keep_none=keep_none) for item in value]
    else:
        return value
    return {
        key: plain(item, keep_none=keep_none)
        for key, item in pairs
        if keep_none or item is not None
    }
