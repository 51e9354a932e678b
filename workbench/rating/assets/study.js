// The trials of one rater, run by jsPsych. Every text is set as text, never as HTML; each answer is on the
// server's disk before the next trial is shown. An answer on its way is kept in the browser, too, so that closing
// the page loses nothing.

const { ParameterType } = window.jsPsychModule;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const frame = () => new Promise((done) => requestAnimationFrame(done));
const fill = (text, blanks) => text.replace(/\{(\w+)\}/g, (all, name) => (name in blanks ? blanks[name] : all));

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// ---- sending

const pendingKey = (rater) => `pending-${rater}`;

async function send(answer, rater, whileSilent) {
  const body = JSON.stringify(answer);
  try { localStorage.setItem(pendingKey(rater), body); } catch { /* a browser that keeps nothing */ }
  for (let delay = 500; ; delay = Math.min(2 * delay, 8000)) {
    try {
      const reply = await fetch("/answers", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (reply.status < 500 && reply.status !== 429) {
        try { localStorage.removeItem(pendingKey(rater)); } catch { /* as above */ }
        if (!reply.ok) location.reload(); // another window went on: from where it is
        return reply.ok;
      }
    } catch { /* no connection */ }
    whileSilent();
    await wait(delay);
  }
}

async function sendPending(study) {
  let body = null;
  try { body = localStorage.getItem(pendingKey(study.rater)); } catch { return false; }
  if (!body) return false;
  const answer = JSON.parse(body);
  const isDue = study.trials.length > 0 && study.trials[0].index === answer.trial;
  if (!isDue) { localStorage.removeItem(pendingKey(study.rater)); return false; }
  return send(answer, study.rater, () => {});
}

// ---- scales: each is {root, keys (what numbers choose), value()}; `touched` is told of every change

function choices(name, scale, touched, draw) {
  const boxes = scale.values.map((value, i) => {
    const input = element("input", { type: "radio", name, value: i });
    input.addEventListener("change", touched);
    return { input, label: element("label", {}, ...draw(input, i)) };
  });
  return {
    options: boxes.map((box) => box.label),
    keys: boxes.map((box) => box.input),
    value: () => { const i = boxes.findIndex((box) => box.input.checked); return i < 0 ? null : scale.values[i]; },
  };
}

function slider(name, scale, touched) {
  const input = element("input", {
    type: "range", min: 0, max: 100, step: "any", class: "untouched", "aria-valuetext": "–", "aria-labelledby": `q-${name}`,
  });
  input.value = 50;
  let given = null;
  const take = () => {
    given = Math.round(10 * Number(input.value)) / 10;
    input.classList.remove("untouched");
    input.setAttribute("aria-valuetext", String(Math.round(given)));
    touched();
  };
  input.addEventListener("input", take);
  input.addEventListener("pointerup", take); // a tap on the very middle changes nothing but is an answer
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, " ": 0 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const sign = document.dir === "rtl" && event.key.startsWith("Arrow") && /Left|Right/.test(event.key) ? -1 : 1;
    input.value = Number(input.value) + sign * steps[event.key];
    take();
  });
  return { parts: [element("div", { class: "track" }, input), ends(scale.labels[0], scale.labels[1])], keys: [], focus: input, value: () => given };
}

const ends = (low, high) => element("div", { class: "ends" }, element("span", {}, low), element("span", {}, high));

function sam(name, scale, touched) {
  const step = (scale.values.length - 1) / 4;
  const made = choices(name, scale, touched, (input, i) => [
    i % step ? "" : element("img", { src: `/manikins/${scale.figure}/${i / step + 1}.svg`, alt: "" }),
    input, element("span", {}, scale.labels[i]),
  ]);
  const row = element("div", { class: `row sam points-${scale.values.length}` }, ...made.options);
  return { ...made, parts: [row, ends(scale.low, scale.high)] };
}

function likert(name, scale, touched) {
  const isLong = scale.labels.some((label) => label.length > 4);
  const made = choices(name, scale, touched, (input, i) => [input, element("span", {}, scale.labels[i])]);
  const row = element("div", { class: isLong ? "list" : "row" }, ...made.options);
  return { ...made, parts: [row, ends(scale.low, scale.high)] };
}

function list(name, scale, touched) {
  const made = choices(name, scale, touched, (input, i) => [input, element("span", {}, scale.labels[i])]);
  const kind = scale.kind === "preference" ? "row wide" : "list";
  return { ...made, parts: [element("div", { class: kind }, ...made.options)] };
}

