// Images by id, fetched and decoded before they are needed, so that the next one is there within a frame.

class Pictures {
  constructor(urlOf) {
    this.urlOf = urlOf;
    this.images = new Map();
  }

  // The image, perhaps still loading: its `ready` resolves to null, or to what is the matter with it.
  get(id) {
    let image = this.images.get(id);
    if (image) return image;
    image = new Image();
    image.decoding = "sync"; // decoded before it is shown, so that shown means seen
    image.draggable = false;
    image.src = this.urlOf(id);
    image.ready = image.decode().then(() => null, () => this.whyNot(image.src));
    this.images.set(id, image);
    return image;
  }

  forget(id) {
    this.images.delete(id);
  }

  // Fetch what comes, keep what was just there, drop the rest.
  keep(ahead, behind) {
    for (const id of ahead) this.get(id);
    const kept = new Set([...ahead, ...behind]);
    for (const id of this.images.keys()) if (!kept.has(id)) this.images.delete(id);
  }

  // {retry} where the network is away, {said} where the server says that there is nothing to show.
  async whyNot(url) {
    try {
      const response = await fetch(url);
      if (response.ok) return { retry: true };
      return { said: (await response.json()).error ?? "no reason given" };
    } catch {
      return { retry: true };
    }
  }
}
