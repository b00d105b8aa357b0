// A grid of images, each of which is in or out. A cell is bound to its image: it is made for one and never shows another.
//
// A cell counts once its image was decoded, at least half of it could be seen, and a frame with it was painted. What is
// watched is the image itself, not its cell: an image cut off by its cell, for whatever reason, was not seen.

const PATIENCE = 1500; // milliseconds until an image that did not come is asked for again
const AHEAD_PIXELS = 600; // how far below the visible part images are fetched

/**
 * @typedef {{id: number, key: string, score: number}} Alike
 * @typedef {Alike & {
 *   selected: boolean, state: "waiting" | "painted" | "broken" | "taken", visible: boolean, asked: boolean,
 *   box: HTMLElement,
 * }} Cell
 */

class Grid {
  /** @param {{changed: () => void, more: (cell: Cell) => void}} on */
  constructor(on) {
    this.on = on;
    /** @type {Cell[]} */
    this.cells = [];
    this.at = 0; // where the arrow keys are
    /** @type {number | null} the cell that was changed last, from which a range reaches */
    this.anchor = null;
    /** @type {Pictures | null} */
    this.pictures = null;
    const properties = { className: "grid", role: "listbox", ariaMultiSelectable: "true", ariaLabel: "Images of this group" };
    this.panel = element("div", properties);
    this.panel.addEventListener("click", (e) => this.click(e));
    /** @type {WeakMap<Element, Cell>} */
    this.cellOf = new WeakMap();
    this.near = new IntersectionObserver((entries) => this.approach(entries), {
      root: this.panel,
      rootMargin: `${AHEAD_PIXELS}px 0px`,
    });
    this.inside = new IntersectionObserver((entries) => this.enter(entries), { threshold: 0.5 });
  }

  close() {
    this.near.disconnect();
    this.inside.disconnect();
    this.cells = [];
  }

  /**
   * Show these images, all of them in but for those that `out` names.
   * @param {Alike[]} images
   * @param {Pictures} pictures
   * @param {(score: number) => string} scoreText
   * @param {Set<number>} [out]
   */
  show(images, pictures, scoreText, out = new Set()) {
    this.near.disconnect();
    this.inside.disconnect();
    this.pictures = pictures;
    this.anchor = null;
    this.at = 0;
    this.cells = images.map((one, i) => this.cell(one, i, scoreText(one.score), !out.has(one.id)));
    this.panel.replaceChildren(...this.cells.map((cell) => cell.box));
    this.panel.scrollTop = 0;
    for (const { box } of this.cells) this.near.observe(box);
  }

  /**
   * @param {Alike} image
   * @param {number} i
   * @param {string} score
   * @param {boolean} selected
   * @returns {Cell}
   */
  cell({ id, key, score: number }, i, score, selected) {
    const properties = { className: "cell", role: "option", tabIndex: i ? -1 : 0, title: key, ariaLabel: `${i + 1}: ${key}` };
    const box = element("div", properties, element("div", { className: "picture" }));
    if (score) box.append(element("span", { className: "score", textContent: score }));
    box.append(element("span", { className: "mark", ariaHidden: "true" }));
    box.dataset.image = String(id);
    /** @type {Cell} */
    const cell = { id, key, score: number, selected, state: "waiting", visible: false, asked: false, box };
    this.cellOf.set(box, cell);
    this.draw(cell);
    return cell;
  }

  // --- from waiting to painted ---------------------------------------------------------------------------------------

  /** @param {IntersectionObserverEntry[]} entries */
  approach(entries) {
    for (const { target, isIntersecting } of entries) {
      const cell = this.cellOf.get(target);
      if (cell && isIntersecting && !cell.asked) this.load(cell);
    }
  }

  /** @param {IntersectionObserverEntry[]} entries */
  enter(entries) {
    for (const { target, intersectionRatio, boundingClientRect } of entries) {
      const cell = this.cellOf.get(target);
      if (!cell) continue;
      cell.visible = intersectionRatio >= 0.5 && boundingClientRect.height > 0;
      this.look(cell);
    }
  }

