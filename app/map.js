// The map page: every image a point; look-alikes lie together. What is chosen can be labelled, put aside, or queued.
//
// What makes it safe:
//   an action counts only for the chosen images that were painted when it was pressed, and for exactly these;
//   every image gets an event of its own, through the same outbox as the labeller's: nothing is lost, all can be undone;
//   one instance an element: Streamlit calls the default export again whenever `data` changes.

const HINT = "Draw round points to choose their images. Click a point to see its image and what is most like it.";
const MOST = 5000; // images labelled at once: each has an event of its own, kept in the browser until it is stored
const instances = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  let map = instances.get(parentElement);
  if (!map) instances.set(parentElement, (map = new PoolMap(parentElement.querySelector(".map"), data, setStateValue)));
  map.tell = setStateValue;
  map.line.hear(data.heard);
  map.update(data);
  return () => {
    map.close();
    instances.delete(parentElement);
  };
}

class PoolMap {
  constructor(root, data, tell) {
    this.root = root;
    this.tell = tell;
    this.data = data;
    this.chosen = []; // rows, in the order of the map
    this.hidden = new Set(); // groups
    this.by = "label";
    const line = (this.line = new Line((told) => this.tell("calls", told), (why) => this.slowDown(why)));
    this.server = new MapServer(data, line);
    this.view = new View({
      choose: (rows, add) => this.choose(rows, add),
      open: (row) => this.open(row),
      hover: (row, x, y) => this.hover(row, x, y),
    });
    this.panel = new Panel(data, {
      by: (name) => this.load(name),
      tool: (name) => this.setTool(name),
      zoom: (times) => (times ? this.view.zoom(times) : this.view.fit()),
      toggle: (group) => this.toggle(group),
      all: () => this.showAll(),
      clear: () => this.choose([]),
      label: (kind, label) => this.label(kind, label),
      batch: () => this.addBatch(),
      undo: () => this.undo(),
      leave: (row, out) => this.leave(row, out),
      peek: (row) => this.view.setMarked(row),
      open: (row) => this.open(row),
      back: () => this.showChosen(),
      chooseNear: () => this.choose(this.near),
    });
    this.tip = element("div", { className: "tip", hidden: true }, element("img", { alt: "" }), element("span"));
    this.view.root.append(this.tip);
    root.replaceChildren(this.panel.bar, element("div", { className: "body" }, this.view.root, this.panel.side));
    this.panel.setNothing(HINT);
    this.keys = (e) => this.key(e);
    this.resized = () => this.fill();
    window.addEventListener("keydown", this.keys, true);
    window.addEventListener("resize", this.resized);
    this.themes = setInterval(() => this.view.recolour(), 1000); // nobody tells when the theme changes
    if (data.annotator) {
      this.work = new MapWork(data, line, {
        saved: (n, offline, problem) => this.panel.setSaved(n, offline, problem),
        refused: (done, n, of, reason) => this.refused(done, n, of, reason),
      });
    }
    if (data.debug) window.__map = this;
  }

  update(data) {
    this.fill();
    const asked = JSON.stringify([data.features, data.method]);
    this.data = this.server.data = data;
    if (asked === this.asked) return;
    this.asked = asked;
    this.load(this.by);
  }

  // Take the height that the page leaves.
  fill() {
    this.root.style.setProperty("--top", `${Math.max(0, this.root.getBoundingClientRect().top + window.scrollY)}px`);
  }

  close() {
    this.closed = true;
    window.removeEventListener("keydown", this.keys, true);
    window.removeEventListener("resize", this.resized);
    clearInterval(this.themes);
    this.view.close();
    this.work?.close();
    this.line.close();
  }

  slowDown(why) {
    this.root.dataset.slow = "yes";
    this.panel.say(why);
  }

  // --- what there is -----------------------------------------------------------------------------------------------

  async load(by) {
    const turn = (this.turn = {});
    this.panel.setCount("loading …");
    try {
      const points = await this.server.points(by);
      if (turn !== this.turn || this.closed) return;
      this.takeIn(points);
    } catch (error) {
      if (turn !== this.turn || this.closed) return;
      this.panel.by.value = this.by;
      this.panel.setCount("");
      this.panel.say(error.said ?? "the server does not answer; choose a colour again to try anew", { problem: true });
    }
  }

