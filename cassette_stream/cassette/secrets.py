"""What secrets look like, where they stand, and what is written in their place.

A shape is known only if it has a prefix or a frame of its own, and is long enough not to
be prose. Bare hex and bare base64 are ids, digests, signatures and images far more often
than keys: they are secrets by the place where they stand, never by their looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = (
    "PLACEHOLDER",
    "PREFIXES",
    "SECRET_FIELDS",
    "SECRET_HEADERS",
    "SECRET_QUERY",
    "Finding",
    "is_placeholder",
    "placeholder",
    "runs",
    "scan",
)

SECRET_HEADERS = frozenset(
    {
        "anthropic-organization-id",
        "api-key",
        "apikey",
        "authorization",
        "cf-access-client-secret",
        "cf-aig-authorization",
        "cookie",
        "helicone-auth",
        "ocp-apim-subscription-key",
        "openai-organization",
        "openai-project",
        "private-token",
        "proxy-authorization",
        "set-cookie",
        "subscription-key",
        "x-access-token",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-forwarded-for",
        "x-functions-key",
        "x-goog-api-key",
        "x-goog-iam-authorization-token",
        "x-litellm-api-key",
        "x-portkey-api-key",
        "x-portkey-virtual-key",
        "x-real-ip",
        "x-xsrf-token",
        "xi-api-key",
    }
)
"""Headers whose values are secrets, in lower case."""

SECRET_FIELDS = frozenset(
    {
        "access_key",
        "access_token",
        "account_key",
        "api_key",
        "api_secret",
        "api_token",
        "auth_token",
        "authorization",
        "authorization_token",
        "aws_secret_access_key",
        "aws_session_token",
        "bearer_token",
        "client_secret",
        "credentials",
        "id_token",
        "passphrase",
        "passwd",
        "password",
        "private_key",
        "private_key_id",
        "proxy_authorization",
        "refresh_token",
        "secret",
        "secret_access_key",
        "secret_key",
        "session_token",
        "subscription_key",
        "x_api_key",
        "x_goog_api_key",
    }
)
"""Names of JSON and form fields whose text is a secret.

``api_key`` stands for apikey, apiKey, API-KEY and so on; a name is a whole name, so
``max_tokens`` and ``token`` (what log probabilities call a word) are none.
"""

SECRET_QUERY = SECRET_FIELDS | {
    "auth",
    "aws_access_key_id",
    "code",
    "key",
    "sig",
    "signature",
    "token",
    "x_amz_credential",
    "x_amz_security_token",
    "x_amz_signature",
    "x_goog_credential",
    "x_goog_signature",
}
"""Names of query parameters whose values are secrets, spelt as in `SECRET_FIELDS`."""

PLACEHOLDER = re.compile(rb"REDACTED-[1-9][0-9]*[-\r\n]*")
"""What stands in place of a secret; see `placeholder`."""

_SHORT = re.compile(rb"\*+")


def placeholder(number: int, secret: bytes | None = None) -> bytes:
    """What stands in place of the secret with this *number*.

    With the *secret*, as many bytes as it has, line ends where it has them, so that
    frames, offsets and events stay true; one that is too short for a number becomes
    asterisks. All of it is safe in a JSON string, a URL and a line of YAML.
    """
    text = b"REDACTED-%d" % number
    if secret is None:
        return text
    if len(secret) < len(text):
        return b"*" * len(secret)
    return text + re.sub(rb"[^\r\n]", b"-", secret[len(text) :])


def is_placeholder(text: str | bytes) -> bool:
    """Whether *text*, all of it, stands in place of a secret."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return bool(PLACEHOLDER.fullmatch(raw) or _SHORT.fullmatch(raw))


