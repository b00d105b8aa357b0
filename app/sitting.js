// One annotator at work: the timeline, the queue that feeds it, the outbox that what is said goes into, and their other
// tabs. Knows nothing of the screen.

const ASK = 40; // images asked of the queue at once: they are kept from other annotators, so not all there are
const REFILL_BELOW = 20;
const POLL = 4000; // milliseconds between two questions when nothing is left to label
const RENEW = 240000; // the queue keeps images for us for 10 minutes: ask again before that

/**
 * @typedef {{event?: Kept, reason: string}} Refusal
 * @typedef {{
 *   project: string, annotator: string, token: string, events_url: string, queue_url: string,
 * }} Place where the sitting takes place
 * @typedef {{
 *   arrived: (started: boolean) => void, unanswered: () => void, changed: () => void,
 *   elsewhere: (event: Fact, item: Item) => void, refused: (refusals: Refusal[]) => void,
 * }} Hearers
 */

class Sitting {
  /**
   * @param {Place} place
   * @param {Hearers} on
   * @param {Line} line
   */
  constructor({ project, annotator, token, events_url, queue_url }, on, line) {
    this.on = on;
    this.timeline = new Timeline();
    this.closed = this.filling = this.loaded = this.exhausted = this.ownQueue = false;
    this.problem = "";
    /** @type {Refusal[]} */
    this.refusals = [];
    this.outbox = new Outbox({
      project,
      annotator,
      url: events_url,
      token,
      line,
      onAnswer: (outcome, sent) => this.answered(outcome, sent),
      onChange: () => on.changed(),
    });
    this.feed = new Feed(queue_url, token, this.outbox.prefix + queue_url, line);
    this.others = new BroadcastChannel(this.outbox.prefix);
    this.others.onmessage = ({ data: event }) => on.elsewhere(event, this.timeline.apply(event));
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.others.close();
    this.outbox.close();
  }

  async begin() {
    await this.outbox.send(); // what an earlier page left, so that the queue answers with it in mind
    await this.refill();
  }

  // Ask the server what to show; on failure, or when nothing is left, ask again later.
  async refill() {
    if (this.filling || this.closed) return;
    this.filling = true;
    clearTimeout(this.timer);
    try {
      const answer = await this.feed.ask({ n: ASK });
      this.problem = "";
      this.takeIn(answer);
    } catch (error) {
      this.problem = error.said ?? "the server does not answer; trying again";
      this.on.unanswered();
    }
    this.filling = false;
    this.timer = setTimeout(() => this.refill(), this.timeline.openCount && !this.problem ? RENEW : POLL);
    this.on.changed();
  }

  /** @param {Answer} answer */
  takeIn(answer) {
    const first = !this.loaded;
    this.loaded = true;
    if (first) this.timeline.restore(answer.recent ?? [], this.outbox.pending());
    const asleep = !this.timeline.current;
    const complete = answer.items.length < ASK;
    const fresh = this.timeline.merge(answer.items, complete);
    this.exhausted = complete && fresh === 0;
    this.ownQueue = answer.progress !== undefined; // and not a list to review
    this.feed.count(answer.progress ?? { left: this.timeline.openCount, by_me: this.timeline.said.length });
    this.on.arrived(first || asleep || !this.timeline.current);
  }

  // Ask for more before it runs out.
  topUp() {
    if (this.loaded && this.timeline.openCount < REFILL_BELOW && !this.exhausted) this.refill();
    else if (!this.timeline.current) this.refill();
  }

  /**
   * @param {{kind: string, label: string | null, target: string | null, note?: string}} what
   * @param {Item} item
   * @param {number | null} shownMs
   */
  emit(what, item, shownMs) {
    const event = { uid: newUid(), image: item.id, ...what, shown_ms: shownMs, batch: item.batch };
    const before = item.open;
    this.timeline.apply(event);
    item.earlier = null;
    const local = { key: item.key, why: item.why, step: Number(before) - Number(item.open) };
    this.outbox.add(event, local);
    this.others.postMessage({ ...event, key: item.key, why: item.why });
  }

  /**
   * Take back what was said last, and go to its image; return it, or null where there is nothing.
   * @returns {Said | null}
   */
  undo() {
    const last = this.timeline.said.at(-1);
    const item = last && this.timeline.byId.get(last.image);
    if (!item) return null;
    this.emit({ kind: "undo", label: null, target: last.uid }, item, null);
    item.earlier = last;
    this.timeline.goTo(item.id);
    return last;
  }

  /**
   * The server has answered for `sent`: what it refused is open again, and said.
   * @param {Outcome} outcome
   * @param {Kept[]} sent
   */
  answered(outcome, sent) {
    for (const [uid, reason] of outcome.refused) {
      const event = sent.find((one) => one.uid === uid);
      this.refusals.push({ reason, event });
      if (event && event.kind !== "undo") this.timeline.apply({ ...event, kind: "undo", target: uid });
    }
    if (outcome.refused.length) this.on.refused(this.refusals);
    if (outcome.progress && this.ownQueue) this.feed.count(outcome.progress);
  }

  // How many images of this round are done, there are, and are left, with what is on its way to the server.
  get progress() {
    const { progress, total } = this.feed;
    if (!progress) return null;
    const steps = this.outbox.pending().reduce((n, event) => n + (event.local?.step ?? 0), 0);
    const left = this.ownQueue ? Math.max(0, progress.left - steps) : this.timeline.openCount;
    return { done: Math.max(0, total - left), total, left, byMe: progress.by_me };
  }
}
