"""Rules of spending: what a call may cost, what would fit, and which provider runs it.

``cheaper_calls``  What would fit into an amount in place of a call: a shorter or smaller one,
                   another provider.
``fallback``       Several providers for one call: the first that can run it, as long as nothing
                   has been spent.
``limits``         Limits of what runs may cost: ``max_cost`` of one call, and the budgets of a
                   day and a month.
"""
