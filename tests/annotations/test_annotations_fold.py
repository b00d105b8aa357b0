"""Random sequences of events, against the plainest fold there is."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, current_annotations, history, record
from annotate_select.annotations.fold import rebuild_current, verify_current
from annotate_select.annotations.images import ImageRecord, add_images

ANNOTATORS = st.sampled_from(["ana", "bob"])
IMAGES = st.integers(1, 3)
UIDS = st.integers(0, 12).map(lambda n: f"u{n}")  # few, so that they meet again
KINDS = st.sampled_from(["label", "label", "skip", "unsure", "reject"])
LABELS = st.sampled_from(["cat", "dog"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    uid, image_id, annotator = draw(UIDS), draw(IMAGES), draw(ANNOTATORS)
    if draw(st.booleans()):
        kind = draw(KINDS)
        return Event(uid, image_id, annotator, kind, draw(LABELS) if kind == "label" else None)
    return Event(uid, image_id, annotator, "undo", target_uid=draw(UIDS))


class Model:
    """The log as a list; what is said now is found by walking through all of it."""

    def __init__(self) -> None:
        self.log: list[Event] = []

    def refuses(self, event: Event) -> bool:
        by_uid = {one.uid: one for one in self.log}
        if event.uid in by_uid:
            return by_uid[event.uid] != event
        target = by_uid.get(event.target_uid or "")
        if event.kind != "undo" or target is None:
            return False
        same = (target.annotator, target.image_id) == (event.annotator, event.image_id)
        return target.kind == "undo" or not same

    def send(self, event: Event) -> bool:
        if self.refuses(event):
            return False
        if all(one.uid != event.uid for one in self.log):
            self.log.append(event)
        return True

    def now(self) -> dict[tuple[int, str], tuple[str, str, str | None]]:
        taken_back = {(one.annotator, one.image_id, one.target_uid) for one in self.log if one.kind == "undo"}
        said = {}
        for one in self.log:
            if one.kind != "undo" and (one.annotator, one.image_id, one.uid) not in taken_back:
                said[one.image_id, one.annotator] = (one.uid, one.kind, one.label)
        return said


class FoldMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.db = Database.create(Path(self.folder.name) / "a.db")
        add_images(self.db, [ImageRecord(f"k{i}", "s", f"k{i}", f"{i:032x}", 1, 1, 1, 1) for i in range(3)])
        self.model = Model()

    @rule(sent=st.lists(events(), min_size=1, max_size=8))
    def send(self, sent: list[Event]) -> None:
        expected = [self.model.send(event) for event in sent]
        outcome = record(self.db, sent)
        assert outcome.acked == [event.uid for event, good in zip(sent, expected, strict=True) if good]
        assert [uid for uid, _ in outcome.refused] == [
            event.uid for event, good in zip(sent, expected, strict=True) if not good
        ]

    @rule()
    def send_all_again(self) -> None:
        assert record(self.db, self.model.log).refused == []

    @rule()
    def rebuild(self) -> None:
        rebuild_current(self.db)

    @invariant()
    def the_fold_is_right(self) -> None:
        found = {(one.image_id, one.annotator): (one.uid, one.kind, one.label) for one in current_annotations(self.db)}
        assert found == self.model.now()
        assert verify_current(self.db)
        assert [one.uid for one in history(self.db)] == [one.uid for one in self.model.log]

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()


TestFold = FoldMachine.TestCase
TestFold.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
