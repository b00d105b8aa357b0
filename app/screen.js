// What the labeller looks like: builds the elements once, then only changes them. Decides nothing.
// Text from outside reaches the page only as textContent.

const ACTIONS = [
  { kind: "skip", key: "s", text: "Skip", title: "Look at it later (s or space)" },
  { kind: "unsure", key: "u", text: "Unsure", title: "It cannot be told from the picture (u)" },
  { kind: "reject", key: "x", text: "Reject", title: "Not usable, or none of the classes (x)" },
  { kind: "undo", key: "z", text: "Undo", title: "Take the last decision back (z or backspace)" },
];
const WORDS = { skip: "skipped", unsure: "unsure", reject: "rejected" };
const HELP = [
  ["1 … 9, 0", "the class with that number"],
  ["⇧ 1 … ⇧ 0", "classes 11 to 20"],
  ["s or space", "skip: it comes again later"],
  ["u", "unsure: it cannot be told"],
  ["x", "reject: not usable, or none of the classes"],
  ["z or backspace", "undo, as often as you like"],
  ["← →", "look back and forth; nothing changes until you choose"],
  ["?", "this list"],
];
const RECENT = 5;

function said(choice) {
  return choice.label ?? WORDS[choice.kind];
}

class Screen {
  // `on` holds what buttons do: decide(event, kind, label), goTo(id), leave().
  constructor(root, data, on) {
    this.root = root;
    this.on = on;
    this.dismissed = 0;
    const side = element("div", { className: "side" }, ...this.buildSide(data));
    root.replaceChildren(this.buildBar(data), element("div", { className: "body" }, this.buildStage(), side), this.live);
    this.fit();
  }

  buildBar(data) {
    this.fill = element("div", { className: "fill" });
    this.count = element("span", { className: "count" });
    this.saved = element("span", { className: "saved" });
    this.live = element("div", { className: "live", role: "status", ariaLive: "polite" });
    const who = this.button("who", "", () => this.on.leave(), "Label under another name");
    who.append(element("span", { className: "muted", textContent: "labelling as " }), data.annotator);
    const help = this.button("ask", "?", () => this.toggleHelp(), "Keys (?)");
    const track = element("div", { className: "track" }, this.fill);
    return element("div", { className: "bar" }, track, this.count, this.saved, who, help);
  }

  buildStage() {
    this.hero = element("div", { className: "hero" });
    this.hintLine = element("div", { className: "hint", hidden: true, role: "alert" });
    this.caption = element("div", { className: "caption" });
    this.ribbon = element("div", { className: "ribbon", hidden: true });
    this.help = element("div", { className: "help", hidden: true }, this.helpTable());
    return element("div", { className: "stage" }, this.hero, this.caption, this.ribbon, this.hintLine, this.help);
  }

  buildSide(data) {
    this.classButtons = data.classes.map((name, i) => this.choice("label", keyOfClass(i), name, name));
    this.actionButtons = ACTIONS.map((one) => this.choice(one.kind, one.key, one.text, null, one.title));
    this.recent = element("div", { className: "recent" });
    this.whyText = element("div", { className: "why", hidden: true });
    this.whyButton = this.button("toggle", "Why this image?", () => this.toggleWhy());
    this.whyButton.ariaExpanded = "false";
    this.refused = element("div", { className: "refused", hidden: true, role: "alert" });
    const many = data.classes.length > 10 ? " many" : "";
    return [
      element("div", { className: `classes${many}`, role: "group", ariaLabel: "Classes" }, ...this.classButtons),
      element("div", { className: "actions", role: "group", ariaLabel: "Other decisions" }, ...this.actionButtons),
      this.refused,
      element("div", { className: "reason" }, this.whyButton, this.whyText),
      element("div", { className: "last" }, element("div", { className: "muted", textContent: "Last decisions" }), this.recent),
    ];
  }

  button(className, text, act, title = "") {
    const made = element("button", { type: "button", className, textContent: text, title });
    made.addEventListener("pointerdown", (e) => e.preventDefault()); // the focus stays where it was
    made.addEventListener("click", act);
    return made;
  }

