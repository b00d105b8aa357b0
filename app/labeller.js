// The labelling screen: shows one image, takes keys and clicks, hands events to the outbox.
//
// What makes it safe:
//   a key counts only for the image that was painted when it was pressed; otherwise it is refused, visibly;
//   auto-repeat, modifiers, input methods and typing in fields are no decisions, nor is a key while a dialog is open;
//   one instance an element: Streamlit calls the default export again whenever `data` changes.
// Text from outside reaches the page only as textContent.

const AHEAD = 24; // images fetched before they are needed
const REFILL_BELOW = 20;
const ASK = 40; // images asked of the queue at once: they are kept from other annotators, so not all there are
const FEW = 5; // an empty queue that grows by more has got a new batch
const POLL = 4000; // milliseconds between two questions when nothing is left to label
const RENEW = 240000; // the queue keeps images for us for 10 minutes: ask again before that
const DOUBLE_CLICK = 250; // the second click of a double click must not label the next image
const NO_ROUTES = "this page was not started by `annotate-select app`, so labels cannot be stored; start it that way";

const instances = new WeakMap();

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let labeller = instances.get(parentElement);
  if (!labeller) {
    labeller = new Labeller(parentElement.querySelector(".labeller"), data);
    instances.set(parentElement, labeller);
  }
  labeller.tell = setStateValue;
  labeller.trigger = setTriggerValue;
  return () => {
    labeller.close();
    instances.delete(parentElement);
  };
}

