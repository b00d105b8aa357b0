// Draws points: by WebGL where the browser has it, else pixel by pixel on a plain canvas. Both look the same.
//
// A look is {scale, x, y}: a point (a, b) of [0, 1] stands at (a * scale + x, b * scale + y) CSS pixels.

const DIMMED = 0.22; // how much of the other points is seen while some are chosen
const VERTEX = `#version 300 es
in vec2 place;
in uint group;
in uint flags;
uniform vec3 look;
uniform vec2 box;
uniform float size;
uniform float dimmed;
uniform sampler2D palette;
out vec4 colour;
flat out float ring;
void main() {
  vec2 at = (place * look.x + look.yz) / box * 2.0 - 1.0;
  gl_Position = vec4(at.x, -at.y, 0.0, 1.0);
  bool chosen = flags == ${CHOSEN}u;
  colour = vec4(texelFetch(palette, ivec2(int(min(group, 255u)), 0), 0).rgb, chosen ? 1.0 : dimmed);
  ring = chosen ? 1.0 : 0.0;
  gl_PointSize = chosen ? size * 1.35 + 1.0 : size;
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 colour;
flat in float ring;
uniform vec3 ink;
out vec4 pixel;
void main() {
  float apart = length(gl_PointCoord - 0.5);
  if (apart > 0.5) discard;
  vec3 shade = ring > 0.5 && apart > 0.36 ? ink : colour.rgb;
  pixel = vec4(shade * colour.a, colour.a);
}`;

// Return the best there is for this canvas.
function plotFor(canvas) {
  try {
    return new GlPlot(canvas);
  } catch {
    return new FlatPlot(canvas);
  }
}

class GlPlot {
  constructor(canvas) {
    this.canvas = canvas;
    this.kind = "webgl";
    const gl = canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("no WebGL here");
    this.gl = gl;
    this.program = this.link();
    this.at = (name) => gl.getUniformLocation(this.program, name);
    this.buffers = Object.fromEntries(["place", "group", "flags", "order"].map((name) => [name, gl.createBuffer()]));
    this.texture = gl.createTexture();
    gl.useProgram(this.program);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  link() {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }

  setPoints(points) {
    this.attribute("place", points.xy, 2);
    this.setState(points);
  }

  setState(points) {
    const { gl } = this;
    this.attribute("group", points.group, 1, gl.UNSIGNED_SHORT);
    this.attribute("flags", points.flags, 1, gl.UNSIGNED_BYTE);
    const { order } = drawingOrder(points);
    this.drawn = order.length;
    this.chosen = points.flags.includes(CHOSEN);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers.order);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
  }

  attribute(name, values, size, whole = 0) {
    const { gl } = this;
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    if (whole) gl.vertexAttribIPointer(place, size, whole, 0, 0);
    else gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0);
  }

  setPalette(colours, ground, ink) {
    const { gl } = this;
    const pixels = new Uint8Array(256 * 4).fill(255);
    colours.slice(0, 256).forEach((colour, i) => pixels.set(colour, 4 * i));
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.uniform3f(this.at("ink"), ...ink.map((one) => one / 255));
    gl.clearColor(...ground.map((one) => one / 255), 1);
  }

  draw(look, width, height, size, ratio) {
    const { gl } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform3f(this.at("look"), look.scale, look.x, look.y);
    gl.uniform2f(this.at("box"), width, height);
    gl.uniform1f(this.at("size"), size * ratio);
    gl.uniform1f(this.at("dimmed"), this.chosen ? DIMMED : 0.85);
    if (this.drawn) gl.drawElements(gl.POINTS, this.drawn, gl.UNSIGNED_INT, 0);
  }

  // Wait until what was drawn is there: for measuring.
  finish() {
    this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

class FlatPlot {
  constructor(canvas) {
    this.canvas = canvas;
    this.kind = "canvas";
    this.context = canvas.getContext("2d");
  }

  setPoints(points) {
    this.setState(points);
  }

  setState(points) {
    this.points = points;
    Object.assign(this, drawingOrder(points));
  }

  setPalette(colours, ground, ink) {
    const packed = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;
    const mixed = (colour) => packed(colour.map((one, i) => Math.round(one * DIMMED + ground[i] * (1 - DIMMED))));
    this.full = Int32Array.from(colours, packed);
    this.dim = Int32Array.from(colours, mixed);
    this.ground = packed(ground);
    this.ink = packed(ink);
  }

  draw(look, width, height, size, ratio) {
    const { width: w, height: h } = this.canvas;
    if (!this.image || this.image.width !== w || this.image.height !== h) this.image = this.context.createImageData(w, h);
    const pixels = new Int32Array(this.image.data.buffer);
    pixels.fill(this.ground);
    const { xy, group } = this.points;
    const side = Math.max(1, Math.round(size * ratio));
    const others = this.chosenFrom < this.order.length ? this.dim : this.full;
    for (let k = 0; k < this.order.length; k++) {
      const i = this.order[k];
      const x = Math.round((xy[2 * i] * look.scale + look.x) * ratio);
      const y = Math.round((xy[2 * i + 1] * look.scale + look.y) * ratio);
      if (k >= this.chosenFrom) {
        square(pixels, w, h, x, y, side + 3, this.ink);
        square(pixels, w, h, x, y, side + 1, this.full[group[i]]);
      } else square(pixels, w, h, x, y, side, others[group[i]]);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  finish() {}

  close() {}
}

function square(pixels, w, h, x, y, side, colour) {
  const left = Math.max(0, x - (side >> 1));
  const right = Math.min(w, x - (side >> 1) + side);
  const bottom = Math.min(h, y - (side >> 1) + side);
  for (let row = Math.max(0, y - (side >> 1)); row < bottom; row++) pixels.fill(colour, row * w + left, row * w + Math.max(left, right));
}
