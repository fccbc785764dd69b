"""What the outside has to provide, one file a port.

``clock``           Port: time.
``device_locks``    Port: the devices of a machine, locked so that the system itself frees what the
                    dead held.
``image_to_video``  Feature port: a video that begins with a picture.
``interpolate``     Feature port: the frames between a first and a last one.
``job_repository``  Port: where jobs are kept.
``launcher``        Port: what starts workers.
``leases``          Port: who holds what, among processes that share a store.
``media_reader``    Port: pictures and videos that the user gives.
``output_store``    Port: where finished videos go.
``pictures``        Port: what can be made of finished videos.
``pose_guidance``   Feature port: a character that moves as a skeleton does.
``processes``       Port: processes, as far as workers have to know of each other.
``provider``        Port: what runs a job.
``rehearsal``       What a rehearsal of a model has found: whether a real run will work, and what
                    it will take.
``text_to_video``   Feature port: a video from words.
"""

from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.device_locks import DeviceLocks, SystemLock
from tiomagic_domain.ports.image_to_video import ImageToVideo
from tiomagic_domain.ports.interpolate import Interpolate
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.launcher import Launcher
from tiomagic_domain.ports.leases import Lease, Leases
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.pictures import LabelledVideo, Pictures
from tiomagic_domain.ports.pose_guidance import PoseGuidance
from tiomagic_domain.ports.processes import Processes, ProcessState
from tiomagic_domain.ports.provider import (
    Capabilities,
    Cost,
    Observer,
    Provider,
    ProviderBase,
    Report,
    Request,
    RunDescription,
)
from tiomagic_domain.ports.text_to_video import TextToVideo

__all__ = [
    "Capabilities",
    "Clock",
    "Cost",
    "DeviceLocks",
    "ImageToVideo",
    "Interpolate",
    "JobRepository",
    "LabelledVideo",
    "Launcher",
    "Lease",
    "Leases",
    "MediaReader",
    "Observer",
    "OutputStore",
    "Pictures",
    "PoseGuidance",
    "ProcessState",
    "Processes",
    "Provider",
    "ProviderBase",
    "Report",
    "Request",
    "RunDescription",
    "SystemLock",
    "TextToVideo",
]
