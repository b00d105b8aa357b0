// Which groups come next: asks the server for some, keeps what is to come, and remembers what was left out.

const LEASE = 240000; // images are kept from others for 10 minutes: ask again before that
const RETRY = 4000; // milliseconds until a server that is away is asked again
const WAIT = 15000; // until what the server has no answer to, such as a missing model, is asked again
const MOST_ASIDE = 800; // ids that an address has room for

/**
 * @typedef {{label: string | null, images: Alike[]}} Group
 * @typedef {{by: string, of: string, n: number}} Wish how images are grouped, and how many make a group
 * @typedef {{
 *   groups: Group[], left: number, predicted: Record<string, number>, taken: number[],
 *   recent: {id: number, key: string, label: string | null}[],
 * }} AlikeAnswer
 */

class Supply {
  /**
   * @param {Feed} feed
   * @param {{
   *   unsent: () => number[], shown: () => Group | null, arrived: (answer: AlikeAnswer) => void, failed: (why: string) => void,
   * }} on unsent: ids of which something was said that the server may not know; shown: the group on screen
   */
  constructor(feed, on) {
    this.feed = feed;
    this.on = on;
    /** @type {Wish} */
    this.wish = { by: "cluster", of: "", n: 60 };
    /** @type {Group[]} */
    this.queue = [];
    /** @type {Set<number>} ids left out; they come again when nothing else does */
    this.aside = new Set();
    this.more = 0; // images that may be grouped and are not here
    this.closed = this.filling = this.again = false;
    this.loaded = this.dry = false; // whether the server has answered at all, and had nothing new
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** @param {Wish} wish */
  start(wish) {
    this.wish = { ...wish };
    this.queue = [];
    this.more = 0;
    this.loaded = this.dry = false;
    this.refill();
  }

  // The next group, null when there is none at the moment.
  take() {
    return this.queue.shift() ?? null;
  }

  // See to it that there is a next group; asked once the page shows what was taken, or its images would be let go.
  replenish() {
    if (!this.on.shown() && this.aside.size) {
      this.aside.clear();
      this.refill();
    } else if (!this.queue.length && !this.dry) this.refill();
  }

  // Ask for groups, and say which images are in use here; on failure ask again later.
  async refill() {
    if (this.closed) return;
    this.again = this.filling;
    if (this.filling) return;
    this.filling = true;
    clearTimeout(this.timer);
    const wish = this.wish;
    let wait = WAIT;
    try {
      const answer = await this.feed.ask(this.question());
      if (wish === this.wish && !this.closed) this.takeIn(/** @type {any} */ (answer));
      if (this.on.shown()) wait = LEASE;
      else if (!this.dry) wait = RETRY;
    } catch (error) {
      if (!error.said) wait = RETRY;
      if (wish === this.wish) this.on.failed(error.said ?? "the server does not answer; trying again");
    }
    this.filling = false;
    if (this.closed) return;
    if (this.again || wish !== this.wish) this.refill();
    else this.timer = window.setTimeout(() => this.refill(), wait);
  }

  question() {
    const without = [...this.aside, ...this.on.unsent()].slice(-MOST_ASIDE);
    return { ...this.wish, keep: this.held.join(","), without: without.join(",") };
  }

  // Ids of the images on screen and in store.
  get held() {
    return [this.on.shown(), ...this.queue].flatMap((group) => group?.images.map(({ id }) => id) ?? []);
  }

  // How many images are still to be given a class here.
  get left() {
    return this.more + this.held.length + this.aside.size;
  }

  /** @param {AlikeAnswer} answer */
  takeIn(answer) {
    const known = new Set([...this.held, ...this.on.unsent(), ...this.aside]);
    const fresh = answer.groups.map(({ label, images }) => ({ label, images: images.filter(({ id }) => !known.has(id)) }));
    this.more = Math.max(0, answer.left - answer.groups.reduce((n, { images }) => n + images.length, 0));
    this.queue.push(...fresh.filter(({ images }) => images.length));
    this.drop(new Set(answer.taken));
    this.loaded = true;
    this.dry = !answer.groups.length;
    this.on.arrived(answer);
  }

  /** @param {Set<number>} ids images that somebody else has now */
  drop(ids) {
    for (const group of this.queue) group.images = group.images.filter(({ id }) => !ids.has(id));
    this.queue = this.queue.filter(({ images }) => images.length);
  }
}
