"""Who may ask for what: keys, host names, sizes and times of requests.

``bodies``       Limits on bodies: size, speed, and how many at once.
``connections``  Limits on connections: how many, and how long one may send nothing.
``gate``         Guards every request: host name, website, key, id.
``keys``         Keys of clients, of which only digests are stored.
``links``        Addresses that give one video without a key, for an hour.
``records``      Records in a file of the state folder, for its owner only.
``secret``       The secret of a server, the same for all its processes.
"""
