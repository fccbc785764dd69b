"""Modal's GPUs: names, defaults per model, advice."""

import pytest

from tiomagic_domain.catalogue import find_model, models
from tiomagic_domain.errors import ConfigurationError
from tiomagic_modal.client.remote import container_memory_mib
from tiomagic_modal.gpus import (
    GPUS,
    RECOMMENDED_GPUS,
    check_gpu,
    choose_gpu,
    default_gpu,
    find_larger_gpu,
)

VACE = find_model("wan2.1-vace-14b")
SMALL = find_model("wan2.1-vace-1.3b")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("h100", "H100"), (" A100-80GB ", "A100-80GB"), ("l40s:2", "L40S:2"), ("H100!", "H100!")],
)
def test_a_name_comes_out_in_modals_spelling(given, expected):
    assert check_gpu(given) == expected


@pytest.mark.parametrize("given", ["H100:0", "H100:9", "H 100", "", "H100,A100", "H100:two"])
def test_what_is_no_name_is_refused_with_the_list(given):
    with pytest.raises(ConfigurationError, match="RTX-PRO-6000") as caught:
        check_gpu(given)
    assert caught.value.code == "unknown_gpu"


def test_an_almost_right_name_gets_a_hint():
    with pytest.raises(ConfigurationError, match="Did you mean 'A100-80GB'"):
        check_gpu("A100_80GB")


def test_an_unknown_but_well_formed_name_is_passed_on_with_a_warning():
    with pytest.warns(UserWarning, match="Did you mean 'H200'"):
        assert check_gpu("H300") == "H300"


def test_each_model_gets_a_gpu_that_holds_it():
    """The default holds all weights at once, for every card of the catalogue."""
    for card in models().values():
        gpu = default_gpu(card)
        if card.gpu_memory_gib <= 0:
            assert gpu is None
        else:
            assert gpu in RECOMMENDED_GPUS
            assert GPUS[gpu].memory_gb > card.weights_gib or gpu == RECOMMENDED_GPUS[-1]


def test_the_defaults_of_the_wan_family():
    """The small ones too do not hold their weights and a decoding in the 22 GiB of an L4."""
    assert default_gpu(VACE) == "H100"
    assert default_gpu(SMALL) == "L40S"
    assert default_gpu(find_model("wan2.1-t2v-1.3b")) == "L40S"
    assert default_gpu(find_model("wan2.2-ti2v-5b")) == "L40S"
    assert default_gpu(find_model("ltx-video")) == "L4"


def test_a_gpu_that_is_known_to_be_too_small_is_refused_before_it_is_rented():
    animate = find_model("wan2.2-animate-14b")
    with pytest.raises(ConfigurationError, match="at least 24 GB, and a T4 has 16") as caught:
        choose_gpu(animate, "T4")
    assert caught.value.details["suggestion"] == "H100"
    assert choose_gpu(VACE, "l4") == "L4"
    assert choose_gpu(VACE, None) == "H100"


def test_a_gpu_of_the_size_that_a_card_names_is_taken():
    """A card says 24 for what is sold with 24 GB, of which 22 GiB are there."""
    for card in models().values():
        if card.gpu_memory_gib == 24:
            assert choose_gpu(card, "L4") == "L4"
        if card.gpu_memory_gib == 16:
            assert choose_gpu(card, "T4") == "T4"


def test_the_next_larger_one_is_named():
    assert find_larger_gpu("L4") == "L40S"
    assert find_larger_gpu("H100") == "H200"
    assert find_larger_gpu("H100:2") == "H200"
    assert find_larger_gpu("B200") is None
    assert find_larger_gpu("H300") is None


@pytest.mark.parametrize(
    ("settings", "gpu", "cache"),
    [
        ({}, "H100", 32),
        ({"kv_cache": "ram"}, "L40S", 32),
        ({"width": 640, "height": 400}, "L40S", 16),
        ({"kv_cache": "int8"}, "L40S", 24),
        ({"width": 1280, "height": 720}, "H100", 64),
        ({"kv_cache": "gpu"}, "H100", 0),
        ({}, "H200", 0),
        ({}, None, 32),
    ],
)
def test_a_cache_that_waits_in_main_memory_is_requested(settings, gpu, cache):
    """In steps of 8 GiB; none where the GPU holds it, and none for a model without one."""
    card = find_model("wan2.2-animate-2-14b")
    least = container_memory_mib(find_model("wan2.2-animate-2-14b"), {"kv_cache": "gpu"}, gpu)
    assert container_memory_mib(card, settings, gpu) - least == cache * 1024
    other = find_model("wan2.2-animate-14b")
    assert container_memory_mib(other, {}, gpu) == container_memory_mib(other)
    assert least >= (card.largest_gib + 7) * 1024
