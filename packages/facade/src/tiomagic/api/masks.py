"""``tm.make_mask``: the mask of the person in a video, for ``pose_guidance``.

Loads nothing heavy; each function imports what it needs.
"""

# ruff: noqa: PLC0415 - `from tiomagic import tm` must cost next to nothing.

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tiomagic.display.progress_bar import ProgressChoice
    from tiomagic.results.pictures import HasRecord, OutputPath
    from tiomagic.wiring.session import Session
    from tiomagic_domain.ports.mask_maker import MaskMaker
    from tiomagic_domain.progress import ProgressSink

MASK_SUFFIX: Final = "_mask"
"""End of the name of a mask beside its video."""


class MaskMethods(ABC):
    """The method for masks."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """The settings and the parts; made at the first use."""

    def make_mask(
        self,
        video: HasRecord | str | Path,
        path: OutputPath = None,
        *,
        outline: bool = False,
        progress: ProgressChoice = None,
        on_progress: ProgressSink | None = None,
    ) -> Path:
        """Write the mask of the person in a video, to give it as ``mask_video``.

        See it with ``contact_sheet(video, mask=…)`` before you use it. Needs the extra ``masks``
        and, once, the weights of the segmenter and of the pose estimator.

        Args:
            video: A job's handle, a job's id or the path of a video.
            path: The mp4 to write, a folder that is there, or None for a file beside the video.
            outline: True to follow the person's outline, a little larger; False for the box around
                the person, as Wan Animate's authors have it.
            progress: None for a bar on a terminal or in a notebook, True for a bar or plain lines,
                False for nothing.
            on_progress: Called with each event.

        Returns:
            The path of the mask.

        Raises:
            ResourceNotFoundError: when there is no such job or file.
            GenerationError: when no frame shows a person.
            MissingDependencyError: when the extra is not installed.
            AuthenticationError, APIError, ConfigurationError: when the weights cannot be had.
        """
        from tiomagic.display.next_steps import advise_in_python
        from tiomagic.display.progress_bar import show_progress
        from tiomagic.results.pictures import find_video, place_beside
        from tiomagic_domain.media import MediaKind
        from tiomagic_domain.progress import NeverCanceled

        source, record = find_video(self.session, video)
        target = place_beside(path, source, MASK_SUFFIX, ".mp4", may_replace=record is not None)
        maker = find_mask_maker(self.session)
        media = self.session.container.media().read(source, MediaKind.VIDEO)
        with advise_in_python(), show_progress(progress, source.name, on_progress) as shown:
            return maker.make_mask(
                media, target, outline=outline, progress=shown, cancel=NeverCanceled()
            )


def find_mask_maker(session: Session) -> MaskMaker:
    """Return who makes masks on this machine: the configured provider, or the first that does.

    Raises:
        MissingDependencyError: when the packages for that are not installed.
        ConfigurationError: when no provider makes any.
    """
    from tiomagic.wiring.registry import find_offer

    return find_offer(
        session.settings,
        lambda plugin, settings: plugin.mask_maker(settings),
        missing="no provider here makes masks",
    )
