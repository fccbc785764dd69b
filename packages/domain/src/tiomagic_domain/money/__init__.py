"""Money: what a run is expected to cost, before it runs.

``estimate``     The estimate of a run: seconds, an amount with its spread, and its basis.
``price_dates``  How a price's date is told, and when it is too old to be told alone.
"""
