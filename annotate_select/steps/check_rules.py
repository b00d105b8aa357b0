"""What people know beforehand against what the labels say: rules that are broken, frequencies that are off, parents."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from annotate_select.annotations import events, images
from annotate_select.annotations.consensus import consensus
from annotate_select.errors import ConfigError, ExamError, FeaturesError, LearningError, listed
from annotate_select.steps.evaluate import exam_answers
from annotate_select.steps.home import Home
from annotate_select.steps.rules import FILE, ProjectRules, columns_of_pool, project_rules
from annotate_select.steps.standing import UNLABELLED, standing
from annotate_select.trust.intervals import wilson
from annotate_select.trust.rules import Columns, applies, broken, parent_accuracy, permitted
from annotate_select.words import counted, plain

__all__ = ["Breach", "Frequency", "Parents", "RuleFound", "RulesReport", "check_rules"]

MOST = 100  # of a list
FEWEST = 20  # random labels that a frequency is judged by
OFTEN = 0.1  # of the labels a rule speaks of: more breaches rather speak against the rule


@dataclass(frozen=True)
class Breach:
    """A labelled image that breaks a rule."""

    key: str
    label: str


@dataclass(frozen=True)
class RuleFound:
    """A rule, of how many images it speaks, how many of these have a label, and how many labels break it.

    `breaches` names the first hundred. `doubtful`: broken by more than a tenth of the labels it speaks of, and more
    than one.
    """

    words: str
    images: int
    labelled: int
    broken: int
    breaches: list[Breach]
    doubtful: bool


@dataclass(frozen=True)
class Frequency:
    """A known frequency, and the share in 0..1 of `n` labels of images that chance chose, with its interval."""

    name: str
    stated: float
    n: int
    counted: float
    low: float
    high: float
    contradicted: bool


@dataclass(frozen=True)
class Parents:
    """The newest model on n exam images: accuracy 0..1 of classes and of parents, and mistakes `within` a parent."""

    n: int
    accuracy: float
    parent_accuracy: float
    mistakes: int
    within: int


@dataclass(frozen=True)
class RulesReport:
    """What was found; `impossible` names images that rules leave no class, the first hundred."""

    rules: list[RuleFound]
    impossible: list[str]
    frequencies: list[Frequency]
    parents: Parents | None
    note: str | None

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "text": self.text()}

    def text(self) -> str:
        """Say it in plain sentences."""
        lines = [line for one in self.rules for line in _rule(one)]
        if self.impossible:
            least = "" if len(self.impossible) < MOST else "at least "
            lines.append(
                f"rules contradict each other on {least}{counted(len(self.impossible))} and are not heard there:"
            )
            lines += [f"  {plain(key)}" for key in self.impossible[:5]]
        if any(one.broken for one in self.rules):
            lines.append("the Review page has these images first, under Break a rule")
        lines += [_frequency(one) for one in self.frequencies]
        lines += [_parents(self.parents)] if self.parents is not None else []
        return "\n".join(lines + ([self.note] if self.note else []))


def check_rules(home: Home) -> RulesReport:
    """Compare rules.toml with the labels. Raises ConfigError when there is none, or it says something impossible."""
    known = project_rules(home)
    if known is None:
        raise ConfigError(f"there is no {home.root / FILE}; write down what is known beforehand, see the README")
    ids = images.pool_table(home.db).ids.tolist()
    columns = columns_of_pool(home, ids, known.names, check=True)
    number = {name: at for at, name in enumerate(home.config.classes)}
    said = consensus(events.current_annotations(home.db))
    labels = [said[one].label if one in said else None for one in ids]
    numbers = np.array([number.get(name, UNLABELLED) if name else UNLABELLED for name in labels], dtype=np.int64)
    left = permitted(known.rules, columns, len(ids), len(number))
    none = np.flatnonzero(~left.any(axis=1))[:MOST]
    keys = images.keys_of(home.db, [ids[row] for row in none.tolist()])
    parents, note = _measured(home, known)
    return RulesReport(
        rules=_found(home, known, columns, ids, numbers),
        impossible=[keys[ids[row]] for row in none.tolist()],
        frequencies=_frequencies(home, known),
        parents=parents,
        note=note,
    )


def _found(home: Home, known: ProjectRules, columns: Columns, ids: list[int], labels: np.ndarray) -> list[RuleFound]:
    found = []
    for rule in known.rules:
        spoken = applies(rule, columns, len(ids))
        labelled = int((spoken & (labels != UNLABELLED)).sum())
        rows = [row for row, _ in broken([rule], columns, labels)]
        keys = images.keys_of(home.db, [ids[row] for row in rows[:MOST]])
        breaches = [Breach(keys[ids[row]], home.config.classes[labels[row]]) for row in rows[:MOST]]
        doubtful = len(rows) > 1 and len(rows) > OFTEN * labelled
        found.append(RuleFound(rule.words, int(spoken.sum()), labelled, len(rows), breaches, doubtful))
    return found


def _frequencies(home: Home, known: ProjectRules) -> list[Frequency]:
    """Compare known frequencies with exam and audits, which chance chose; all together err at 5 %.

    Not with exam images that were drawn where a model may err: these are of some classes more often than the pool is.
    """
    if not known.stated:
        return []
    state = standing(home)
    drawn = state.random | np.array([role == "audit" for role in state.roles], dtype=bool)
    labels = state.labels[drawn & state.in_pool & (state.labels != UNLABELLED)]
    found = []
    for name, share in known.stated.items():
        count = int((labels == home.config.classes.index(name)).sum())
        ends = wilson(count, len(labels), 1 - 0.05 / len(known.stated))
        outside = len(labels) >= FEWEST and not ends.low <= share <= ends.high
        counted = count / len(labels) if len(labels) else 0.0
        found.append(Frequency(name, share, len(labels), counted, ends.low, ends.high, outside))
    return found


def _measured(home: Home, known: ProjectRules) -> tuple[Parents | None, str | None]:
    if not known.parents:
        return None, None
    try:
        answers = exam_answers(home)
    except (ExamError, LearningError, FeaturesError) as error:
        return None, f"accuracy of parents cannot be told: {error}"
    classes = sorted({name for one in answers for name in (one.label, one.predicted)})
    parent_of = {name: parent for parent, names in known.parents.items() for name in names}
    named = sorted({parent_of.get(name, name) for name in classes})
    parents = np.array([named.index(parent_of.get(name, name)) for name in classes])
    truth = np.array([classes.index(one.label) for one in answers])
    said = np.array([classes.index(one.predicted) for one in answers])
    share, within = parent_accuracy(truth, said, parents)
    wrong = int((truth != said).sum())
    return Parents(len(answers), float((truth == said).mean()), share, wrong, within), None


def _rule(one: RuleFound) -> list[str]:
    if not one.images:
        return [f"{one.words}: no image of the pool is meant"]
    said = (
        f"{one.words}: {one.broken:,} of {counted(one.labelled, 'label')} {'breaks' if one.broken == 1 else 'break'} it"
    )
    said += f" ({counted(one.images, 'image', ('is', 'are'))} meant)"
    if not one.broken:
        return [said]
    which = "so many that the rule may be wrong" if one.doubtful else "these labels are probably wrong"
    named = listed([f"{plain(each.key)} {plain(each.label)}" for each in one.breaches], 5)
    return [f"{said}; {which}:", f"  {named}"]


def _frequency(one: Frequency) -> str:
    if one.n < FEWEST:
        return (
            f"{one.name} is said to be {one.stated:.1%}: {counted(one.n, 'label')} that chance chose "
            f"{'is' if one.n == 1 else 'are'} too few to compare with"
        )
    found = f"{one.counted:.1%} of {counted(one.n, 'label')} that chance chose are ({one.low:.1%} to {one.high:.1%})"
    return f"{one.name} is said to be {one.stated:.1%}: {found}" + (
        ", which contradicts it" if one.contradicted else ""
    )


def _parents(one: Parents) -> str:
    return (
        f"on {counted(one.n, 'exam image')} the model names the parent of {one.parent_accuracy:.1%} and the class of "
        f"{one.accuracy:.1%}: {one.within:,} of {counted(one.mistakes, 'mistake')} "
        f"{'stays' if one.within == 1 else 'stay'} within a parent"
    )
