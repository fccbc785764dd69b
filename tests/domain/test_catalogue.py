"""The catalogue: every promised model is there, and every card is sound."""

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.every import for_each

from tiomagic_domain import catalogue
from tiomagic_domain.catalogue import (
    find_feature,
    find_model,
    models,
    models_for,
    plugin_problems,
)
from tiomagic_domain.errors import UnknownModelError, ValidationError
from tiomagic_domain.features import INPUTS, Feature
from tiomagic_domain.schema.parameter import UNSET, Kind

ROOT = Path(__file__).parents[2]

PROMISED = {
    "text_to_video": {
        "cogvideox-5b",
        "pusa-v1",
        "wan2.1-14b-t2v-fusionx",
        "wan2.1-t2v-14b",
        "wan2.1-vace-14b",
        "wan2.1-vace-14b-phantom-fusionx",
    },
    "image_to_video": {
        "cogvideox-5b-image-to-video",
        "framepack-i2v-hy",
        "ltx-video",
        "pusa-v1",
        "wan2.1-i2v-14b-720p",
        "wan2.1-vace-14b",
        "wan2.1-vace-14b-i2v-fusionx",
    },
    "interpolate": {"framepack-i2v-hy", "wan2.1-flf2v-14b-720p", "wan2.1-vace-14b"},
    "pose_guidance": {"wan2.1-vace-14b"},
}
"""What scripts that were written for 1.0.0 name."""

SAMPLES = {Kind.STRING: "a fox", Kind.IMAGE: "fox.png", Kind.VIDEO: "walk.mp4"}
CASES = [(card, feature) for card in models().values() for feature in card.features]


@pytest.mark.parametrize("feature", PROMISED)
def test_promised_models_resolve(feature):
    """Each name that scripts may use is found for its feature."""
    names = models_for(Feature(feature))
    assert names == sorted(names)
    assert PROMISED[feature] <= set(names)
    for name in PROMISED[feature]:
        assert find_model(name, Feature(feature)).name == name


@for_each(CASES)
def test_the_defaults_are_legal(card, feature):
    """A call with the required inputs alone is valid, and each default is its own plain form."""
    schema = card.schema(feature)
    arguments = {p.name: SAMPLES[p.kind] for p in schema.required}
    if "pose_video" in schema:
        arguments["pose_video"] = "bones.mp4"
    if schema.has_free_ends:
        arguments["last_frame"] = "fox.png"
    values = schema.validate(arguments)
    for parameter in schema.parameters:
        if parameter.default is not UNSET:
            assert parameter.check(parameter.default) == parameter.default
            assert values[parameter.name] == parameter.default


@for_each(CASES)
def test_every_generation_has_a_seed_and_the_inputs_of_its_feature(card, feature):
    """All models start from the same inputs, can be made again, and say where defaults are from."""
    schema = card.schema(feature)
    needed = {p.name for p in INPUTS[feature]}
    if feature is Feature.POSE_GUIDANCE and not schema["image"].required:
        # A model that reads no picture takes one all the same: its shape is the video's.
        needed.remove("image")
    if feature is Feature.POSE_GUIDANCE and "pose_video" not in schema:
        # A model that reads no skeletons has one way to be told the motion.
        needed.add("guiding_video")
    if schema.has_free_ends:
        # A picture after the first is enough; which one, a rule says.
        assert {"first_frame", "last_frame", "keyframes"} <= {p.name for p in schema.optional}
        needed -= {"first_frame", "last_frame"}
    elif schema.takes_last_alone:
        needed.remove("first_frame")
    assert {p.name for p in schema.required} == needed
    # A vendor's model may take none: its videos cannot be made again.
    assert "seed" in schema or card.is_hosted
    for name in ("num_frames", "num_inference_steps", "guidance_scale"):
        if name in schema:
            assert schema[name].source


@for_each(models().values())
def test_a_card_is_sound(card):
    """The facts of a card are of sensible size and consistent with each other."""
    assert card.name == card.name.lower().strip()
    assert card.features
    # A model that comes with the package has its page in the repository.
    own_page = card.repository is None and (ROOT / card.homepage).is_file()
    assert own_page or card.homepage.startswith("https://")
    assert card.licence
    assert 0 <= card.largest_gib <= card.weights_gib
    assert card.pixels > 0
    assert card.fps > 0
    assert card.revision is None or len(card.revision) == 40


def test_names_are_found_and_features_too():
    """A feature is found by its name, and a slip is answered with the name that was meant."""
    assert find_feature("interpolate") is Feature.INTERPOLATE
    assert Feature.POSE_GUIDANCE.label == "pose guidance"
    with pytest.raises(ValidationError, match="Did you mean 'text_to_video'"):
        find_feature("text2video")


