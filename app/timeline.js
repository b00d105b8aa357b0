// The images of this sitting in the order they are seen, what was said of each, and what can be undone.
// Knows neither the screen nor the network.

class Timeline {
  constructor() {
    this.items = []; // {id, key, why, batch, choice, open, touched}
    this.byId = new Map();
    this.said = []; // decisions that stand, oldest first: {uid, image, kind, label}
    this.at = -1;
  }

  get current() {
    return this.items[this.at] ?? null;
  }

  get openCount() {
    return this.items.reduce((n, item) => n + item.open, 0);
  }

  // What was said before this page was opened: the server's `recent`, then what it has not got yet.
  restore(recent, pending) {
    const known = new Set(this.said.map((one) => one.uid));
    for (const one of [...recent].reverse()) if (!known.has(one.uid)) this.apply({ ...one, key: one.key });
    for (const event of pending) {
      if (this.said.some((one) => one.uid === event.uid)) continue;
      this.apply({ ...event, key: event.local?.key, why: event.local?.why });
    }
  }

  // Take in the server's queue; return how many images are new. `complete`: it holds all there is to see.
  merge(queue, complete) {
    const before = this.items.length;
    for (const one of queue) if (!this.byId.has(one.id)) this.push({ ...one, choice: null, open: true });
    if (complete) this.dropTaken(new Set(queue.map((one) => one.id)));
    if (!this.openCount) this.reopenSkipped(queue);
    return this.items.length - before;
  }

  // Somebody else has settled what the server lists no more; what was touched or is on screen here stays.
  dropTaken(listed) {
    const current = this.current;
    const kept = this.items.filter((item) => !item.open || item.touched || item === current || listed.has(item.id));
    for (const item of this.items) if (!kept.includes(item)) this.byId.delete(item.id);
    this.items = kept;
    this.at = kept.indexOf(current);
  }

  // Skipped means later, and later is when nothing else is left.
  reopenSkipped(queue) {
    const current = this.current;
    for (const { id } of queue) {
      const item = this.byId.get(id);
      if (item?.choice?.kind !== "skip") continue;
      this.items.splice(this.items.indexOf(item), 1);
      this.items.push(item);
      item.open = true;
    }
    this.at = this.items.indexOf(current);
  }

  // Fold one event, made here or in another tab, into what stands.
  apply(event) {
    const item = this.byId.get(event.image) ?? this.push({ id: event.image, key: event.key ?? "", why: event.why ?? "" });
    if (event.kind === "undo") this.said = this.said.filter((one) => one.uid !== event.target);
    else this.said.push({ uid: event.uid, image: event.image, kind: event.kind, label: event.label });
    item.choice = this.said.findLast((one) => one.image === item.id) ?? null;
    item.open = item.choice === null;
    item.touched = true;
    return item;
  }

  push(item) {
    const whole = { why: "", batch: null, choice: null, open: false, ...item };
    this.items.push(whole);
    this.byId.set(whole.id, whole);
    return whole;
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

  // Look at a neighbour without changing anything.
  look(step) {
    const place = this.at + step;
    if (place < 0 || place >= this.items.length) return false;
    this.at = place;
    return true;
  }

  goTo(id) {
    this.at = this.items.indexOf(this.byId.get(id));
  }

  // The images that come next, for prefetching.
  ahead(n) {
    return this.items.slice(Math.max(0, this.at)).filter((item) => item.open).slice(0, n);
  }
}
