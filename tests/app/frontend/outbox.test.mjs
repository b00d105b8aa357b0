import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeStorage, load, plain } from "./load.mjs";

const event = (uid, more = {}) => ({ uid, image: 1, kind: "label", label: "ok", target: null, shown_ms: 5, batch: 1, ...more });
const acked = (sent) => ({ ok: true, status: 200, json: async () => ({ acked: sent.map((one) => one.uid), refused: [] }) });
const status = (number, error) => ({ ok: false, status: number, json: async () => ({ error }) });

// An outbox whose server is the function `answer(events)`; `posts` holds what it was sent.
function outboxWith(answer, { storage = new FakeStorage(), alone = false } = {}) {
  const posts = [];
  const answers = [];
  const browser = {
    localStorage: storage,
    navigator: {},
    addEventListener: () => {},
    fetch: async (_url, { body }) => {
      const { events } = JSON.parse(body);
      posts.push(events);
      return answer(events);
    },
  };
  browser.window = { addEventListener: () => {}, setTimeout, clearTimeout };
  const { Outbox } = load(["outbox.js"], ["Outbox"], browser);
  const options = { project: "p", annotator: "ana", url: "/api/annotations", token: "t", line: browser, onChange: () => {} };
  const outbox = new Outbox({ ...options, onAnswer: (...told) => answers.push(plain(told)) });
  if (!alone) outbox.schedule = () => {}; // the tests say when it sends
  return { outbox, posts, answers, storage, uids: () => plain(outbox.pending()).map((one) => one.uid).join(" ") };
}

test("an event stays until the server has it, and leaves in the order it was said", async () => {
  const { outbox, posts, uids } = outboxWith(acked);
  for (const uid of ["a", "b", "c"]) outbox.add(event(uid));
  assert.equal(uids(), "a b c");
  await outbox.send();
  assert.equal(uids(), "");
  assert.deepEqual(posts.map((sent) => sent.map((one) => one.uid)), [["a", "b", "c"]]);
  assert.deepEqual(Object.keys(posts[0][0]).filter((name) => ["t", "local"].includes(name)), []);
});

test("times rise strictly, also within a millisecond", () => {
  const { outbox } = outboxWith(acked);
  for (let i = 0; i < 50; i++) outbox.add(event(`e${i}`));
  const times = plain(outbox.pending()).map((one) => one.t);
  assert.equal(new Set(times).size, 50);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
});

test("nothing is lost where the server is away, and what is sent twice has the same uid", async () => {
  let away = true;
  const { outbox, posts, uids } = outboxWith((sent) => {
    if (away) throw new TypeError("Failed to fetch");
    return acked(sent);
  });
  outbox.add(event("a"));
  await outbox.send();
  assert.equal(uids(), "a");
  assert.equal(outbox.fails, 1);
  away = false;
  outbox.add(event("b"));
  await outbox.send();
  assert.equal(uids(), "");
  assert.equal(outbox.fails, 0);
  assert.deepEqual(posts.map((sent) => sent.map((one) => one.uid)), [["a"], ["a", "b"]]);
});

test("a page that is no JSON, and an error of the server, keep everything", async () => {
  const page = { ok: true, status: 200, json: async () => JSON.parse("<html>") };
  for (const answer of [page, status(503, "the disk is full"), status(403, "no such token")]) {
    const { outbox, uids } = outboxWith(() => answer);
    outbox.add(event("a"));
    await outbox.send();
    assert.equal(uids(), "a");
    assert.equal(outbox.fails, 1);
  }
});

test("what an earlier page left is sent by the next one", async () => {
  const storage = new FakeStorage();
  outboxWith(() => status(503), { storage }).outbox.add(event("a"));
  const { outbox, posts, uids } = outboxWith(acked, { storage });
  await outbox.send();
  assert.equal(posts[0][0].uid, "a");
  assert.equal(uids(), "");
});

test("another annotator's events are left alone", async () => {
  const storage = new FakeStorage();
  storage.setItem("annotate-select:p:ben:x", JSON.stringify({ ...event("x"), t: 1 }));
  const { outbox, posts } = outboxWith(acked, { storage });
  outbox.add(event("a"));
  await outbox.send();
  assert.deepEqual(posts.map((sent) => sent.map((one) => one.uid)), [["a"]]);
  assert.equal(storage.length, 1);
});

test("a refused event leaves and is told", async () => {
  const refuse = (sent) => ({ ok: true, status: 200, json: async () => ({ acked: ["b"], refused: [["a", `no ${sent.length}`]] }) });
  const { outbox, answers, uids } = outboxWith(refuse);
  outbox.add(event("a"), { key: "1.png" });
  outbox.add(event("b"));
  await outbox.send();
  assert.equal(uids(), "");
  assert.deepEqual(answers[0][0].refused, [["a", "no 2"]]);
  assert.equal(answers[0][1][0].local.key, "1.png");
});

test("one event that the server cannot read does not hold up the others", async () => {
  const { outbox, answers, uids } = outboxWith((sent) => (sent.some((one) => one.uid === "bad") ? status(400, "too odd") : acked(sent)));
  for (const uid of ["a", "b", "bad", "c", "d"]) outbox.add(event(uid));
  await outbox.send();
  assert.equal(uids(), "");
  const refused = answers.flatMap(([answer]) => answer.refused);
  const kept = answers.flatMap(([answer]) => answer.acked);
  assert.deepEqual(refused, [["bad", "too odd"]]);
  assert.deepEqual(kept.sort(), ["a", "b", "c", "d"]);
});

test("a full storage keeps events in memory, and they are sent all the same", async () => {
  const { outbox, storage, uids } = outboxWith(acked);
  outbox.add(event("a"));
  storage.full = true;
  outbox.add(event("b"));
  assert.equal(uids(), "a b");
  await outbox.send();
  assert.equal(uids(), "");
});

test("more than fit one request go in several", async () => {
  const { outbox, posts } = outboxWith(acked);
  for (let i = 0; i < 450; i++) outbox.add(event(`e${i}`));
  await outbox.send();
  assert.deepEqual(posts.map((sent) => sent.length), [200, 200, 50]);
});

test("damaged entries are dropped and others still go", async () => {
  const storage = new FakeStorage();
  storage.setItem("annotate-select:p:ana:x", "{half");
  const { outbox, posts } = outboxWith(acked, { storage });
  outbox.add(event("a"));
  await outbox.send();
  assert.deepEqual(posts.map((sent) => sent.map((one) => one.uid)), [["a"]]);
  assert.equal(storage.length, 0);
});

test("however fast things are said, also while others are on their way, all of it is sent soon", async () => {
  const { outbox, posts, uids } = outboxWith(async (sent) => {
    await new Promise((done) => setTimeout(done, 40));
    return acked(sent);
  }, { alone: true });
  for (let i = 0; i < 30; i++) {
    outbox.add(event(`e${i}`));
    await new Promise((done) => setTimeout(done, 5));
  }
  assert.ok(posts.length > 0); // more that is said puts nothing off
  for (let tries = 0; uids() && tries < 200; tries++) await new Promise((done) => setTimeout(done, 20));
  assert.equal(uids(), "");
});
