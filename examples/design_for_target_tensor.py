"""Find a two-phase microstructure whose effective tensor is a given one.

    python examples/design_for_target_tensor.py [--output design_for_target_tensor.png] [--seed 0]

A field x of one number for each pixel is smoothed to a size of features, scaled to unit variance
and projected to a share of the second phase, ρ = (1 + tanh βx)/2. L-BFGS moves x until the tensor
of the conductivity 1 + (σ − 1) ρ is the target; its gradients come from `pl.homogenize`. β grows
from stage to stage, and what is grey becomes black or white. In the end the few grey pixels are
rounded, and single pixels along the interface are swapped until the error is below 1e-3 again: the
Jacobian proposes some, one batch of solves picks the best.
"""

import argparse
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

import pearlite as pl

SIZE = 64  # pixels along a side
CONTRAST = 10.0  # of the phases
FEATURE = 2.5  # pixels, the standard deviation of the filter
STAGES = (1, 2, 4, 8, 16, 32, 64)  # β
GOAL = 1e-3
PROPOSALS = 64  # swaps to try at once
INK, QUIET, TARGET, FOUND = "#2b2b2b", "#8a8a8a", "#e8a33d", "#1f4e79"
PHASES = LinearSegmentedColormap.from_list("phases", ["#f3ead8", "#1f4e79"])


@dataclass
class History:
    """What happened: the relative error after each evaluation of the tensor, and the stages."""

    errors: list[float] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of stages, as indices of `errors`
    images: list[Tensor] = field(default_factory=list)  # ρ at the end of each stage


