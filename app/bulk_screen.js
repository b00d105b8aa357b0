// What the bulk page looks like around its grid: builds the elements once, then only changes them. Decides nothing.
// Text from outside reaches the page only as textContent.

const WAYS = [
  { by: "cluster", text: "Clusters", title: "Images that lie close together" },
  { by: "prediction", text: "Prediction", title: "What the newest model takes for one class, the surest first" },
  { by: "similar", text: "Similar to", title: "The images most like one" },
];
const SIZES = [12, 30, 60, 100, 200]; // images of a group
const BULK_HELP = [
  ["1 … 9, 0", "give the class to all images that are in; classes can have keys of their own"],
  ["click, or space", "take an image out, or in again"],
  ["⇧ click, ⇧ arrows", "the same for a range"],
  ["← ↑ ↓ →", "from image to image"],
  ["+ -", "all in, all out"],
  ["enter", "more like the image you are at"],
  ["s", "leave this group for later"],
  ["z or backspace", "take the last group back"],
  ["/", "find a class by its name, where there are many"],
  ["?", "this list"],
];
const SEEKING = "Looking for images that belong together …";
const NOTHING_LEFT = "Every image that may be labelled in groups has a label, or somebody else is looking at it.";
const HOW_SIMILAR = "Type its key above, take one of your last decisions, or press Enter on an image of another group.";
const SLIDER = { type: "range", min: "64", max: "320", step: "4", ariaLabel: "Size of the images" };

/**
 * @typedef {{
 *   project: string, annotator: string, about: About[], token: string, events_url: string, alike_url: string,
 *   image_url: string, heard?: Heard, debug: boolean,
 * }} BulkData what the page's script says
 * @typedef {{by: string, of: string}} Way how images are grouped; `of` is a class, a key, or nothing
 * @typedef {{
 *   way: (way: Way) => void, size: (n: number) => void, choose: (label: string) => void, all: (on: boolean) => void,
 *   later: () => void, undo: () => void, leave: () => void, cells: (pixels: number) => void,
 * }} BulkActs
 */

class BulkScreen {
  /**
   * @param {HTMLElement} root
   * @param {{about: About[], annotator: string}} data
   * @param {HTMLElement} grid
   * @param {BulkActs} on
   */
  constructor(root, { about, annotator }, grid, on) {
    this.root = root;
    this.on = on;
    this.grid = grid;
    this.ways = WAYS.map(({ by, text, title }) => this.wayButton(by, text, title));
    this.ofClass = element("select", { ariaLabel: "Class", hidden: true });
    this.ofClass.addEventListener("change", () => this.chosen(this.ofClass, "prediction"));
    this.ofKey = element("input", { type: "search", ariaLabel: "Key of an image", placeholder: "key of an image", hidden: true });
    this.ofKey.addEventListener("keydown", (e) => e.key === "Enter" && !e.isComposing && this.chosen(this.ofKey, "similar"));
    this.number = element("select", { ariaLabel: "Images in a group" }, ...SIZES.map((n) => this.option(n, `${n} a group`)));
    this.number.addEventListener("change", () => {
      this.number.blur();
      on.size(Number(this.number.value));
    });
    this.slider = element("input", SLIDER);
    this.slider.addEventListener("input", () => on.cells(Number(this.slider.value)));
    this.saved = element("span", { className: "saved" });
    this.title = element("strong", { className: "what" });
    this.count = element("span", { className: "count", role: "status" });
    this.left = element("span", { className: "muted" });
    this.recent = element("div", { className: "seeds", hidden: true });
    this.message = element("div", { className: "message", hidden: true });
    this.hintLine = element("div", { className: "hint", hidden: true, role: "alert" });
    this.help = element("div", { className: "help", hidden: true }, this.helpTable());
    this.refused = element("div", { className: "refused", hidden: true, role: "alert" });
    this.live = element("div", { className: "live", role: "status", ariaLive: "polite" });
    this.classes = new ClassList(about, (_, label) => on.choose(label));
    const stage = element("div", { className: "stage" }, grid, this.message, this.hintLine, this.help);
    const heading = element("div", { className: "heading" }, this.title, this.count, this.left);
    root.replaceChildren(this.buildBar(annotator), heading, this.recent, stage, this.refused, this.buildFoot(), this.live);
    this.fit();
  }

