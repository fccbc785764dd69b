"""Muon for weight matrices, AdamW for everything else.

Muon replaces a matrix's momentum by the nearest orthogonal matrix, so rare
directions (one word of forty, one motion of nine) move as fast as common ones.
"""

import torch
from torch import nn


@torch.no_grad()
def orthogonalise(matrices: torch.Tensor, steps: int = 4) -> torch.Tensor:
    """Nearest orthogonal matrices of a batch (B, m, n), roughly: singular values 0.7-1.2."""
    # Coefficients of the quintic Newton-Schulz iteration by Keller Jordan et al., 2024.
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16()
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.mT).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; matrices of one shape are done together."""

    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002 - as torch wants it
        """Move every parameter by one step."""
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault((p.shape[0], p[0].numel()), []).append(p)
            for (rows, columns), params in shapes.items():
                moved = torch.stack([self._momentum(p, group["momentum"]) for p in params])
                step = orthogonalise(moved) * max(1.0, rows / columns) ** 0.5
                for p, s in zip(params, step, strict=True):
                    p.add_(s.view(p.shape), alpha=-group["lr"])

    def _momentum(self, p: nn.Parameter, momentum: float) -> torch.Tensor:
        state = self.state[p]
        grad = p.grad.reshape(p.shape[0], -1).float()
        if "buffer" not in state:
            state["buffer"] = torch.zeros_like(grad)
        state["buffer"].lerp_(grad, 1 - momentum)
        return grad.lerp(state["buffer"], momentum)


class Optimisers:
    """Muon and AdamW behind one face, with one rate schedule."""

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[nn.Parameter],
        *,
        muon_lr: float,
        adam_lr: float,
    ) -> None:
        self._all = [
            Muon(matrices, muon_lr),
            torch.optim.AdamW(others, lr=adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self._base = [muon_lr, adam_lr]

    def step(self, rate: float) -> None:
        """Step with `rate` times the base rates, then forget the gradients."""
        for optimiser, base in zip(self._all, self._base, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = base * rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        """State of both, for a checkpoint."""
        return [optimiser.state_dict() for optimiser in self._all]

    def load_state_dict(self, states: list[dict]) -> None:
        """Take up the state of a checkpoint."""
        for optimiser, state in zip(self._all, states, strict=True):
            optimiser.load_state_dict(state)
