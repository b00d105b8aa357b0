"""Fine-tuning: the end of a pretrained network learns the classes, beginning from a linear probe on its features.

The probe comes first, so that what the network knows is not torn up by a classifier that knows nothing (Kumar et al.,
"Fine-tuning can distort pretrained features and underperform out-of-distribution", ICLR 2022). Only the last stage
learns, by small steps; means and variances of batch norm stay. What the frozen trunk makes of some views of each image
is computed once and kept: most of the time of every step is saved. In the end weights are the mean of those before
and after (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022), which few labels cannot lead far
astray. All steps are taken: few labels that say when to stop would tell by chance, and flatter what comes out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.backbones.extras import installed
from annotate_select.features.backbones.sessions import exported, open_session, run_session
from annotate_select.features.encoder import has_bfloat16
from annotate_select.features.images import Images
from annotate_select.features.split import split
from annotate_select.features.views import augmented, is_grey
from annotate_select.learning.head import Head
from annotate_select.progress import Progress, silent
from annotate_select.words import counted

__all__ = ["Settings", "fine_tune"]

AT_ONCE = 32  # images that go through the trunk together
MOST_VIEWS, SHOWN = 16, 4_000  # views of an image, and of all images together, that are kept
MOST_KEPT = 2**30  # bytes of them: more than that, and there are fewer views
RECENT = 20  # steps whose mean loss is shown
TIMED = 10  # steps after which there are only as many more as there is time for
WARM_UP = 0.1  # share of the steps
LONGEST_STEP = 1.0  # gradients longer than this are cut
LARGEST = 65_504.0  # that float16 holds
EXPORT_AFTER = 64  # images: an export costs as much as some dozens of them
SAME = 0.01  # of the largest number: what ONNX Runtime may differ by from torch


@dataclass(frozen=True)
class Settings:
    """How to fine-tune; see benchmarks/FEATURES.md for what the defaults give."""

    views: str = "auto"  # of VIEWS: what may change about an image and does not matter
    seconds: float = 900.0  # where they are too few, there are fewer steps
    seed: int = 0
    rate: float = 3e-4  # AdamW's peak, for the network
    head_rate: float = 1e-2  # and for the classifier, whose weights are a hundred times as large
    weight_decay: float = 1e-2
    mixed: float = 0.5  # share of the new weights in the mean with the old that comes out
    batch: int = 32
    epochs: int = 20  # times that as many images are shown as there are ...
    least: int = 60  # ... and steps at least, for few labels
    most: int = 1000  # and at most


def fine_tune(
    backbone: Backbone,
    images: np.ndarray,
    labels: np.ndarray,
    start: Head,
    settings: Settings,
    progress: Progress = silent,
) -> None:
    """Teach the network of a backbone, in place, the labels (l,) of images (l, H, W, 3) uint8.

    `start` is a head that learned the same labels from its features. The backbone is only good for being saved then.
    Raises FeaturesError when the loss is not finite.
    """
    _Tuner(backbone, Images(images, backbone.image_size), labels, start, settings, progress).run()


class _Classifier(nn.Module):
    """A linear classifier on directions from a centre, as the package's own head."""

    centre: Tensor

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.register_buffer("centre", torch.from_numpy(head.centre).float())
        self.weight = nn.Parameter(torch.from_numpy(head.classifier.weights[:, head.classes_seen]).float())
        self.bias = nn.Parameter(torch.from_numpy(head.classifier.bias[head.classes_seen]).float())

    def forward(self, features: Tensor) -> Tensor:
        return F.normalize(features.float() - self.centre) @ self.weight + self.bias  # (b, K)


