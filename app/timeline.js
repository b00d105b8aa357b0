// The images of this sitting in the order they are seen, what was said of each, and what can be undone.
// Knows neither the screen nor the network.

/**
 * @typedef {{uid: string, image: number, kind: string, label: string | null, note?: string | null}} Said
 * @typedef {Said & {target?: string | null, key?: string, why?: string}} Fact an event as it is folded into the timeline
 * @typedef {{label: string, probability: number}} Suggestion
 * @typedef {{annotator: string, kind: string, label: string | null, note?: string | null}} Opinion
 * @typedef {{id: number, key: string, why?: string, batch?: number | null, suggestion?: Suggestion | null}} Listed
 * an image as the server's queue lists it
 * @typedef {Required<Listed> & {
 *   choice: Said | null, flag: Said | null, earlier?: Said | null, open: boolean, touched?: boolean,
 *   opinions?: Opinion[] | null,
 * }} Item `choice` is what stands of its class, `flag` the last note that stands, `earlier` what was just taken back
 */

class Timeline {
  constructor() {
    /** @type {Item[]} */
    this.items = [];
    /** @type {Map<number, Item>} */
    this.byId = new Map();
    /** @type {Said[]} what stands, oldest first */
    this.said = [];
    this.at = -1;
  }

  get current() {
    return this.items[this.at] ?? null;
  }

  get openCount() {
    return this.items.reduce((n, item) => n + Number(item.open), 0);
  }

  /**
   * What was said before this page was opened: the server's `recent`, then what it has not got yet.
   * @param {Fact[]} recent newest first
   * @param {(Fact & {local?: {key?: string, why?: string}})[]} pending oldest first
   */
  restore(recent, pending) {
    const known = new Set(this.said.map((one) => one.uid));
    for (const one of [...recent].reverse()) if (!known.has(one.uid)) this.apply(one);
    for (const event of pending) {
      if (this.said.some((one) => one.uid === event.uid)) continue;
      this.apply({ ...event, key: event.local?.key, why: event.local?.why });
    }
  }

  /**
   * Take in the server's queue; return how many images are new.
   * @param {Listed[]} queue
   * @param {boolean} complete whether it holds all there is to see
   */
  merge(queue, complete) {
    const before = this.items.length;
    for (const one of queue) if (!this.byId.has(one.id)) this.push({ ...one, open: true });
    if (complete) this.dropTaken(new Set(queue.map((one) => one.id)));
    if (!this.openCount) this.reopenSkipped(queue);
    return this.items.length - before;
  }

  /**
   * Somebody else has settled what the server lists no more; what was touched or is on screen here stays.
   * @param {Set<number>} listed
   */
  dropTaken(listed) {
    const current = this.current;
    const kept = this.items.filter((item) => !item.open || item.touched || item === current || listed.has(item.id));
    for (const item of this.items) if (!kept.includes(item)) this.byId.delete(item.id);
    this.items = kept;
    this.at = current ? kept.indexOf(current) : -1;
  }

  /**
   * Skipped means later, and later is when nothing else is left.
   * @param {Listed[]} queue
   */
  reopenSkipped(queue) {
    const current = this.current;
    for (const { id } of queue) {
      const item = this.byId.get(id);
      if (item?.choice?.kind !== "skip") continue;
      this.items.splice(this.items.indexOf(item), 1);
      this.items.push(item);
      item.open = true;
    }
    this.at = current ? this.items.indexOf(current) : -1;
  }

  /**
   * Fold one event, made here or in another tab, into what stands. A flag says nothing of the class.
   * @param {Fact} event
   */
  apply(event) {
    const { uid, image, kind, label, note } = event;
    const item = this.byId.get(image) ?? this.push({ id: image, key: event.key ?? "", why: event.why ?? "" });
    if (kind === "undo") this.said = this.said.filter((one) => one.uid !== event.target);
    else this.said.push({ uid, image, kind, label, note });
    const standing = this.said.filter((one) => one.image === image);
    item.choice = standing.findLast((one) => one.kind !== "flag") ?? null;
    item.flag = standing.findLast((one) => one.kind === "flag") ?? null;
    item.open = item.choice === null;
    item.touched = true;
    return item;
  }

  /**
   * @param {Listed & {open?: boolean}} listed
   * @returns {Item}
   */
  push(listed) {
    const item = { why: "", batch: null, suggestion: null, choice: null, flag: null, open: false, ...listed };
    this.items.push(item);
    this.byId.set(item.id, item);
    return item;
  }

  // Go to the next image that waits for a decision: onwards first, then what was left open before.
  advance() {
    const n = this.items.length;
    for (let step = 1; step <= n; step++) {
      const place = (this.at + step) % n;
      if (this.items[place].open) return (this.at = place);
    }
    return (this.at = n);
  }

  /**
   * Look at a neighbour without changing anything.
   * @param {number} step
   */
  look(step) {
    const place = this.at + step;
    if (place < 0 || place >= this.items.length) return false;
    this.at = place;
    return true;
  }

  /** @param {number} id */
  goTo(id) {
    const item = this.byId.get(id);
    if (item) this.at = this.items.indexOf(item);
  }

  /**
   * The images that come next, for prefetching.
   * @param {number} n
   */
  ahead(n) {
    return this.items.slice(Math.max(0, this.at)).filter((item) => item.open).slice(0, n);
  }
}
