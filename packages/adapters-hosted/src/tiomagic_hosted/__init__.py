"""Hosted video models, one provider for each vendor.

``building``   Builds a provider from a vendor and the settings.
``catalogue``  The models that only a vendor has: cards, and how a call is said to the vendor.
``data_urls``  Pictures inside a request, for vendors without a store for them.
``errors``     What a vendor's refusals and silences mean for a job.
``kept``       Lists of a vendor, fetched once a day and kept in the user's cache.
``ledger``     Which jobs were sent, on this machine: a job is sent once.
``plugins``    The providers before they are built: settings, models, checks.
``provider``   The port ``Provider`` over a vendor: submit once, poll, cancel, fetch.
``results``    Fetches finished videos, checked, into the spool.
``sending``    Requests that no client repeats, and what became of each.
``service``    What a vendor can do, in our terms.
``services``   One module for each vendor, over its official SDK. Add one here.

Importing this package, or ``plugins``, imports no vendor's SDK.
"""
