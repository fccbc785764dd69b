"""The manifest for KubeRay is what its operator takes, and has the Ray that is pinned here.

``kuberay/rayclusters-v1.json.gz`` is the schema of KubeRay's own definition of ``RayCluster``
(https://github.com/ray-project/kuberay, Apache-2.0, commit feeaf72f of 2026-08-19), without its
descriptions, and with every name refused that it does not have: Kubernetes drops those silently.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import yaml

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "packages" / "adapters-ray" / "kubernetes"


@pytest.fixture(scope="module")
def schema():
    return json.loads(gzip.decompress((HERE / "kuberay" / "rayclusters-v1.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def manifest():
    return list(yaml.safe_load_all((FOLDER / "raycluster.yaml").read_text("utf-8")))


@pytest.fixture
def cluster(manifest):
    (found,) = [each for each in manifest if each["kind"] == "RayCluster"]
    return copy.deepcopy(found)


def test_kuberay_takes_the_cluster(schema, cluster):
    jsonschema.Draft202012Validator(schema).validate(cluster)


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "headGroup"),
        ("spec", "authOptions", "secret"),
        ("spec", "headGroupSpec", "template", "spec", "container"),
    ],
)
def test_a_slip_would_be_seen(schema, cluster, path):
    """The schema refuses what the operator does not know."""
    place = cluster
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = {}
    with pytest.raises(jsonschema.ValidationError, match=path[-1]):
        jsonschema.Draft202012Validator(schema).validate(cluster)


def test_what_it_names_is_in_it(manifest, cluster):
    """Secrets and volumes that the pods ask for are made beside them, and are mounted."""
    made = {(each["kind"], each["metadata"]["name"]) for each in manifest}
    assert ("Secret", cluster["spec"]["authOptions"]["secretName"]) in made
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for pod in (group["template"]["spec"] for group in groups):
        volumes = {
            each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]
        }
        assert {("PersistentVolumeClaim", name) for name in volumes.values()} <= made
        (container,) = pod["containers"]
        assert {each["name"] for each in container["volumeMounts"]} == set(volumes)


def test_the_versions_are_those_of_this_package(cluster):
    """Ray of the operator, of the image and of the caller are one."""
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    assert cluster["spec"]["rayVersion"] == version("ray")
    assert re.findall(r"^FROM rayproject/ray:([0-9.]+)-", dockerfile, re.MULTILINE) == [
        version("ray")
    ]
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    images = {each["image"] for g in groups for each in g["template"]["spec"]["containers"]}
    (image,) = images
    assert image in dockerfile
