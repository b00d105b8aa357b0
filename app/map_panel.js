// What stands round the map: the bar above, the legend, the chosen images, one image with its look-alikes.
// Builds the elements, decides nothing. Text from outside reaches the page only as textContent.

const COLOURINGS = { label: "label", prediction: "prediction", certainty: "certainty", batch: "batch", age: "age of label" };
const NEEDS_MODEL = ["prediction", "certainty"];
const NO_LABEL = "no label shown"; // there is none, or it is not to be seen
const WHY_NONE = "No label yet, or one that is not shown because it measures the model";
const SHOWN = 200; // thumbnails of what is chosen

function button(text, act, properties = {}) {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", act);
  return made;
}

class Panel {
  // `on` holds by(name), tool(name), zoom(times or 0), toggle(group), all(), clear(), label(kind, class), batch(),
  // undo(), leave(row), peek(row), open(row), back(), chooseNear().
  constructor(data, on) {
    this.data = data;
    this.on = on;
    this.live = element("div", { className: "said", role: "status" });
    this.undo = button("Undo", () => on.undo(), { className: "plain", hidden: true });
    this.saved = element("span", { className: "saved" });
    this.legend = element("div", { className: "legend", role: "group", ariaLabel: "Groups: press one to hide it" });
    this.body = element("div", { className: "chosen" });
    this.bar = element("div", { className: "bar" }, ...this.buildBar());
    this.side = element("div", { className: "side" }, this.legend, element("div", { className: "words" }, this.live, this.undo), this.body);
  }

  buildBar() {
    const { on, data } = this;
    this.by = element("select", { id: "map-by" });
    for (const [value, text] of Object.entries(COLOURINGS)) {
      this.by.append(element("option", { value, textContent: text, disabled: NEEDS_MODEL.includes(value) && !data.models }));
    }
    this.by.addEventListener("change", () => on.by(this.by.value));
    const tools = [["lasso", "Choose", "Draw round images to choose them; with shift, add to what is chosen"], ["move", "Move", "Drag to move the map; also with alt, or the right button"]];
    this.tools = tools.map(([name, text, title]) => button(text, () => on.tool(name), { className: "tool", title, ariaPressed: String(name === "lasso") }));
    const zooms = [["−", 1 / 1.4, "Zoom out"], ["+", 1.4, "Zoom in"], ["All", 0, "Show all"]];
    return [
      element("label", { htmlFor: "map-by", className: "muted", textContent: "Colour by" }),
      this.by,
      element("span", { className: "group", role: "group", ariaLabel: "Tool" }, ...this.tools),
      element("span", { className: "group" }, ...zooms.map(([text, times, title]) => button(text, () => on.zoom(times), { className: "tool", title, ariaLabel: title }))),
      (this.count = element("span", { className: "count muted" })),
      this.saved,
    ];
  }

  setTool(name) {
    ["lasso", "move"].forEach((one, i) => (this.tools[i].ariaPressed = String(one === name)));
  }

  setCount(text) {
    this.count.textContent = text;
  }

  setSaved(n, offline, problem) {
    this.saved.hidden = !this.data.annotator;
    this.saved.dataset.state = offline ? "offline" : n ? "saving" : "saved";
    this.saved.textContent = offline ? `not saved yet: ${n.toLocaleString("en")} (trying again)` : n ? `saving ${n.toLocaleString("en")} …` : "all saved";
    this.saved.title = problem ?? "";
  }

  // `unseen`: what can be seen elsewhere on the page, and has only to be read out.
  say(text, { undo = false, problem = false, unseen = false } = {}) {
    this.live.textContent = text;
    this.live.classList.toggle("unseen", unseen);
    this.live.classList.toggle("problem", problem);
    this.undo.hidden = !undo;
  }

  // The legend is drawn anew where the groups changed, else only its counts and what is hidden.
  setLegend(groups, colours, counts, hidden) {
    const names = JSON.stringify(groups);
    if (names !== this.groups) {
      this.groups = names;
      this.entries = groups.map((group, i) => {
        const swatch = element("i", { className: "swatch" });
        if (colours[i]) swatch.style.background = colours[i];
        const count = element("span", { className: "n" });
        return { count, made: button("", () => this.on.toggle(i), { className: "entry", title: group.name === NO_LABEL ? WHY_NONE : "" }), parts: [swatch, element("span", { className: "name", textContent: group.name }), count] };
      });
      for (const { made, parts } of this.entries) made.append(...parts);
      this.every = button("Show all", () => this.on.all(), { className: "plain" });
      this.legend.replaceChildren(...this.entries.map(({ made }) => made), this.every);
    }
    this.entries.forEach(({ made, count }, i) => {
      count.textContent = counts[i].toLocaleString("en");
      made.ariaPressed = String(!hidden.has(i));
      made.hidden = counts[i] === 0 && groups[i].kind !== "class";
    });
    this.every.hidden = hidden.size === 0;
  }

