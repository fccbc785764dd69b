def find_loras(loras, options, *, progress, model=None, stays=False):
    return list(loras)