class Labeller {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.timeline = new Timeline();
    this.refusals = [];
    this.refusedKeys = 0;
    this.toldEmpty = data.told_empty;
    this.screen = new Screen(root, data, {
      decide: (e, kind, label) => this.click(e, kind, label),
      goTo: (id) => this.goTo(id),
      leave: () => this.trigger("leave", true),
    });
    this.screen.setMessage("Opening the queue …", "");
    const width = this.widthNeeded();
    this.pictures = new Pictures((id) => `${data.image_url}/${id}?w=${width}&t=${encodeURIComponent(data.token)}`);
    this.outbox = new Outbox({
      project: data.project,
      annotator: data.annotator,
      url: data.events_url,
      token: data.token,
      onAnswer: (answer, sent) => this.answered(answer, sent),
      onChange: () => this.showSaved(),
    });
    this.others = new BroadcastChannel(this.outbox.prefix);
    this.others.onmessage = ({ data: event }) => this.otherTab(event);
    this.listeners = [
      ["keydown", (e) => this.key(e)],
      ["pointerdown", () => (this.tabbing = false)],
      ["resize", () => this.screen.fit()],
    ];
    for (const [type, listener] of this.listeners) window.addEventListener(type, listener, true);
    this.dialogs = new MutationObserver(closeConnectionDialog);
    this.dialogs.observe(document.body, { childList: true });
    // Remembered for the next visit, where the page offers the name again.
    document.cookie = `annotate_select_name=${encodeURIComponent(data.annotator)}; path=/; max-age=31536000; samesite=lax`;
    if (data.debug) window.__labeller = this;
    this.begin();
  }

  close() {
    this.closed = true;
    for (const [type, listener] of this.listeners) window.removeEventListener(type, listener, true);
    clearTimeout(this.timer);
    clearTimeout(this.retry);
    this.dialogs.disconnect();
    this.others.close();
    this.outbox.close();
  }

  // --- the queue ---------------------------------------------------------------------------------------------------

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
      const response = await fetch(`${this.data.queue_url}?n=${ASK}`, {
        headers: { "X-Annotate-Token": this.data.token },
        signal: AbortSignal.timeout(TIMEOUT),
      });
      if (!response.headers.get("content-type")?.startsWith("application/json")) throw { said: NO_ROUTES };
      const answer = await response.json();
      if (!response.ok) throw { said: answer.error };
      this.problem = "";
      this.takeIn(answer);
    } catch (error) {
      this.problem = error.said ?? "the server does not answer; trying again";
      if (!this.timeline.current) this.show();
    }
    this.filling = false;
    this.timer = setTimeout(() => this.refill(), this.timeline.openCount && !this.problem ? RENEW : POLL);
    this.showSaved();
  }

  takeIn(answer) {
    const first = !this.loaded;
    this.loaded = true;
    if (first) this.timeline.restore(answer.recent, this.outbox.pending());
    const asleep = !this.timeline.current;
    const complete = answer.items.length < ASK;
    const fresh = this.timeline.merge(answer.items, complete);
    this.exhausted = complete && fresh === 0;
    this.count(answer.progress);
    if (first || asleep || !this.timeline.current) this.next();
    else this.prefetch();
  }

  next() {
    this.timeline.advance();
    this.show();
    if (this.loaded && this.timeline.openCount < REFILL_BELOW && !this.exhausted) this.refill();
    else if (!this.timeline.current) this.refill();
  }

  otherTab(event) {
    const onScreen = this.timeline.current;
    const item = this.timeline.apply(event);
    if (item !== onScreen) return this.screen.setRecent(this.timeline.said, this.pictures.urlOf);
    if (!document.hasFocus()) return this.next(); // nobody is about to press a key for what is on screen
    this.screen.hint(`another tab of yours just decided this image: ${event.kind === "undo" ? "taken back" : said(event)}`);
    this.screen.setItem(item, this.note(item));
    this.screen.hero.classList.remove("wait");
  }

  // A round is what the queue grew to: it begins anew when the queue was empty and is filled again, not by an undo.
  count(progress) {
    const name = `annotate-select-round:${this.outbox.prefix}`;
    const before = JSON.parse(localStorage.getItem(name) ?? '{"total": 0, "left": 0}');
    const anew = progress.left > before.total || (before.left === 0 && progress.left > FEW);
    this.total = anew ? progress.left : before.total;
    localStorage.setItem(name, JSON.stringify({ total: this.total, left: progress.left }));
    this.progress = progress;
    this.showProgress();
  }

  // --- decisions ---------------------------------------------------------------------------------------------------

  key(e) {
    if (e.key === "Tab") this.tabbing = true;
    if (isForSomebodyElse(e, this.tabbing) || visibleDialogs().length) return;
    const meaning = meaningOf(e, this.data.classes) ?? (this.screen.helpOpen ? NOTHING : null);
    if (!meaning) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    if (!e.repeat) this.obey(meaning, e.key);
  }

  obey(meaning, key) {
    if (meaning.help || (this.screen.helpOpen && key === "Escape")) this.screen.toggleHelp();
    else if (this.screen.helpOpen) return; // it covers the image
    else if (meaning.look) this.look(meaning.look);
    else if (meaning.kind) this.decide(meaning.kind, meaning.label);
  }

  decide(kind, label = null) {
    if (kind === "undo") return this.undo();
    const item = this.timeline.current;
    if (!item) return;
    if (this.shown !== item.id) return this.tooFast();
    if (this.broken && kind === "label") return this.screen.hint("nothing recorded: this image cannot be shown");
    this.emit({ kind, label, target: null }, item, Math.round(performance.now() - this.shownAt));
    this.screen.say(`${said({ kind, label })}.`);
    this.next();
  }

  click(e, kind, label) {
    if (this.screen.helpOpen) return this.screen.toggleHelp(); // it covers the image
    if (e.detail > 1 && performance.now() - this.shownAt < DOUBLE_CLICK) return this.tooFast();
    this.decide(kind, label);
  }

  undo() {
    const last = this.timeline.said.at(-1);
    if (!last) return this.screen.hint("nothing to undo");
    const item = this.timeline.byId.get(last.image);
    this.emit({ kind: "undo", label: null, target: last.uid }, item, null);
    item.earlier = last;
    this.timeline.goTo(item.id);
    this.screen.say(`taken back: ${said(last)}.`);
    this.show();
  }

  emit(what, item, shownMs) {
    const event = { uid: newUid(), image: item.id, ...what, shown_ms: shownMs, batch: item.batch };
    const before = item.open;
    this.timeline.apply(event);
    item.earlier = null;
    const local = { key: item.key, why: item.why, step: Number(before) - Number(item.open) };
    this.outbox.add(event, local);
    this.others.postMessage({ ...event, key: item.key, why: item.why });
    this.showProgress();
  }

  look(step) {
    if (!this.timeline.look(step)) return this.screen.hint(step < 0 ? "this is the first image" : "this is the last image");
    this.show();
  }

  goTo(id) {
    this.timeline.goTo(id);
    this.show();
  }

  tooFast() {
    this.refusedKeys += 1;
    this.root.dataset.refusedKeys = this.refusedKeys;
    this.screen.hint("too fast: the image was not on screen yet, so nothing was recorded");
  }

  // The server has answered for `sent`: what it refused is open again, and said.
  answered(answer, sent) {
    for (const [uid, reason] of answer.refused) {
      const event = sent.find((one) => one.uid === uid);
      this.refusals.push({ reason, event });
      if (event && event.kind !== "undo") this.timeline.apply({ ...event, kind: "undo", target: uid });
    }
    if (answer.refused.length) this.screen.setRefused(this.refusals);
    if (answer.progress) this.count(answer.progress);
  }

  // --- the screen --------------------------------------------------------------------------------------------------

  // Put the present image on the screen; keys count for it from when it is painted.
  async show() {
    const item = this.timeline.current;
    const turn = (this.turn = {});
    clearTimeout(this.retry);
    this.shown = null;
    this.broken = false;
    this.screen.setItem(item, this.note(item));
    this.screen.setRecent(this.timeline.said, this.pictures.urlOf);
    this.tellEmpty(item === null && this.loaded === true);
    if (!item) return this.showEmpty();
    this.prefetch();
    const image = this.pictures.get(item.id);
    const problem = image.complete && image.naturalWidth ? null : await image.ready;
    if (turn !== this.turn) return;
    if (problem) return this.showBroken(item, problem, turn);
    this.screen.setImage(image, item);
    this.whenPainted(item, turn);
  }

  // Each telling runs the page's script, so only a change is told.
  tellEmpty(empty) {
    if (empty === this.toldEmpty) return;
    this.toldEmpty = empty;
    this.tell?.("empty", empty);
  }

  whenPainted(item, turn) {
    painted(() => {
      if (turn !== this.turn) return;
      this.shown = item.id;
      this.shownAt = performance.now();
    });
  }

  note(item) {
    if (item?.choice) return `You said: ${said(item.choice)}. Choose again to change it, or go on with →`;
    return item?.earlier ? `Taken back: ${said(item.earlier)}` : "";
  }

  showEmpty() {
    if (this.problem) return this.screen.setMessage("The queue cannot be read", this.problem);
    if (!this.loaded) return;
    this.screen.setMessage("Nothing left to label at the moment", "← or z to look at your last decisions again.");
  }

  // The file is unreadable: it can be rejected or skipped. Or the network is away: try again until it is back.
  showBroken(item, problem, turn) {
    this.pictures.forget(item.id);
    this.broken = true;
    if (problem.retry) {
      this.screen.setMessage("Waiting for this image", "the server does not answer; what you decided is kept");
      this.retry = setTimeout(() => this.show(), 1500);
      return;
    }
    this.screen.setMessage("This image cannot be shown", `${problem.said}. Reject it (x) or skip it (s).`);
    this.whenPainted(item, turn);
  }

  widthNeeded() {
    const box = this.screen.hero.getBoundingClientRect();
    return Math.ceil(Math.max(box.width, box.height, 320) * (window.devicePixelRatio || 1));
  }

  prefetch() {
    const behind = this.timeline.items.slice(Math.max(0, this.timeline.at - AHEAD), this.timeline.at + 1);
    this.pictures.keep(this.timeline.ahead(AHEAD).map((item) => item.id), behind.map((item) => item.id));
  }

  showProgress() {
    if (!this.progress) return;
    const steps = this.outbox.pending().reduce((n, event) => n + (event.local?.step ?? 0), 0);
    const left = Math.max(0, this.progress.left - steps);
    this.screen.setProgress(Math.max(0, this.total - left), this.total, left, this.progress.by_me);
  }

  showSaved() {
    const offline = this.outbox.fails > 0 || (Boolean(this.problem) && !this.loaded);
    this.screen.setSaved(this.outbox.pending().length, offline, this.outbox.problem);
  }
}
