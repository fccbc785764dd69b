"""Pictures inside a request, for vendors without a store for them."""

from __future__ import annotations

import base64
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import Media

_MIB: Final = 2**20


def check_size(media: Media, largest: int, title: str) -> bytes:
    """Return a picture's bytes.

    Args:
        media: The picture.
        largest: The most bytes that the vendor takes inside a request.
        title: The vendor's name.

    Raises:
        ValidationError: when it has more.
    """
    data = media.read_bytes()
    if len(data) > largest:
        raise ValidationError(
            f"{media.kind.value} {media.name or ''} has {len(data) / _MIB:.0f} MiB: {title} takes "
            f"pictures of at most {largest / _MIB:.0f} MiB. Save it smaller, or as JPEG",
            code=ErrorCode.TOO_LARGE,
        )
    return data


def write_data_url(media: Media, largest: int, title: str) -> str:
    """Return a picture as a data URL.

    Args:
        media: The picture.
        largest: The most bytes that the vendor takes inside a request.
        title: The vendor's name.

    Raises:
        ValidationError: when it has more.
    """
    data = check_size(media, largest, title)
    return f"data:{media.media_type};base64,{base64.b64encode(data).decode()}"