  /** @param {Cell} cell */
  async load(cell) {
    cell.asked = true;
    const pictures = /** @type {Pictures} */ (this.pictures);
    const image = pictures.get(cell.id);
    const trouble = await image.ready;
    if (!cell.box.isConnected) return;
    if (trouble) {
      pictures.forget(cell.id);
      if (trouble.retry) setTimeout(() => cell.box.isConnected && this.load(cell), PATIENCE);
      else this.mark(cell, "broken", `cannot be shown: ${trouble.said}`);
      return;
    }
    image.alt = "";
    cell.box.firstElementChild?.replaceChildren(image);
    this.cellOf.set(image, cell);
    this.inside.observe(image);
  }

  /** @param {Cell} cell */
  look(cell) {
    if (!cell.visible || cell.state !== "waiting") return;
    painted(() => {
      if (cell.visible && cell.state === "waiting" && cell.box.isConnected) this.mark(cell, "painted");
    });
  }

  /**
   * @param {Cell} cell
   * @param {Cell["state"]} state
   */
  mark(cell, state, why = "") {
    cell.state = state;
    if (why) cell.box.title = `${cell.key}: ${why}`;
    this.draw(cell);
    this.on.changed();
  }

  /**
   * Somebody else has these images now.
   * @param {Set<number>} ids
   */
  take(ids) {
    for (const cell of this.cells) {
      if (ids.has(cell.id) && cell.state !== "broken") this.mark(cell, "taken", "somebody else has it");
    }
  }

  // The cells that a class is given to.
  get chosen() {
    return this.cells.filter((cell) => cell.selected && cell.state === "painted");
  }

  // The cells that would be, once they have been seen.
  get unseen() {
    return this.cells.filter((cell) => cell.selected && cell.state === "waiting");
  }

  // --- in and out ----------------------------------------------------------------------------------------------------

  /** @param {MouseEvent} e */
  click(e) {
    const box = /** @type {Element} */ (e.target).closest(".cell");
    const i = this.cells.findIndex((cell) => cell.box === box);
    if (i < 0) return;
    this.goTo(i);
    this.toggle(e.shiftKey);
  }

  /**
   * Change the cell at the cursor; with `range`, give all cells since the one changed last that one's state.
   * @param {boolean} range
   */
  toggle(range) {
    if (!this.cells.length) return;
    const from = range && this.anchor !== null ? this.anchor : this.at;
    const selected = range && this.anchor !== null ? this.cells[from].selected : !this.cells[this.at].selected;
    for (let i = Math.min(from, this.at); i <= Math.max(from, this.at); i++) this.set(this.cells[i], selected);
    this.anchor = this.at;
    this.on.changed();
  }

  /** @param {boolean} selected */
  toggleAll(selected) {
    for (const cell of this.cells) this.set(cell, selected);
    this.anchor = null;
    this.on.changed();
  }

  /**
   * @param {Cell} cell
   * @param {boolean} selected
   */
  set(cell, selected) {
    cell.selected = selected;
    this.draw(cell);
  }

  /** @param {Cell} cell */
  draw({ box, selected, state }) {
    const free = state === "waiting" || state === "painted";
    box.ariaSelected = String(selected && free);
    box.ariaDisabled = String(!free);
    box.dataset.state = state;
    box.classList.toggle("out", !selected);
  }

  // --- the cursor ----------------------------------------------------------------------------------------------------

  get columns() {
    return getComputedStyle(this.panel).gridTemplateColumns.split(" ").length;
  }

  /**
   * Obey an arrow key, Home or End; with `range`, the cells on the way get the state of the one changed last.
   * @param {string} key
   * @param {boolean} range
   */
  move(key, range) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns };
    const ends = { Home: 0, End: this.cells.length - 1 };
    const to = key in ends ? ends[/** @type {"Home"} */ (key)] : this.at + steps[/** @type {"ArrowUp"} */ (key)];
    if (!(to in this.cells)) return;
    this.goTo(to);
    if (range && this.anchor !== null) this.toggle(true);
  }

  /** @param {number} i */
  goTo(i) {
    this.cells[this.at].box.tabIndex = -1;
    this.at = i;
    const { box } = this.cells[i];
    box.tabIndex = 0;
    box.focus({ preventScroll: true });
    box.scrollIntoView({ block: "nearest" });
  }

  more() {
    if (this.cells[this.at]) this.on.more(this.cells[this.at]);
  }

  get focused() {
    return /** @type {ShadowRoot | Document} */ (this.panel.getRootNode()).activeElement?.closest(".cell") != null;
  }
}
