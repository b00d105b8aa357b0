// What the server says there is to show, and how far this round of it is.

const FEW = 5; // an empty queue that grows by more has got a new batch

/**
 * @typedef {{left: number, by_me: number, labelled?: number}} Progress
 * left: images to label; by_me: labels by this annotator
 * @typedef {{items: (Listed & {opinions?: Opinion[]})[], recent?: Fact[], progress?: Progress}} Answer
 */

class Feed {
  /**
   * @param {string} url
   * @param {string} token
   * @param {string} name of this project and annotator
   * @param {Line} line
   */
  constructor(url, token, name, line) {
    this.line = line;
    this.url = url;
    this.token = token;
    this.round = `annotate-select-round:${name}`;
    this.total = 0;
    /** @type {Progress | null} */
    this.progress = null;
  }

  /**
   * Ask for some images; fails with an error whose `said`, if it has one, is for people.
   * @param {Record<string, string | number>} asked
   * @returns {Promise<Answer>}
   */
  async ask(asked) {
    const url = new URL(this.url, location.href);
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, String(value));
    const headers = { "X-Annotate-Token": this.token };
    const response = await this.line.fetch(url.pathname + url.search, { headers, signal: AbortSignal.timeout(TIMEOUT) });
    const answer = await response.json();
    if (!response.ok) throw saying(answer.error);
    return answer;
  }

  /**
   * A round is what the queue grew to: it begins anew when the queue was empty and is filled again, not by an undo.
   * @param {Progress} progress
   */
  count(progress) {
    const before = JSON.parse(localStorage.getItem(this.round) ?? '{"total": 0, "left": 0}');
    const anew = progress.left > before.total || (before.left === 0 && progress.left > FEW);
    this.total = anew ? progress.left : before.total;
    localStorage.setItem(this.round, JSON.stringify({ total: this.total, left: progress.left }));
    this.progress = progress;
  }
}
