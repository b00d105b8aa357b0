import assert from "node:assert/strict";
import { test } from "node:test";
import { load, plain } from "./load.mjs";

class HTMLInputElement {
  constructor(type) {
    this.type = type;
    this.tagName = "INPUT";
  }
}
const { meaningOf, isForSomebodyElse } = load(["keys.js"], ["meaningOf", "isForSomebodyElse"], { HTMLInputElement });
const CLASSES = new Map([["1", "ok"], ["k", "crack"], ["shift+1", "eleventh"], [";", "odd"]]);

const pressed = (key, more = {}) => ({ key, code: "", shiftKey: false, composedPath: () => [{}], ...more });
const meaning = (key, more) => plain(meaningOf(pressed(key, more), CLASSES));

test("digits, own keys and characters choose classes", () => {
  assert.deepEqual(meaning("1"), { kind: "label", label: "ok" });
  assert.deepEqual(meaning("k"), { kind: "label", label: "crack" });
  assert.deepEqual(meaning("K"), { kind: "label", label: "crack" }); // caps lock
  assert.deepEqual(meaning(";"), { kind: "label", label: "odd" });
});

test("a digit is the key's place where the layout shifts digits", () => {
  assert.deepEqual(meaning("&", { code: "Digit1" }), { kind: "label", label: "ok" }); // French
  assert.deepEqual(meaning("!", { code: "Digit1", shiftKey: true }), { kind: "label", label: "eleventh" });
});

test("a digit without a class, and what Streamlit would take, is swallowed", () => {
  for (const key of ["2", "9", "0", "c", "R"]) assert.deepEqual(meaning(key), {});
});

test("a letter of another alphabet is the Latin one in its place", () => {
  assert.deepEqual(meaning("ы", { code: "KeyS" }), { kind: "skip" });
  assert.deepEqual(meaning("л", { code: "KeyK" }), { kind: "label", label: "crack" });
});

test("a shifted letter is none of ours", () => {
  assert.equal(meaning("K", { shiftKey: true }), null);
  assert.equal(meaning("Z", { shiftKey: true }), null);
});

test("arrows look around, with shift they move the zoomed image", () => {
  assert.deepEqual(meaning("ArrowLeft"), { look: -1 });
  assert.deepEqual(meaning("ArrowLeft", { shiftKey: true }), { view: "left" });
  assert.equal(meaning("ArrowUp"), null);
});

test("everything else is somebody else's", () => {
  for (const key of ["q", "Tab", "F5", "Escape"]) assert.equal(meaning(key), null);
});

test("typing, shortcuts and input methods are no decisions", () => {
  const in_ = (target) => ({ composedPath: () => [target] });
  assert.equal(isForSomebodyElse(pressed("1"), false), false);
  for (const modifier of ["ctrlKey", "metaKey", "altKey", "isComposing"]) {
    assert.equal(isForSomebodyElse(pressed("1", { [modifier]: true }), false), true);
  }
  for (const tagName of ["INPUT", "TEXTAREA", "SELECT"]) {
    assert.equal(isForSomebodyElse(pressed("1", in_({ tagName })), false), true);
  }
  assert.equal(isForSomebodyElse(pressed("1", in_({ isContentEditable: true })), false), true);
});

test("a slider takes the keys that move it, and no others", () => {
  const slider = { composedPath: () => [new HTMLInputElement("range")] };
  assert.equal(isForSomebodyElse(pressed("ArrowLeft", slider), false), true);
  assert.equal(isForSomebodyElse(pressed("1", slider), false), false);
});

test("space and enter press the button of someone who walks with Tab", () => {
  const button = { composedPath: () => [{ tagName: "BUTTON" }] };
  for (const key of [" ", "Enter"]) {
    assert.equal(isForSomebodyElse(pressed(key, button), true), true);
    assert.equal(isForSomebodyElse(pressed(key, button), false), false);
  }
  assert.equal(isForSomebodyElse(pressed("1", button), true), false);
});
