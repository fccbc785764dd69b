"""The caller's side of the connection to a cluster. Imports no Ray.

``connection_errors``  Says what is wrong when a cluster cannot be connected to.
``connection``         The process beside this one that is Ray's driver, and requests to it.
``examination``        What ``tiomagic doctor`` says about a cluster.
``loopback``           Whether a cluster listens on loopback alone.
``machines``           What the machines answer: versions, weights, the shared folder.
``spool``              Sends inputs and fetches finished videos, in pieces.
"""
