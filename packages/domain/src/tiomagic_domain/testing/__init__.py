"""For tests of adapters, ours and other people's: fakes that work, and a contract a port.

Nothing in the product imports this package. The contracts need pytest.
"""
