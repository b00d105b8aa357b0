// Labelling many at once: a group of images that belong together, all of them in, some clicked out, one key for the rest.
//
// What makes it safe:
//   a class is given to exactly the cells that are in and have been painted when the key is pressed; one event an image,
//   with its own id, through the same outbox as single labels;
//   a group that has only just come, auto-repeat, modifiers, typing in fields and open dialogs label nothing;
//   what was not painted, cannot be shown, or is somebody else's by now stays without a label, and is marked.

const LOOK = 400; // milliseconds nobody can judge a group in: a second press of the same key is no decision on the next

/** @type {WeakMap<HTMLElement, Bulk>} */
const bulks = new WeakMap();

/** @param {{data: BulkData, parentElement: HTMLElement, setStateValue: Tell, setTriggerValue: Tell}} mounted */
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let bulk = bulks.get(parentElement);
  if (!bulk) {
    bulk = new Bulk(/** @type {HTMLElement} */ (parentElement.querySelector(".bulk")), data, setStateValue);
    bulks.set(parentElement, bulk);
  }
  bulk.tell = setStateValue;
  bulk.line.hear(data.heard);
  bulk.trigger = setTriggerValue;
  const mounted = bulk;
  return () => {
    mounted.close();
    bulks.delete(parentElement);
  };
}

class Bulk {
  /**
   * @param {HTMLElement} root
   * @param {BulkData} data
   * @param {Tell} tell
   */
  constructor(root, data, tell) {
    this.root = root;
    this.data = data;
    this.names = data.about.map(({ name }) => name);
    this.classOf = new Map(data.about.flatMap(({ name, key }) => (key ? [[key, name]] : [])));
    this.closed = this.tabbing = false;
    /** @type {Group | null} */
    this.group = null;
    this.shownAt = 0; // when the first cell of the group was painted, 0 before
    /** @type {Record<string, number>} */
    this.predicted = {};
    /** @type {number | undefined} the frame in which changes will be drawn */
    this.drawing = undefined;
    /** @type {{key: string, reason: string}[]} */
    this.refusals = [];
    /** @type {Tell} */
    this.trigger = () => {};
    this.tell = tell;
    const line = (this.line = new Line((told) => this.tell("calls", told), (why) => this.slowDown(why)));
    this.outbox = new Outbox({
      project: data.project,
      annotator: data.annotator,
      url: data.events_url,
      token: data.token,
      line,
      onAnswer: (answer, sent) => this.answered(answer, sent),
      onChange: () => this.soon(),
    });
    const name = `annotate-select-bulk:${this.outbox.prefix}`;
    this.memory = new Memory(name);
    this.taste = this.memory.taste;
    this.supply = new Supply(new Feed(data.alike_url, data.token, name, line), {
      unsent: () => this.outbox.pending().map((event) => event.image),
      shown: () => this.group,
      arrived: (answer) => this.arrived(answer),
      failed: (why) => this.group || this.screen.setMessage("There are no groups to show", why),
    });
    this.supply.aside = new Set(this.memory.aside);
    this.pictures = new Pictures((id, width) => this.urlOf(id, width), 128, line);
    this.grid = new Grid({ changed: () => this.soon(), more: (cell) => this.setWay({ by: "similar", of: cell.key }) });
    this.screen = new BulkScreen(root, data, this.grid.panel, {
      way: (way) => this.setWay(way),
      size: (n) => this.setTaste({ n }),
      cells: (pixels) => this.setPixels(pixels),
      choose: (label) => this.click(label),
      all: (on) => this.grid.toggleAll(on),
      later: () => this.later(),
      undo: () => this.undo(),
      leave: () => this.trigger("leave", true),
    });
    this.screen.number.value = String(this.taste.n);
    this.screen.slider.value = String(this.taste.pixels);
    this.setPixels(this.taste.pixels);
    this.listen();
    if (data.debug) Object.assign(window, { __bulk: this });
    this.begin();
  }

  listen() {
    this.others = new BroadcastChannel(this.outbox.prefix);
    this.others.onmessage = ({ data: event }) => event.kind !== "undo" && this.grid.take(new Set([event.image]));
    this.listening = new AbortController();
    const { signal } = this.listening;
    window.addEventListener("keydown", (e) => this.key(e), { capture: true, signal });
    window.addEventListener("pointerdown", () => (this.tabbing = false), { capture: true, signal });
    window.addEventListener("resize", () => this.screen.fit(), { capture: true, signal });
    this.dialogs = new MutationObserver(closeConnectionDialog);
    this.dialogs.observe(document.body, { childList: true });
  }

