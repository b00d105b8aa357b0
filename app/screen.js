// What the labeller looks like: builds the elements once, then only changes them. Decides nothing.
// Text from outside reaches the page only as textContent.

/**
 * @typedef {{
 *   mode: "label" | "review", project: string, annotator: string, about: About[], token: string, events_url: string,
 *   queue_url: string, image_url: string, original_url: string, told_empty: boolean, heard?: Heard,
 *   debug: boolean,
 * }} Data what the page's script says
 * @typedef {{
 *   decide: (e: Event, kind: string, label: string | null) => void, goTo: (id: number) => void, leave: () => void,
 *   flag: (note: string) => void, openFlag: () => void, accept: () => void, reveal: () => void,
 *   sharpen: (all?: boolean) => Promise<boolean>, show: (image: HTMLImageElement, id: number, width: number) => void,
 * }} Acts what buttons do
 */

const ACTIONS = [
  { kind: "skip", key: "s", text: "Skip", title: "Look at it later (s or space)", keys: "s Space" },
  { kind: "unsure", key: "u", text: "Unsure", title: "It cannot be told from the picture (u)", keys: "u" },
  { kind: "reject", key: "x", text: "Reject", title: "Not usable, or none of the classes (x)", keys: "x" },
  { kind: "flag", key: "n", text: "Flag", title: "Write what is the matter with it; it stays to be labelled (n)", keys: "n" },
  { kind: "undo", key: "z", text: "Undo", title: "Take the last decision back (z or backspace)", keys: "z Backspace" },
];
/** @type {Record<string, string>} */
const WORDS = { skip: "skipped", unsure: "unsure", reject: "rejected", final: "rejected", flag: "flagged" };
const RECENT = 5;

/** @param {{kind: string, label: string | null}} choice */
function said(choice) {
  return choice.label ?? WORDS[choice.kind];
}

/** @param {Suggestion} suggestion */
function modelSaid({ label, probability }) {
  return `model: ${label}, ${Math.round(100 * probability)} %`;
}

class LabelScreen {
  /**
   * @param {HTMLElement} root
   * @param {Data} data
   * @param {Acts} on
   */
  constructor(root, data, on) {
    this.root = root;
    this.on = on;
    this.review = data.mode === "review";

    this.fill = element("div", { className: "fill" });
    this.count = element("span", { className: "count" });
    this.saved = element("span", { className: "saved" });
    this.live = element("div", { className: "live", role: "status", ariaLive: "polite" });

    this.hero = element("div", { className: "hero" });
    this.viewer = new Viewer(this.hero, {
      zoomed: (viewer) => this.zoomed(viewer),
      sharpen: () => on.sharpen(true),
    });
    this.viewBar = new ViewBar(this.viewer);
    this.guide = new Guide(data.about, (image, id) => on.show(image, id, 128));
    this.noteField = new NoteField((note) => on.flag(note));
    this.hintLine = element("div", { className: "hint", hidden: true, role: "alert" });
    this.caption = element("div", { className: "caption" });
    this.ribbon = element("div", { className: "ribbon", hidden: true });
    this.flagged = element("div", { className: "flagged", hidden: true });
    this.help = element("div", { className: "help", hidden: true, role: "dialog", ariaLabel: "Keys" }, helpTable());

    this.suggestion = button("suggestion", "", () => on.accept(), "Take the model's suggestion (enter)");
    this.suggestion.setAttribute("aria-keyshortcuts", "Enter");
    this.suggestion.hidden = true;
    this.opinions = element("div", { className: "opinions", hidden: !this.review });
    this.classes = new ClassList(data.about, (e, name) => on.decide(e, "label", name));
    this.actionButtons = ACTIONS.filter((one) => !(this.review && one.kind === "unsure")).map((one) => this.action(one));
    this.recent = element("div", { className: "recent" });
    /** @type {Map<string, HTMLButtonElement>} */
    this.recentButtons = new Map();
    this.last = element("div", { className: "last" }, element("div", { className: "muted", textContent: "Last decisions" }), this.recent);
    this.whyText = element("div", { className: "why", hidden: true });
    this.whyButton = button("toggle", "Why this image?", () => this.toggleWhy());
    this.whyButton.ariaExpanded = "false";
    this.refused = element("div", { className: "refused", hidden: true, role: "alert" });

    const body = element("div", { className: "body" }, this.guide.panel, this.buildStage(), this.buildSide());
    root.replaceChildren(this.buildBar(data), body, this.live);
    this.fit();
  }

