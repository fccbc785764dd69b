from contextlib import nullcontext


def preview_with(previews):
    return nullcontext()
