import assert from "node:assert/strict";
import { test } from "node:test";
import { load, plain } from "./load.mjs";

const { Supply, actOf } = load(["keys.js", "bulk_supply.js", "bulk_keys.js"], ["Supply", "actOf"], { HTMLInputElement: class {} });

const group = (...ids) => ({ label: null, images: ids.map((id) => ({ id, key: `k${id}`, score: 1 })) });

// A supply whose server gives these answers one after the other, then nothing; `asked` holds the questions.
function supplied(answers, { shown = null, unsent = [] } = {}) {
  const asked = [];
  const feed = {
    ask: async (question) => {
      asked.push(question);
      const answer = answers.shift() ?? { groups: [] };
      if (answer instanceof Error) throw answer;
      return { left: 0, predicted: {}, taken: [], recent: [], ...answer };
    },
  };
  const told = [];
  const supply = new Supply(feed, {
    unsent: () => unsent,
    shown: () => (typeof shown === "function" ? shown() : shown),
    arrived: () => told.push("arrived"),
    failed: (why) => told.push(why),
  });
  return { supply, asked, told };
}

const settled = () => new Promise((done) => setTimeout(done, 5));

test("images that are on screen, said, left out or in store already are not given again", async () => {
  const answer = { groups: [group(1, 2, 3, 4), group(5)], left: 9 };
  const { supply, asked } = supplied([answer, { groups: [group(4, 6)] }], { shown: group(1), unsent: [2] });
  supply.aside.add(3);
  supply.start({ by: "cluster", of: "", n: 12 });
  await settled();
  assert.deepEqual(plain(supply.queue), plain([group(4), group(5)]));
  assert.deepEqual([asked[0].keep, asked[0].without], ["1", "3,2"]);
  assert.equal(supply.left, 4 + 3 + 1); // not here yet, here, left out
  await supply.refill();
  assert.deepEqual(plain(supply.queue), plain([group(4), group(5), group(6)]));
  assert.equal(asked[1].keep, "1,4,5");
  supply.close();
});

test("what was left out comes again once nothing else does", async () => {
  const { supply, asked } = supplied([{ groups: [] }, { groups: [group(3)] }]);
  supply.aside.add(3);
  supply.start({ by: "cluster", of: "", n: 12 });
  await settled();
  assert.equal(supply.take(), null);
  supply.replenish();
  await settled();
  assert.deepEqual([asked[0].without, asked[1].without], ["3", ""]);
  assert.deepEqual(plain(supply.take()), plain(group(3)));
  supply.close();
});

test("what is on screen is kept while more is asked for", async () => {
  let shown = null;
  const { supply, asked } = supplied([{ groups: [group(1), group(2)] }, { groups: [group(3)] }], { shown: () => shown });
  supply.start({ by: "cluster", of: "", n: 12 });
  await settled();
  for (const keep of ["", "2"]) {
    shown = supply.take();
    supply.replenish();
    await settled();
    assert.equal(asked.at(-1).keep, keep);
  }
  assert.deepEqual(plain(supply.queue), plain([group(3)]));
  supply.close();
});

test("an answer to an earlier wish is dropped", async () => {
  const { supply, asked } = supplied([{ groups: [group(1)] }, { groups: [group(2)] }]);
  supply.start({ by: "cluster", of: "", n: 12 });
  supply.start({ by: "similar", of: "k2", n: 12 });
  await settled();
  assert.deepEqual(plain(supply.queue), plain([group(2)]));
  assert.equal(asked.at(-1).of, "k2");
  supply.close();
});

test("what somebody else has leaves the store", async () => {
  const { supply } = supplied([{ groups: [group(1, 2), group(3)] }, { groups: [], taken: [1, 3] }]);
  supply.start({ by: "cluster", of: "", n: 12 });
  await settled();
  await supply.refill();
  assert.deepEqual(plain(supply.queue), plain([group(2)]));
  supply.close();
});

test("why there is no answer is told", async () => {
  const { supply, told } = supplied([Object.assign(new Error(), { said: "there is no model yet" })]);
  supply.start({ by: "prediction", of: "ok", n: 12 });
  await settled();
  assert.deepEqual(told, ["there is no model yet"]);
  supply.close();
});

test("keys choose classes, change cells, and are otherwise not ours", () => {
  const done = [];
  const note = (name) => (...given) => done.push([name, ...given]);
  const page = {
    grid: { toggle: note("toggle"), toggleAll: note("all"), more: note("more"), move: note("move") },
    screen: { classes: { focusFilter: note("filter") }, toggleHelp: note("help") },
    label: note("label"),
    later: note("later"),
    undo: note("undo"),
  };
  const act = (key, more = {}) => actOf({ key, code: "", shiftKey: false, ...more }, new Map([["1", "ok"], ["k", "crack"]]), page);
  for (const key of ["1", "k", " ", "+", "-", "Enter", "s", "z", "Backspace", "?", "/", "ArrowUp", "End"]) act(key)();
  act("ArrowDown", { shiftKey: true })();
  assert.deepEqual(plain(done), [
    ["label", "ok"], ["label", "crack"], ["toggle", false], ["all", true], ["all", false], ["more"], ["later"], ["undo"],
    ["undo"], ["help"], ["filter"], ["move", "ArrowUp", false], ["move", "End", false], ["move", "ArrowDown", true],
  ]);
  const count = done.length;
  for (const key of ["9", "c", "R"]) act(key)(); // swallowed
  assert.equal(done.length, count);
  assert.equal(act("q"), null);
  assert.equal(act("F5"), null);
});