  /** @param {Data} data */
  buildBar(data) {
    const who = button("who", "", () => this.on.leave(), this.review ? "Review under another name" : "Label under another name");
    const doing = this.review ? "reviewing as " : "labelling as ";
    who.append(element("span", { className: "muted", textContent: doing }), data.annotator);
    const track = element("div", { className: "track" }, this.fill);
    const opens = [
      this.opener("Guideline", "g", () => this.toggle("guide")),
      this.opener("View", "b", () => this.toggle("view")),
      this.opener("?", "?", () => this.toggle("help"), "Keys (?)"),
    ];
    return element("div", { className: "bar" }, track, this.count, this.saved, who, ...opens);
  }

  /**
   * @param {string} text
   * @param {string} key
   * @param {() => void} act
   */
  opener(text, key, act, title = `${text} (${key})`) {
    const made = button("ask", text, act, title);
    made.setAttribute("aria-keyshortcuts", key);
    return made;
  }

  buildStage() {
    const over = [this.ribbon, this.flagged, this.hintLine, this.noteField.panel];
    const frame = element("div", { className: "frame" }, this.hero, ...over);
    return element("div", { className: "stage" }, this.viewBar.panel, frame, this.caption, this.help);
  }

  buildSide() {
    return element(
      "div",
      { className: "side" },
      this.suggestion,
      ...this.classes.parts,
      element("div", { className: "actions", role: "group", ariaLabel: "Other decisions" }, ...this.actionButtons),
      this.opinions,
      this.refused,
      element("div", { className: "reason" }, this.whyButton, this.whyText),
      this.last,
    );
  }

  /** @param {{kind: string, key: string, text: string, title: string, keys: string}} action */
  action({ kind, key, text, title, keys }) {
    const act = kind === "flag" ? () => this.on.openFlag() : (/** @type {Event} */ e) => this.on.decide(e, kind, null);
    const made = button(`choice ${kind}`, "", act, title);
    made.append(element("kbd", { textContent: key, ariaHidden: "true" }), element("span", { textContent: text }));
    made.setAttribute("aria-keyshortcuts", keys);
    made.dataset.label = kind;
    return made;
  }

  // --- the image -----------------------------------------------------------------------------------------------------

  /**
   * Wait for `item`: its name and choice are told, the image is still the old one, dimmed.
   * @param {Item | null} item
   * @param {string} note
   */
  setItem(item, note) {
    this.hero.classList.add("wait");
    this.root.classList.toggle("empty", item === null);
    this.caption.textContent = item?.key ?? "";
    this.whyText.textContent = item?.why || "no reason was stored";
    this.ribbon.hidden = !note;
    this.ribbon.textContent = note;
    this.setFlag(item);
    this.setSuggestion(item?.open && !this.review ? item.suggestion : null);
    if (this.review) this.setOpinions(item);
    const standing = item?.choice ?? item?.earlier;
    const chosen = standing && (standing.label ?? (standing.kind === "final" ? "reject" : standing.kind));
    for (const one of [...this.classes.buttons, ...this.actionButtons]) {
      one.classList.toggle("chosen", one.dataset.label === chosen);
    }
  }

  /** @param {Item | null} item */
  setFlag(item) {
    this.flagged.hidden = !item?.flag;
    this.flagged.textContent = item?.flag ? `flagged: ${item.flag.note ?? "with a note"}` : "";
  }

  /** @param {Suggestion | null} suggestion */
  setSuggestion(suggestion) {
    this.suggestion.hidden = !suggestion;
    if (!suggestion) return;
    this.suggestion.replaceChildren(
      element("span", { textContent: modelSaid(suggestion) }),
      element("kbd", { textContent: "↵", ariaHidden: "true" }),
    );
  }

  /**
   * What others said: not before the reviewer said something or asked for it.
   * @param {Item | null} item
   */
  setOpinions(item) {
    /** @type {HTMLElement[]} */
    const lines = (item?.opinions ?? []).map((one) =>
      element("div", { textContent: `${one.annotator}: ${said(one)}${one.note ? ` (${one.note})` : ""}` }),
    );
    const guess = item?.opinions && item.suggestion;
    if (guess) lines.push(element("div", { className: "muted", textContent: modelSaid(guess) }));
    if (item && !item.opinions) lines.push(button("toggle", "What others said (o)", () => this.on.reveal()));
    else if (item && !lines.length) lines.push(element("div", { className: "muted", textContent: "nobody else said anything" }));
    this.opinions.replaceChildren(...lines);
  }

  /**
   * @param {HTMLImageElement} image
   * @param {Item} item
   */
  setImage(image, item, same = false) {
    this.hero.classList.remove("wait");
    image.alt = `Image ${item.key}`;
    this.viewer.take(image, same);
    this.hero.replaceChildren(image);
  }

