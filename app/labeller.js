// The labelling screen: shows one image, takes keys and clicks, hands events to the outbox.
//
// What makes it safe:
//   a key counts only for the image that was painted when it was pressed; otherwise it is refused, visibly;
//   auto-repeat, modifiers, input methods and typing in fields are no decisions, nor is a key while a dialog is open;
//   one instance an element: Streamlit calls the default export again whenever `data` changes.
// A reviewer uses the same screen: what they choose is final, and what others said is hidden until they spoke.

const DOUBLE_CLICK = 250; // the second click of a double click must not label the next image
/**
 * @typedef {{
 *   data: Data, parentElement: HTMLElement, setStateValue: Tell, setTriggerValue: Tell,
 * }} Mounted what Streamlit gives a component
 * @type {WeakMap<HTMLElement, Labeller>}
 */
const instances = new WeakMap();

/** @param {Mounted} mounted */
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let labeller = instances.get(parentElement);
  if (!labeller) {
    const root = /** @type {HTMLElement} */ (parentElement.querySelector(".labeller"));
    labeller = new Labeller(root, data, setStateValue);
    instances.set(parentElement, labeller);
  }
  labeller.tell = setStateValue;
  labeller.line.hear(data.heard);
  labeller.trigger = setTriggerValue;
  const mounted = labeller;
  return () => {
    mounted.close();
    instances.delete(parentElement);
  };
}

class Labeller {
  /**
   * @param {HTMLElement} root
   * @param {Data} data
   * @param {Tell} tell
   */
  constructor(root, data, tell) {
    this.root = root;
    this.data = data;
    this.review = data.mode === "review";
    this.classOf = new Map(data.about.flatMap(({ name, key }) => (key ? [[key, name]] : [])));
    this.refusedKeys = 0;
    this.toldEmpty = data.told_empty;
    this.tabbing = false;
    this.spoken = "";
    /** @type {Tell} */
    this.tell = tell;
    /** @type {Tell} */
    this.trigger = () => {};
    const token = encodeURIComponent(data.token);
    /** @param {number} id @param {number} [width] all there is, if none is given */
    const urlOf = (id, width) => (width ? `${data.image_url}/${id}?w=${width}&t=${token}` : `${data.original_url}/${id}?t=${token}`);
    this.line = new Line((told) => this.tell("calls", told), (why) => this.slowDown(why));
    this.stage = new Stage(urlOf, this.line, {
      image: (image, item, same) => this.screen.setImage(image, item, same),
      message: (title, text) => this.screen.setMessage(title, text),
      painted: (item) => this.painted(item),
      again: () => this.show(),
    });
    this.screen = new LabelScreen(root, data, {
      decide: (e, kind, label) => this.click(e, kind, label),
      goTo: (id) => this.goTo(id),
      leave: () => this.trigger("leave", true),
      flag: (note) => this.flag(note),
      openFlag: () => this.openFlag(),
      accept: () => this.accept(),
      reveal: () => this.reveal(),
      sharpen: (all) => this.stage.sharpen(this.timeline.current, all),
      show: (image, id, width) => this.line.show(image, urlOf(id, width)),
    });
    this.screen.setMessage("Opening the queue …", "");
    this.stage.setWidth(this.widthNeeded());
    this.sitting = new Sitting(data, {
      arrived: (started) => (started ? this.next() : this.stage.prefetch(this.timeline)),
      unanswered: () => this.timeline.current || this.show(),
      changed: () => this.showWork(),
      elsewhere: (event, item) => this.otherTab(event, item),
      refused: (refusals) => this.screen.setRefused(refusals),
    }, this.line);
    this.listening = new AbortController();
    const { signal } = this.listening;
    window.addEventListener("keydown", (e) => this.key(e), { capture: true, signal });
    window.addEventListener("pointerdown", () => (this.tabbing = false), { capture: true, signal });
    window.addEventListener("resize", () => this.screen.fit(), { capture: true, signal });
    this.dialogs = new MutationObserver(closeConnectionDialog);
    this.dialogs.observe(document.body, { childList: true });
    // Remembered for the next visit, where the page offers the name again.
    document.cookie = `annotate_select_name=${encodeURIComponent(data.annotator)}; path=/; max-age=31536000; samesite=lax`;
    if (data.debug) Object.assign(window, { __labeller: this });
    this.sitting.begin();
  }

