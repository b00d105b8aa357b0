// What the map computes: which points lie where, and which colour stands for which group. No element is touched here.

const HIDDEN = 1; // flags of a point
const CHOSEN = 2;
const STATE_COLOURS = ["#8a8f94", "#d1495b", "#b58900"];
const OTHER_COLOUR = "#888888"; // of a class that was renamed since the model learned it
const STEP_COLOURS = ["#5b4fb0", "#3b7dbd", "#2a9d8f", "#7fae5a", "#d9a93b", "#d9743b", "#c2405a", "#8c2f6b", "#5c2346"];

// Read the answer of /api/map/points (app/map_routes.py says how it is laid out).
function readPoints(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const at = 4 + length;
  const { n } = head;
  return {
    ...head,
    xy: new Float32Array(buffer, at, 2 * n),
    ids: new Uint32Array(buffer, at + 8 * n, n),
    group: new Uint16Array(buffer.slice(at + 12 * n, at + 14 * n)),
    flags: new Uint8Array(n),
  };
}

// One CSS colour a group: none for what is not known, that of the class, or one of a scale for steps.
function coloursOf(groups, classColours) {
  const steps = groups.filter((group) => group.kind === "step").length;
  let [states, step] = [0, 0];
  return groups.map(({ kind, name }) => {
    if (kind === "class") return classColours[name] ?? OTHER_COLOUR;
    if (kind === "state") return STATE_COLOURS[states++ % STATE_COLOURS.length];
    if (kind === "step") return STEP_COLOURS[Math.round((step++ * (STEP_COLOURS.length - 1)) / Math.max(1, steps - 1))];
    return "";
  });
}

// The order in which points are drawn: what is not known below, then the groups, then what is chosen. Hidden ones: never.
function drawingOrder(points) {
  const order = new Uint32Array(points.n);
  let k = 0;
  for (let i = 0; i < points.n; i++) if (points.flags[i] === 0 && points.group[i] === 0) order[k++] = i;
  for (let i = 0; i < points.n; i++) if (points.flags[i] === 0 && points.group[i] !== 0) order[k++] = i;
  const chosenFrom = k;
  for (let i = 0; i < points.n; i++) if (points.flags[i] === CHOSEN) order[k++] = i;
  return { order: order.subarray(0, k), chosenFrom };
}

// The points inside a polygon [x, y, x, y, ...] of the same coordinates, hidden ones left out, by the even-odd rule.
function inside(points, polygon) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let k = 0; k < polygon.length; k += 2) {
    left = Math.min(left, polygon[k]);
    right = Math.max(right, polygon[k]);
    top = Math.min(top, polygon[k + 1]);
    bottom = Math.max(bottom, polygon[k + 1]);
  }
  const found = [];
  for (let i = 0; i < points.n; i++) {
    const x = points.xy[2 * i];
    const y = points.xy[2 * i + 1];
    if (x < left || x > right || y < top || y > bottom || points.flags[i] & HIDDEN) continue;
    if (surrounds(polygon, x, y)) found.push(i);
  }
  return found;
}

function surrounds(polygon, x, y) {
  let within = false;
  let x1 = polygon[polygon.length - 2];
  let y1 = polygon[polygon.length - 1];
  for (let k = 0; k < polygon.length; k += 2) {
    const x2 = polygon[k];
    const y2 = polygon[k + 1];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
    x1 = x2;
    y1 = y2;
  }
  return within;
}

// The visible point nearest to (x, y) and no farther than `most`, or -1.
function nearestPoint(points, x, y, most) {
  let best = -1;
  let least = most * most;
  for (let i = 0; i < points.n; i++) {
    const dx = points.xy[2 * i] - x;
    const dy = points.xy[2 * i + 1] - y;
    const apart = dx * dx + dy * dy;
    if (apart <= least && !(points.flags[i] & HIDDEN)) {
      least = apart;
      best = i;
    }
  }
  return best;
}

// The red, green and blue of any CSS colour, as the browser understands it.
const paint = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
function rgb(colour) {
  paint.clearRect(0, 0, 1, 1);
  paint.fillStyle = colour;
  paint.fillRect(0, 0, 1, 1);
  return [...paint.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
}
