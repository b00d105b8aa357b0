"""Whether to believe it: the exam, comparisons, advice and checks of a project. Project has it all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home

if TYPE_CHECKING:
    from annotate_select.checks import Checks
    from annotate_select.steps.evaluate import ExamAnswer
    from annotate_select.steps.exam_report import SignedReport, Verification
    from annotate_select.steps.explain import Explanation
    from annotate_select.steps.reproduce import Reproduction
    from annotate_select.steps.traversal import Traversal
    from annotate_select.trust.audit import AuditReport
    from annotate_select.trust.compare import Comparison
    from annotate_select.trust.exam import ExamReport
    from annotate_select.trust.stopping import Stopping

__all__ = ["Scores"]


class Scores:
    """The part of `Project` that measures, compares and checks."""

    _home: Home

    def evaluate(self, model: int | None = None) -> ExamReport:
        """Measure a model, by default the newest, on the exam."""
        from annotate_select.steps.evaluate import evaluate
        from annotate_select.steps.stop import conclude

        report = evaluate(self._home, model)
        conclude(self._home, report)
        return report

    def declare_mark(
        self,
        *,
        accuracy: float | None = None,
        recall: float | Mapping[str, float] | None = None,
        confidence: float | None = None,
    ) -> None:
        """Declare the pass mark, best before a result is seen: shares the exam must prove, such as .9.

        `recall` is one share for every class, or one each for some; without either there is no mark any more.
        Raises ConfigError for shares outside 0 to 1, and for classes that the project does not have.
        """
        from annotate_select.steps.marks import declare

        declare(self._home, accuracy, recall, confidence)

    def exam_report(self, path: str | Path | None = None, *, signed_by: str, model: int | None = None) -> SignedReport:
        """Write a model's exam as a signed-off HTML page, by default into reports/ of the project, and keep its record.

        The page shows exam images and their labels. Raises ExamError without a name or a labelled exam.
        """
        from annotate_select.steps.exam_report import sign

        return sign(self._home, None if path is None else Path(path), signed_by=signed_by, number=model)

    def verify_report(self, path: str | Path) -> Verification:
        """Say whether an HTML page is, byte for byte, one that was signed off in this project."""
        from annotate_select.steps.exam_report import verify

        return verify(self._home, Path(path))

    def report(self, model: int | None = None) -> ExamReport | None:
        """Return a model's stored exam report, by default the newest there is."""
        from annotate_select.steps.evaluate import report_of

        return report_of(self._home, model)

    def outdated(self, model: int) -> str | None:
        """Say why a model's stored exam report is not to be gone by; None where it holds, or there is none."""
        from annotate_select.steps.basis import outdated

        return outdated(self._home, model)

    def exam_answers(self, model: int | None = None) -> list[ExamAnswer]:
        """Return what a model, by default the newest, says of each labelled exam image; the surest mistakes first."""
        from annotate_select.steps.evaluate import exam_answers

        return exam_answers(self._home, model)

    def compare(
        self, model: int | None = None, against: int | str | Path | None = None, *, progress: Progress = silent
    ) -> Comparison:
        """Compare two models on the exam, image by image: by default the newest with the one before it.

        `against` may be a path: of a copy of this project (its newest model), or of models/NUMBER in it. What that
        model learned from is left out of the exam. Raises LearningError where there are no two models of the same
        classes, ExamError without exam labels or where too few are left, FeaturesError without the model's features.
        """
        if isinstance(against, str | Path):
            from annotate_select.steps.compare_copies import compare_with

            return compare_with(self._home, model, against, progress=progress)
        from annotate_select.steps.evaluate import compare

        return compare(self._home, model, against)

    def stopping(self) -> Stopping | None:
        """Return whether more labels are worth it, as the newest evaluation concluded; None without one that holds."""
        from annotate_select.steps.stop import stopping_of

        return stopping_of(self._home)

    def reproduce(self, model: int, *, progress: Progress = silent) -> Reproduction:
        """Train a stored model again from the recorded state, and compare; nothing is changed.

        Raises LearningError when there is no such model or its training was not recorded, FeaturesError when the
        features it learned from are gone.
        """
        from annotate_select.steps.reproduce import reproduce

        return reproduce(self._home, model, progress=progress)

    def audit(self) -> AuditReport | None:
        """Compare what picks and audit picks taught; None while there is no model of features, or no labelled exam."""
        from annotate_select.errors import ExamError, FeaturesError, LearningError
        from annotate_select.steps.evaluate import audit

        try:
            return audit(self._home)
        except (ExamError, FeaturesError, LearningError):
            return None

    def audit_report(self) -> tuple[int, AuditReport] | None:
        """Return the newest stored audit with its model's number; None while none was made."""
        from annotate_select.steps.evaluate import audit_of

        return audit_of(self._home)

    @property
    def check(self) -> Checks:
        """The checks of this project: `project.check.leaks()` and others."""
        from annotate_select.checks import Checks

        return Checks(self._home)

    def explain(self, image: str) -> Explanation:
        """Return where in an image, by key, the newest model finds its answer: a map of what covering each part costs.

        Raises UnknownImages for another key, LearningError while there is no model.
        """
        from annotate_select.steps.explain import explain

        return explain(self._home, image)

    def traverse(self, image: str, towards: str) -> Traversal:
        """Return pictures of an image moved towards a class, as the autoencoder draws it: what the model goes by.

        Raises UnknownImages, UnknownClasses, or LearningError without a model or with features that have no decoder.
        """
        from annotate_select.steps.traversal import traverse

        return traverse(self._home, image, towards)