  close() {
    this.closed = true;
    this.listening?.abort();
    this.dialogs?.disconnect();
    this.others?.close();
    this.grid.close();
    this.supply.close();
    this.outbox.close();
    this.line.close();
  }

  // --- which groups --------------------------------------------------------------------------------------------------

  async begin() {
    this.screen.setMessage(SEEKING);
    await this.outbox.send(); // what an earlier page left, so that no image of it comes again
    this.seek();
  }

  /** @param {Way} way */
  setWay({ by, of }) {
    this.supply.aside.clear();
    this.setTaste({ by, of: by === "prediction" && !of ? this.names[0] : of });
  }

  /**
   * Group anew, in another way or size.
   * @param {Partial<Wish>} changed
   */
  setTaste(changed) {
    this.memory.setTaste(changed);
    this.seek();
  }

  seek() {
    const { by, of, n } = this.taste;
    this.group = null;
    this.clear();
    this.screen.setWay({ by, of }, this.names, this.predicted);
    this.screen.setMessage(SEEKING);
    this.supply.start({ by, of, n });
  }

  /** @param {AlikeAnswer} answer */
  arrived(answer) {
    const mine = new Set(this.memory.images.map(({ id }) => id));
    this.grid.take(new Set(answer.taken.filter((id) => !mine.has(id))));
    this.predicted = answer.predicted;
    this.screen.setWay(this.taste, this.names, this.predicted);
    this.screen.setRecent(answer.recent, (image, id) => this.line.show(image, this.urlOf(id)));
    if (!this.group) this.next();
    this.showWork();
  }

  next() {
    const again = this.supply.aside.size > 0;
    this.group = this.supply.take();
    this.supply.replenish();
    if (this.group) return this.show(this.group, new Set());
    this.clear();
    this.screen.setNothing(this.taste, again, this.supply.dry);
    this.memory.store(this.supply.aside);
  }

  clear() {
    this.shownAt = 0;
    this.grid.show([], this.pictures, String);
    this.screen.setTitle("");
    this.showWork();
  }

  /**
   * @param {Group} group
   * @param {Set<number>} out ids that are not in
   */
  show(group, out) {
    this.shownAt = 0;
    this.pictures.width = Math.ceil(this.taste.pixels * (window.devicePixelRatio || 1));
    this.screen.setMessage("");
    this.screen.setTitle(titleOf(group, this.taste));
    const again = this.grid.focused;
    this.grid.show(group.images, this.pictures, (score) => (group.label === null ? "" : percent(score)), out);
    if (again) this.grid.goTo(0);
    this.showWork();
  }

