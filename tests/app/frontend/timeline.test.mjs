import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Timeline } = load(["timeline.js"], ["Timeline"]);

const listed = (...ids) => ids.map((id) => ({ id, key: `${id}.png`, why: "", batch: 1 }));
const label = (uid, image, name = "ok") => ({ uid, image, kind: "label", label: name });
const undo = (uid, image, target) => ({ uid, image, kind: "undo", label: null, target });
const ids = (items) => items.map((item) => item.id).join(" ");

function timelineOf(...numbers) {
  const timeline = new Timeline();
  timeline.merge(listed(...numbers), true);
  timeline.advance();
  return timeline;
}

test("images are shown in the queue's order, each until it is decided", () => {
  const timeline = timelineOf(1, 2, 3);
  assert.equal(timeline.current.id, 1);
  timeline.apply(label("a", 1));
  timeline.advance();
  assert.equal(timeline.current.id, 2);
  assert.equal(timeline.openCount, 2);
});

test("an undo opens the image again, and what was said before stands", () => {
  const timeline = timelineOf(1, 2);
  timeline.apply(label("a", 1, "ok"));
  timeline.apply(label("b", 1, "dent"));
  assert.equal(timeline.byId.get(1).choice.label, "dent");
  timeline.apply(undo("c", 1, "b"));
  assert.equal(timeline.byId.get(1).choice.label, "ok");
  timeline.apply(undo("d", 1, "a"));
  assert.equal(timeline.byId.get(1).open, true);
  assert.equal(timeline.said.length, 0);
});

test("a flag says nothing of the class and can be taken back", () => {
  const timeline = timelineOf(1);
  timeline.apply({ uid: "f", image: 1, kind: "flag", label: null, note: "two objects" });
  const item = timeline.byId.get(1);
  assert.equal(item.open, true);
  assert.equal(item.choice, null);
  assert.equal(item.flag.note, "two objects");
  timeline.apply(label("a", 1));
  assert.equal(item.choice.label, "ok");
  timeline.apply(undo("u", 1, "f"));
  assert.equal(item.flag, null);
  assert.equal(item.choice.label, "ok");
});

test("what is open behind comes after what is ahead", () => {
  const timeline = timelineOf(1, 2, 3);
  timeline.goTo(3);
  timeline.apply(label("a", 3));
  timeline.advance();
  assert.equal(timeline.current.id, 1);
});

test("at the end there is nothing, and new images are found", () => {
  const timeline = timelineOf(1);
  timeline.apply(label("a", 1));
  timeline.advance();
  assert.equal(timeline.current, null);
  assert.equal(timeline.merge(listed(2), true), 1);
  timeline.advance();
  assert.equal(timeline.current.id, 2);
});

test("looking back and forth changes nothing and ends at the ends", () => {
  const timeline = timelineOf(1, 2);
  assert.equal(timeline.look(-1), false);
  assert.equal(timeline.look(1), true);
  assert.equal(timeline.look(1), false);
  assert.equal(timeline.current.id, 2);
  assert.equal(timeline.openCount, 2);
});

test("what others settled goes, but not from under a finger, nor what was touched", () => {
  const timeline = timelineOf(1, 2, 3, 4);
  timeline.apply({ uid: "f", image: 3, kind: "flag", label: null, note: "?" });
  timeline.merge(listed(4), true);
  assert.equal(ids(timeline.items), "1 3 4"); // 1 is on screen, 3 was touched
  assert.equal(timeline.current.id, 1);
  timeline.merge(listed(4), false);
  assert.equal(ids(timeline.items), "1 3 4"); // a part of the queue says nothing of the rest
});

test("skipped images come again when nothing else is left", () => {
  const timeline = timelineOf(1, 2);
  timeline.apply({ uid: "a", image: 1, kind: "skip", label: null });
  timeline.advance();
  timeline.merge(listed(1, 2), true);
  assert.equal(timeline.byId.get(1).open, false); // 2 is still open
  timeline.apply(label("b", 2));
  timeline.advance();
  timeline.merge(listed(1), true);
  timeline.advance();
  assert.equal(timeline.current.id, 1);
});

test("an earlier visit is restored once: what the server knows, then what it has not got yet", () => {
  const timeline = new Timeline();
  const recent = [label("b", 2, "dent"), label("a", 1, "ok")]; // newest first
  const pending = [label("b", 2, "dent"), label("c", 3, "crack")];
  timeline.restore(recent, pending);
  assert.equal(timeline.said.map((one) => one.uid).join(""), "abc");
  timeline.restore(recent, []);
  assert.equal(timeline.said.length, 3);
});

test("what comes next is open", () => {
  const timeline = timelineOf(1, 2, 3, 4);
  timeline.apply(label("a", 2));
  assert.equal(ids(timeline.ahead(2)), "1 3");
});