  get timeline() {
    return this.sitting.timeline;
  }

  close() {
    this.listening.abort();
    this.stage.close();
    this.dialogs.disconnect();
    this.sitting.close();
    this.line.close();
  }

  // --- what the sitting tells ----------------------------------------------------------------------------------------

  next() {
    this.timeline.advance();
    this.show();
    this.sitting.topUp();
  }

  /**
   * Another tab of the same annotator said something.
   * @param {Fact} event
   * @param {Item} item
   */
  otherTab(event, item) {
    if (item !== this.timeline.current) return this.showRecent();
    if (event.kind === "flag") return this.screen.setFlag(item);
    if (!document.hasFocus()) return this.next(); // nobody is about to press a key for what is on screen
    this.screen.hint(`another tab of yours just decided this image: ${event.kind === "undo" ? "taken back" : said(event)}`);
    this.screen.setItem(item, this.note(item));
    this.screen.hero.classList.remove("wait");
  }

  // --- decisions ---------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.key === "Tab") this.tabbing = true;
    if (isForSomebodyElse(e, this.tabbing) || visibleDialogs().length) return;
    if (e.key === "Escape" && !this.screen.closeTop()) return;
    const meaning = meaningOf(e, this.classOf) ?? (this.screen.helpOpen || e.key === "Escape" ? NOTHING : null);
    if (!meaning) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    if (!e.repeat || meaning.view) this.obey(meaning);
  }

  /** @param {Meaning} meaning */
  obey(meaning) {
    if (meaning.panel === "help") this.screen.toggle("help");
    else if (this.screen.helpOpen) return; // it covers the image
    else if (meaning.look) this.look(meaning.look);
    else if (meaning.view) this.screen.viewer.obey(meaning.view);
    else if (meaning.panel) this.open(meaning.panel);
    else if (meaning.kind) this.decide(meaning.kind, meaning.label);
  }

  /** @param {string} panel */
  open(panel) {
    if (panel === "guide" || panel === "view") this.screen.toggle(panel);
    else if (panel === "flag") this.openFlag();
    else if (panel === "filter") this.screen.classes.focusFilter();
    else if (panel === "accept") this.accept();
    else if (panel === "opinions" && this.review) this.reveal();
  }

  /**
   * @param {string} kind
   * @param {string | null} label
   */
  decide(kind, label = null) {
    if (kind === "undo") return this.undo();
    const item = this.timeline.current;
    if (!item) return this.refuse("nothing recorded: no image is on screen");
    if (this.stage.shown !== item.id) return this.tooFast();
    if (this.stage.broken && kind === "label") return this.screen.hint("nothing recorded: this image cannot be shown");
    if (this.review && kind === "skip") return this.next(); // a reviewer's list stays as it is
    if (this.review && kind === "unsure") return;
    const final = this.review && (kind === "label" || kind === "reject");
    const what = { kind: final ? "final" : kind, label, target: null };
    this.sitting.emit(what, item, Math.round(performance.now() - this.stage.shownAt));
    this.spoken = `${said(what)}. `;
    this.next();
  }

  /**
   * @param {Event} e
   * @param {string} kind
   * @param {string | null} label
   */
  click(e, kind, label) {
    if (this.screen.helpOpen) return this.screen.toggle("help"); // it covers the image
    const doubled = e instanceof MouseEvent && e.detail > 1;
    if (doubled && performance.now() - this.stage.shownAt < DOUBLE_CLICK) return this.tooFast();
    this.decide(kind, label);
  }

  accept() {
    const { open, suggestion } = this.timeline.current ?? {};
    if (open && suggestion && !this.review && !this.screen.helpOpen) this.decide("label", suggestion.label);
  }

  undo() {
    const last = this.sitting.undo();
    if (!last) return this.screen.hint("nothing to undo");
    this.spoken = `taken back: ${said(last)}. `;
    this.show();
  }

  // A note belongs to the image that is on screen when the field opens; the field closes when that image goes.
  openFlag() {
    if (!this.timeline.current) return;
    if (this.stage.shown !== this.timeline.current.id) return this.tooFast();
    this.screen.noteField.open();
  }

  /** @param {string} note */
  flag(note) {
    const item = this.timeline.current;
    if (!item || this.stage.shown !== item.id) return this.tooFast();
    this.sitting.emit({ kind: "flag", label: null, target: null, note }, item, null);
    this.screen.setFlag(item);
    this.showRecent();
    this.screen.say(`flagged: ${note}`);
  }

  /** @param {number} step */
  look(step) {
    if (!this.timeline.look(step)) return this.screen.hint(step < 0 ? "this is the first image" : "this is the last image");
    this.show();
  }

  /** @param {number} id */
  goTo(id) {
    this.timeline.goTo(id);
    this.show();
  }

  // What others said of the image on screen.
  async reveal() {
    const item = this.timeline.current;
    if (!item) return;
    try {
      const { items } = await this.sitting.feed.ask({ image: item.id, reveal: 1 });
      const told = items.find((one) => one.id === item.id);
      item.opinions = told?.opinions ?? [];
      item.suggestion = told?.suggestion ?? null;
    } catch (error) {
      this.screen.hint(error.said ?? "the server does not answer");
    }
    if (item === this.timeline.current) this.screen.setOpinions(item);
  }

  // The routes are missing: everything goes another way, so less of it is fetched ahead.
  /** @param {string} why */
  slowDown(why) {
    this.stage.slowDown();
    this.root.dataset.slow = "yes";
    this.screen.hint(why);
  }

  tooFast() {
    this.refuse("too fast: the image was not on screen yet, so nothing was recorded");
  }

  /** @param {string} why */
  refuse(why) {
    this.refusedKeys += 1;
    this.root.dataset.refusedKeys = String(this.refusedKeys);
    this.screen.hint(why);
  }

  // --- the screen --------------------------------------------------------------------------------------------------

  // Put the present image on the screen; keys count for it from when it is painted.
  show() {
    const item = this.timeline.current;
    this.stage.clear();
    this.screen.noteField.close();
    this.screen.setItem(item, this.note(item));
    this.tellEmpty();
    if (!item) return this.showEmpty();
    if (this.review && item.choice && !item.opinions) this.reveal(); // who has spoken may hear
    this.stage.show(item, this.timeline);
  }

  // Each telling runs the page's script, so only a change is told, and only once the server has what it is about.
  tellEmpty() {
    const empty = this.sitting.loaded && this.timeline.current === null;
    if (empty === this.toldEmpty || (empty && this.sitting.outbox.pending().length)) return;
    this.toldEmpty = empty;
    this.tell("empty", empty);
  }

  /** @param {Item} item */
  painted(item) {
    if (this.screen.viewer.kept) this.screen.viewer.apply(); // this image may need more pixels
    this.screen.say(`${this.spoken}Image ${item.key}. ${this.note(item)}`);
    this.spoken = "";
    this.showRecent(); // after the paint: the next image comes first
  }

  /** @param {Item | null} item */
  note(item) {
    if (item?.choice) return `You said: ${said(item.choice)}. Choose again to change it, or go on with →`;
    return item?.earlier ? `Taken back: ${said(item.earlier)}` : "";
  }

  showEmpty() {
    const { problem, loaded } = this.sitting;
    this.showRecent();
    if (problem) return this.screen.setMessage("The queue cannot be read", problem);
    if (!loaded) return;
    const what = this.review ? "Nothing is left on this list" : "Nothing left to label at the moment";
    this.screen.setMessage(what, "← or z to look at your last decisions again.");
  }

  widthNeeded() {
    const box = this.screen.hero.getBoundingClientRect();
    return Math.ceil(Math.max(box.width, box.height, 320) * (window.devicePixelRatio || 1));
  }

  showRecent() {
    this.screen.setRecent(this.timeline.said, (image, id) => this.line.show(image, this.stage.pictures.urlOf(id)));
  }

  // How far the work is, and whether it is safe.
  showWork() {
    const { outbox, problem, loaded, progress } = this.sitting;
    if (progress) this.screen.setProgress(progress);
    this.screen.setSaved(outbox.pending().length, outbox.fails > 0 || (Boolean(problem) && !loaded), outbox.problem);
    this.tellEmpty();
  }
}
