"""Redacts secrets in texts and data.

Two ways, which go together. What is known to be a secret (a setting) is found in every spelling
that it may have taken on its way: percent signs, base64, the escapes of JSON, broken over lines.
What only looks like one is found by where it stands: before the host of an address, behind its
question mark, in a header, after a name such as ``password=``, or by the form that the tokens of a
service have.

Errors redact themselves as they are made (:mod:`tiomagic_domain.errors`), and so do the problems of
a validation, the words of a provider as they are stored, and the command line's tracebacks.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus

REDACTED: Final = "***"
"""Replaces a secret."""

MIN_SECRET_LENGTH: Final = 4
"""Least characters of a known secret: a shorter one occurs in too many words."""

_SENSITIVE_KEY: Final = (
    r"(?:[\w.-]{0,40}(?:passw(?:or)?d|passwd|pwd|secret|signature|credential|api[_-]?key"
    r"|access[_-]?key|private[_-]?key|auth[_-]?token|session[_-]?id)[\w.-]{0,40}"
    r"|[\w.-]{0,40}(?:token(?:[_-]?(?:id|secret|key))?|_auth)|sig|hmac|authorization)"
)

# An address, up to the first illegal character. Its parts are checked one by one.
_ADDRESS: Final = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*)://[^\s<>\"'`]+")
_USER: Final = re.compile(r"(?<=://)[^/?#\s@]*@")
# A database's address may have a slash in its password, as its driver allows.
_DATABASE_PASSWORD: Final = re.compile(r"(?<=://)([^?#\s@:/]*:)[^\s@]*@")
_VALUE: Final = re.compile(r"(?<==)[^&;\s#]+|(?<![^&;#])[^=&;\s#]+(?![^&;#])")
_NAMED_VALUE: Final = re.compile(rf"(?i)(?<=[?&;])({_SENSITIVE_KEY}=)[^&;\s#]+")

_SECRET_PATTERNS: Final = (
    # name=value, and "name": "value" of a dict; a value in angle brackets is a placeholder, as are
    # the words with which our own texts say what a login looks like.
    re.compile(
        rf"(?i)(\b{_SENSITIVE_KEY}=[\"']?)(?![<$…*(]|user:password(?:\s|$))[^\s\"'&,;)}}\]]+"
    ),
    re.compile(rf"(?i)([\"']{_SENSITIVE_KEY}[\"']\s*:\s*[\"'])[^\"']+"),
    re.compile(r"(?i)(\b(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:\w+\s+)?[^\s\"',]+"),
    re.compile(r"(?i)(\b(?:set-)?cookie[\"']?\s*:\s*[\"']?)[^\"'\r\n]+"),
    re.compile(r"(?i)(\bx-[\w-]*(?:key|token|signature)[\"']?\s*[:=]\s*[\"']?)[^\s\"',&]+"),
    re.compile(r"(?i)(\bbearer\s+)(?![<$…*])[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?i)(\bbasic\s+)[A-Za-z0-9+/]{12,}={0,2}"),
    # An address that was taken for a path has one slash left; one without a scheme begins with two.
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]+:/)(?!/)[^/?#\s@'\"]+(?=@)"),
    re.compile(r"((?<![:/\w])//)[^/?#\s@:'\"]+:[^/?#\s@'\"]+(?=@)"),
)
"""Patterns of secrets; the text before them is kept."""

_TOKEN_PATTERN: Final = re.compile(
    r"\bhf_[A-Za-z0-9]{8,}|\b(?:ak|as)-[A-Za-z0-9]{12,}|\bsk-[A-Za-z0-9_-]{16,}"
    r"|\b(?:gh[pousr]|r8)_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bxox[a-z]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
)
"""Tokens of services, by their form: Hugging Face, Modal, OpenAI, GitHub, Replicate, AWS, Google,
Slack, and JSON Web Tokens."""

_MAY_HOLD: Final = re.compile(
    r"(?i):/|//|=|bearer|basic|authorization|cookie|token|passw|secret|api|key|sig"
    r"|hf_|a[ks]-|sk-|gh[pousr]_|r8_|_pat_|akia|asia|aiza|xox|eyj"
)
"""Cheap test: only texts that contain one of these are searched closely."""


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with every secret in it hidden.

    Args:
        text: A message, a traceback, a line of a log.
        secrets: Known secrets, found in any spelling.
    """
    for known in secrets:
        pattern = _secret_pattern(known)
        if pattern is not None:
            text = pattern.sub(REDACTED, text)
    if _MAY_HOLD.search(text) is None:
        return text
    text = _ADDRESS.sub(_redact_address, text)
    for place in _SECRET_PATTERNS:
        text = place.sub(rf"\1{REDACTED}", text)
    return _TOKEN_PATTERN.sub(REDACTED, text)


