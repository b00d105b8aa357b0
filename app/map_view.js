// The picture of the map: zoom, move, hover, lasso, and a rectangle for the keyboard. It decides nothing about images.

const CLICK = 5; // pixels a hand may tremble
const REACH = 12; // pixels from a point that still mean it
const CLOSEST = 400; // times the size at which everything fits
const STEP = 40; // pixels that an arrow key moves

class View {
  // `on` holds choose(rows, add), open(row), hover(row or -1, x, y).
  constructor(on) {
    this.on = on;
    this.tool = "lasso";
    this.base = element("canvas", { className: "points" });
    this.over = element("canvas", { className: "over", tabIndex: 0 });
    this.over.setAttribute("role", "application");
    this.over.setAttribute("aria-label", "Map of the images");
    this.over.setAttribute("aria-describedby", "map-keys");
    this.keys = element("div", {
      id: "map-keys",
      className: "unseen",
      textContent:
        "Every point is an image, look-alikes lie together. Arrow keys move the map, plus and minus zoom, 0 shows all. " +
        "S puts a rectangle in the middle: arrows move it, shift and arrows size it, Enter chooses the images in it, " +
        "Escape takes it away. Enter without a rectangle opens the image nearest to the middle.",
    });
    this.root = element("div", { className: "plot" }, this.base, this.over, this.keys);
    this.plot = plotFor(this.base);
    this.base.addEventListener("webglcontextlost", () => this.withoutGl());
    this.pointers = new Map();
    this.look = { scale: 1, x: 0, y: 0 };
    this.listen();
  }

  listen() {
    const { over } = this;
    over.addEventListener("pointerdown", (e) => this.down(e));
    over.addEventListener("pointermove", (e) => this.move(e));
    over.addEventListener("pointerup", (e) => this.up(e));
    over.addEventListener("pointercancel", (e) => this.cancel(e));
    over.addEventListener("pointerleave", () => this.on.hover(-1));
    over.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    over.addEventListener("contextmenu", (e) => e.preventDefault());
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(this.root);
  }

  close() {
    this.sized.disconnect();
    this.plot.close();
    this.closed = true;
  }

  // The graphics went away (a driver restarted, too many maps): go on without them.
  withoutGl() {
    if (this.closed) return;
    const plain = element("canvas", { className: "points" });
    this.base.replaceWith(plain);
    this.base = plain;
    this.plot = new FlatPlot(plain);
    this.resize();
    if (this.points) this.plot.setPoints(this.points);
    this.recolour(true);
  }

  // `colours` are CSS colours of the groups, "" for grey.
  setPoints(points, colours) {
    const first = !this.points || this.points.n !== points.n;
    this.points = points;
    this.colours = colours;
    this.plot.setPoints(points);
    if (first) this.fit();
    this.recolour(true);
  }

  // Flags or groups changed.
  changed() {
    this.plot.setState(this.points);
    this.redraw();
  }

  // Take the colours of the theme as they are now.
  recolour(always = false) {
    if (!this.points) return;
    const style = getComputedStyle(this.root);
    const theme = `${style.backgroundColor} ${style.color}`;
    if (!always && theme === this.theme) return;
    this.theme = theme;
    const ground = rgb(style.backgroundColor);
    const ink = rgb(style.color);
    const grey = ink.map((one, i) => Math.round(one * 0.32 + ground[i] * 0.68));
    this.plot.setPalette(this.colours.map((colour) => (colour ? rgb(colour) : grey)), ground, ink);
    this.redraw();
  }

  resize() {
    const box = this.over.getBoundingClientRect(); // the root's own has a border, in which nothing is drawn
    if (!box.width || !box.height) return;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    const fitted = this.fitted;
    this.width = box.width;
    this.height = box.height;
    for (const canvas of [this.base, this.over]) {
      canvas.width = Math.round(box.width * this.ratio);
      canvas.height = Math.round(box.height * this.ratio);
    }
    if (fitted !== false) this.fit();
    this.redraw();
  }

