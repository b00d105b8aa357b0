// What a key does on the bulk page. The letters are among those that no class may have, as on the labelling page.

/**
 * Return what a key press is to do, or null for a key that is not ours.
 * @param {KeyboardEvent} e
 * @param {Map<string, string>} classOf the class of each key
 * @param {{grid: Grid, screen: BulkScreen, label: (name: string) => void, later: () => void, undo: () => void}} page
 * @returns {(() => void) | null}
 */
function actOf(e, classOf, page) {
  const key = latin(e);
  const digit = digitOf(e);
  const plain = e.shiftKey && /^[a-z]$/i.test(key) ? key : key.toLowerCase(); // with caps lock a letter is itself
  const label = classOf.get(digit ?? plain);
  if (label !== undefined) return () => page.label(label);
  if (/^(Arrow|Home$|End$)/.test(key)) return () => page.grid.move(key, e.shiftKey);
  /** @type {Record<string, () => void>} */
  const acts = {
    " ": () => page.grid.toggle(e.shiftKey),
    "+": () => page.grid.toggleAll(true),
    "=": () => page.grid.toggleAll(true),
    "-": () => page.grid.toggleAll(false),
    enter: () => page.grid.more(),
    s: () => page.later(),
    z: () => page.undo(),
    backspace: () => page.undo(),
    "/": () => page.screen.classes.focusFilter(),
    "?": () => page.screen.toggleHelp(),
  };
  if (acts[plain]) return acts[plain];
  // Streamlit would clear its caches on c, and run the page again on r.
  return digit || ["c", "r"].includes(plain) ? () => {} : null;
}
