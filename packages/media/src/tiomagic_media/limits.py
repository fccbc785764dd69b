"""How large an input may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """Bounds on what one input may cost in time, memory and disk space.

    The defaults accept what cameras, phones and editing programs make, and refuse files made to
    attack a decoder. None was tuned to a model.
    """

    bytes: int = 512 * 2**20
    """Size of a file or a download. 512 MiB is two minutes of 4K from a phone."""
    image_pixels: int = 128 * 2**20
    """Width times height of a picture. The largest common camera makes 102 megapixels. Pillow's own
    limit of 178 million applies whatever is set here."""
    image_scans: int = 1000
    """Most scans of a JPEG; cameras and programs write ten at most."""
    image_scanned_pixels: int = 20 * 128 * 2**20
    """Pixels of a JPEG times the scans: what decoding it costs. Half a minute."""
    video_pixels: int = 4096 * 4096
    """Width times height of a frame of a video; 4K is 8.3 million."""
    video_frames: int = 3600
    """Frames of a video: two minutes at 30 a second. The longest model makes about 20 seconds."""
    video_total_pixels: int = 4_000_000_000
    """Pixels in all frames of a video: a minute of 1080p at 30 a second. Decoded at once they would
    take 12 GB, but ``load_video`` holds only those frames that are asked for."""
    video_seconds: float = 120.0
    """Playing time of a video, in seconds."""
    decode_seconds: float = 600.0
    """Longest time that the inspection of one video may take, in seconds."""
    connect_seconds: float = 10.0
    """Longest wait for a server to take a connection, in seconds."""
    read_seconds: float = 20.0
    """Longest silence of a server in the middle of an answer, in seconds."""
    download_seconds: float = 300.0
    """Longest download from the first request to the last byte, redirects included, in seconds."""
    attempts: int = 4
    """Attempts of a download when the connection breaks or the server fails."""
    pause_seconds: float = 0.5
    """The longest pause before the second attempt, in seconds; it doubles from one to the next."""
    redirects: int = 5
    """Redirects that are followed."""