const KINDS = { slider, sam, likert, choice: list, mood: list, preference: list };

// ---- one page that asks

const LEGIBLE = 220; // CSS pixels of the shorter side of a picture that needs no button to enlarge it

function enlarged(image, words) {
  const close = element("button", {}, words.close);
  const dialog = element("dialog", { class: "enlarged", "aria-label": image.alt }, close,
    element("div", { tabindex: 0 }, element("img", { src: image.src, alt: image.alt })));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

class RatingPlugin {
  static info = {
    name: "workbench-rating",
    version: "1.0.0",
    parameters: {
      asked: { type: ParameterType.OBJECT, default: undefined },
      next: { type: ParameterType.OBJECT, default: null },
      study: { type: ParameterType.OBJECT, default: undefined },
    },
    data: { seconds: { type: ParameterType.FLOAT } },
  };

  constructor(jsPsych) { this.jsPsych = jsPsych; }

  async trial(display, { asked, next, study }, onLoad) {
    const { words } = study;
    const said = element("p", { class: "said", role: "status" });
    const title = { practice: words.practice, attention: words.question }[asked.phase] || "";
    const done = fill(words.progress, { done: asked.index + 1, total: study.total });
    const head = element("div", { class: "head" }, element("h1", { tabindex: -1 }, title || done), title ? element("span", {}, done) : "",
      element("progress", { max: study.total, value: asked.index, "aria-hidden": "true" }));
    const form = element("form", { novalidate: true });
    const pictures = element("div", { class: `pictures n${asked.pictures.length}`, "aria-busy": "true" });
    if (asked.target) form.append(element("p", { class: "asked" }, fill(words.attention, { answer: asked.target })));

    const times = {}, scales = {};
    let shown = 0;
    for (const name of asked.scales) {
      const scale = study.scales[name];
      scales[name] = KINDS[scale.kind](name, scale, () => { times[name] = performance.now(); said.textContent = ""; });
      const question = element("legend", { id: `q-${name}` }, scale.question);
      form.append(element("fieldset", { class: scale.kind }, question, ...scales[name].parts));
    }
    const button = element("button", {}, words.next);
    form.append(said, button, element("p", { class: "keys" }, words.keys));
    display.replaceChildren(head, element("div", { class: asked.pictures.length ? "trial" : "trial alone" }, pictures, form));
    window.scrollTo(0, 0);

    let hidden = 0, hiddenSince = 0;
    const look = () => {
      if (document.hidden) hiddenSince = performance.now();
      else if (hiddenSince) { hidden += performance.now() - hiddenSince; hiddenSince = 0; }
    };
    document.addEventListener("visibilitychange", look);

    form.inert = true; // nothing is rated before it is seen
    await this.show(asked, pictures, words, said);
    pictures.setAttribute("aria-busy", "false");
    await frame();
    form.inert = false; // with no pause from here to the listeners: a key that comes earlier would be lost
    shown = performance.now();
    onLoad();
    (head.querySelector("h1")).focus({ preventScroll: true });
    if (next) next.pictures.forEach(({ src }) => { new Image().src = src; });

    const open = () => asked.scales.find((name) => scales[name].value() === null);
    const choose = (name, i) => {
      const input = scales[name] && scales[name].keys[i];
      if (!input) return;
      input.focus();
      input.click();
    };
    pictures.querySelectorAll("figure").forEach((figure, i) => {
      figure.addEventListener("click", () => choose(open() || asked.scales[0], i));
    });
    const press = (event) => {
      if (document.querySelector("dialog[open]")) return;
      if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
      const inside = asked.scales.find((name) => document.activeElement && document.activeElement.closest("fieldset")?.querySelector(`[id="q-${name}"]`));
      const digit = "1234567890".indexOf(event.key);
      if (digit >= 0) {
        choose(inside && (scales[inside].value() === null || !open()) ? inside : open() || inside || asked.scales[0], digit);
      } else if (event.key === "Enter" && document.activeElement?.tagName !== "BUTTON") {
        event.preventDefault();
        form.requestSubmit();
      } else if (!inside && asked.pictures.length === 2 && /^Arrow(Left|Right)$/.test(event.key)) {
        event.preventDefault();
        choose(open() || asked.scales[0], event.key === "ArrowLeft" ? 0 : 1);
      }
    };
    document.addEventListener("keydown", press);

    let isSending = false;
    await new Promise((finished) => {
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const missing = open();
        if (isSending) return;
        if (missing) {
          said.textContent = words.required;
          (scales[missing].focus || scales[missing].keys[0]).focus();
          return;
        }
        isSending = true;
        look();
        const now = performance.now();
        const seconds = (until) => Math.max(0, Math.round(until - shown) / 1000);
        const answer = {
          trial: asked.index,
          values: Object.fromEntries(asked.scales.map((name) => [name, scales[name].value()])),
          seconds: seconds(now),
          seconds_of: Object.fromEntries(asked.scales.map((name) => [name, seconds(times[name])])),
          hidden: Math.round(hidden) / 1000,
        };
        form.inert = true;
        button.textContent = words.saving;
        if (await send(answer, study.rater, () => { said.textContent = words.retry; })) finished();
      });
    });
    document.removeEventListener("keydown", press);
    document.removeEventListener("visibilitychange", look);
    this.jsPsych.finishTrial({ trial: asked.index });
  }

  // Pictures in sight, decoded; tried again until they are there.
  async show(asked, root, words, said) {
    for (const [i, { src, width, height }] of asked.pictures.entries()) {
      const isPair = asked.pictures.length > 1;
      const image = element("img", { width, height, alt: isPair ? `${words.picture} ${i + 1}` : words.picture });
      const enlarge = element("button", { type: "button", class: "quiet small", hidden: true }, words.enlarge);
      enlarge.addEventListener("click", (event) => { event.stopPropagation(); enlarged(image, words); });
      const caption = element("figcaption", {}, isPair ? String(i + 1) : "", enlarge);
      root.append(element("figure", {}, image, caption));
      const fits = () => { // scrolls, and pairs on a phone, are small on the screen
        enlarge.hidden = image.clientWidth > 0.9 * width || Math.min(image.clientWidth, image.clientHeight) >= LEGIBLE;
      };
      new ResizeObserver(fits).observe(image);
      for (let attempt = 0; ; attempt += 1) {
        image.src = attempt ? `${src}?again=${attempt}` : src;
        try { await image.decode(); break; } catch { said.textContent = words.not_shown; await wait(Math.min(500 * 2 ** attempt, 8000)); }
      }
    }
    said.textContent = "";
  }
}

