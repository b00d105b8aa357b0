// Which key means what. Digits go by the key's place too, so that layouts that shift their digits work.

const KEYS = { s: "skip", " ": "skip", u: "unsure", x: "reject", z: "undo", Backspace: "undo" };
const NOTHING = {}; // the key is swallowed

// Return what a key press means: {kind, label}, {look}, {help}, nothing, or null for a key that is not ours.
function meaningOf(e, classes) {
  const digit = digitOf(e);
  if (digit) return meaningOfDigit(digit, classes);
  // A letter of another alphabet counts as the Latin one in its place.
  const key = e.key.length === 1 && !/[\x20-\x7e]/.test(e.key) ? e.code.replace("Key", "").toLowerCase() : e.key;
  const kind = KEYS[key] ?? (e.shiftKey ? undefined : KEYS[key.toLowerCase()]);
  if (kind) return { kind, label: null };
  if (key === "?") return { help: true };
  if (key === "ArrowLeft") return { look: -1 };
  if (key === "ArrowRight") return { look: 1 };
  // Streamlit would clear its caches on c, and run the page again on r.
  return ["c", "r"].includes(key.toLowerCase()) ? NOTHING : null;
}

function digitOf(e) {
  if (/^\d$/.test(e.key)) return { digit: Number(e.key), shifted: false };
  const place = /^Digit(\d)$/.exec(e.code);
  return place ? { digit: Number(place[1]), shifted: e.shiftKey } : null;
}

// 1-9 and 0 for the tenth; with shift the next ten.
function meaningOfDigit({ digit, shifted }, classes) {
  const label = classes[(digit + 9) % 10 + (shifted ? 10 : 0)];
  return label === undefined ? NOTHING : { kind: "label", label };
}

// Typing in a field, an input method at work, a shortcut, or a button someone walks to with Tab and presses with space.
function isForSomebodyElse(e, tabbing) {
  if (e.isComposing || e.ctrlKey || e.metaKey || e.altKey) return true;
  const target = e.composedPath()[0];
  if (target?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target?.tagName)) return true;
  return e.key === " " && tabbing && /^(BUTTON|A|SUMMARY)$/.test(target?.tagName);
}

function visibleDialogs() {
  const dialogs = document.querySelectorAll('[role="dialog"], dialog[open]');
  return [...dialogs].filter((dialog) => dialog.getClientRects().length > 0);
}

// While the server is away Streamlit covers the image with a dialog and makes the page inert. Labelling goes on
// without the server, and the line above the image says where the labels are.
function closeConnectionDialog() {
  for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) {
    if (dialog.querySelector("h2")?.textContent !== "Connection error") continue;
    dialog.querySelector('button[aria-label="Close"]')?.click();
  }
}
