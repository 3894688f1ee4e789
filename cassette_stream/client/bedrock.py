"""Amazon Bedrock: its region, and requests that are signed with AWS credentials.

A bearer token needs nothing of this. The chain that finds credentials and the signature are
botocore's, which is loaded when something is signed, or a profile has to say the region.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cassette_stream.client.access import Held, Vault, guarded
from cassette_stream.client.environment import first_set
from cassette_stream.exceptions import APIConnectionError, AuthenticationError, Timeout

__all__ = ("ARGUMENTS", "OTHER_ACCESS", "Signature", "origin", "signature")

OTHER_ACCESS = ("aws_profile_name", "aws_access_key_id")
ARGUMENTS = (
    "aws_region_name",
    *OTHER_ACCESS,
    "aws_secret_access_key",
    "aws_session_token",
)

_REGIONS = ("aws_region_name", "AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = re.compile(r"[a-z0-9-]+")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]+):")
_HOST = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")
_SIGNED = ("content-type", "host")
_EXTRA = "the extra is not there: pip install 'cassette-stream[bedrock]'"

_vault = Vault("AWS_", "HOME")


def origin(model: str, environ: Mapping[str, str]) -> str:
    """Where *model* is asked.

    Raises:
        ValueError: Nothing says the region.
    """
    region = _region(model, environ)
    if region is None:
        raise ValueError(
            "bedrock wants to know the region; give aws_region_name or api_base, set AWS_REGION or "
            "AWS_DEFAULT_REGION, or name the model by its ARN (a profile says it too, where "
            "botocore is there)"
        )
    return f"https://bedrock-runtime.{region}.amazonaws.com"


def signature(base: str, model: str, environ: Mapping[str, str]) -> Signature:
    """What signs the requests for *model* at *base*.

    Raises:
        ValueError: Nothing says the region, or of the two parts of a key one is missing.
    """
    named = _HOST.fullmatch(urlsplit(base).hostname or "")
    region = named[1] if named else _region(model, environ)
    if region is None:
        raise ValueError(
            f"a signature needs the region, which {base} does not say; give aws_region_name, or "
            "set AWS_REGION or AWS_DEFAULT_REGION"
        )
    key, secret = (
        environ.get(name) or "" for name in ("aws_access_key_id", "aws_secret_access_key")
    )
    if bool(key) != bool(secret):
        raise ValueError("aws_access_key_id and aws_secret_access_key are given together")
    return Signature(
        region,
        profile=_profile(environ),
        key=(key, secret, environ.get("aws_session_token") or None) if key else None,
    )


def _region(model: str, environ: Mapping[str, str]) -> str | None:
    named = _ARN.match(model)
    if named:
        return named[1]
    found = first_set(_REGIONS, environ)
    if found is None:
        return _region_of(_profile(environ))
    name, region = found
    if not _REGION.fullmatch(region):
        raise ValueError(f"{name} is no region such as 'us-east-1': {region!r}")
    return region


def _profile(environ: Mapping[str, str]) -> str | None:
    """The profile that was given; None where the environment's is meant."""
    return environ.get("aws_profile_name") or None


def _region_of(profile: str | None) -> str | None:
    try:
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.session import Session  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        return None
    try:
        region: str | None = Session(profile=profile).get_config_variable("region")
    except BotoCoreError as error:
        raise ValueError(f"the AWS profile does not say the region: {error}") from error
    return region


class Signature:
    """Signs requests to Bedrock in *region*, as `access.Access` has it.

    Args:
        region: Such as ``us-east-1``.
        profile: Of this one; None: of the environment's.
        key: With this id, secret and session token, and nobody is asked.
    """

    def __init__(
        self,
        region: str,
        *,
        profile: str | None = None,
        key: tuple[str, str, str | None] | None = None,
    ) -> None:
        self._region = region
        self._profile = profile
        self._key = key
        self._own = Held()

    def is_fresh(self) -> bool:
        credentials = self._held().credentials
        if credentials is None:
            return False
        expires = hasattr(credentials, "refresh_needed")
        return not (expires and credentials.refresh_needed())

    def refresh(self) -> None:
        with guarded():
            self._frozen()

    def headers(self, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        frozen = self._frozen()
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # noqa: PLC0415

        # No more than these: a proxy may change any other on the way.
        signed = {name: headers[name] for name in _SIGNED if name in headers}
        request = AWSRequest(method="POST", url=url, headers=signed, data=body)
        SigV4Auth(frozen, "bedrock", self._region).add_auth(request)
        added = {name.lower(): value for name, value in request.headers.items()}
        signed_with = added["authorization"].rpartition("Signature=")[2]
        told = (frozen.access_key, frozen.token, signed_with)
        self._held().secrets = tuple(filter(None, told))
        return {name: value for name, value in added.items() if name not in signed}

    def secrets(self) -> tuple[str, ...]:
        return self._held().secrets

    def _held(self) -> Held:
        return _vault.here(self._profile or "") if self._key is None else self._own

    def _frozen(self) -> Any:
        try:
            from botocore import exceptions as of_botocore  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError as error:
            raise _no_access(f"bedrock signs requests with botocore, and {_EXTRA}") from error
        try:
            held = self._held()
            with held.lock:
                if held.credentials is None:
                    held.credentials = self._found()
            if held.credentials is not None:
                return held.credentials.get_frozen_credentials()
        except (of_botocore.ConnectTimeoutError, of_botocore.ReadTimeoutError) as error:
            raise Timeout(f"no AWS credentials in time: {error}", phase="headers") from error
        except (of_botocore.HTTPClientError, of_botocore.ConnectionError) as error:
            raise APIConnectionError(f"the way to AWS credentials is broken: {error}") from error
        except (
            of_botocore.BotoCoreError,
            of_botocore.ClientError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:
            # A program that hands out credentials may have said anything, so it is not shown.
            raise _no_access(f"there are no AWS credentials: {type(error).__name__}") from error
        raise _no_access(
            "bedrock needs AWS credentials, and none were found; give api_key, or set "
            "AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE"
        )

    def _found(self) -> Any:
        from botocore.credentials import Credentials  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        if self._key is not None:
            return Credentials(*self._key)
        return Session(profile=self._profile).get_credentials()


def _no_access(message: str) -> AuthenticationError:
    return AuthenticationError(message, status_code=401, llm_provider="bedrock")
