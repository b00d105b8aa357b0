// Images by id, fetched and decoded before they are needed, so that the next one is there within a frame.

/**
 * @typedef {{retry?: boolean, said?: string}} Trouble retry: the network is away; said: the server has nothing to show
 * @typedef {HTMLImageElement & {ready: Promise<Trouble | null>}} Picture `ready` says whether it can be shown
 */

class Pictures {
  /**
   * @param {(id: number, width?: number) => string} urlOf
   * @param {number} width pixels that a screen without zoom needs
   * @param {Line} line
   */
  constructor(urlOf, width, line) {
    this.line = line;
    this.urlAt = urlOf;
    this.width = width;
    /** @type {Map<number, Picture>} */
    this.images = new Map();
  }

  /** @param {number} id */
  urlOf(id) {
    return this.urlAt(id, this.width);
  }

  /**
   * The image, perhaps still loading.
   * @param {number} id
   * @returns {Picture}
   */
  get(id) {
    let image = this.images.get(id);
    if (!image) this.images.set(id, (image = this.load(this.urlOf(id))));
    return image;
  }

  /**
   * @param {string} url
   * @returns {Picture}
   */
  load(url) {
    const image = new Image();
    image.decoding = "sync"; // decoded before it is shown, so that shown means seen
    image.draggable = false;
    if (this.line.slow) return Object.assign(image, { ready: this.bySlow(image, url) });
    image.src = url;
    const ready = image.decode().then(() => null, () => this.whyNot(url));
    return Object.assign(image, { ready });
  }

  /**
   * @param {HTMLImageElement} image
   * @param {string} url
   * @returns {Promise<Trouble | null>}
   */
  async bySlow(image, url) {
    try {
      await this.line.fetched(image, url);
      await image.decode();
      return null;
    } catch (error) {
      return error.said ? { said: error.said } : { retry: true };
    }
  }

  /** @param {number} id */
  forget(id) {
    this.images.delete(id);
  }

  /**
   * Fetch what comes, keep what was just there, drop the rest.
   * @param {number[]} ahead
   * @param {number[]} behind
   */
  keep(ahead, behind) {
    for (const id of ahead) this.get(id);
    const kept = new Set([...ahead, ...behind]);
    for (const id of this.images.keys()) if (!kept.has(id)) this.images.delete(id);
  }

  /**
   * @param {string} url
   * @returns {Promise<Trouble>}
   */
  async whyNot(url) {
    try {
      const response = await this.line.fetch(url);
      if (response.ok) return { retry: true };
      return { said: (await response.json()).error ?? "no reason given" };
    } catch {
      return { retry: true };
    }
  }
}

const LARGE = 2400; // pixels of the largest rendition before the whole image

// Larger renditions of the image on screen: first what most zooms need, then all its pixels.
class Sharpener {
  /** @param {Pictures} pictures */
  constructor(pictures) {
    this.pictures = pictures;
    /** @type {WeakMap<HTMLImageElement, Promise<HTMLImageElement>>} what an image is being, or was, replaced by */
    this.begun = new WeakMap();
    /** @type {WeakSet<HTMLImageElement>} images with all the pixels there are */
    this.whole = new WeakSet();
  }

  /**
   * Replace an image by a larger rendition of it.
   * @param {HTMLImageElement} image
   * @param {number} id
   * @param {boolean} all whether to go on until there are no more pixels
   * @param {(larger: HTMLImageElement, smaller: HTMLImageElement) => boolean} put
   * show one instead of the other; false where that one is gone
   * @returns {Promise<boolean>} whether what is shown has all the pixels there are
   */
  async more(image, id, all, put) {
    if (this.whole.has(image) || longest(image) < this.pictures.width) return true;
    if (this.begun.has(image) && !all) return false;
    const begun = this.begun.get(image) ?? this.larger(image, id);
    this.begun.set(image, begun);
    const larger = await begun;
    if (larger === image) this.begun.delete(image); // it did not come; another time, perhaps
    if (larger === image || !put(larger, image)) return false;
    return this.whole.has(larger) || (all && this.more(larger, id, all, put));
  }

  /**
   * @param {HTMLImageElement} image
   * @param {number} id
   */
  async larger(image, id) {
    const last = longest(image) >= LARGE;
    const larger = this.pictures.load(last ? this.pictures.urlAt(id) : this.pictures.urlAt(id, LARGE));
    if (await larger.ready) return image;
    if (last || longest(larger) < LARGE) this.whole.add(larger);
    return larger;
  }
}

/** @param {HTMLImageElement} image */
function longest(image) {
  return Math.max(image.naturalWidth, image.naturalHeight);
}
