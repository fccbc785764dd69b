"""The ports: what adapters implement, one module a port.

``clock``           Port: time.
``cost_keeping``    Port: what a job repository does about money, budgets and sums of costs.
``deliveries``      Port: deliveries of webhooks, kept beside the jobs that they are about.
``device_locks``    Port: device locks, which the operating system releases when a process dies.
``image_to_video``  Feature port: image to video, a video that begins with a picture.
``interpolate``     Feature port: interpolation, the frames between a first and a last picture.
``job_repository``  Port: the job repository, which stores jobs.
``known_runs``      What a provider gets to know for the estimate of a run: measured runs, and
                    the work of a run.
``launcher``        Port: the launcher, which starts worker processes.
``leases``          Port: leases, claims of processes that share a store, renewed by heartbeats.
``mask_maker``      Port: the mask maker, which finds a person in a video and draws where it is.
``mask_reader``     Port: the mask reader, which looks at a mask before it is used.
``media_reader``    Port: the media reader, which fetches, checks and stores input pictures and
                    videos.
``output_store``    Port: the output store, which saves finished videos.
``pictures``        Port: contact sheets, grids, exports and other files made from finished
                    videos.
``pose_guidance``   Feature port: pose guidance, a character that moves as a skeleton does.
``preflight``       What a provider says of a run before it starts: device, weights, memory,
                    access, time.
``processes``       Port: processes, to name them, to find out whether they live, and to kill a
                    worker.
``provider``        Port: the provider, which runs jobs: submit, poll, cancel, capabilities.
``rehearsal``       What a rehearsal of a model has found: whether a real run will work, and what
                    it will take.
``request``         What a provider gets to run: a validated job with its inputs.
``text_to_video``   Feature port: text to video.
``video_joiner``    Port: the video joiner, which takes the end of a video and joins what follows
                    it.
``weights_keeper``  Port: the keeper of weights on this machine: downloads, lists, removes and
                    verifies them.
"""

from tiomagic_domain.money.cost import Cost
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.ports.device_locks import DeviceLocks, SystemLock
from tiomagic_domain.ports.image_to_video import ImageToVideo
from tiomagic_domain.ports.interpolate import Interpolate
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.launcher import Launcher
from tiomagic_domain.ports.leases import Lease, Leases
from tiomagic_domain.ports.mask_maker import MaskMaker
from tiomagic_domain.ports.mask_reader import MaskReader
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.pictures import ContactSheet, LabelledVideo, Pictures
from tiomagic_domain.ports.pose_guidance import PoseGuidance
from tiomagic_domain.ports.preflight import (
    PlanNeed,
    RunConditions,
    RunDevice,
    RunTime,
    TokenState,
    WeightsOnDisk,
)
from tiomagic_domain.ports.processes import Processes, ProcessState
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    Provider,
    ProviderBase,
    Report,
    RunDescription,
)
from tiomagic_domain.ports.request import Request
from tiomagic_domain.ports.text_to_video import TextToVideo
from tiomagic_domain.ports.video_joiner import JoinedVideo, VideoJoiner
from tiomagic_domain.ports.weights_keeper import WeightsKeeper

__all__ = [
    "Capabilities",
    "Clock",
    "ContactSheet",
    "Cost",
    "DeviceLocks",
    "ImageToVideo",
    "Interpolate",
    "JobRepository",
    "JoinedVideo",
    "KeepsCosts",
    "KnownRuns",
    "LabelledVideo",
    "Launcher",
    "Lease",
    "Leases",
    "MaskMaker",
    "MaskReader",
    "MediaReader",
    "Observer",
    "OutputStore",
    "Pictures",
    "PlanNeed",
    "PoseGuidance",
    "ProcessState",
    "Processes",
    "Provider",
    "ProviderBase",
    "Report",
    "Request",
    "RunConditions",
    "RunDescription",
    "RunDevice",
    "RunTime",
    "SystemLock",
    "TextToVideo",
    "TokenState",
    "VideoJoiner",
    "WeightsKeeper",
    "WeightsOnDisk",
]
