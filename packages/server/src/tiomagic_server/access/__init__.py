"""Who may ask for what: keys, host names, sizes and times of requests."""
