"""Money: what a run is expected to cost before it runs, what it cost, and how much it may cost.

``cost``         The cost of a run: what was billed, or what is computed from a price.
``estimate``     The estimate of a run: seconds, an amount with its spread, and its basis.
``price_dates``  How a price's date is told, and when it is too old to be told alone.
``amounts``      An amount of money of one currency, exact.
``charges``      What a job counts for: its real cost, or else its estimate.
``budgets``      How much all jobs of a day or a month may cost together.
``sums``         Sums of costs by day, model, provider or tag.
"""