def rotated(first: float, second: float, degrees: float) -> Tensor:
    """Return the tensor with these principal values, turned against the axes."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return torch.from_numpy(turn @ np.diag([first, second]) @ turn.T)


def attainable(target: Tensor) -> bool:
    """Tell whether mixtures of 1 and CONTRAST reach a tensor, at some fraction.

    These are the optimal bounds of K. A. Lurie and A. V. Cherkaev, Proc. R. Soc. Edinb. A 99, 71
    (1984), and of L. Tartar (1985).
    """
    values = torch.linalg.eigvalsh(target).numpy()
    shares = np.linspace(0.001, 0.999, 999)
    mean = 1 + (CONTRAST - 1) * shares
    harmonic = 1 / (1 - shares + shares / CONTRAST)
    inside = (values[0] > harmonic) & (values[1] < mean)
    low, high = (1 / (values - 1)).sum(), (1 / (CONTRAST - values)).sum()
    inside &= low <= 1 / (harmonic - 1) + 1 / (mean - 1)
    inside &= high <= 1 / (CONTRAST - harmonic) + 1 / (CONTRAST - mean)
    return bool(inside.any())


def projected(x: Tensor, beta: float) -> Tensor:
    """Return the share of the second phase in each pixel, (SIZE, SIZE)."""
    frequency = torch.fft.fftfreq(SIZE, dtype=torch.float64)
    squares = frequency[:, None] ** 2 + frequency[None, :] ** 2
    weights = torch.exp(-2 * (np.pi * FEATURE) ** 2 * squares)
    smooth = torch.fft.ifft2(torch.fft.fft2(x) * weights).real
    return (1 + torch.tanh(beta * smooth / smooth.square().mean().sqrt())) / 2


def effective(share: Tensor) -> Tensor:
    """Return the effective tensors (..., 2, 2) of shares (..., SIZE, SIZE)."""
    return pl.homogenize(1 + (CONTRAST - 1) * share)


def distance(tensors: Tensor, target: Tensor) -> Tensor:
    """Return relative errors (...) in the Frobenius norm."""
    return torch.linalg.matrix_norm(tensors - target) / torch.linalg.matrix_norm(target)


def optimize(x: Tensor, target: Tensor, steps: int, history: History) -> Tensor:
    """Move x until its tensor is the target, stage by stage. Return the shares."""
    for beta in STAGES:
        history.starts.append(len(history.errors))
        optimizer = torch.optim.LBFGS(
            [x], max_iter=steps, history_size=20, tolerance_grad=1e-8, line_search_fn="strong_wolfe"
        )

        def loss(beta: float = beta, optimizer: torch.optim.LBFGS = optimizer) -> Tensor:
            optimizer.zero_grad()
            error = distance(effective(projected(x, beta)), target)
            history.errors.append(error.item())
            # L-BFGS takes first steps of the size of the gradient: let pixels have one of about 1.
            value = SIZE**2 * error.square()
            value.backward()
            return value

        optimizer.step(loss)
        history.images.append(projected(x, beta).detach())
    return history.images[-1]


def swap_pixels(image: Tensor, target: Tensor, steps: int, history: History) -> Tensor:
    """Swap single pixels of an image (SIZE, SIZE) of 0 and 1 until its tensor is the target."""
    history.starts.append(len(history.errors))
    tensor = effective(image)
    history.errors.append(distance(tensor, target).item())
    for _ in range(steps):
        if history.errors[-1] <= GOAL:
            break
        change = torch.func.jacrev(effective)(image) * (1 - 2 * image)  # (2, 2, SIZE, SIZE)
        expected = distance(tensor + change.permute(2, 3, 0, 1), target)
        neighbours = [torch.roll(image, by, axis) for by in (1, -1) for axis in (0, 1)]
        interface = torch.stack(neighbours).ne(image).any(0)
        places = expected.where(interface, torch.inf).flatten().argsort()[:PROPOSALS]
        trials = image.flatten().repeat(len(places), 1)
        trials[torch.arange(len(places)), places] = 1 - image.flatten()[places]
        tensors = effective(trials.reshape(-1, SIZE, SIZE))
        best = distance(tensors, target).argmin()
        if distance(tensors[best], target) >= history.errors[-1]:
            break  # no single swap helps
        image, tensor = trials[best].reshape(SIZE, SIZE), tensors[best]
        history.errors.append(distance(tensor, target).item())
    history.images.append(image)
    return image


def design(target: Tensor, steps: int = 40, seed: int = 0) -> tuple[Tensor, History]:
    """Return an image (SIZE, SIZE) of 0 and 1 with about the target as its tensor."""
    if not attainable(target):
        raise ValueError(f"no mixture of 1 and {CONTRAST:g} has the tensor {target.tolist()}")
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64).requires_grad_()
    history = History()
    share = optimize(x, target, steps, history)
    return swap_pixels((share > 0.5).double(), target, steps, history), history


def draw(path: str, image: Tensor, target: Tensor, history: History) -> None:
    """Draw the design, both tensors, and the way there."""
    figure = Figure(figsize=(12, 6.3), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    top, bottom = figure.subfigures(2, 1, height_ratios=(3.2, 1))
    panels = top.subplots(1, 3, width_ratios=(1, 1, 1.25))
    draw_design(panels[0], image)
    draw_tensors(panels[1], effective(image), target)
    draw_convergence(panels[2], history)
    for panel in panels:
        panel.set_anchor("N")
    names = [f"β = {beta}" for beta in STAGES] + ["two phases"]
    for panel, share, name in zip(
        bottom.subplots(1, len(names)), history.images, names, strict=True
    ):
        panel.imshow(share.numpy(), cmap=PHASES, vmin=0, vmax=1, interpolation="nearest")
        panel.set_title(name, fontsize=9, color=INK)
        bare(panel)
    figure.savefig(path, dpi=160)


def bare(panel: Axes) -> None:
    """Take ticks away and leave a thin frame."""
    panel.set(xticks=[], yticks=[])
    for spine in panel.spines.values():
        spine.set(color=QUIET, linewidth=0.6)


def draw_design(panel: Axes, image: Tensor) -> None:
    """Draw two by two periods, one of them framed."""
    tiles = image.repeat(2, 2).numpy()
    panel.imshow(tiles, cmap=PHASES, interpolation="nearest", extent=(0, 2, 2, 0))
    panel.add_patch(Rectangle((0.5, 0.5), 1, 1, fill=False, color=TARGET, linewidth=2.2))
    panel.set_title("the microstructure, one cell framed", loc="left", fontsize=10.5, color=INK)
    share = image.mean().item()
    panel.set_xlabel(f"{share:.0%} of conductivity {CONTRAST:g} in 1", fontsize=9, color=INK)
    bare(panel)


def draw_tensors(panel: Axes, found: Tensor, target: Tensor) -> None:
    """Draw tensors as the ellipses that they map the unit circle to, axis 0 downwards."""
    angles = torch.linspace(0, 2 * np.pi, 361, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin()])
    panel.axhline(0, color="#e5e5e5", linewidth=0.8, zorder=0)
    panel.axvline(0, color="#e5e5e5", linewidth=0.8, zorder=0)
    for tensor, style in (
        (target, {"color": TARGET, "linewidth": 7, "alpha": 0.55, "label": "target"}),
        (found, {"color": FOUND, "linewidth": 1.6, "label": "achieved"}),
    ):
        ellipse = (tensor @ circle).numpy()
        panel.plot(ellipse[1], ellipse[0], **style)
        values, axes = np.linalg.eigh(tensor.numpy())
        for value, axis in zip(values, axes.T, strict=True):
            ends = np.stack([-value * axis, value * axis])
            panel.plot(ends[:, 1], ends[:, 0], **(style | {"label": None}))
    panel.set_aspect("equal")
    panel.invert_yaxis()
    panel.set_title("effective conductivity", loc="left", fontsize=10.5, color=INK)
    panel.set_xlabel("along axis 1", fontsize=9, color=INK)
    panel.set_ylabel("along axis 0", fontsize=9, color=INK)
    panel.legend(frameon=False, fontsize=9, loc="upper right")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8, colors=INK)


def draw_convergence(panel: Axes, history: History) -> None:
    """Draw the error over evaluations, with a band for each stage."""
    ends = [*history.starts[1:], len(history.errors)]
    least = 1e-7
    for number, (start, end) in enumerate(zip(history.starts, ends, strict=True)):
        last = number == len(STAGES)
        if number % 2 == 0:
            panel.axvspan(start, end, color="#f4f4f4", linewidth=0, zorder=0)
        errors = np.maximum(history.errors[start:end], least)
        style = {"color": TARGET, "marker": "o", "markersize": 3} if last else {"color": FOUND}
        panel.semilogy(np.arange(start, end) + 0.5, errors, linewidth=1.6, **style)
        if not last:
            name = f"β = {STAGES[number]}" if number == 0 else f"{STAGES[number]}"
            panel.text((start + end) / 2, 0.7, name, ha="center", va="top", fontsize=8, color=INK)
    swaps = (history.starts[-1] + len(history.errors)) / 2, 2 * history.errors[history.starts[-1]]
    panel.text(*swaps, "swaps", ha="center", fontsize=8, color=INK)
    panel.axhline(GOAL, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    panel.set(ylim=(least, 1.2), xlim=(0, len(history.errors)))
    panel.set_title("relative error", loc="left", fontsize=10.5, color=INK)
    panel.set_xlabel("evaluations of the tensor", fontsize=9, color=INK)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8, colors=INK)


def main() -> None:
    """Design, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default="design_for_target_tensor.png", help="the figure")
    parser.add_argument("--steps", type=int, default=40, help="of L-BFGS in each stage")
    parser.add_argument("--seed", type=int, default=0, help="of the field to start from")
    parser.add_argument(
        "--target", type=float, nargs=3, default=(5.0, 2.5, 30.0),
        metavar=("FIRST", "SECOND", "DEGREES"), help="principal values and their turn",
    )  # fmt: skip
    options = parser.parse_args()
    target = rotated(*options.target)
    start = time.perf_counter()
    image, history = design(target, options.steps, options.seed)
    seconds = time.perf_counter() - start
    found = effective(image)
    print(f"target    {target.numpy().round(4).tolist()}")
    print(f"achieved  {found.numpy().round(4).tolist()}")
    print(f"relative error {distance(found, target).item():.1e} by two phases alone, ", end="")
    print(f"{len(history.errors)} evaluations in {seconds:.1f} s")
    draw(options.output, image, target, history)


if __name__ == "__main__":
    main()
