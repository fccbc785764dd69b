"""Scalars of torch as arguments: a seed that torch drew, a guidance that a tensor holds."""

import pytest
import torch

from tiomagic_domain.schema.parameter import Kind, Parameter, Rejected


def parameter(kind, **more):
    return Parameter(name="p", kind=kind, description="", **more)


@pytest.mark.parametrize("given", [torch.tensor(640), torch.tensor(640.0, requires_grad=True)])
def test_a_tensor_without_axes_is_a_number(given):
    """The plain int comes out, and no graph stays behind."""
    checked = parameter(Kind.INTEGER).check(given)
    assert (type(checked), checked) == (int, 640)
    assert parameter(Kind.NUMBER).check(torch.tensor(2.5)) == 2.5
    assert parameter(Kind.BOOLEAN).check(torch.tensor(False)) is False
    assert parameter(Kind.LIST, items=Kind.INTEGER).check(torch.tensor([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    "given",
    [
        *(torch.tensor(True), torch.tensor([640]), torch.tensor(float("inf"))),
        *(torch.empty((), device="meta"), torch.tensor(640j)),
    ],
    ids=repr,
)
def test_other_tensors_are_none(given):
    """Truth values, axes, infinities, complex numbers, and what has no value at all."""
    with pytest.raises(Rejected, match="must be a"):
        parameter(Kind.INTEGER).check(given)
