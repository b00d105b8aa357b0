// What the map asks the server for. Fails with an error whose `said`, if it has one, is for people.

class MapServer {
  constructor(data, line) {
    this.data = data;
    this.line = line;
  }

  // Where every image lies, and which group it belongs to when they are coloured `by` something.
  async points(by) {
    const { features, method } = this.data;
    const answer = await this.ask(`points?${new URLSearchParams({ by, features, method })}`);
    return readPoints(await answer.arrayBuffer());
  }

  // An image, and the images most like it, the nearest first.
  async near(id) {
    const query = new URLSearchParams({ k: 12, features: this.data.features });
    const answer = await this.ask(`near/${id}?${query}`);
    return (await answer.json()).images;
  }

  // Put images into the queue; how many of them were needed there, and as which batch.
  async addBatch(images) {
    const headers = { "Content-Type": "application/json" };
    const answer = await this.ask("batch", { method: "POST", headers, body: JSON.stringify({ images }) });
    return answer.json();
  }

  async ask(path, options = {}) {
    const headers = { "X-Annotate-Token": this.data.token, ...options.headers };
    const answer = await this.line.fetch(`${this.data.map_url}/${path}`, { ...options, headers });
    if (!answer.ok) throw saying((await answer.json()).error);
    return answer;
  }

  // Put an image into an element, no larger than so many pixels.
  show(image, id, width) {
    this.line.show(image, `${this.data.image_url}/${id}?w=${width}&t=${encodeURIComponent(this.data.token)}`);
  }
}
