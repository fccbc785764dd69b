"""A server that speaks Modal's protocol on loopback and really runs the deployed class.

The real client deploys to it, spawns on it and polls it; the container is Modal's own entrypoint
in a child process. What it knows of the protocol was read from the wheel (modal 1.6.4).

    state       what a workspace holds
    rpc         from a gRPC stream to a method, with counts, tokens and faults
    deploy, calls, containers, storage     the methods, by area
    scheduler, launcher, environs, threads who runs an input: child processes, or threads
    volumes, web                           files, and the HTTP side of blobs
    serving, fake, process                 what tests start: in this process, or in one of its own
"""

from .fake import FakeModal
from .faults import Faults
from .process import FakeModalProcess
from .state import Call, FunctionRecord

__all__ = ["Call", "FakeModal", "FakeModalProcess", "Faults", "FunctionRecord"]
