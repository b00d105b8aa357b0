// What every screen that labels needs. Text from outside reaches the page only as textContent.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {object} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * A count with its noun: "1 image", "1,320 images".
 * @param {number} n
 * @param {string} [noun]
 */
function counted(n, noun = "image") {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/**
 * 1-9, 0 for the tenth, shift for the next ten.
 * @param {number} i
 */
function keyOfClass(i) {
  return i < 20 ? `${i >= 10 ? "⇧" : ""}${(i + 1) % 10}` : "";
}

/**
 * Runs just after the frame that shows the present DOM: a message posted from an animation frame arrives after paint.
 * @param {() => void} then
 */
function painted(then) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = then;
    channel.port2.postMessage(0);
  });
}

// crypto.randomUUID is missing on plain http outside localhost.
function newUid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
