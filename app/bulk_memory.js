// What the bulk page remembers: how its user likes their groups, and the groups decided in this tab, as they were, so
// that they can be taken back. Both outlive a reload.

const MOST_DONE = 20; // groups that can be taken back

/**
 * @typedef {Alike & {selected: boolean, uid: string | null}} DoneImage uid: of its event, null where it got no label
 * @typedef {{label: string | null, said: string, images: DoneImage[]}} Done
 * said: the class, or nothing where the group was left for later
 * @typedef {Wish & {pixels: number}} Taste pixels: of a cell
 */

class Memory {
  /** @param {string} name of what is kept in the browser */
  constructor(name) {
    this.name = name;
    /** @type {Taste} */
    this.taste = { by: "cluster", of: "", n: 60, pixels: 100, ...JSON.parse(localStorage.getItem(name) ?? "{}") };
    /** @type {{done: Done[], aside: number[]}} */
    const kept = JSON.parse(sessionStorage.getItem(name) ?? '{"done": [], "aside": []}');
    this.done = kept.done;
    this.aside = kept.aside; // ids left out when the tab was left
  }

  /** @param {Partial<Taste>} changed */
  setTaste(changed) {
    Object.assign(this.taste, changed);
    localStorage.setItem(this.name, JSON.stringify(this.taste));
  }

  /** @param {Done} group */
  add(group) {
    this.done = [...this.done, group].slice(-MOST_DONE);
  }

  // The last group; it is forgotten.
  take() {
    return this.done.pop();
  }

  // The images of all these groups.
  get images() {
    return this.done.flatMap(({ images }) => images);
  }

  /**
   * The server refused these events, so that their images have no label to be taken back.
   * @param {Set<string>} uids
   */
  refuse(uids) {
    for (const one of this.images) if (uids.has(one.uid ?? "")) one.uid = null;
  }

  /**
   * A reload goes on where this was; another tab has its own.
   * @param {Set<number>} aside ids left out
   */
  store(aside) {
    try {
      sessionStorage.setItem(this.name, JSON.stringify({ done: this.done, aside: [...aside].slice(-MOST_ASIDE) }));
    } catch {
      this.done.shift(); // no room: the oldest group cannot be taken back after a reload
    }
  }
}