  /** @param {string} annotator */
  buildBar(annotator) {
    const who = button("who", "", () => this.on.leave(), "Label under another name");
    who.append(element("span", { className: "muted", textContent: "labelling as " }), annotator);
    const ways = element("div", { className: "ways", role: "group", ariaLabel: "Group images by" }, ...this.ways);
    const help = button("ask", "?", () => this.toggleHelp(), "Keys (?)");
    const gap = element("span", { className: "gap" });
    return element("div", { className: "bar" }, ways, this.ofClass, this.ofKey, this.number, gap, this.slider, this.saved, who, help);
  }

  buildFoot() {
    const acts = [
      this.act("+", "All in", () => this.on.all(true)),
      this.act("-", "All out", () => this.on.all(false)),
      this.act("s", "Later", () => this.on.later(), "Leave this group for later (s)"),
      this.act("z", "Undo", () => this.on.undo(), "Take the last group back (z or backspace)"),
    ];
    const classes = element("div", { className: "choices" }, ...this.classes.parts);
    return element("div", { className: "foot" }, classes, element("div", { className: "acts" }, ...acts));
  }

  /**
   * @param {string} key
   * @param {string} text
   * @param {() => void} act
   */
  act(key, text, act, title = `${text} (${key})`) {
    const made = button("choice", "", act, title);
    made.append(element("kbd", { textContent: key, ariaHidden: "true" }), element("span", { textContent: text }));
    made.setAttribute("aria-keyshortcuts", key);
    return made;
  }

  /**
   * @param {string} by
   * @param {string} text
   * @param {string} title
   */
  wayButton(by, text, title) {
    const made = button("way", text, () => this.on.way({ by, of: this.ofOf(by) }), title);
    made.dataset.by = by;
    return made;
  }

  /**
   * What a way was asked of last.
   * @param {string} by
   */
  ofOf(by) {
    return { prediction: this.ofClass.value, similar: this.ofKey.value.trim() }[by] ?? "";
  }

  /**
   * @param {HTMLSelectElement | HTMLInputElement} field
   * @param {string} by
   */
  chosen(field, by) {
    field.blur(); // so that keys are for the images again
    this.on.way({ by, of: field.value.trim() });
  }

  /**
   * @param {string | number} value
   * @param {string} text
   */
  option(value, text) {
    return element("option", { value: String(value), textContent: text });
  }

  helpTable() {
    const rows = BULK_HELP.map(([keys, what]) =>
      element("div", {}, element("kbd", { textContent: keys }), element("span", { textContent: what })),
    );
    return element("div", {}, element("strong", { textContent: "Keys" }), ...rows);
  }

  // --- how images are grouped ----------------------------------------------------------------------------------------

  /**
   * @param {Way} way
   * @param {string[]} names of the classes
   * @param {Record<string, number>} predicted images of each class
   */
  setWay({ by, of }, names, predicted) {
    for (const one of this.ways) one.ariaPressed = String(one.dataset.by === by);
    this.ofClass.hidden = by !== "prediction";
    this.ofKey.hidden = by !== "similar";
    const ways = names.map((name) => this.option(name, name in predicted ? `${name} (${predicted[name]})` : name));
    this.ofClass.replaceChildren(...ways);
    if (by === "prediction") this.ofClass.value = of;
    if (by === "similar") this.ofKey.value = of;
    this.recent.hidden = by !== "similar" || !this.recent.firstChild;
  }