class _Tuner:
    """One training: what is kept of the images, and the loop."""

    def __init__(
        self,
        backbone: Backbone,
        images: Images,
        labels: np.ndarray,
        start: Head,
        settings: Settings,
        progress: Progress,
    ) -> None:
        self.settings, self.images, self.progress, self.began = settings, images, progress, time.monotonic()
        number = np.cumsum(start.classes_seen)[labels] - 1
        self.rows_of = [np.flatnonzero(number == one) for one in range(int(start.classes_seen.sum()))]
        self.device, network = backbone.device, backbone.normalised
        first = images.batch(np.arange(min(2, len(images)))).to(self.device)
        self.trunk, self.tail = split(network, first)
        fixed = {id(one) for one in self.trunk.parameters()}
        for one in network.parameters():
            one.requires_grad_(False)
        self.learning = [one for one in self.tail.parameters() if id(one) not in fixed and one.is_floating_point()]
        for one in self.learning:
            one.requires_grad_(True)
        self.classifier = _Classifier(start).to(self.device)
        self.tail.to(memory_format=torch.channels_last)
        wanted = settings.epochs * len(self.images) / settings.batch
        self.steps = int(np.clip(wanted, settings.least, settings.most))
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.learning, "peak": settings.rate},
                {"params": list(self.classifier.parameters()), "peak": settings.head_rate, "weight_decay": 0.0},
            ],
            weight_decay=settings.weight_decay,
        )

    def run(self) -> None:
        """Train until the steps or the seconds run out; only where seconds do, they decide the weights."""
        kept, before = self._kept(), [one.detach().clone() for one in self.learning]
        rng = np.random.default_rng([self.settings.seed, 1])
        began, losses = time.monotonic(), list[float]()
        while len(losses) < self.steps and (left := self.began + self.settings.seconds - time.monotonic()) > 0:
            losses.append(self._step(kept, rng, len(losses) / self.steps))
            each = (time.monotonic() - began) / len(losses)  # seconds
            if len(losses) == TIMED:
                self.steps = min(self.steps, TIMED + int(left / each))
            note = f"log-loss {np.mean(losses[-RECENT:]):.3f}, {self.settings.batch / each:.0f} images/s"
            self.progress("fine-tuning", len(losses), self.steps, note)
        with torch.no_grad():
            for one, old in zip(self.learning, before, strict=True):
                one.copy_(old.lerp(one, self.settings.mixed))

    def _step(self, kept: Tensor, rng: np.random.Generator, done: float) -> float:
        classes = rng.integers(0, len(self.rows_of), self.settings.batch)  # each as often as any other
        rows = np.array([rng.choice(self.rows_of[one]) for one in classes.tolist()])
        x = kept[torch.from_numpy(rows), torch.from_numpy(rng.integers(0, kept.shape[1], len(rows)))]
        rate = min(1.0, done / WARM_UP) * (1 + math.cos(math.pi * done)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * max(rate, 1e-3)
        logits = self._logits(x)
        loss = F.cross_entropy(logits, torch.from_numpy(classes).to(self.device))
        found = float(loss.detach())
        if not math.isfinite(found):
            raise FeaturesError(
                f"the loss became {found} while fine-tuning; train with --head linear on these features"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's has no types
        nn.utils.clip_grad_norm_([*self.learning, *self.classifier.parameters()], LONGEST_STEP)
        self.optimizer.step()
        return found

    def _logits(self, x: Tensor) -> Tensor:
        x = x.to(self.device).float()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            features = self.tail(x)
        logits: Tensor = self.classifier(features)
        return logits

    def _kept(self) -> Tensor:
        """Return what the trunk makes of every view of the images (l, views, ...); the first is the image itself."""
        run = self._trunk()
        plain = self._through(run, None)
        most = min(SHOWN, MOST_KEPT // max(1, plain[0].numel() * plain.element_size())) // len(self.images)
        views = int(np.clip(most, 2, MOST_VIEWS))
        kept = plain.new_empty((len(plain), views, *plain.shape[1:]))
        kept[:, 0] = plain
        generator = torch.Generator().manual_seed(self.settings.seed)
        for view in range(1, views):
            kept[:, view] = self._through(run, generator)
            self.progress("looking at views", view + 1, views, f"of {counted(len(self.images))}")
        return kept

    def _through(self, run: Callable[[Tensor], Tensor], generator: torch.Generator | None) -> Tensor:
        """Return what the trunk makes of the images, or of a view of each, (l, ...) float16 on the CPU."""
        rows = np.arange(len(self.images))
        grey = is_grey(self.images.batch(rows[:AT_ONCE]))
        parts = []
        for at in range(0, len(rows), AT_ONCE):
            x = self.images.batch(rows[at : at + AT_ONCE])
            x = x if generator is None else augmented(x, generator, self.settings.views, grey)
            parts.append(run(x).clamp(-LARGEST, LARGEST).half())
        return torch.cat(parts)

    def _trunk(self) -> Callable[[Tensor], Tensor]:
        """Return what runs the trunk: ONNX Runtime where it is installed and gives the same, else torch."""

        def plain(x: Tensor) -> Tensor:
            with torch.inference_mode():
                found: Tensor = self.trunk(x.to(self.device)).float().cpu()
            return found.clone()

        if isinstance(self.trunk, nn.Identity) or self.device.type != "cpu" or len(self.images) < EXPORT_AFTER:
            return plain
        if not installed("onnx", "onnxruntime"):
            return plain
        x = self.images.batch(np.arange(AT_ONCE))
        try:
            session = open_session(exported(self.trunk, x[:2]))
            found, wanted = run_session(session, x.numpy()), plain(x).numpy()
        except Exception:  # an exporter fails in many ways, and torch goes on without it
            return plain
        if found.shape != wanted.shape or not np.abs(found - wanted).max() <= SAME * np.abs(wanted).max():
            return plain
        return lambda x: torch.from_numpy(run_session(session, x.numpy()))
