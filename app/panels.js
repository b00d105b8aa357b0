// What opens beside or over the image: the guideline, the note of a flag, the view's sliders, the list of keys.

/** The guideline of the classes, with their examples. */
class Guide {
  /**
   * @param {About[]} classes
   * @param {(image: HTMLImageElement, id: number) => void} show
   */
  constructor(classes, show) {
    this.show = show;
    const told = classes.filter((one) => one.guideline || one.examples.length);
    this.panel = element("aside", { className: "guide", hidden: true, ariaLabel: "Guideline", tabIndex: 0 });
    const title = element("strong", { textContent: "Guideline" });
    this.panel.append(title, ...told.map((one) => this.section(one)));
    const how = "Nothing has been written about the classes yet. It goes into project.toml, under [about.CLASS].";
    if (!told.length) this.panel.append(element("p", { className: "muted", textContent: how }));
  }

  /** @param {About} about */
  section({ name, color, guideline, examples }) {
    const head = element("h3", {}, element("i", { className: "dot" }), name);
    head.style.setProperty("--class", color);
    const made = element("section", {}, head);
    if (guideline) made.append(element("p", { textContent: guideline }));
    const images = examples.map((id, i) => {
      const alt = `Example ${i + 1} of ${name}`;
      const image = element("img", { alt, loading: "lazy", width: 96, height: 96 });
      this.show(image, id);
      return image;
    });
    if (images.length) made.append(element("div", { className: "examples" }, ...images));
    return made;
  }

  toggle() {
    this.panel.hidden = !this.panel.hidden;
  }
}

/** The field in which somebody writes what is the matter with an image. Keys typed in it are never labels. */
class NoteField {
  /** @param {(note: string) => void} send */
  constructor(send) {
    this.send = send;
    this.field = element("input", { type: "text", maxLength: 2000, ariaLabel: "What is the matter with this image?" });
    this.field.placeholder = "what is the matter with this image?";
    this.field.addEventListener("keydown", (e) => this.typed(e));
    const flag = button("toggle", "Flag", () => this.done());
    const cancel = button("toggle", "Cancel", () => this.close());
    this.panel = element("div", { className: "notefield", hidden: true }, this.field, flag, cancel);
  }

  open() {
    this.field.value = "";
    this.panel.hidden = false;
    this.field.focus();
  }

  close() {
    this.panel.hidden = true;
    this.field.blur();
  }

  /** @param {KeyboardEvent} e */
  typed(e) {
    if (e.isComposing || !["Enter", "Escape"].includes(e.key)) return;
    e.preventDefault();
    if (e.key === "Escape") this.close();
    else if (!e.repeat) this.done();
  }

  done() {
    const note = this.field.value.trim();
    if (!note) return this.field.focus();
    this.close();
    this.send(note);
  }
}

/** Buttons and sliders for the viewer. */
class ViewBar {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.percent = element("output", { className: "percent", ariaLabel: "Zoom" });
    this.sliders = LEVELS.map((level) => this.slider(level));
    const keep = button("toggle", "Keep zoom", () => this.keep(keep), "Show the next image in the same zoom");
    keep.ariaPressed = "false";
    this.panel = element(
      "div",
      { className: "view", hidden: true, role: "toolbar", ariaLabel: "View" },
      button("toggle", "−", () => viewer.obey("out"), "Zoom out (-)"),
      this.percent,
      button("toggle", "+", () => viewer.obey("in"), "Zoom in (+)"),
      button("toggle", "Fit", () => viewer.zoom(1 / viewer.scale, 0, 0), "The whole image (f)"),
      button("toggle", "1:1", () => viewer.obey("actual"), "A pixel of the image for a pixel of the screen (f again)"),
      keep,
      ...this.sliders.map(({ label }) => label),
      button("toggle", "Reset", () => this.reset(), "Brightness and contrast as they were"),
    );
  }

  /** @param {"brightness" | "contrast"} level */
  slider(level) {
    const properties = { type: "range", min: "20", max: "300", value: String(this.viewer.levels[level]) };
    const field = element("input", properties);
    field.addEventListener("input", () => this.viewer.set(level, Number(field.value)));
    const name = level[0].toUpperCase() + level.slice(1);
    return { field, label: element("label", {}, element("span", { textContent: name }), field) };
  }

  /** @param {HTMLButtonElement} made */
  keep(made) {
    this.viewer.kept = !this.viewer.kept;
    made.ariaPressed = String(this.viewer.kept);
  }

  reset() {
    this.viewer.reset();
    for (const { field } of this.sliders) field.value = "100";
  }

  toggle() {
    this.panel.hidden = !this.panel.hidden;
  }

  showZoom() {
    this.percent.value = `${Math.round(100 * this.viewer.scale)} %`;
  }
}

const HELP = [
  ["1 … 9, 0", "the class with that number; classes can have keys of their own"],
  ["⇧ 1 … ⇧ 0", "classes 11 to 20; beyond them, / finds a class by its name"],
  ["s or space", "skip: it comes again later"],
  ["u", "unsure: it cannot be told"],
  ["x", "reject: not usable, or none of the classes"],
  ["n", "flag it with a note; it stays to be labelled"],
  ["z or backspace", "undo, as often as you like"],
  ["← →", "look back and forth; nothing changes until you choose"],
  ["enter", "take the model's suggestion, where the project shows one"],
  ["+ - f", "zoom in, zoom out, the whole image or its own pixels; also wheel, pinch, double click"],
  ["⇧ ← ↑ ↓ →", "move the zoomed image; also by dragging"],
  ["b", "brightness, contrast and zoom"],
  ["g", "the guideline"],
  ["?", "this list"],
];

function helpTable() {
  const rows = HELP.map(([keys, what]) =>
    element("div", {}, element("kbd", { textContent: keys }), element("span", { textContent: what })),
  );
  return element("div", {}, element("strong", { textContent: "Keys" }), ...rows);
}
