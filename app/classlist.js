// The classes as buttons: colour, key and name, and a field that finds one among many.

/**
 * @typedef {{name: string, color: string, key: string | null, guideline: string, examples: number[]}} About
 * a class; `key` is "1", "shift+1" or a character, `examples` are ids of images
 */

const MANY = 10; // from here on the buttons are small
const FILTER_FROM = 20; // from here on not every class has a key

/**
 * How a key is written on a button.
 * @param {string | null} key
 */
function keyText(key) {
  return (key ?? "").replace("shift+", "⇧").toLowerCase();
}

/**
 * A button that leaves the focus where it was.
 * @param {string} className
 * @param {string} text
 * @param {(e: MouseEvent) => void} act
 */
function button(className, text, act, title = "") {
  const made = element("button", { type: "button", className, textContent: text, title });
  made.addEventListener("pointerdown", (e) => e.preventDefault());
  made.addEventListener("click", act);
  return made;
}

class ClassList {
  /**
   * @param {About[]} classes
   * @param {(e: Event, name: string) => void} choose
   */
  constructor(classes, choose) {
    this.classes = classes;
    this.choose = choose;
    this.buttons = classes.map((one) => this.button(one));
    this.filter = element("input", { type: "search", placeholder: "find a class (/)", ariaLabel: "Find a class" });
    this.filter.addEventListener("input", () => this.narrow());
    this.filter.addEventListener("keydown", (e) => this.typed(e));
    this.none = element("div", { className: "muted", textContent: "no class has that in its name", hidden: true });
    const many = classes.length > MANY ? " many" : "";
    const group = element("div", { className: `classes${many}`, role: "group", ariaLabel: "Classes" }, ...this.buttons);
    this.parts = classes.length > FILTER_FROM ? [this.filter, this.none, group] : [group];
  }

  /** @param {About} about */
  button({ name, color, key }) {
    const made = button("choice label", "", (e) => this.choose(e, name), name);
    made.style.setProperty("--class", color);
    if (key) {
      made.append(element("kbd", { textContent: keyText(key), ariaHidden: "true" }));
      made.setAttribute("aria-keyshortcuts", key.replace("shift+", "Shift+"));
    }
    made.append(element("span", { textContent: name }));
    made.dataset.label = name;
    return made;
  }

  focusFilter() {
    if (this.parts.length > 1) this.filter.focus();
  }

  get shown() {
    const wanted = this.filter.value.trim().toLowerCase();
    const found = this.classes.filter((one) => one.name.toLowerCase().includes(wanted));
    const starts = (/** @type {About} */ one) => one.name.toLowerCase().startsWith(wanted);
    return [...found.filter(starts), ...found.filter((one) => !starts(one))];
  }

  // The best match comes first, and is the one that Enter takes.
  narrow() {
    const shown = this.shown;
    for (const made of this.buttons) {
      const place = shown.findIndex((one) => one.name === made.dataset.label);
      made.hidden = place < 0;
      made.style.order = this.filter.value ? String(place) : "";
      made.classList.toggle("first", Boolean(this.filter.value) && place === 0);
    }
    this.none.hidden = shown.length > 0;
  }

  /** @param {KeyboardEvent} e */
  typed(e) {
    if (e.isComposing || !["Enter", "Escape"].includes(e.key)) return;
    e.preventDefault();
    const first = this.shown[0];
    if (e.key === "Enter" && (e.repeat || !first || !this.filter.value.trim())) return;
    this.filter.value = "";
    this.narrow();
    this.filter.blur();
    if (e.key === "Enter") this.choose(e, first.name);
  }
}