class Finding(NamedTuple):
    """Bytes *start* to *end* are a secret of this *kind*."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """A secret of the name *name* is *prefix* and *rest*, two regular expressions.

    The rest is only tried where a prefix was found. Where the prefix is a *frame*, it is
    no part of the secret.
    """

    name: str
    prefix: bytes
    rest: bytes
    frame: bool = False

    def pattern(self, group: str) -> str:
        begin, rest = self.prefix.decode(), self.rest.decode()
        return f"{begin}(?P<{group}>{rest})" if self.frame else f"(?P<{group}>{begin}{rest})"


# What follows a prefix is long enough to be no prose, and the generic "sk-" must be no
# kebab-case CSS class. A placeholder is none of them.
_KINDS = (
    _Kind("anthropic key", rb"sk-", rb"ant-[\w-]{20,}"),
    _Kind("openrouter key", rb"sk-", rb"or-[\w-]{20,}"),
    _Kind("openai key", rb"sk-", rb"(?:proj|svcacct|admin|service|None)-[\w-]{20,}"),
    _Kind("langfuse key", rb"sk-", rb"lf-[0-9a-f-]{36}"),
    _Kind("helicone key", rb"sk-", rb"helicone-[\w-]{20,}"),
    _Kind("api key", rb"sk-", rb"(?=[A-Za-z]{0,19}[0-9])[A-Za-z0-9]{20}[\w-]*"),
    _Kind("api key", rb"sk-", rb"(?=[\w-]*[0-9])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{20,}"),
    _Kind("openai organization", rb"org-", rb"(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![\w-])"),
    _Kind("openai project", rb"proj_", rb"(?=[A-Za-z]{0,23}[0-9])[A-Za-z0-9]{24}(?![\w-])"),
    _Kind("openai ephemeral key", rb"ek_", rb"[A-Za-z0-9]{30,}"),
    _Kind("openai session key", rb"sess-", rb"[A-Za-z0-9]{30,}"),
    _Kind("google key", rb"AIza", rb"[\w-]{35,}"),
    _Kind("google key", rb"AQ\.Ab8", rb"[\w-]{30,}"),
    _Kind("google access token", rb"ya29\.", rb"[\w.-]{20,}"),
    _Kind("google refresh token", rb"1//0", rb"[\w-]{30,}"),
    _Kind("google client secret", rb"GOCSPX-", rb"[\w-]{20,}"),
    _Kind("groq key", rb"gsk_", rb"[A-Za-z0-9]{32,}"),
    _Kind("xai key", rb"xai-", rb"[A-Za-z0-9]{32,}"),
    _Kind("hugging face token", rb"hf_", rb"[A-Za-z0-9]{30,}"),
    _Kind("replicate token", rb"r8_", rb"[A-Za-z0-9]{30,}"),
    _Kind("perplexity key", rb"pplx-", rb"[A-Za-z0-9]{32,}"),
    _Kind("nvidia key", rb"nvapi-", rb"[\w-]{40,}"),
    _Kind("fireworks key", rb"fw_", rb"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}"),
    _Kind("cerebras key", rb"csk-", rb"[A-Za-z0-9]{32,}"),
    _Kind("together key", rb"tgp_v1_", rb"[\w-]{30,}"),
    _Kind("vercel key", rb"vck_", rb"[A-Za-z0-9]{40,}"),
    _Kind("tavily key", rb"tvly-", rb"(?:dev-|prod-)?[A-Za-z0-9]{20,}"),
    _Kind("jina key", rb"jina_", rb"[\w-]{40,}"),
    _Kind("pinecone key", rb"pcsk_", rb"\w{40,}"),
    _Kind("langsmith key", rb"lsv2_", rb"(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{8,}"),
    _Kind("elevenlabs key", rb"sk_", rb"[0-9a-f]{48}(?![A-Za-z0-9])"),
    _Kind("aws access key id", rb"A[KS]IA", rb"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _Kind(
        "aws session token",
        rb"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|AQoDYXdz)",
        rb"[A-Za-z0-9+/]{60,}={0,2}",
    ),
    _Kind("aws bedrock key", rb"ABSK", rb"[A-Za-z0-9+/]{80,}={0,2}"),
    _Kind("aws bedrock key", rb"bedrock-api-key-", rb"[\w+/-]{40,}={0,2}"),
    _Kind("github token", rb"gh[pousr]_", rb"[A-Za-z0-9]{30,}"),
    _Kind("github token", rb"github_pat_", rb"\w{40,}"),
    _Kind("gitlab token", rb"gl(?:pat|oas|dt|rt|ptt|soat|cbt)-", rb"[\w.-]{20,}"),
    _Kind("slack token", rb"xox[abeoprs]-", rb"(?=[A-Za-z-]*[0-9])[A-Za-z0-9-]{15,}"),
    _Kind("slack token", rb"xapp-", rb"[0-9]-[A-Z0-9]+-[0-9]+-[0-9a-f]{20,}"),
    _Kind("stripe key", rb"[rs]k_", rb"(?:live|test)_[A-Za-z0-9]{16,}"),
    _Kind("webhook secret", rb"whsec_", rb"[A-Za-z0-9+/]{24,}={0,2}"),
    _Kind("sendgrid key", rb"SG\.", rb"[\w-]{16,}\.[\w-]{32,}"),
    _Kind("npm token", rb"npm_", rb"[A-Za-z0-9]{36,}"),
    _Kind("pypi token", rb"pypi-AgE", rb"[\w-]{40,}"),
    _Kind("databricks token", rb"dapi", rb"[0-9a-f]{32}(?:-[0-9])?(?![A-Za-z0-9])"),
    _Kind("json web token", rb"eyJ", rb"[\w-]{10,}(?:\.[\w-]*){1,3}\.[\w-]{16,}"),
    _Kind(
        "bearer token",
        rb"[Bb]earer ",
        rb"(?!REDACTED-)(?=[\w.~+/-]*[0-9])[\w.~+/-]{20,}={0,2}",
        frame=True,
    ),
    _Kind(
        "basic credentials",  # the digit or the "=" tells it from "Basic internationalisation"
        rb"[Bb]asic ",
        rb"(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{18,}={0,2}",
        frame=True,
    ),
    _Kind(
        "cookie",
        rb"(?:__cf_bm|_cfuvid|cf_clearance)=",
        rb"(?!REDACTED-)(?=[A-Za-z._-]*[0-9])[\w.-]{32,}",
        frame=True,
    ),
    _Kind(
        "url signature",
        rb"(?:sig|(?:X-(?:Amz|Goog)-)?Signature|X-Amz-Security-Token)=",
        rb"(?!REDACTED-)[\w%+/=.-]{20,}",
        frame=True,
    ),
)
PREFIXES = tuple(sorted({kind.prefix for kind in _KINDS}))
"""What the secrets that have a shape begin with, as regular expressions."""

_PREFIX = re.compile(b"|".join(PREFIXES))
# A word begins here, or every long enough random text would hold a secret; after an escape
# of JSON or of a URL too, whose last byte is a letter.
_EDGE = r"(?:(?<![\w-])|(?<=\\[bfnrt])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
_NAMES = {f"kind{index}": kind.name for index, kind in enumerate(_KINDS)}
_VALUE = re.compile(
    f"{_EDGE}(?:{'|'.join(map(_Kind.pattern, _KINDS, _NAMES))})".encode(),
)
_SPACE = rb"(?:\s|\\+[nr])*"
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    rb"(?:%(space)s(?:Proc-Type|DEK-Info): [\w,-]{1,80})*"
    rb"(?:%(space)s[A-Za-z0-9+/]{16,}={0,2})+"
    rb"(?:%(space)s[A-Za-z0-9+/]{0,15}={0,2}%(space)s-----END [A-Z ]*PRIVATE KEY-----)?"
    % {b"space": _SPACE}
)

# The password of a URL anywhere is one only if it is mixed: prose and code have examples.
_USER = re.compile(
    rb"://[^\s/?#@:\"'\\<>]{0,64}+:(?=[^\s/?#@]{0,99}[0-9])(?=[^\s/?#@]{0,99}[A-Za-z])"
    rb"([^\s/?#@\"'\\<>]{12,256}+)@"
)

# Every shape but these two has this many bytes in a row of which tokens are made, and most
# texts have few such runs: to find those first costs a tenth of trying every prefix everywhere.
_RUN = 20
_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%&+-./=?_~")
_MASK = bytes(1 if byte in _TOKEN else 0 for byte in range(256))
_LOOK_BEHIND = len(b".Bearer ")


def runs(text: bytes, mask: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Where *text* has *least* or more bytes in a row that the table *mask* makes ones."""
    ones = text.translate(mask)
    long = b"\1" * least
    start = ones.find(long)
    while start >= 0:
        end = ones.find(b"\0", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = ones.find(long, end)


def scan(text: bytes) -> Iterator[Finding]:
    """The secrets in *text* that have a shape of their own, wherever they stand."""
    if b"PRIVATE KEY-----" in text:
        for match in _PEM.finditer(text):
            yield Finding(*match.span(), "private key")
    if b"://" in text and b"@" in text:
        for match in _USER.finditer(text):
            yield Finding(*match.span(1), "user of a url")
    clean: set[bytes] = set()
    for start, end in runs(text, _MASK, _RUN):
        behind = max(start - _LOOK_BEHIND, 0)
        # A stream repeats its ids in every event: each is looked at once.
        run = text[behind:end]
        if run not in clean:
            found = list(_scan_run(text, behind, end))
            yield from found
            if not found:
                clean.add(run)


def _scan_run(text: bytes, start: int, end: int) -> Iterator[Finding]:
    done = start
    for prefix in _PREFIX.finditer(text, start, end):
        if prefix.start() < done:
            continue
        match = _VALUE.match(text, prefix.start(), end)
        if match and match.lastgroup:
            done = match.end()
            yield Finding(*match.span(match.lastgroup), _NAMES[match.lastgroup])
