import assert from "node:assert/strict";
import { test } from "node:test";
import { load, plain } from "./load.mjs";

const json = (content, status = 200) => new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json" } });
const page = (status) => new Response("<html></html>", { status, headers: { "Content-Type": "text/html" } });
const reply = (id, content, status = 200) => ({ id, status, type: "application/json", body: btoa(JSON.stringify(content)) });
const tick = (ms = 30) => new Promise((done) => setTimeout(done, ms));

// Waits for what a busy machine may need longer for than a tick.
async function until(there) {
  for (let i = 0; i < 1000 && !there(); i++) await tick(10);
}

// A line whose server is the function `answer(url)`; `asked` holds the addresses fetched, `told` what the state was set to.
function lineWith(answer) {
  const asked = [];
  const told = [];
  const browser = {
    fetch: async (url) => {
      asked.push(url);
      return answer(url);
    },
    Response, Headers, URL, Uint8Array, atob, crypto,
  };
  const { Line } = load(["basics.js", "line.js"], ["Line"], browser);
  const slowly = [];
  const line = new Line((one) => told.push(plain(one)), (why) => slowly.push(why));
  return { line, asked, told, slowly: () => slowly.length };
}

test("where the routes answer, nothing goes through the state, whatever they answer", async () => {
  for (const status of [200, 403, 404, 503]) {
    const { line, told, asked } = lineWith(() => json({ error: "no" }, status));
    assert.equal((await line.fetch("/api/queue")).status, status);
    assert.deepEqual([told, asked, line.slow], [[], ["/api/queue"], false]);
    line.close();
  }
});

test("a server that is away, or a proxy's page about it, is no reason to think the routes missing", async () => {
  const away = lineWith(() => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(away.line.fetch("/api/queue"), /Failed to fetch/);
  const proxy = lineWith(() => page(502));
  assert.equal((await proxy.line.fetch("/api/queue")).status, 502);
  const flicker = lineWith((url) => (url === "/api/ping" ? json({}) : page(404))); // it was there a moment later
  assert.equal((await flicker.line.fetch("/api/queue")).status, 404);
  assert.deepEqual([away.line.slow, proxy.line.slow, flicker.line.slow], [false, false, false]);
});

test("where the routes are missing, requests go by the state, all that wait each time, one sending on its way", async () => {
  const { line, told, slowly } = lineWith(() => page(200));
  const options = { method: "POST", headers: { "X-Annotate-Token": "p.t" }, body: '{"events": []}' };
  const first = line.fetch("/api/annotations", options);
  await tick();
  const second = line.fetch("/api/queue?n=40", { headers: { "X-Annotate-Token": "p.t" } });
  await tick();
  assert.equal(told.length, 1); // the second waits until the first is answered
  const [{ n, calls }] = told;
  assert.deepEqual({ ...calls[0], id: "" }, { id: "", method: "POST", url: "/api/annotations", token: "p.t", body: '{"events": []}' });

  line.hear({ n: n - 1, replies: [] }); // what was answered before this page
  await tick();
  assert.equal(told.length, 1);
  line.hear({ n, replies: [reply(calls[0].id, { acked: ["a"] }), reply("unknown", {})] });
  assert.deepEqual(await (await first).json(), { acked: ["a"] });
  await tick();
  assert.equal(told.length, 2);
  assert.deepEqual(told[1].calls.map(({ url }) => url), ["/api/queue?n=40"]);
  line.hear({ n: told[1].n, replies: [reply(told[1].calls[0].id, { error: "no" }, 403)] });
  assert.equal((await second).status, 403);
  assert.equal(slowly(), 1);
  line.close();
});

test("a server that forgot is told again, with the same request", async () => {
  const { line, told } = lineWith(() => page(404));
  line.wait = 40;
  const waiting = line.fetch("/api/queue");
  await tick(150);
  assert.ok(told.length >= 2);
  assert.deepEqual(told[1].calls, told[0].calls);
  assert.ok(told[1].n > told[0].n);
  line.hear({ n: told.at(-1).n, replies: [reply(told[0].calls[0].id, { items: [] })] });
  assert.deepEqual(await (await waiting).json(), { items: [] });
  assert.equal(line.wait, 3000);
  line.close();
});

test("who stops waiting gets an error, and is not asked for again", async () => {
  const { line, told } = lineWith(() => page(404));
  const stop = new AbortController();
  const waiting = line.fetch("/api/queue", { signal: stop.signal });
  await until(() => told.length > 0);
  stop.abort(new Error("too long"));
  await assert.rejects(waiting, /too long/);
  line.hear({ n: told[0].n, replies: [] });
  await tick();
  assert.equal(told.length, 1);
  line.close();
});
