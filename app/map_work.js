// What is said of chosen images: an event each, through the labeller's outbox, and how the last of it is taken back.

class MapWork {
  // `on` holds saved(pending, offline, problem), and refused(done, n, of, reason): what was done to rows and is undone.
  constructor(data, line, on) {
    this.on = on;
    this.last = null; // [{row, image, uid, before}]: `before` is the group it belonged to
    const { project, annotator, events_url: url, token } = data;
    const onAnswer = (answer, sent) => this.answered(answer, sent);
    this.outbox = new Outbox({ project, annotator, url, token, line, onAnswer, onChange: () => this.changed() });
    this.outbox.send(); // what an earlier page left
    this.count();
  }

  close() {
    this.closed = true;
    this.outbox.close();
  }

  // Say the same of many images; `rows` is [{row, image, before}].
  say(rows, kind, label) {
    const done = rows.map((one) => ({ ...one, uid: newUid() }));
    for (const { image, uid } of done) this.add({ uid, image, kind, label, target: null });
    this.count(); // before anybody can read that all is saved
    this.last = done;
  }

  // Take back what was said last, and return it; null where there is nothing.
  takeBack() {
    const done = this.last;
    this.last = null;
    for (const { image, uid } of done ?? []) this.add({ uid: newUid(), image, kind: "undo", label: null, target: uid });
    if (done) this.count();
    return done;
  }

  add(event) {
    this.outbox.add({ ...event, shown_ms: null, batch: null });
  }

  answered({ refused }, sent) {
    if (!refused.length) return;
    const uids = new Set(refused.map(([uid]) => uid));
    this.on.refused(this.last?.filter(({ uid }) => uids.has(uid)) ?? [], refused.length, sent.length, refused[0][1]);
  }

  // Once a frame: counting what is pending reads it all, and a bulk adds thousands of events at once.
  changed() {
    if (this.counting) return;
    this.counting = true;
    requestAnimationFrame(() => {
      this.counting = false;
      if (!this.closed) this.count();
    });
  }

  count() {
    this.on.saved(this.outbox.pending().length, this.outbox.fails > 0, this.outbox.problem);
  }
}