  choice(kind, key, text, label, title = "") {
    const made = this.button(`choice ${kind}`, "", (e) => this.on.decide(e, kind, label), title || text);
    if (key) made.append(element("kbd", { textContent: key }));
    made.append(element("span", { textContent: text }));
    made.dataset.label = label ?? kind;
    return made;
  }

  helpTable() {
    const rows = HELP.map(([keys, what]) =>
      element("div", {}, element("kbd", { textContent: keys }), element("span", { textContent: what })),
    );
    return element("div", {}, element("strong", { textContent: "Keys" }), ...rows);
  }

  // --- the image -----------------------------------------------------------------------------------------------------

  // Wait for `item`: its name and choice are told, the image is still the old one, dimmed.
  setItem(item, note) {
    this.hero.classList.add("wait");
    this.root.classList.toggle("empty", item === null);
    this.caption.textContent = item?.key ?? "";
    this.whyText.textContent = item?.why || "no reason was stored";
    this.ribbon.hidden = !note;
    this.ribbon.textContent = note;
    const standing = item?.choice ?? item?.earlier;
    for (const one of [...this.classButtons, ...this.actionButtons]) {
      one.classList.toggle("chosen", Boolean(standing) && one.dataset.label === (standing.label ?? standing.kind));
    }
  }

  setImage(image, item) {
    this.hero.classList.remove("wait");
    image.alt = `Image ${item.key}`;
    this.hero.replaceChildren(image);
  }

  setMessage(title, text) {
    this.hero.classList.remove("wait");
    const lines = [element("strong", { textContent: title }), element("span", { textContent: text })];
    this.hero.replaceChildren(element("div", { className: "message" }, ...lines));
  }

  // --- what is said about the work -----------------------------------------------------------------------------------

  setProgress(done, total, left, byMe) {
    this.fill.style.width = total ? `${(100 * done) / total}%` : "0";
    this.count.textContent = total ? `${done} of ${total}` : "";
    this.count.title = `${left} left to label; ${byMe} labels by you in all`;
  }

  setSaved(pending, offline, problem) {
    const labels = `${pending} ${pending === 1 ? "decision" : "decisions"}`;
    let text = pending ? `saving ${pending}` : "all saved";
    if (offline && pending) text = `offline: ${labels} kept here, will retry`;
    else if (offline) text = "offline, will retry";
    this.saved.textContent = problem ? `${text} (${problem})` : text;
    this.saved.dataset.state = offline ? "offline" : pending ? "saving" : "saved";
  }

  setRecent(decisions, urlOf) {
    const shown = decisions.slice(-RECENT).reverse();
    this.recent.replaceChildren(...shown.map((one) => this.recentButton(one, urlOf)));
    this.recent.parentElement.hidden = shown.length === 0;
  }

  recentButton(one, urlOf) {
    const made = this.button("decision", "", () => this.on.goTo(one.image), `${said(one)}: look at it again`);
    made.append(element("img", { src: urlOf(one.image), alt: "" }), element("span", { textContent: said(one) }));
    return made;
  }

  setRefused(refusals) {
    const lines = refusals.slice(-3).map(({ event, reason }) => {
      const what = event ? `${event.label ?? event.kind} for ${event.local?.key || `image ${event.image}`}` : "a decision";
      return element("div", { textContent: `not accepted: ${what}: ${reason}` });
    });
    if (refusals.length > 3) lines.push(element("div", { textContent: `and ${refusals.length - 3} before` }));
    this.refused.replaceChildren(...lines, this.button("toggle", "Dismiss", () => (this.refused.hidden = true)));
    this.refused.hidden = false;
  }

  hint(text) {
    this.hintLine.textContent = text;
    this.hintLine.hidden = false;
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => (this.hintLine.hidden = true), 2500);
  }

  say(text) {
    this.live.textContent = text;
  }

  get helpOpen() {
    return !this.help.hidden;
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  toggleWhy() {
    this.whyText.hidden = !this.whyText.hidden;
    this.whyButton.ariaExpanded = String(!this.whyText.hidden);
  }

  // The page scrolls as little as can be: what is below the labeller's top edge belongs to it.
  fit() {
    const top = this.root.getBoundingClientRect().top + (this.root.ownerDocument.scrollingElement?.scrollTop ?? 0);
    this.root.style.setProperty("--top", `${Math.max(0, Math.round(top))}px`);
  }
}
