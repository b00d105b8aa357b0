// The way to the server. Usually requests to the routes beside Streamlit's own. Where these are missing - the app was
// started by `streamlit run`, or a proxy passes Streamlit's paths alone - the same requests go through the component's
// state: it carries every request without an answer, each time, so none is lost; and what is sent twice has the same
// uids. That way is slower, since each sending runs the page's script, so there is one on its way at a time.

const SLOW = "a slow connection: this page was not started by `annotate-select app`, or a proxy is in between";
const FIRST_WAIT = 3000; // milliseconds without an answer before the state is sent again; doubled each time
const GATHERED = 10; // milliseconds in which requests gather
const KEPT_PICTURES = 120;

/**
 * @typedef {{id: string, method: string, url: string, token: string, body: string | null}} Call
 * @typedef {{n: number, calls: Call[]}} Told what the state holds; n counts up
 * @typedef {{id: string, status: number, type: string, body: string}} Reply body: base64
 * @typedef {{n: number, replies: Reply[]}} Heard the replies to what was told as number n
 * @typedef {(name: string, value: unknown) => void} Tell sets a part of a component's state
 * @typedef {{call: Call, resolve: (response: Response) => void}} Waiting
 */

class Line {
  /**
   * @param {(told: Told) => void} tell sets the component's state
   * @param {(why: string) => void} slowly is called once, when the routes turn out to be missing
   */
  constructor(tell, slowly) {
    this.tell = tell;
    this.slowly = slowly;
    this.slow = false;
    /** @type {Map<string, Waiting>} */
    this.waiting = new Map();
    /** @type {Map<string, Promise<string>>} object URLs of pictures, by address */
    this.pictures = new Map();
    this.told = Date.now(); // a page that was reloaded goes on counting above what the server saw of it
    this.onItsWay = false;
    this.wait = FIRST_WAIT;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  close() {
    clearTimeout(this.timer);
    for (const address of this.pictures.values()) address.then(URL.revokeObjectURL, () => {});
  }

  /**
   * As the browser's own `fetch`, of an address that begins with a slash.
   * @param {string} url
   * @param {RequestInit} [options]
   * @returns {Promise<Response>}
   */
  async fetch(url, options = {}) {
    if (this.slow) return this.byState(url, options);
    const response = await fetch(url, options);
    if (isOurs(response) || !(await routesMissing())) return response;
    if (!this.slow) this.slowly(SLOW);
    this.slow = true;
    return this.byState(url, options);
  }

  /**
   * Show a picture; the address of one is all a browser needs, unless the routes are missing.
   * @param {HTMLImageElement} image
   * @param {string} url
   */
  show(image, url) {
    if (this.slow) return void this.fetched(image, url);
    image.addEventListener("error", () => this.slow && this.fetched(image, url), { once: true });
    image.src = url;
  }

  /**
   * Fetch a picture by state, and show it when it is there; fails with what the server said of it.
   * @param {HTMLImageElement} image
   * @param {string} url
   */
  async fetched(image, url) {
    const known = this.pictures.get(url) ?? this.objectUrl(url);
    this.pictures.set(url, known);
    const [oldest] = this.pictures;
    if (this.pictures.size > KEPT_PICTURES) {
      this.pictures.delete(oldest[0]);
      oldest[1].then(URL.revokeObjectURL, () => {});
    }
    known.catch(() => this.pictures.delete(url));
    image.src = await known;
  }

  /** @param {string} url */
  async objectUrl(url) {
    const response = await this.byState(url, {});
    if (!response.ok) throw saying((await response.json()).error);
    return URL.createObjectURL(await response.blob());
  }

  /**
   * @param {string} url
   * @param {RequestInit} options
   * @returns {Promise<Response>}
   */
  byState(url, { method = "GET", headers, body, signal }) {
    const token = new Headers(headers).get("X-Annotate-Token") ?? "";
    const call = { id: newUid(), method, url, token, body: typeof body === "string" ? body : null };
    return new Promise((resolve, reject) => {
      this.waiting.set(call.id, { call, resolve });
      signal?.addEventListener("abort", () => {
        this.waiting.delete(call.id);
        reject(signal.reason);
      });
      if (!this.onItsWay) this.schedule(GATHERED);
    });
  }

  /** @param {number} wait */
  schedule(wait) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.send(), wait);
  }

  send() {
    this.onItsWay = this.waiting.size > 0;
    if (!this.onItsWay) return;
    this.told += 1;
    this.tell({ n: this.told, calls: [...this.waiting.values()].map(({ call }) => call) });
    this.schedule(this.wait); // no answer by then: say it again, since a server that was started anew knows nothing
    this.wait *= 2;
  }

  /** @param {Heard | undefined} heard */
  hear(heard) {
    if (!heard) return;
    for (const { id, status, type, body } of heard.replies) {
      const bytes = Uint8Array.from(atob(body), (one) => one.charCodeAt(0));
      this.waiting.get(id)?.resolve(new Response(bytes, { status, headers: { "Content-Type": type } }));
      this.waiting.delete(id);
    }
    if (heard.n !== this.told) return; // an answer to an earlier telling
    this.onItsWay = false;
    this.wait = FIRST_WAIT;
    if (this.waiting.size) this.schedule(0);
    else clearTimeout(this.timer);
  }
}

/** @param {Response} response */
function isOurs(response) {
  const type = response.headers.get("Content-Type") ?? "";
  return response.status >= 500 || ["application/json", "application/octet-stream", "image/"].some((one) => type.startsWith(one));
}

// Streamlit answers what it does not know with its page, or with 404; a server that is away does not answer, and a proxy
// in front of one that is starting says 502 or 503.
async function routesMissing() {
  const response = await fetch("/api/ping", { cache: "no-store" });
  return !isOurs(response);
}

/** @param {string} said */
function saying(said) {
  return Object.assign(new Error(said), { said });
}