  takeIn(points) {
    const same = this.points && this.points.n === points.n && this.points.ids.every((id, i) => id === points.ids[i]);
    if (this.by !== points.by || !same) this.hidden.clear();
    if (same) points.flags.set(this.points.flags.map((flag) => flag & CHOSEN));
    this.by = points.by;
    this.points = points;
    this.rows = new Map(Array.from(points.ids, (id, row) => [id, row]));
    this.flagHidden();
    this.view.setPoints(points, coloursOf(points.groups, this.data.colors));
    this.panel.setCount(`${counted(points.n)} · ${points.method === "pca" ? "principal components" : points.method}`);
    if (!same) this.choose([]);
    this.showLegend();
  }

  show(image, row, width) {
    this.server.show(image, this.points.ids[row], width);
  }

  nameOf(row) {
    return `image ${this.points.ids[row]}, ${this.points.groups[this.points.group[row]].name}`;
  }

  // --- legend ------------------------------------------------------------------------------------------------------

  toggle(group) {
    if (!this.hidden.delete(group)) this.hidden.add(group);
    this.afterHiding();
  }

  showAll() {
    this.hidden.clear();
    this.afterHiding();
  }

  // What is hidden is not chosen either: an action must not reach what nobody sees.
  afterHiding() {
    this.flagHidden();
    const seen = this.chosen.filter((row) => !(this.points.flags[row] & HIDDEN));
    if (seen.length < this.chosen.length) this.choose(seen);
    else this.view.changed();
    this.showLegend();
  }

  flagHidden() {
    const { flags, group, n } = this.points;
    for (let i = 0; i < n; i++) flags[i] = (flags[i] & CHOSEN) | (this.hidden.has(group[i]) ? HIDDEN : 0);
  }

  showLegend() {
    const counts = this.points.groups.map(() => 0);
    for (const group of this.points.group) counts[group] += 1;
    this.panel.setLegend(this.points.groups, coloursOf(this.points.groups, this.data.colors), counts, this.hidden);
  }

  // --- choosing ----------------------------------------------------------------------------------------------------

  choose(rows, add = false) {
    const wanted = new Set(add ? [...this.chosen, ...rows] : rows);
    this.chosen = [...wanted].sort((a, b) => a - b);
    const { flags } = this.points;
    for (let i = 0; i < flags.length; i++) flags[i] &= HIDDEN;
    for (const row of this.chosen) flags[row] |= CHOSEN;
    this.opened = null;
    this.view.marked = -1;
    this.view.changed();
    this.showChosen();
    if (rows.length) this.panel.say(`${counted(this.chosen.length)} chosen`, { unseen: true });
  }

  showChosen() {
    this.opened = null;
    this.view.setMarked(-1);
    this.shown = null;
    if (!this.chosen.length) return this.panel.setNothing(HINT);
    this.panel.setChosen(this.chosen, (image, row) => this.show(image, row, 128), (row) => this.nameOf(row));
    this.whenPainted();
  }

  // Actions count for these rows from when they, and how many they are, are on the screen.
  whenPainted() {
    const rows = this.chosen;
    this.shown = null;
    painted(() => {
      if (rows === this.chosen && !this.opened) this.shown = rows;
    });
  }

  // One image was taken out of what is chosen, or put back.
  leave(row, out) {
    this.chosen = out ? this.chosen.filter((one) => one !== row) : [...this.chosen, row].sort((a, b) => a - b);
    this.points.flags[row] = out ? 0 : CHOSEN;
    this.view.changed();
    this.panel.setChosenCount(this.chosen.length);
    this.whenPainted();
  }

  // --- one image ---------------------------------------------------------------------------------------------------

  async open(row) {
    const opened = (this.opened = {});
    this.panel.say("");
    this.shown = null;
    this.view.setMarked(row);
    const show = (found) =>
      this.panel.setImage(row, (image, one, width) => this.show(image, one, width), (one) => this.nameOf(one), found, (id) => this.rows.get(id));
    show(null);
    try {
      const images = await this.server.near(this.points.ids[row]);
      if (opened !== this.opened) return;
      this.near = images.map((one) => this.rows.get(one.id)).filter((one) => one !== undefined && !(this.points.flags[one] & HIDDEN));
      show(images);
    } catch (error) {
      if (opened === this.opened) this.panel.say(error.said ?? "the server does not answer", { problem: true });
    }
  }

