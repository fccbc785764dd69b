def find_loras(loras, options, *, progress):
    return list(loras)
