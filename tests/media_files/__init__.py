"""A thousand media files, made at random: each reads as FFmpeg shows it, or is refused."""
