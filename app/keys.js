// Which key means what. Digits go by the key's place too, so that layouts that shift their digits work.
// The letters here are those that no class may have: RESERVED_KEYS in annotate_select/config.py.

/**
 * @typedef {{kind?: string, label?: string | null, look?: number, view?: string, panel?: string}} Meaning
 * kind and label: a decision; look: go back or forth; view: zoom or pan; panel: open or do something on the screen
 */

/** @type {Record<string, Meaning>} */
const KEYS = {
  s: { kind: "skip" },
  " ": { kind: "skip" },
  u: { kind: "unsure" },
  x: { kind: "reject" },
  z: { kind: "undo" },
  Backspace: { kind: "undo" },
  n: { panel: "flag" },
  g: { panel: "guide" },
  b: { panel: "view" },
  o: { panel: "opinions" },
  "/": { panel: "filter" },
  "?": { panel: "help" },
  Enter: { panel: "accept" },
  f: { view: "fit" },
  "+": { view: "in" },
  "=": { view: "in" },
  "-": { view: "out" },
  ArrowLeft: { look: -1 },
  ArrowRight: { look: 1 },
};
/** @type {Record<string, Meaning>} */
const SHIFTED = {
  ArrowLeft: { view: "left" },
  ArrowRight: { view: "right" },
  ArrowUp: { view: "up" },
  ArrowDown: { view: "down" },
};
/** @type {Meaning} the key is swallowed */
const NOTHING = {};

/**
 * Return what a key press means, or null for a key that is not ours.
 * @param {KeyboardEvent} e
 * @param {Map<string, string>} classOf the class of each key: "1", "shift+1", or a character
 * @returns {Meaning | null}
 */
function meaningOf(e, classOf) {
  const key = latin(e);
  const plain = e.shiftKey && /^[a-z]$/i.test(key) ? key : key.toLowerCase(); // with caps lock a letter is itself
  const own = classOf.get(plain);
  if (own !== undefined && !/^\d$/.test(plain)) return { kind: "label", label: own };
  const digit = digitOf(e);
  if (digit) return classOf.has(digit) ? { kind: "label", label: classOf.get(digit) } : NOTHING;
  const meaning = (e.shiftKey && SHIFTED[key]) || KEYS[key] || KEYS[plain];
  if (meaning) return meaning;
  // Streamlit would clear its caches on c, and run the page again on r.
  return ["c", "r"].includes(key.toLowerCase()) ? NOTHING : null;
}

/**
 * A letter of another alphabet counts as the Latin one in its place.
 * @param {KeyboardEvent} e
 */
function latin(e) {
  return e.key.length === 1 && !/[\x20-\x7e]/.test(e.key) ? e.code.replace("Key", "").toLowerCase() : e.key;
}

/**
 * @param {KeyboardEvent} e
 * @returns {string | null} "1", or "shift+1"
 */
function digitOf(e) {
  if (/^\d$/.test(e.key)) return e.key;
  const place = /^Digit(\d)$/.exec(e.code);
  return place && `${e.shiftKey ? "shift+" : ""}${place[1]}`;
}

/**
 * Typing in a field, an input method at work, a shortcut, or a button someone walks to with Tab and presses.
 * @param {KeyboardEvent} e
 * @param {boolean} tabbing
 */
function isForSomebodyElse(e, tabbing) {
  if (e.isComposing || e.ctrlKey || e.metaKey || e.altKey) return true;
  const target = /** @type {HTMLElement} */ (e.composedPath()[0]);
  if (target instanceof HTMLInputElement && target.type === "range") return MOVES.has(e.key);
  if (target?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target?.tagName)) return true;
  return [" ", "Enter"].includes(e.key) && tabbing && /^(BUTTON|A|SUMMARY)$/.test(target?.tagName);
}

// What a slider does with keys; all others are ours while it has the focus.
const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

function visibleDialogs() {
  const dialogs = document.querySelectorAll('[role="dialog"], dialog[open]');
  return [...dialogs].filter((dialog) => dialog.getClientRects().length > 0);
}

// While the server is away Streamlit covers the image with a dialog and makes the page inert. Labelling goes on
// without the server, and the line above the image says where the labels are.
function closeConnectionDialog() {
  for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) {
    if (dialog.querySelector("h2")?.textContent !== "Connection error") continue;
    /** @type {HTMLElement | null} */ (dialog.querySelector('button[aria-label="Close"]'))?.click();
  }
}
