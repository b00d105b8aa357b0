// Images by id, fetched and decoded before they are needed, so that the next one is there within a frame.

/**
 * @typedef {{retry?: boolean, said?: string}} Trouble retry: the network is away; said: the server has nothing to show
 * @typedef {HTMLImageElement & {ready: Promise<Trouble | null>}} Picture `ready` says whether it can be shown
 */

class Pictures {
  /**
   * @param {(id: number, width: number) => string} urlOf
   * @param {number} width pixels that a screen without zoom needs
   */
  constructor(urlOf, width) {
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
    image.src = url;
    const ready = image.decode().then(() => null, () => this.whyNot(url));
    return Object.assign(image, { ready });
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
      const response = await fetch(url);
      if (response.ok) return { retry: true };
      return { said: (await response.json()).error ?? "no reason given" };
    } catch {
      return { retry: true };
    }
  }
}