def test_a_hosted_model_of_the_old_version_names_what_is_not_installed():
    """Its card comes with the package of its provider."""
    without = {name: card for name, card in models().items() if not card.is_hosted}
    with pytest.raises(UnknownModelError, match=r"'luma-ray-2' needs the extra 'luma'"):
        find_model("luma-ray-2", Feature.INTERPOLATE, "local", catalogue=without)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("wan2.1-vace-14",), "Did you mean 'wan2.1-vace-14b'"),
        (("wan2.1-vace-14", Feature.INTERPOLATE), "To see all, list the models"),
        (("sora-9", Feature.INTERPOLATE), "there is no model 'sora-9'. Models for interpolate"),
        (
            ("a red circle moves right", Feature.TEXT_TO_VIDEO),
            "no name of a model: give 'a red circle moves right' as the prompt of text_to_video",
        ),
        ((None,), "there is no model None"),
        (("wan2.1-t2v-14b", Feature.INTERPOLATE), "cannot do interpolate"),
        (("wan2.1-t2v-14b", None, "acme"), "does not run on 'acme'. Its models: none"),
        (
            ("luma-ray-2", Feature.IMAGE_TO_VIDEO, "local"),
            "does not run on 'local'. It is a hosted model of 'luma': run it on luma",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_told_the_ones_that_do(call, words):
    """Wrong name, wrong feature and wrong provider each have their own answer."""
    with pytest.raises(UnknownModelError, match=words) as caught:
        find_model(*call, runs=lambda card: False)
    assert "known" in caught.value.details


@pytest.mark.parametrize(
    "name",
    [
        "wan2.1-t2v-1.3B",
        "Wan2.1 T2V 1.3B",
        "Wan-AI/Wan2.1-T2V-1.3B-Diffusers",
        "wan-ai/wan2.1-t2v-1.3b",
        "https://huggingface.co/Wan-AI/Wan2.1-T2V-1.3B-Diffusers/",
    ],
)
def test_a_model_is_taken_by_its_other_names(name):
    """Another case, the title, the repository and its address mean one model."""
    assert find_model(name, Feature.TEXT_TO_VIDEO).name == "wan2.1-t2v-1.3b"


def test_a_repository_of_several_models_names_none():
    """What may mean two models is refused, whatever the feature leaves of them."""
    shared = replace(find_model("doodle"), name="a", title="One", repository="x/y")
    catalogue = {"a": shared, "b": replace(shared, name="b", title="Two")}
    with pytest.raises(UnknownModelError):
        find_model("X/Y", catalogue=catalogue)
    assert find_model("X/y", catalogue={"a": shared}) is shared


@pytest.fixture
def fresh_catalogue():
    """Forget the models before and after, since they are found once a process."""
    models.cache_clear()
    yield
    models.cache_clear()


@pytest.fixture
def installed(tmp_path, monkeypatch, fresh_catalogue):
    """Install a distribution with an entry point, as a package of somebody else would be."""

    def install(name):
        package = tmp_path / "other_people.py"
        package.write_text(
            "from dataclasses import replace\n"
            "from tiomagic_domain.catalogue.families.wan import T2V_14B\n"
            f"MODELS = (replace(T2V_14B, name={name!r}),)\n"
        )
        info = tmp_path / "other_people-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-people\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[tiomagic.models]\nother = other_people:MODELS\n")
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("other_people", None)


def test_other_packages_add_models(installed):
    """A distribution with an entry point adds its models; nothing of ours names it."""
    installed("their-model")
    assert "their-model" in models()
    assert "their-model" in models_for(Feature.TEXT_TO_VIDEO)
    assert list(models()) == sorted(models())


def test_a_name_belongs_to_one_model(installed):
    """Ours stays ours: the card of the plugin is left out, and named."""
    before = models()["wan2.1-t2v-14b"]
    models.cache_clear()
    installed("wan2.1-t2v-14b")
    assert models()["wan2.1-t2v-14b"] is before
    (problem,) = plugin_problems()
    assert "the plugin 'other' (other_people:MODELS) of other-people" in str(problem)
    assert "there is a model 'wan2.1-t2v-14b' already" in str(problem)


GOOD = """
from dataclasses import replace
from tiomagic_domain.catalogue.families.wan import T2V_14B
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_domain.schema.schema import Schema
good = replace(T2V_14B, name="their-model")
"""

WRONG_DEFAULT = """
bad = Parameter(name="n", kind=Kind.INTEGER, description="", required=False, default="x")
schema = good.features[Feature.TEXT_TO_VIDEO].with_parameter(bad)
MODELS = (replace(good, features={Feature.TEXT_TO_VIDEO: schema}),)
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_at_all", "cannot be imported .ModuleNotFoundError"),
        ("raise SystemExit(3)", "cannot be imported .SystemExit: 3"),
        ("MODELS = (", "cannot be imported .SyntaxError"),
        ("CARDS = ()", "cannot be imported .AttributeError"),
        ("MODELS = 5", "names no collection of cards"),
        ("MODELS = (5,)", "it is a int, and no ModelCard"),
        ("MODELS = (replace(good, name=5),)", "name is 5"),
        ("MODELS = (replace(good, name=''),)", "name is ''"),
        ("MODELS = (replace(good, fps=0),)", "fps is 0"),
        ("MODELS = (replace(good, licence=None),)", "licence is None"),
        ("MODELS = (replace(good, features={}, repository=None),)", "no feature"),
        (
            "MODELS = (replace(good, repository=None, features={'x': 1}),)",
            "'x' is no Feature with a Schema",
        ),
        (
            WRONG_DEFAULT,
            "the default of n must be a whole number",
        ),
        ("MODELS = (good, good)", "there is a model 'their-model' already"),
    ],
)
def test_a_plugin_that_is_broken_is_left_out_and_named(installed, tmp_path, code, reason):
    """Every model of ours is there as before, and the search for the missing one says why."""
    ours = set(models())
    models.cache_clear()
    installed("x")
    (tmp_path / "other_people.py").write_text(f"{GOOD}\n{code}\n")
    assert set(models()) - {"their-model"} == ours
    (problem,) = plugin_problems()
    assert re.search(reason, str(problem)), problem
    with pytest.raises(UnknownModelError, match=f"left out: .*{reason}"):
        find_model("a-model-of-theirs")


def test_cards_are_values():
    """A card cannot be changed, and a changed copy is another card."""
    card = models()["wan2.1-t2v-14b"]
    assert replace(card, title="x") != card
    assert set(catalogue.models()) == set(models())