def redact_data(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return data with every text in it :func:`redact`; a secret's name hides its value."""
    known = frozenset(secrets)
    return _redact_nested(value, lambda text: redact(text, known))


def _redact_nested(value: Any, hide: Callable[[str], str]) -> Any:
    match value:
        case str():
            return hide(value)
        case Mapping():
            return {key: _entry(key, part, hide) for key, part in value.items()}
        case list():
            return [_redact_nested(part, hide) for part in value]
        case tuple() if type(value) is tuple:
            return tuple(_redact_nested(part, hide) for part in value)
    return value


_WHOLE_NAME: Final = re.compile(rf"(?i){_SENSITIVE_KEY}")


def _entry(key: object, value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(key, str) and isinstance(value, str) and value and _WHOLE_NAME.fullmatch(key):
        return REDACTED
    return _redact_nested(value, hide)


def _redact_address(found: re.Match[str]) -> str:
    """Return an address without its user information and query."""
    address, scheme = found[0], found[1].lower()
    if scheme in {"http", "https", "ws", "wss", "ftp"}:
        address = _USER.sub(f"{REDACTED}@", address, count=1)
        # Whatever a link is signed with, it is a value; the names say what kind of link it is.
        head, mark, tail = re.sub("#", "?", address, count=1).partition("?")
        if not mark:
            return address
        sign = address[len(head)]
        if "=" not in tail:
            return f"{head}{sign}{REDACTED}" if tail else address
        return f"{head}{sign}{_VALUE.sub(REDACTED, tail)}"
    address = _DATABASE_PASSWORD.sub(rf"\1{REDACTED}@", address, count=1)
    return _NAMED_VALUE.sub(rf"\1{REDACTED}", address)


@lru_cache(maxsize=64)
def _secret_pattern(secret: str) -> re.Pattern[str] | None:
    """Return a pattern for a secret in all its spellings; None for one that is too short."""
    core = secret.strip()
    if len(core) < MIN_SECRET_LENGTH:
        return None
    # The longest first: one spelling may be a prefix of another.
    spellings = sorted(set(_spellings(core)), key=len, reverse=True)
    return re.compile(
        "|".join(_over_lines(one) for one in spellings if len(one) >= MIN_SECRET_LENGTH)
    )


def _spellings(secret: str) -> Iterator[str]:
    for form in {secret, unquote(secret), unquote_plus(secret)}:
        yield form
        for encode in (quote, quote_plus):
            whole = encode(form, safe="")
            yield from (whole, _lower_case_escapes(whole), encode(form))
        yield json.dumps(form)[1:-1]
        yield repr(form)[1:-1]
        yield from form.splitlines()
        if len(form) >= 2 * MIN_SECRET_LENGTH:
            yield from _in_base64(form.encode("utf-8", "replace"))
            yield form.encode("utf-8", "replace").hex()


def _lower_case_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text)


def _in_base64(content: bytes) -> Iterator[str]:
    """Yield the middle of the base64 form of bytes, at each of the three alignments."""
    for before in range(3):
        padded = bytes(before) + content
        # Characters that also encode neighbouring bytes are cut off.
        first, last = (8 * before + 5) // 6, 8 * len(padded) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode("ascii")[first:last]


def _over_lines(text: str) -> str:
    """Return a pattern of a text that may be wrapped over lines, as on a narrow terminal."""
    return r"(?:[ \t│|]*\\?[\r\n]+[ \t│|]*)?".join(re.escape(letter) for letter in text)
