"""Checks: what can be wrong with a project's labels, exam and pictures, as `project.check.NAME()`.

Each check is a method that wires and computes nothing, and returns a report with `text()` and `as_dict()`; the CLI's
`check NAME` calls it by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home

if TYPE_CHECKING:
    from annotate_select.steps.check_drift import DriftReport
    from annotate_select.steps.check_duplicates import DuplicatesReport
    from annotate_select.steps.check_labels import LabelsReport
    from annotate_select.steps.check_leaks import LeaksReport
    from annotate_select.steps.check_picks import PicksReport
    from annotate_select.steps.check_rules import RulesReport
    from annotate_select.steps.shortcuts_report import ShortcutsReport

__all__ = ["CHECKS", "Checks", "Report"]

# In the order in which `check all` goes through them.
CHECKS = ("duplicates", "labels", "leaks", "shortcuts", "drift", "picks", "rules")


class Report(Protocol):
    """What a check returns."""

    def text(self) -> str:
        """Say in words what was found, and what to do."""

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""


class Checks:
    """The checks of one project."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def drift(
        self,
        features: str | None = None,
        *,
        since: str | None = None,
        by: str | None = None,
        progress: Progress = silent,
    ) -> DriftReport:
        """Compare new images with old ones: has the world changed, where, and is the exam still of it?

        New is what was added last; or since a date, or by a column (`captured_at`, `source`, a metadata column).
        Raises FeaturesError without features, LearningError where there is nothing to compare.
        """
        from annotate_select.steps.check_drift import check_drift

        return check_drift(self._home, features, since=since, by=by, progress=progress)

    def duplicates(self, features: str | None = None, *, progress: Progress = silent) -> DuplicatesReport:
        """Find images that are all but the same; raises FeaturesError without features."""
        from annotate_select.steps.check_duplicates import check_duplicates

        return check_duplicates(self._home, features, progress=progress)

    def labels(self, features: str | None = None, *, progress: Progress = silent) -> LabelsReport:
        """Say what speaks against the labels: annotators, look-alikes, a model; raises AnnotationError without any."""
        from annotate_select.steps.check_labels import check_labels

        return check_labels(self._home, features)

    def leaks(self, features: str | None = None, *, progress: Progress = silent) -> LeaksReport:
        """Name the labelled images that are too like an exam image to be trained on; raises ExamError without exam."""
        from annotate_select.steps.check_leaks import check_leaks

        return check_leaks(self._home, features)

    def picks(self, features: str | None = None, *, progress: Progress = silent) -> PicksReport:
        """Say how the picks of every round lie in the pool, and whether selection feeds on itself.

        Raises FeaturesError without features, SelectionError before the first batch.
        """
        from annotate_select.steps.check_picks import check_picks

        return check_picks(self._home, features, progress=progress)

    def shortcuts(self, features: str | None = None, *, progress: Progress = silent) -> ShortcutsReport:
        """Look for what besides the thing itself predicts the label, and where the model fails."""
        from annotate_select.steps.check_shortcuts import check_shortcuts

        return check_shortcuts(self._home, features, progress=progress)

    def rules(self, features: str | None = None, *, progress: Progress = silent) -> RulesReport:
        """Compare what is known beforehand, in rules.toml, with the labels; raises ConfigError where there is none."""
        from annotate_select.steps.check_rules import check_rules

        return check_rules(self._home)