  setNothing(text) {
    this.body.replaceChildren(element("p", { className: "muted hint", textContent: text }));
  }

  // What is chosen: `rows` are all of it; thumbnails of the first can be taken out again one by one.
  setChosen(rows, show, nameOf) {
    const n = rows.length.toLocaleString("en");
    this.heading = element("strong", { textContent: `${n} chosen` });
    const head = element("div", { className: "head" }, this.heading, button("Clear", () => this.on.clear(), { className: "plain", title: "Choose nothing (Escape)" }));
    const thumbs = element("div", { className: "thumbs", role: "group", ariaLabel: "Chosen images: press one to take it out" });
    for (const row of rows.slice(0, SHOWN)) thumbs.append(this.thumb(row, show, nameOf, (made) => this.takeOut(made, row)));
    const rest = rows.length > SHOWN ? [element("p", { className: "muted", textContent: `The first ${SHOWN} are shown; what you do is done to all ${n}.` })] : [];
    this.body.replaceChildren(head, ...this.buildActions(), ...rest, thumbs);
    this.body.scrollTop = 0;
  }

  takeOut(made, row) {
    const left = made.ariaPressed === "true";
    made.ariaPressed = String(!left);
    this.on.leave(row, left);
  }

  setChosenCount(n) {
    this.heading.textContent = `${n.toLocaleString("en")} chosen`;
    for (const one of this.body.querySelectorAll(".act")) one.disabled = n === 0;
  }

  buildActions() {
    const { on, data } = this;
    if (!data.annotator) return [element("p", { className: "muted", textContent: "Give your name on the Label page to label from here." })];
    const classes = data.classes.map((name, i) => button("", (e) => e.detail < 2 && on.label("label", name), { className: "act", title: `Label all chosen images as ${name}` }));
    classes.forEach((made, i) => {
      const swatch = element("i", { className: "swatch" });
      swatch.style.background = data.colors[data.classes[i]];
      made.append(swatch, element("span", { className: "name", textContent: data.classes[i] }));
    });
    const reject = button("Not usable", (e) => e.detail < 2 && on.label("reject", null), { className: "act", title: "Never pick or train on them: not usable, or none of the classes" });
    const batch = button("Add to the queue", (e) => e.detail < 2 && on.batch(), { className: "act", title: "As a batch of their own, to be labelled one by one" });
    return [
      element("div", { className: "acts", role: "group", ariaLabel: "Label all chosen images" }, ...classes),
      element("div", { className: "acts" }, reject, batch),
    ];
  }

  thumb(row, show, nameOf, act, pressed = true) {
    const image = element("img", { alt: nameOf(row), loading: "lazy", draggable: false });
    show(image, row);
    const made = element("button", { type: "button", className: "thumb" }, image);
    if (pressed) made.ariaPressed = "true";
    made.addEventListener("click", () => act(made));
    for (const type of ["pointerenter", "focus"]) made.addEventListener(type, () => this.on.peek(row));
    for (const type of ["pointerleave", "blur"]) made.addEventListener(type, () => this.on.peek(-1));
    return made;
  }

  // One image, large, with what is known of it, and the images most like it. `found` is null while they are looked up.
  setImage(row, show, nameOf, found, rowOf) {
    const large = element("img", { className: "large", alt: nameOf(row) });
    show(large, row, 640);
    const head = element("div", { className: "head" }, element("strong", { className: "key", textContent: found?.[0].key ?? "…" }), button("Close", () => this.on.back(), { className: "plain", title: "Close the image (Escape)" }));
    const said = element("p", { className: "muted", textContent: nameOf(row) });
    const near = element("div", { className: "thumbs", role: "group", ariaLabel: "Images most like it" });
    const small = (image, one) => show(image, one, 128);
    for (const one of found?.slice(1) ?? []) {
      const of = rowOf(one.id);
      if (of === undefined) continue;
      const made = this.thumb(of, small, () => `${one.key}, ${one.label ?? NO_LABEL}`, () => this.on.open(of), false);
      made.title = `${one.key} · ${one.label ?? NO_LABEL} · cosine ${one.cosine.toFixed(2)}`;
      near.append(made);
    }
    const more = found ? [element("div", { className: "head" }, element("strong", { textContent: "Most like it" }), button("Choose all these", () => this.on.chooseNear(), { className: "plain" }))] : [];
    this.body.replaceChildren(head, large, said, ...more, near);
    this.body.scrollTop = 0;
  }
}
