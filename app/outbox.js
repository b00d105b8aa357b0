// What was said here and is not yet known to be on the server's disk.
//
// One localStorage key an event, so that two tabs of one annotator never overwrite each other; whoever holds the Web
// Lock sends, in the order things were said. An event leaves only when the server acknowledged or refused it, so a
// reload, a crash, a closed tab or a dead server loses nothing: whatever opens next sends what is left.

const MOST_AT_ONCE = 200;
const LONGEST_WAIT = 15000; // milliseconds between two attempts
const TIMEOUT = 20000;
const AFTER_PAINT = 25; // milliseconds until what was said is sent: it is kept already, and the next image comes first

/**
 * @typedef {{
 *   uid: string, image: number, kind: string, label: string | null, target: string | null, note?: string | null,
 *   shown_ms: number | null, batch: number | null,
 * }} NewEvent
 * @typedef {{key?: string, why?: string, step?: number}} Local what only this screen needs of an event
 * @typedef {NewEvent & {said_at: string, t: number, local?: Local}} Kept
 * @typedef {{acked: string[], refused: [uid: string, reason: string][], progress?: {left: number, by_me: number}}} Outcome
 */

class Outbox {
  /**
   * @param {{
   *   project: string, annotator: string, url: string, token: string, line: Line,
   *   onAnswer: (answer: Outcome, sent: Kept[]) => void, onChange: () => void,
   * }} options
   */
  constructor({ project, annotator, url, token, line, onAnswer, onChange }) {
    this.prefix = `annotate-select:${project}:${encodeURIComponent(annotator)}:`;
    this.url = url;
    this.token = token;
    this.line = line;
    this.onAnswer = onAnswer;
    this.onChange = onChange;
    /** @type {Map<string, Kept>} events for which localStorage had no room */
    this.unstored = new Map();
    /** @type {number | undefined} */
    this.timer = undefined;
    this.due = 0; // when it ends
    this.sending = false;
    this.closed = false;
    this.fails = 0;
    this.problem = "";
    this.most = MOST_AT_ONCE;
    this.clock = Math.max(0, ...this.pending().map((event) => event.t));
    this.listening = new AbortController();
    const { signal } = this.listening;
    window.addEventListener("online", () => this.send(), { signal });
    window.addEventListener("pagehide", () => this.sendLast(), { signal });
    const ours = (/** @type {StorageEvent} */ e) => e.key === null || e.key.startsWith(this.prefix);
    window.addEventListener("storage", (e) => ours(e) && this.onChange(), { signal });
  }

  close() {
    this.listening.abort();
    clearTimeout(this.timer);
    this.closed = true;
    this.sendLast();
  }

  /**
   * Keep an event, and send it.
   * @param {NewEvent} event
   * @param {Local} [local]
   */
  add(event, local) {
    this.clock = Math.max(Date.now(), this.clock + 1); // strictly rising: the order of arrival decides what counts
    const kept = { ...event, said_at: new Date(this.clock).toISOString(), t: this.clock, local };
    try {
      localStorage.setItem(this.prefix + event.uid, JSON.stringify(kept));
    } catch {
      this.unstored.set(event.uid, kept);
    }
    this.onChange();
    this.schedule(AFTER_PAINT);
    return kept;
  }

  /**
   * Everything not yet acknowledged, of all tabs of this annotator, oldest first.
   * @returns {Kept[]}
   */
  pending() {
    const events = [...this.unstored.values()];
    for (let i = 0; i < localStorage.length; i++) {
      const name = localStorage.key(i) ?? "";
      if (!name.startsWith(this.prefix)) continue;
      try {
        events.push(JSON.parse(localStorage.getItem(name) ?? "null"));
      } catch {
        localStorage.removeItem(name); // not ours: we write whole JSON
      }
    }
    return events.filter((event) => event?.uid).sort((a, b) => a.t - b.t);
  }

  /** @param {string[]} uids */
  forget(uids) {
    for (const uid of uids) {
      this.unstored.delete(uid);
      localStorage.removeItem(this.prefix + uid);
    }
  }

  /** @param {number} wait milliseconds at most: what is to be sent before that stays so, however fast more is said */
  schedule(wait) {
    const due = Date.now() + wait;
    if (this.closed || (this.timer !== undefined && due >= this.due)) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = window.setTimeout(() => {
      this.timer = undefined;
      this.send();
    }, wait);
  }

  // Send until nothing is left; after a failure try again later, ever less often.
  async send() {
    if (this.sending || this.closed) return;
    this.sending = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    try {
      // Locks and randomUUID exist only on https and localhost; without the lock a double sending is harmless.
      await (navigator.locks ? navigator.locks.request(this.prefix, () => this.drain()) : this.drain());
      this.fails = 0;
      this.problem = "";
    } catch (error) {
      this.fails += 1;
      this.problem = error.said ?? "";
      this.schedule(Math.min(LONGEST_WAIT, 250 * 2 ** this.fails) * (0.75 + Math.random() / 2));
    } finally {
      this.sending = false;
      this.onChange();
      if (!this.fails && this.pending().length) this.schedule(0);
    }
  }

  async drain() {
    for (let events = this.pending(); events.length && !this.closed; events = this.pending()) {
      const sent = events.slice(0, this.most);
      const response = await this.post(sent, { signal: AbortSignal.timeout(TIMEOUT) });
      const answer = await this.read(response);
      if (response.ok && Array.isArray(answer.acked)) {
        this.forget(answer.acked);
        this.forget(answer.refused.map((/** @type {[string, string]} */ [uid]) => uid));
        this.most = MOST_AT_ONCE;
        this.onAnswer(answer, sent);
      } else if ([400, 413].includes(response.status)) {
        this.isolate(sent, answer.error); // one event is at fault: find it, and let the others through
      } else {
        throw Object.assign(new Error(String(response.status)), { said: answer.error });
      }
      this.onChange();
    }
  }

  /**
   * @param {Kept[]} sent
   * @param {string} [reason]
   */
  isolate(sent, reason) {
    if (sent.length > 1) {
      this.most = Math.ceil(sent.length / 2);
      return;
    }
    this.forget([sent[0].uid]);
    this.most = MOST_AT_ONCE;
    this.onAnswer({ acked: [], refused: [[sent[0].uid, reason ?? "the server could not read it"]] }, sent);
  }

  /** @param {Response} response */
  async read(response) {
    try {
      return await response.json();
    } catch {
      throw new Error("not JSON"); // a proxy's page, or the server is going down
    }
  }

  /**
   * @param {Kept[]} events
   * @param {RequestInit} options
   */
  post(events, options) {
    const body = JSON.stringify({ events: events.map(({ t, local, ...event }) => event) });
    const headers = { "Content-Type": "application/json", "X-Annotate-Token": this.token };
    return this.line.fetch(this.url, { method: "POST", headers, body, ...options });
  }

  // The page goes away: a last attempt that outlives it. Nothing is forgotten, so at worst it is sent twice.
  sendLast() {
    const events = this.pending().slice(0, 150); // keepalive takes 64 kB
    if (events.length) this.post(events, { keepalive: true }).catch(() => {});
  }
}
