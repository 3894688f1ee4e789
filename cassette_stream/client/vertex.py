"""Vertex AI: the project and location that its addresses name, and tokens of Google's.

The credentials and their tokens are google-auth's, which is loaded when a token is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

from cassette_stream.client.access import Held, Vault, guarded
from cassette_stream.client.environment import first_set
from cassette_stream.exceptions import APIConnectionError, AuthenticationError

__all__ = ("ARGUMENTS", "Token", "inside", "origin", "token")

ARGUMENTS = ("vertex_project", "vertex_location")

_PROJECTS = ("vertex_project", "VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT")
_LOCATIONS = ("vertex_location", "VERTEXAI_LOCATION", "GOOGLE_CLOUD_LOCATION")
_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_LOCATION = re.compile(r"[a-z0-9-]+")
_HOSTS = {
    "eu": "aiplatform.eu.rep.googleapis.com",
    "global": "aiplatform.googleapis.com",
    "us": "aiplatform.us.rep.googleapis.com",
}
_OTHERS = re.compile(
    r".*/|claude|codestral|deepseek|gpt-oss|grok|jamba|kimi|llama|minimax|ministral|mistral|qwen"
)
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_EXTRA = "the extra is not there: pip install 'cassette-stream[vertex]'"
_SECONDS = 30.0
"""How long one request for a token may take."""

_vault = Vault("CLOUDSDK_", "GCE_METADATA_", "GOOGLE_", "HOME", "NO_GCE_CHECK")


def origin(model: str, environ: Mapping[str, str]) -> str:  # noqa: ARG001 - the same for all models
    """Where models are asked.

    Raises:
        ValueError: Nothing says the location.
    """
    location = _location(environ)
    return f"https://{_HOSTS.get(location, f'{location}-aiplatform.googleapis.com')}"


def inside(place: str, model: str, environ: Mapping[str, str]) -> str:
    """What the dialect's path to *model* is appended to, of a *place* that may be it already.

    Raises:
        ValueError: *model* is not Google's, or nothing says the project or the location.
    """
    if _OTHERS.match(model):
        raise ValueError(
            f"vertex_ai asks models of Google alone, such as gemini-2.5-pro, and {model!r} is "
            "somebody else's, which this version does not speak to there"
        )
    if place.endswith("/publishers/google"):
        return place
    project, location = quote(_project(environ), safe=":"), _location(environ)
    return f"{place}/v1/projects/{project}/locations/{location}/publishers/google"


def token(base: str, model: str, environ: Mapping[str, str]) -> Token:  # noqa: ARG001 - the same for all
    """What lets requests in."""
    return Token()


def _location(environ: Mapping[str, str]) -> str:
    found = first_set(_LOCATIONS, environ)
    if found is None:
        raise ValueError(
            "vertex_ai wants to know the location; give vertex_location, or set VERTEXAI_LOCATION "
            "or GOOGLE_CLOUD_LOCATION"
        )
    name, location = found
    if not _LOCATION.fullmatch(location):
        raise ValueError(f"{name} is no location such as 'europe-west4': {location!r}")
    return location


def _project(environ: Mapping[str, str]) -> str:
    if found := first_set(_PROJECTS, environ):
        return found[1]
    if project := _project_of_account(environ.get(_FILE, "")):
        return project
    raise ValueError(
        "vertex_ai wants to know the project; give vertex_project, or set VERTEXAI_PROJECT or "
        f"GOOGLE_CLOUD_PROJECT, or {_FILE} to the file of a service account"
    )


def _project_of_account(file: str) -> str | None:
    """The project of the service account in *file*, if it is one."""
    if not file:
        return None
    try:
        account = json.loads(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{_FILE} names {file!r}, which cannot be read: {type(error).__name__}"
        ) from None
    project = account.get("project_id") if isinstance(account, dict) else None
    return project if isinstance(project, str) else None


class Token:
    """A token of the application default credentials, as `access.Access` has it."""

    def is_fresh(self) -> bool:
        credentials = _vault.here().credentials
        return credentials is not None and bool(credentials.valid)

    def refresh(self) -> None:
        held = _vault.here()
        with held.lock, guarded():
            if held.credentials is None or not held.credentials.valid:
                _renew(held)

    def headers(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:  # noqa: ARG002 - nothing is signed
        self.refresh()
        found: dict[str, str] = {}
        held = _vault.here()
        held.credentials.apply(found)
        held.secrets = (held.credentials.token,)
        return found

    def secrets(self) -> tuple[str, ...]:
        return _vault.here().secrets


def _renew(held: Held) -> None:
    try:
        import google.auth  # noqa: PLC0415 - see above
        from google.auth import exceptions as of_google  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
    except ImportError as error:
        raise _no_access(f"vertex_ai gets tokens with google-auth, and {_EXTRA}") from error
    request = partial(Request(), timeout=_SECONDS)
    try:
        if held.credentials is None:
            held.credentials, _ = google.auth.default(scopes=_SCOPES)
        held.credentials.refresh(request)
    except of_google.DefaultCredentialsError as error:
        raise _no_access(
            "vertex_ai needs credentials of Google's, and none were found; give a token as "
            f"api_key, set {_FILE}, or run: gcloud auth application-default login"
        ) from error
    except of_google.TransportError as error:
        raise APIConnectionError(f"the way to a token is broken: {error}") from error
    except (of_google.GoogleAuthError, OSError, ValueError) as error:
        # What a server of tokens answered may hold one, so it is not shown.
        raise _no_access(f"there is no token: {type(error).__name__}") from error


def _no_access(message: str) -> AuthenticationError:
    return AuthenticationError(message, status_code=401, llm_provider="vertex_ai")
