"""What tiomagic 1.0.0 had here, for scripts that were written for it."""
