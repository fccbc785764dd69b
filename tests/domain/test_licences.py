"""What the licences of the models allow, as their own texts have it."""

from __future__ import annotations

import pytest
from tests.every import for_each

from tiomagic_domain.catalogue import find_licence_use, find_model, models
from tiomagic_domain.catalogue.licences import UNSTATED_TERMS, LicenceUse
from tiomagic_domain.errors import ValidationError


@pytest.mark.parametrize(
    ("name", "use", "words"),
    [
        # github.com/Wan-Video/Wan2.1, LICENSE.txt: Apache-2.0.
        ("wan2.1-t2v-14b", LicenceUse.FREE, "commercial"),
        # Lightricks' staff in LTX-Video issue 44: research and academic use.
        ("ltx-video", LicenceUse.RESEARCH, "not for commercial use"),
        # github.com/Lightricks/LTX-2, LICENSE, 2.1: annual revenues of at least $10,000,000.
        ("ltx-2", LicenceUse.LIMITED, "$10 million"),
        # github.com/Tencent-Hunyuan/HunyuanVideo-1.5, LICENSE: the Territory, 100 million users.
        ("hunyuanvideo-1.5", LicenceUse.LIMITED, "South Korea"),
        ("framepack-i2v-hy", LicenceUse.LIMITED, "100 million"),
        ("kandinsky5-lite", LicenceUse.LIMITED, "HunyuanVideo"),
        # github.com/zai-org/CogVideo, MODEL_LICENSE, section 2.
        ("cogvideox-5b", LicenceUse.LIMITED, "register"),
        ("cogvideox-2b", LicenceUse.FREE, "commercial"),
        # github.com/SkyworkAI/SkyReels-V2, LICENSE.txt: commercial use without another request.
        ("skyreels-v2-df-14b-540p", LicenceUse.LIMITED, "without asking"),
        ("wan2.1-14b-t2v-fusionx", LicenceUse.RESEARCH, "names no licence"),
    ],
)
def test_a_licence_is_told_truly(name: str, use: LicenceUse, words: str) -> None:
    """The word, and what to know before a video is published."""
    terms = find_model(name).terms
    assert terms.use is use
    assert words in terms.publishing


@for_each(models().values())
def test_every_card_says_what_its_licence_allows(card) -> None:
    """None of ours leaves it open, and each names where it is said."""
    assert card.terms is not UNSTATED_TERMS
    assert card.terms.publishing.endswith(".")
    assert card.terms.source


def test_a_word_that_is_none_is_answered_with_the_nearest() -> None:
    """As for features and models."""
    assert find_licence_use("limited") is LicenceUse.LIMITED
    with pytest.raises(ValidationError, match="Did you mean 'research'"):
        find_licence_use("reserch")
