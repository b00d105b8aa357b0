// The one image on screen, and whether it is really there: painted, still coming, or not to be shown at all.

const AHEAD = 24; // images fetched before they are needed ...
const AHEAD_SLOW = 8; // ... and where each of them comes through the component's state, no larger than so many pixels
const WIDTH_SLOW = 640;
const AGAIN = 1500; // milliseconds until an image is asked for again while the network is away

class Stage {
  /**
   * @param {(id: number, width?: number) => string} urlOf
   * @param {Line} line
   * @param {{image: (image: HTMLImageElement, item: Item, same?: boolean) => void, message: (title: string, text: string) => void,
   *   painted: (item: Item) => void, again: () => void}} on
   * image, message: put one on the screen; `same` is the image that is there, with more pixels; again: show it anew
   */
  constructor(urlOf, line, on) {
    this.line = line;
    this.on = on;
    this.pictures = new Pictures(urlOf, 1024, line);
    this.sharper = new Sharpener(this.pictures);
    /** @type {number | null} the id of the image that is painted, and that keys are for */
    this.shown = null;
    this.shownAt = 0;
    /** @type {HTMLImageElement | null} what was put on the screen last */
    this.image = null;
    this.broken = false; // whether the image cannot be shown
    this.turn = {};
  }

  close() {
    clearTimeout(this.retry);
  }

  // From now on keys are for no image.
  clear() {
    clearTimeout(this.retry);
    this.turn = {};
    this.shown = this.image = null;
    this.broken = false;
  }

  /**
   * Put an image on the screen; keys count for it from when it is painted. Then fetch what comes after it.
   * @param {Item} item
   * @param {Timeline} timeline
   */
  async show(item, timeline) {
    this.clear();
    const { turn } = this;
    const image = this.pictures.get(item.id);
    const there = image.complete && image.naturalWidth;
    if (there) painted(() => this.prefetch(timeline));
    else this.prefetch(timeline);
    const problem = there ? null : await image.ready;
    if (turn !== this.turn) return;
    if (problem) return this.showBroken(item, problem);
    this.image = image;
    this.on.image(image, item);
    this.whenPainted(item);
  }

  /** @param {Item} item */
  whenPainted(item) {
    const { turn } = this;
    painted(() => {
      if (turn !== this.turn) return;
      this.shown = item.id;
      this.shownAt = performance.now();
      this.on.painted(item);
    });
  }

  /**
   * The file is unreadable: it can be rejected or skipped. Or the network is away: try again until it is back.
   * @param {Item} item
   * @param {Trouble} problem
   */
  showBroken(item, problem) {
    this.pictures.forget(item.id);
    this.broken = true;
    if (problem.retry) {
      this.on.message("Waiting for this image", "the server does not answer; what you decided is kept");
      this.retry = window.setTimeout(() => this.on.again(), AGAIN);
      return;
    }
    this.on.message("This image cannot be shown", `${problem.said}. Reject it (x) or skip it (s).`);
    this.whenPainted(item);
  }

  /**
   * Zoomed beyond the pixels there are, fetch more. The image stays the one it is, and keys are for it all along.
   * @param {Item | null} item what should be on screen
   * @returns {Promise<boolean>} whether the image on screen has all its pixels now
   */
  async sharpen(item, all = false) {
    if (!this.image || !item || this.shown !== item.id) return false;
    return this.sharper.more(this.image, item.id, all, (larger, smaller) => {
      if (this.shown === item.id && this.image === smaller) this.on.image((this.image = larger), item, true);
      return this.image === larger;
    });
  }

  /** @param {Timeline} timeline */
  prefetch(timeline) {
    const behind = timeline.items.slice(Math.max(0, timeline.at - AHEAD), timeline.at + 1);
    const ahead = timeline.ahead(this.line.slow ? AHEAD_SLOW : AHEAD);
    this.pictures.keep(ahead.map((item) => item.id), behind.map((item) => item.id));
  }

  /** @param {number} pixels of the longest side */
  setWidth(pixels) {
    this.pictures.width = pixels;
  }

  // Everything goes another way than by the routes, so less of it is fetched.
  slowDown() {
    this.setWidth(Math.min(this.pictures.width, WIDTH_SLOW));
  }
}
