"""What the outside has to provide, one file a port."""

from tiomagic_domain.ports.clock import Clock
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
from tiomagic_domain.ports.provider import Capabilities, Observer, Provider, Report, Request
from tiomagic_domain.ports.text_to_video import TextToVideo

__all__ = [
    "Capabilities",
    "Clock",
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
    "Report",
    "Request",
    "TextToVideo",
]
