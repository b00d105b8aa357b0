// The image seen closer: zoom, pan, brightness and contrast. Changes how the image is shown, never which one.

const MOST_ZOOM = 32; // times the size that fits
const ZOOM_STEP = 1.25;
const PAN_STEP = 80; // pixels of the screen a key press
const PIXELS_FROM = 3; // screen pixels an image pixel takes before it is drawn as a square instead of smoothed
const LEVELS = /** @type {const} */ (["brightness", "contrast"]);

class Viewer {
  /**
   * @param {HTMLElement} hero what holds the image, and cuts off what does not fit
   * @param {{zoomed: (viewer: Viewer) => void, sharpen: () => Promise<boolean>}} on
   * sharpen: have the image replaced by itself with all its pixels, and say whether it was
   */
  constructor(hero, on) {
    this.hero = hero;
    this.on = on;
    this.name = "annotate-select-view";
    this.scale = 1; // 1: the whole image fits
    this.x = 0;
    this.y = 0;
    this.kept = false; // whether the next image is shown in the same zoom
    /** @type {HTMLImageElement | null} */
    this.image = null;
    /** @type {Map<number, {x: number, y: number}>} fingers and pressed mouse buttons on the image */
    this.pointers = new Map();
    this.levels = { brightness: 100, contrast: 100 };
    Object.assign(this.levels, JSON.parse(sessionStorage.getItem(this.name) ?? "{}"));
    this.filter();
    hero.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    hero.addEventListener("pointerdown", (e) => this.press(e));
    hero.addEventListener("pointermove", (e) => this.move(e));
    for (const type of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
      hero.addEventListener(type, (e) => this.pointers.delete(e.pointerId));
    }
    hero.addEventListener("dblclick", (e) => this.toggle(...this.place(e)));
  }

  /**
   * Show this image from now on; `same` is another rendition of the one that is there.
   * @param {HTMLImageElement | null} image
   */
  take(image, same = false) {
    this.image = image;
    if (!same && !this.kept) Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.apply();
  }

  // How often the image's own pixels are drawn larger than the screen's, along one side.
  get magnification() {
    const { width, height } = this.hero.getBoundingClientRect();
    const natural = this.image?.naturalWidth;
    if (!this.image || !natural) return 1;
    const drawn = Math.min(width, (height * natural) / this.image.naturalHeight);
    return (drawn * this.scale * (window.devicePixelRatio || 1)) / natural;
  }

  /** @param {string} what in, out, fit, actual, left, right, up, down */
  obey(what) {
    const { width, height } = this.hero.getBoundingClientRect();
    if (what === "in") this.zoom(ZOOM_STEP, width / 2, height / 2);
    else if (what === "out") this.zoom(1 / ZOOM_STEP, width / 2, height / 2);
    else if (what === "fit") this.toggle(width / 2, height / 2);
    else if (what === "actual") this.actual(width / 2, height / 2);
    else this.pan({ left: PAN_STEP, right: -PAN_STEP }[what] ?? 0, { up: PAN_STEP, down: -PAN_STEP }[what] ?? 0);
  }

  /**
   * Between the whole image and its own pixels around a point of the screen.
   * @param {number} x
   * @param {number} y
   */
  toggle(x, y) {
    if (Math.abs(this.scale - 1) > 0.001) this.zoom(1 / this.scale, x, y);
    else this.actual(x, y);
  }

  /**
   * A pixel of the image for a pixel of the screen; what was loaded until now may be smaller than the image.
   * @param {number} x
   * @param {number} y
   */
  async actual(x, y) {
    if (await this.on.sharpen()) this.zoom(1 / this.magnification, x, y);
  }

  /**
   * Zoom so that what is under a point stays under it.
   * @param {number} factor
   * @param {number} x pixels from the left of what holds the image
   * @param {number} y
   */
  zoom(factor, x, y) {
    if (!this.image) return;
    const least = Math.min(1, this.scale / this.magnification); // a small image in its own pixels is smaller than fit
    const scale = Math.min(MOST_ZOOM, Math.max(least, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.apply();
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  apply() {
    const fits = this.scale === 1;
    if (fits) this.x = this.y = 0; // without measuring, for which the browser would lay out the page before the next image
    else this.clamp();
    this.hero.classList.toggle("zoomed", this.scale > 1);
    if (this.image) {
      this.image.style.transform = fits ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
      this.image.style.imageRendering = !fits && this.magnification > PIXELS_FROM ? "pixelated" : "";
    }
    this.on.zoomed(this);
  }

  clamp() {
    const { width, height } = this.hero.getBoundingClientRect();
    this.x = clamped(this.x, width * (1 - this.scale));
    this.y = clamped(this.y, height * (1 - this.scale));
  }

  /**
   * @param {"brightness" | "contrast"} level
   * @param {number} percent
   */
  set(level, percent) {
    this.levels[level] = percent;
    this.filter();
  }

  reset() {
    Object.assign(this.levels, { brightness: 100, contrast: 100 });
    this.filter();
  }

  // Without a filter where nothing is changed: the browser need not draw the image twice.
  filter() {
    const changed = LEVELS.filter((level) => this.levels[level] !== 100);
    const text = changed.map((level) => `${level}(${this.levels[level] / 100})`).join(" ");
    this.hero.style.setProperty("--filter", text || "none");
    sessionStorage.setItem(this.name, JSON.stringify(this.levels));
  }

  // --- mouse and fingers ---------------------------------------------------------------------------------------------

  /** @param {WheelEvent} e */
  wheel(e) {
    if (!this.image) return;
    e.preventDefault();
    const lines = e.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom(Math.exp(-Math.max(-200, Math.min(200, e.deltaY * lines)) / 400), ...this.place(e));
  }

  /** @param {PointerEvent} e */
  press(e) {
    if (!this.image || (e.pointerType === "mouse" && e.button !== 0)) return;
    this.hero.setPointerCapture(e.pointerId);
    const [x, y] = this.place(e);
    this.pointers.set(e.pointerId, { x, y });
  }

  // One finger moves the image, two also zoom: what was between them stays between them.
  /** @param {PointerEvent} e */
  move(e) {
    if (!this.pointers.has(e.pointerId)) return;
    const before = spread([...this.pointers.values()]);
    const [x, y] = this.place(e);
    this.pointers.set(e.pointerId, { x, y });
    const after = spread([...this.pointers.values()]);
    if (before.wide && after.wide) this.zoom(after.wide / before.wide, before.x, before.y);
    this.pan(after.x - before.x, after.y - before.y);
  }

  /**
   * @param {MouseEvent} e
   * @returns {[number, number]}
   */
  place(e) {
    const box = this.hero.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  }
}

/**
 * Keep an image over its box; a smaller one stays in the middle.
 * @param {number} offset
 * @param {number} room 0 where the image is as large as the box, negative where it is larger
 */
function clamped(offset, room) {
  return room > 0 ? room / 2 : Math.min(0, Math.max(room, offset));
}

/**
 * The middle of one or two points, and how far apart they are.
 * @param {{x: number, y: number}[]} points
 */
function spread(points) {
  const [a, b = a] = points;
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, wide: Math.hypot(a.x - b.x, a.y - b.y) };
}
