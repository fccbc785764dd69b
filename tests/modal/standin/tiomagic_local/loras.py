def find_loras(loras, options, *, progress, model=None):
    return list(loras)
