"""Money: what a run is expected to cost before it runs, what it cost, and how much it may cost.

``amounts``      An amount of money of one currency, exact.
``budgets``      How much all jobs of a day or a month may cost together.
``charges``      What a job counts for: its real cost, or else its estimate.
``cost``         The cost of a run: what was billed, or what is computed from a price.
``estimate``     The estimate of a run: seconds, an amount with its spread, and its basis.
``listed_price`` The price of one kind of call, as it stands in a price list.
``price_dates``  How a price's date is told, and when it is too old to be told alone.
``sums``         Sums of costs by day, model, provider or tag.
"""
