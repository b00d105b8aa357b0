// Put into every page by the tests, before anything else: tells which image a person sees, from its pixels alone.
(() => {
  let hero = null;
  const probe = (window.__probe = { shown: null, keys: [], frames: [], hero: () => hero });
  const numbers = new WeakMap();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });

  function findHero(root) {
    for (const one of root.querySelectorAll("*")) {
      if (!one.shadowRoot) continue;
      const found = one.shadowRoot.querySelector(".hero") ?? findHero(one.shadowRoot);
      if (found) return found;
    }
    return null;
  }

  // The strip: red, ten bits of black or white, green; 16 pixels a block. Anything else is no number.
  function read(image) {
    if (numbers.has(image)) return numbers.get(image);
    canvas.width = 192;
    canvas.height = 16;
    context.drawImage(image, 0, 0);
    const at = (place) => [...context.getImageData(place * 16 + 8, 8, 1, 1).data];
    const [r, g, b] = at(0);
    const [r2, g2, b2] = at(11);
    if (r < 180 || g > 90 || b > 90 || g2 < 180 || r2 > 90 || b2 > 90) return null;
    let number = 0;
    for (let bit = 0; bit < 10; bit++) if (at(bit + 1)[0] > 127) number |= 1 << bit;
    numbers.set(image, number);
    return number;
  }

  // Reading decodes the image once more, some milliseconds that only a test needs: so it is done when the time is taken.
  function painted(image, t) {
    const number = image && read(image);
    if (number === probe.shown) return;
    probe.shown = number;
    probe.frames.push({ number, t });
  }

  let last = null; // the image of the last frame
  function look() {
    if (!hero?.isConnected) hero = findHero(document);
    const image = hero?.querySelector("img");
    const there = image?.complete && image.naturalWidth ? image : null;
    if (there !== last) {
      last = there;
      const channel = new MessageChannel(); // its message comes just after the frame was painted
      channel.port1.onmessage = () => painted(there, performance.now());
      channel.port2.postMessage(0);
    }
    requestAnimationFrame(look);
  }
  requestAnimationFrame(look);

  window.addEventListener(
    "keydown",
    (e) => e.isTrusted && probe.keys.push({ key: e.key, repeat: e.repeat, number: probe.shown, t: e.timeStamp }),
    true,
  );
})();