  // --- decisions -----------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.key === "Tab") this.tabbing = true;
    if (isForSomebodyElse(e, this.tabbing) || visibleDialogs().length) return;
    const act = actOf(e, this.classOf, this) ?? (this.screen.helpOpen ? () => {} : null);
    if (!act) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    if (this.screen.helpOpen) this.screen.toggleHelp();
    else if (!e.repeat || e.key.startsWith("Arrow")) act();
  }

  /** @param {string} label */
  click(label) {
    if (this.screen.helpOpen) return this.screen.toggleHelp(); // it covers the images
    this.label(label);
  }

  // Give a class to every image that is in and was seen. What of the group is still to be seen stays.
  /** @param {string} label */
  label(label) {
    if (!this.group) return;
    if (!this.shownAt || performance.now() - this.shownAt < LOOK) return this.refuse("too fast: these images have only just come");
    const chosen = this.grid.chosen;
    if (!chosen.length) return this.refuse("every image is out, so nothing was recorded");
    const each = Math.round((performance.now() - this.shownAt) / chosen.length);
    const uids = new Map(chosen.map(({ id, key }) => [id, this.say({ image: id, kind: "label", label, target: null }, key, each)]));
    this.finish(label, uids);
  }

  later() {
    if (this.group) this.finish("", new Map());
  }

  /**
   * Go on, and remember the group as it was.
   * @param {string} said the class, or nothing where the group is left for later
   * @param {Map<number, string>} uids of the events, by image
   */
  finish(said, uids) {
    const { cells, unseen } = this.grid;
    const label = this.group?.label ?? null;
    const images = cells.map(({ id, key, score, selected }) => ({ id, key, score, selected, uid: uids.get(id) ?? null }));
    this.memory.add({ label, said, images });
    const rest = said ? unseen : [];
    for (const cell of cells) if (!uids.has(cell.id) && !rest.includes(cell)) this.supply.aside.add(cell.id);
    this.memory.store(this.supply.aside);
    const left = cells.filter((cell) => cell.selected && cell.state !== "painted").length;
    this.screen.say(said ? `${counted(uids.size)}: ${said}` : "left for later");
    if (rest.length) {
      this.group = { label, images: rest.map(({ id, key, score }) => ({ id, key, score })) };
      this.show(this.group, new Set());
      this.screen.hint(`${uids.size} labelled ${said}; ${rest.length} had not been seen yet`);
    } else {
      this.next();
      if (said && left) this.screen.hint(`${uids.size} labelled ${said}; ${left} could not be shown, or are not yours any more`);
    }
  }

  // Take the last group back, whole, and show it as it was.
  undo() {
    const last = this.memory.take();
    if (!last) return this.screen.hint("nothing to undo");
    for (const { id, key, uid } of last.images) {
      if (uid) this.say({ image: id, kind: "undo", label: null, target: uid }, key, null);
      this.supply.aside.delete(id);
    }
    const again = new Set(last.images.map(({ id }) => id));
    const present = this.group;
    if (present && !present.images.every(({ id }) => again.has(id))) this.supply.queue.unshift(present);
    this.group = { label: last.label, images: last.images.map(({ id, key, score }) => ({ id, key, score })) };
    this.memory.store(this.supply.aside);
    this.show(this.group, new Set(last.images.filter(({ selected }) => !selected).map(({ id }) => id)));
    this.screen.say(last.said ? `taken back: ${last.said}` : "back again");
  }

  /**
   * Keep one event, and tell the other tabs.
   * @param {{image: number, kind: string, label: string | null, target: string | null}} what
   * @param {string} key
   * @param {number | null} shownMs
   * @returns {string} its uid
   */
  say(what, key, shownMs) {
    const event = { uid: newUid(), ...what, shown_ms: shownMs, batch: null };
    this.outbox.add(event, { key });
    this.others?.postMessage({ ...event, key, why: "" });
    return event.uid;
  }

  /** @param {string} why */
  refuse(why) {
    this.root.dataset.refusedKeys = String(Number(this.root.dataset.refusedKeys) + 1);
    this.screen.hint(why);
  }

  /**
   * The server has answered for `sent`: what it refused has no label, and is said.
   * @param {Outcome} answer
   * @param {Kept[]} sent
   */
  answered(answer, sent) {
    const keyOf = new Map(sent.map((event) => [event.uid, event.local?.key ?? `image ${event.image}`]));
    this.refusals.push(...answer.refused.map(([uid, reason]) => ({ key: keyOf.get(uid) ?? "a label", reason })));
    const refused = new Set(answer.refused.map(([uid]) => uid));
    this.memory.refuse(refused);
    if (refused.size) this.screen.setRefused(this.refusals);
    if (sent.some(({ kind }) => kind === "undo")) this.supply.refill(); // so that what is open again is kept for us
  }

  // --- what is kept and shown ----------------------------------------------------------------------------------------

  // Sixty events change sixty things: draw them once.
  soon() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = undefined;
      if (!this.closed) this.showWork();
    });
  }

  showWork() {
    const { cells, chosen, unseen } = this.grid;
    if (!this.shownAt && cells.some(({ state }) => state === "painted")) this.shownAt = performance.now();
    const lost = cells.filter(({ state }) => state === "broken" || state === "taken").length;
    const parts = [unseen.length && `${unseen.length} not seen yet`, lost && `${lost} cannot be labelled`].filter(Boolean);
    this.screen.setCount(chosen.length, cells.length, parts.map((part) => `, ${part}`).join(""));
    const { left, queue } = this.supply;
    this.screen.left.textContent = left ? `${left.toLocaleString("en")} left to group` : "";
    this.root.dataset.chosen = String(chosen.length);
    const offline = this.outbox.fails > 0;
    this.screen.setSaved(this.outbox.pending().length, offline, this.outbox.problem);
    const ahead = unseen.length ? [] : (queue[0]?.images ?? []); // first what is to be seen now
    const kept = [...cells, ...(queue[0]?.images ?? [])];
    this.pictures.keep(ahead.map(({ id }) => id), kept.map(({ id }) => id));
  }

  /** @param {string} why */
  slowDown(why) {
    this.root.dataset.slow = "yes";
    if (this.group) this.screen.hint(why);
    else this.screen.setMessage(SEEKING, why);
  }

  /** @param {number} pixels */
  setPixels(pixels) {
    this.memory.setTaste({ pixels });
    this.root.style.setProperty("--cell", `${pixels}px`);
  }

  /** @param {number} id */
  urlOf(id, width = 128) {
    return `${this.data.image_url}/${id}?w=${width}&t=${encodeURIComponent(this.data.token)}`;
  }
}
