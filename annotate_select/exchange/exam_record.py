"""What a signed exam report holds, and the one way in which it is written as JSON and made into a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from annotate_select.trust.exam import ExamReport
from annotate_select.trust.verdict import Mark

__all__ = ["Answer", "Drawn", "ExamRecord", "Rests", "canonical"]


@dataclass(frozen=True)
class Answer:
    """A labelled exam image: its key, its label, what the model says of it, and how sure it is, 0..1."""

    key: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Drawn:
    """How the exam came to be: its drawings, and what is kept from training for its sake.

    Of a drawing it has when, the seed and how many images; by which chance, from how many; where it was by strata, of
    how many, of which features with their digest. What an older version did not record is left out.
    `learned_too_near` counts images that the model learned from and should not have: of the exam, of its groups, or
    near-duplicates; None where its training was not recorded.
    """

    size: int
    seed: int
    draws: Sequence[Mapping[str, object]]
    groups: int
    reserved: int
    left_out: int
    learned_from: int | None
    learned_too_near: int | None
    active: Mapping[str, object] | None = None  # the newest second exam: its number, model, size, pool, time and seed


@dataclass(frozen=True)
class Rests:
    """What the figures rest on: the model, its files with their SHA-256, the features, versions then and now."""

    model: int
    trained_at: str
    labels: int
    labels_digest: str
    files: Mapping[str, str]
    features: str
    features_digest: str
    version: str
    libraries: Mapping[str, str]
    trained_with: Mapping[str, str]


@dataclass(frozen=True)
class ExamRecord:
    """Everything a signed report says. `answers` are all labelled exam images, the surest mistakes first."""

    project: str
    project_id: str
    classes: Sequence[str]
    signed_by: str
    signed_at: str
    mark: Mark | None
    mark_seen_at: str | None
    report: ExamReport
    drawn: Drawn
    rests: Rests
    answers: Sequence[Answer]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "report": self.report.as_dict(), "mark": self.mark.as_dict() if self.mark else None}

    def canonical(self) -> bytes:
        """Return the bytes of which the digest is made."""
        return canonical(self.as_dict())

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def mistakes(self) -> list[Answer]:
        """Return what the model answered wrongly, the surest first."""
        return [one for one in self.answers if one.label != one.predicted]


def canonical(values: object) -> bytes:
    """Write values in the one way of which digests are made: JSON, sorted, without spaces, UTF-8, no NaN."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        "utf-8"
    )