  hover(row, x, y) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.tip.hidden = row < 0;
    this.view.over.style.cursor = row < 0 ? "" : "pointer";
    if (row < 0) return;
    const [image, words] = this.tip.children;
    this.show(image, row, 128);
    words.textContent = this.points.groups[this.points.group[row]].name;
    this.tip.style.left = `${Math.min(x + 14, this.view.width - 150)}px`;
    this.tip.style.top = `${Math.min(y + 14, this.view.height - 160)}px`;
  }

  // --- what is done to the chosen ----------------------------------------------------------------------------------

  label(kind, label) {
    const rows = this.taken();
    if (!rows) return;
    if (rows.length > MOST) {
      return this.panel.say(`label at most ${MOST.toLocaleString("en")} images at once; choose fewer`, { problem: true });
    }
    const { ids, group } = this.points;
    this.work.say(rows.map((row) => ({ row, image: ids[row], before: group[row] })), kind, label);
    this.regroup(rows, this.groupOf(kind, label));
    this.choose([]);
    this.panel.say(`${counted(rows.length)}: ${label ?? "not usable"}`, { undo: true });
  }

  undo() {
    const done = this.work.takeBack();
    if (!done) return;
    for (const { row, before } of done) this.points.group[row] = before;
    this.choose(done.map(({ row }) => row).filter((row) => !(this.points.flags[row] & HIDDEN)));
    this.showLegend();
    this.panel.say(`taken back: ${counted(done.length)} ${done.length === 1 ? "is" : "are"} as before`);
  }

  async addBatch() {
    const rows = this.taken();
    if (!rows) return;
    const images = rows.map((row) => this.points.ids[row]);
    this.choose([]);
    try {
      const answer = await this.server.addBatch(images);
      const left = images.length - answer.images;
      const rest = left ? `; ${left.toLocaleString("en")} need no pick: labelled, or in the queue already` : "";
      this.panel.say(answer.batch ? `batch ${answer.batch}: ${counted(answer.images)}${rest}` : `nothing added${rest}`);
    } catch (error) {
      this.choose(rows);
      this.panel.say(error.said ?? "the server does not answer, so nothing was added", { problem: true });
    }
  }

  // The chosen rows, if they were on the screen; else the action is refused, visibly.
  taken() {
    if (!this.shown?.length || this.shown !== this.chosen) {
      this.panel.say("too fast: the chosen images were not on screen yet, so nothing was recorded", { problem: true });
      return null;
    }
    return this.shown;
  }

  // Show at once what the server will say of these rows; null where only it can tell.
  regroup(rows, group) {
    if (group === null) return;
    for (const row of rows) this.points.group[row] = group;
    this.flagHidden();
    this.showLegend();
  }

  groupOf(kind, label) {
    if (this.by !== "label") return null;
    const found = this.points.groups.findIndex((group) => group.kind === (label ? "class" : "state") && group.name === (label ?? "not usable"));
    return found < 0 ? null : found;
  }

  // What the server refused is as it was.
  refused(done, n, of, reason) {
    for (const { row, before } of done) this.points.group[row] = before;
    this.view.changed();
    this.showLegend();
    this.panel.say(`${n.toLocaleString("en")} of ${of.toLocaleString("en")} were refused: ${reason}`, { problem: true });
  }

  // --- keys --------------------------------------------------------------------------------------------------------

  setTool(name) {
    this.view.tool = name;
    this.view.over.dataset.tool = name;
    this.panel.setTool(name);
  }

  key(e) {
    const target = e.composedPath()[0];
    if (e.ctrlKey || e.metaKey || e.altKey || !this.points || !this.view.root.getRootNode().contains(target)) return;
    if (target.tagName === "SELECT") return;
    let ours = target === this.view.over && this.view.key(e);
    if (!ours && e.key === "Escape") {
      ours = true;
      if (this.opened) this.showChosen();
      else if (this.chosen.length) this.choose([]);
    }
    // Streamlit would clear its caches on c, and run the page again on r.
    if (!ours && !["c", "r"].includes(e.key.toLowerCase())) return;
    e.preventDefault();
    e.stopImmediatePropagation();
  }
}
