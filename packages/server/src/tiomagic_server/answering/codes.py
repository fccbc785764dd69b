"""Codes of the server's own refusals, beside those of :class:`tiomagic_domain.codes.ErrorCode`."""

from __future__ import annotations

from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a request did not reach a job. Clients compare with these words: they stay."""

    INVALID_API_KEY = "invalid_api_key"
    """OpenAI's word for a key that is missing or wrong."""
    WRONG_HOST = "wrong_host"
    CROSS_SITE = "cross_site"
    TOO_MANY_UPLOADS = "too_many_uploads"
    NOT_SUPPORTED = "not_supported"