  // Show everything.
  fit() {
    if (!this.width) return;
    this.least = Math.max(10, Math.min(this.width, this.height) - 32);
    this.look = { scale: this.least, x: (this.width - this.least) / 2, y: (this.height - this.least) / 2 };
    this.fitted = true;
    this.redraw();
  }

  zoom(times, x = this.width / 2, y = this.height / 2) {
    const scale = Math.min(this.least * CLOSEST, Math.max(this.least / 2, this.look.scale * times));
    const by = scale / this.look.scale;
    this.look = { scale, x: x - (x - this.look.x) * by, y: y - (y - this.look.y) * by };
    this.fitted = false;
    this.redraw();
  }

  shift(dx, dy) {
    this.look = { ...this.look, x: this.look.x + dx, y: this.look.y + dy };
    this.fitted = false;
    this.redraw();
  }

  redraw() {
    if (this.waiting || this.closed) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (!this.closed && this.points && this.width) this.draw();
    });
  }

  draw() {
    this.plot.draw(this.look, this.width, this.height, this.pointSize(), this.ratio);
    const pen = this.over.getContext("2d");
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    pen.strokeStyle = pen.fillStyle = getComputedStyle(this.root).getPropertyValue("--accent") || "#3b6ea8";
    pen.lineWidth = 1.5;
    if (this.path?.length > 2) this.outline(pen, this.path);
    if (this.frame) this.outline(pen, cornersOf(this.frame));
    if (this.marked >= 0) this.mark(pen, this.marked);
    this.drawn = (this.drawn ?? 0) + 1;
  }

  outline(pen, polygon) {
    pen.beginPath();
    for (let k = 0; k < polygon.length; k += 2) pen.lineTo(polygon[k], polygon[k + 1]);
    pen.closePath();
    pen.stroke();
    pen.globalAlpha = 0.1;
    pen.fill();
    pen.globalAlpha = 1;
  }

  mark(pen, row) {
    const [x, y] = this.placeOf(row);
    pen.beginPath();
    pen.arc(x, y, this.pointSize() / 2 + 5, 0, 2 * Math.PI);
    pen.stroke();
  }

  // Show which point an image elsewhere on the page is.
  setMarked(row) {
    this.marked = row;
    this.redraw();
  }

  pointSize() {
    const { n } = this.points;
    const size = n > 50_000 ? 2.5 : n > 10_000 ? 3.5 : n > 2_000 ? 5 : 8;
    return size * Math.min(3, Math.max(1, this.look.scale / this.least) ** 0.4);
  }

  placeOf(row) {
    const { xy } = this.points;
    return [xy[2 * row] * this.look.scale + this.look.x, xy[2 * row + 1] * this.look.scale + this.look.y];
  }

  rowAt(x, y) {
    const { scale } = this.look;
    return nearestPoint(this.points, (x - this.look.x) / scale, (y - this.look.y) / scale, REACH / scale);
  }

  // Choose what lies inside a polygon of CSS pixels.
  chooseInside(polygon, add) {
    const { scale, x, y } = this.look;
    this.on.choose(inside(this.points, polygon.map((one, k) => (one - (k % 2 ? y : x)) / scale)), add);
  }

  // --- the pointer -------------------------------------------------------------------------------------------------

  down(e) {
    if (!this.points) return;
    this.over.setPointerCapture(e.pointerId);
    this.pointers.set(e.pointerId, [e.offsetX, e.offsetY]);
    this.on.hover(-1);
    if (this.pointers.size > 1) {
      this.path = null;
      this.began = null;
      return;
    }
    this.began = { x: e.offsetX, y: e.offsetY, moves: this.tool === "move" || e.button !== 0 || e.altKey };
    this.path = this.began.moves ? null : [e.offsetX, e.offsetY];
    this.travelled = 0;
  }

  move(e) {
    if (!this.points) return;
    const before = this.pointers.get(e.pointerId);
    if (!before) return this.on.hover(this.rowAt(e.offsetX, e.offsetY), e.offsetX, e.offsetY);
    if (this.pointers.size > 1) return this.pinch(e, before);
    this.pointers.set(e.pointerId, [e.offsetX, e.offsetY]);
    if (!this.began) return;
    this.travelled = Math.max(this.travelled, Math.hypot(e.offsetX - this.began.x, e.offsetY - this.began.y));
    if (this.began.moves) return this.shift(e.offsetX - before[0], e.offsetY - before[1]);
    if (Math.hypot(e.offsetX - this.path.at(-2), e.offsetY - this.path.at(-1)) < 3) return;
    this.path.push(e.offsetX, e.offsetY);
    this.redraw();
  }

  up(e) {
    const { began, path } = this;
    this.cancel(e);
    if (!began) return;
    if (this.travelled <= CLICK) {
      const row = this.rowAt(began.x, began.y);
      if (row >= 0) this.on.open(row);
    } else if (path?.length > 4) this.chooseInside(path, e.shiftKey);
  }

  cancel(e) {
    this.pointers.delete(e.pointerId);
    this.path = this.began = null;
    this.redraw();
  }

  pinch(e, before) {
    const [other] = [...this.pointers].filter(([id]) => id !== e.pointerId).map(([, place]) => place);
    const apart = Math.hypot(before[0] - other[0], before[1] - other[1]);
    const now = Math.hypot(e.offsetX - other[0], e.offsetY - other[1]);
    this.pointers.set(e.pointerId, [e.offsetX, e.offsetY]);
    this.shift((e.offsetX - before[0]) / 2, (e.offsetY - before[1]) / 2);
    if (apart > 10) this.zoom(now / apart, (e.offsetX + other[0]) / 2, (e.offsetY + other[1]) / 2);
  }

  wheel(e) {
    e.preventDefault();
    const lines = e.deltaMode === 1 ? 16 : 1;
    if (this.points) this.zoom(Math.exp((-e.deltaY * lines) / 400), e.offsetX, e.offsetY);
  }

  // --- the keyboard ------------------------------------------------------------------------------------------------

  // Obey a key while the map has the focus; tell whether it was one of ours.
  key(e) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (arrow) this.frame ? this.moveFrame(arrow, e.shiftKey) : this.shift(-arrow[0] * STEP, -arrow[1] * STEP);
    else if (e.key === "+" || e.key === "=") this.zoom(1.4);
    else if (e.key === "-") this.zoom(1 / 1.4);
    else if (e.key === "0") this.fit();
    else if (e.key === "s" || e.key === "S") this.setFrame({ x: this.width / 2, y: this.height / 2, w: 160, h: 120 });
    else if (e.key === "Escape" && this.frame) this.setFrame(null);
    else if (e.key === "Enter") this.enter(e.shiftKey);
    else return false;
    return true;
  }

  enter(add) {
    if (this.frame) {
      this.chooseInside(cornersOf(this.frame), add);
      return this.setFrame(null);
    }
    const { scale, x, y } = this.look;
    const row = nearestPoint(this.points, (this.width / 2 - x) / scale, (this.height / 2 - y) / scale, Infinity);
    if (row >= 0) this.on.open(row);
  }

  moveFrame([dx, dy], sizes) {
    const step = STEP / 2;
    const { x, y, w, h } = this.frame;
    if (sizes) this.setFrame({ x, y, w: Math.max(step, w + dx * step), h: Math.max(step, h + dy * step) });
    else this.setFrame({ x: x + dx * step, y: y + dy * step, w, h });
  }

  setFrame(frame) {
    this.frame = frame;
    this.redraw();
  }
}

function cornersOf({ x, y, w, h }) {
  return [x - w / 2, y - h / 2, x + w / 2, y - h / 2, x + w / 2, y + h / 2, x - w / 2, y + h / 2];
}