  /**
   * @param {{id: number, key: string, label: string | null}[]} images
   * @param {(image: HTMLImageElement, id: number) => void} show
   */
  setRecent(images, show) {
    const made = images.map(({ id, key, label }) => {
      const one = button("seed", "", () => this.on.way({ by: "similar", of: key }), `More like ${key}`);
      const image = element("img", { alt: "" });
      show(image, id);
      one.append(image, element("span", { textContent: label ?? "" }));
      return one;
    });
    const words = element("span", { className: "muted", textContent: "like one of your last decisions:" });
    this.recent.replaceChildren(...(made.length ? [words, ...made] : []));
    this.recent.hidden = this.ways[2].ariaPressed !== "true" || !made.length;
  }

  /**
   * @param {number} chosen
   * @param {number} all
   * @param {string} rest what of the others is to be said
   */
  setCount(chosen, all, rest) {
    this.count.textContent = all ? `${chosen} of ${all} in${rest}` : "";
  }

  /** @param {string} text */
  setTitle(text) {
    this.title.textContent = text;
  }

  /**
   * @param {string} title
   * @param {string} [text]
   */
  setMessage(title, text = "") {
    const lines = [element("strong", { textContent: title }), element("span", { textContent: text })];
    this.message.replaceChildren(...lines);
    this.message.hidden = !title;
    this.grid.hidden = Boolean(title);
    this.root.classList.toggle("empty", Boolean(title));
  }

  /**
   * There is no group to show.
   * @param {Way} way
   * @param {boolean} again whether what was left out is on its way
   * @param {boolean} dry whether the server has nothing more
   */
  setNothing({ by, of }, again, dry) {
    if (by === "similar" && !of) this.setMessage("Similar to which image?", HOW_SIMILAR);
    else if (again) this.setMessage("Looking for the images you left out …");
    else if (dry) this.setMessage(`Nothing left to group${by === "prediction" ? ` as ${of}` : ""}`, NOTHING_LEFT);
    else this.setMessage(SEEKING);
  }

  // --- what is said about the work -----------------------------------------------------------------------------------

  /**
   * @param {number} pending
   * @param {boolean} offline
   * @param {string} problem
   */
  setSaved(pending, offline, problem) {
    let text = pending ? `saving ${pending}` : "all saved";
    if (offline) text = pending ? `offline: ${counted(pending, "label")} kept here, will retry` : "offline, will retry";
    this.saved.textContent = problem ? `${text} (${problem})` : text;
    this.saved.dataset.state = offline ? "offline" : pending ? "saving" : "saved";
  }

  /** @param {{key: string, reason: string}[]} refusals */
  setRefused(refusals) {
    const lines = refusals.slice(-3).map(({ key, reason }) => element("div", { textContent: `not accepted: ${key}: ${reason}` }));
    if (refusals.length > 3) lines.push(element("div", { textContent: `and ${refusals.length - 3} before` }));
    this.refused.replaceChildren(...lines, button("toggle", "Dismiss", () => (this.refused.hidden = true)));
    this.refused.hidden = false;
  }

  /** @param {string} text */
  hint(text) {
    this.hintLine.textContent = text;
    this.hintLine.hidden = false;
    clearTimeout(this.hintTimer);
    this.hintTimer = window.setTimeout(() => (this.hintLine.hidden = true), 3000);
  }

  /** @param {string} text */
  say(text) {
    this.live.textContent = text;
  }

  get helpOpen() {
    return !this.help.hidden;
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  // The page scrolls as little as can be: what is below the top edge belongs to the grid.
  fit() {
    const top = this.root.getBoundingClientRect().top + (document.scrollingElement?.scrollTop ?? 0);
    this.root.style.setProperty("--top", `${Math.max(0, Math.round(top))}px`);
  }
}

/**
 * @param {Group} group
 * @param {Way} way
 */
function titleOf({ label, images }, { by, of }) {
  if (label !== null) {
    const [most, least] = [percent(images[0].score), percent(images[images.length - 1].score)];
    return `These look like ${label} to the model (${most === least ? most : `${most} to ${least}`} sure)`;
  }
  return by === "similar" ? `The images most like ${of}` : "These look alike";
}

/**
 * Rounded down: nothing short of it is 100 %.
 * @param {number} probability
 */
function percent(probability) {
  return `${Math.floor(100 * probability)} %`;
}