  /**
   * @param {string} title
   * @param {string} text
   */
  setMessage(title, text) {
    this.hero.classList.remove("wait");
    this.viewer.take(null);
    const lines = [element("strong", { textContent: title }), element("span", { textContent: text })];
    this.hero.replaceChildren(element("div", { className: "message" }, ...lines));
  }

  /** @param {Viewer} viewer */
  zoomed(viewer) {
    this.viewBar?.showZoom();
    if (viewer.scale > 1 && viewer.magnification > 1) this.on.sharpen();
  }

  // --- what is said about the work -----------------------------------------------------------------------------------

  /** @param {{done: number, total: number, left: number, byMe: number}} progress */
  setProgress({ done, total, left, byMe }) {
    this.fill.style.width = total ? `${(100 * done) / total}%` : "0";
    this.count.textContent = total ? `${done} of ${total}` : "";
    this.count.title = `${left} left to label; ${counted(byMe, "label")} by you in all`;
  }

  /**
   * @param {number} pending
   * @param {boolean} offline
   * @param {string} problem
   */
  setSaved(pending, offline, problem) {
    const labels = counted(pending, "decision");
    let text = pending ? `saving ${pending}` : "all saved";
    if (offline && pending) text = `offline: ${labels} kept here, will retry`;
    else if (offline) text = "offline, will retry";
    this.saved.textContent = problem ? `${text} (${problem})` : text;
    this.saved.dataset.state = offline ? "offline" : pending ? "saving" : "saved";
  }

  /**
   * @param {Said[]} decisions
   * @param {(image: HTMLImageElement, id: number) => void} show
   */
  setRecent(decisions, show) {
    const shown = decisions.slice(-RECENT).reverse();
    const made = shown.map((one) => this.recentButtons.get(one.uid) ?? this.recentButton(one, show));
    this.recentButtons = new Map(shown.map((one, i) => [one.uid, made[i]])); // a picture is drawn small only once
    this.recent.replaceChildren(...made);
    this.last.hidden = shown.length === 0;
  }

  /**
   * @param {Said} one
   * @param {(image: HTMLImageElement, id: number) => void} show
   */
  recentButton(one, show) {
    const made = button("decision", "", () => this.on.goTo(one.image), `${said(one)}: look at it again`);
    const image = element("img", { alt: "" });
    show(image, one.image);
    made.append(image, element("span", { textContent: said(one) }));
    return made;
  }

  /** @param {Refusal[]} refusals */
  setRefused(refusals) {
    const lines = refusals.slice(-3).map(({ event, reason }) => {
      const what = event ? `${event.label ?? event.kind} for ${event.local?.key || `image ${event.image}`}` : "a decision";
      return element("div", { textContent: `not accepted: ${what}: ${reason}` });
    });
    if (refusals.length > 3) lines.push(element("div", { textContent: `and ${refusals.length - 3} before` }));
    this.refused.replaceChildren(...lines, button("toggle", "Dismiss", () => (this.refused.hidden = true)));
    this.refused.hidden = false;
  }

  /** @param {string} text */
  hint(text) {
    this.hintLine.textContent = text;
    this.hintLine.hidden = false;
    clearTimeout(this.hintTimer);
    this.hintTimer = window.setTimeout(() => (this.hintLine.hidden = true), 2500);
  }

  /** @param {string} text */
  say(text) {
    this.live.textContent = text;
  }

  // --- what opens and closes -----------------------------------------------------------------------------------------

  get helpOpen() {
    return !this.help.hidden;
  }

  /** @param {"help" | "guide" | "view"} what */
  toggle(what) {
    if (what === "help") this.help.hidden = !this.help.hidden;
    else (what === "guide" ? this.guide : this.viewBar).toggle();
    this.viewer.apply(); // the image may have got another size
  }

  // Close what was opened last by its weight; return whether anything was open.
  closeTop() {
    const open = /** @type {const} */ (["help", "guide", "view"]).find((what) => !this.panelOf(what).hidden);
    if (open) this.toggle(open);
    return open !== undefined;
  }

  /** @param {"help" | "guide" | "view"} what */
  panelOf(what) {
    return { help: this.help, guide: this.guide.panel, view: this.viewBar.panel }[what];
  }

  toggleWhy() {
    this.whyText.hidden = !this.whyText.hidden;
    this.whyButton.ariaExpanded = String(!this.whyText.hidden);
  }

  // The page scrolls as little as can be: what is below the labeller's top edge belongs to it.
  fit() {
    const top = this.root.getBoundingClientRect().top + (this.root.ownerDocument.scrollingElement?.scrollTop ?? 0);
    this.root.style.setProperty("--top", `${Math.max(0, Math.round(top))}px`);
    this.viewer.apply();
  }
}