// ---- a page that only tells

class TextPlugin {
  static info = {
    name: "workbench-text",
    version: "1.0.0",
    parameters: {
      title: { type: ParameterType.STRING, default: "" },
      texts: { type: ParameterType.STRING, array: true, default: [] },
      code: { type: ParameterType.STRING, default: "" },
      button: { type: ParameterType.STRING, default: undefined },
    },
    data: {},
  };

  constructor(jsPsych) { this.jsPsych = jsPsych; }

  trial(display, { title, texts, code, button }) {
    const go = element("button", {}, button);
    const parts = texts.map((text) => element("p", {}, text));
    if (code) parts.push(element("p", { class: "own-code" }, code));
    const heading = title ? [element("h1", { tabindex: -1 }, title)] : [];
    display.replaceChildren(element("div", { class: "sheet" }, ...heading, ...parts, go));
    window.scrollTo(0, 0);
    go.focus();
    go.addEventListener("click", () => this.jsPsych.finishTrial({}));
  }
}

// ---- the study

function timeline(study) {
  const { words, trials } = study;
  const text = (title, texts, button, code = "") => ({ type: TextPlugin, title, texts, button, code });
  const found = [text(study.is_new ? words.instructions : "", [...(study.is_new ? study.instructions : []), words.keep_code],
    study.is_new ? words.start : words.go_on, study.code)];
  trials.forEach((asked, i) => {
    const before = trials[i - 1];
    if (before && before.phase === "practice" && asked.phase !== "practice") found.push(text("", [words.practice_over], words.go_on));
    if (asked.pause && before) {
      found.push(text(words.pause, [fill(words.pause_text, { done: asked.index, total: study.total })], words.go_on));
    }
    found.push({ type: RatingPlugin, asked, next: trials[i + 1] || null, study });
  });
  return found;
}

async function load() {
  for (let delay = 500; ; delay = Math.min(2 * delay, 8000)) {
    try {
      const reply = await fetch("/trials");
      if (reply.status === 401) { location.replace("/"); return new Promise(() => {}); }
      if (reply.ok) return await reply.json();
    } catch { /* no connection yet */ }
    await wait(delay);
  }
}

let study = await load();
if (await sendPending(study)) study = await load();
if (study.trials.length > 0) {
  const jsPsych = window.initJsPsych({ display_element: "study" });
  await jsPsych.run(timeline(study));
}
location.replace("/study"); // the last page
