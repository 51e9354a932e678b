() => {
  // What the page adds to Gradio's components. Run once when the page has loaded; TITLES is put in by theme.py.
  const titles = TITLES;
  const tabs = () => [...document.querySelectorAll("[role=tablist] > [role=tab]")];

  // Tabs have addresses: /#read opens "Read a painting", and choosing a tab adds an entry to the history.
  const open = () => (document.getElementById(`${location.hash.slice(1)}-button`) ?? tabs()[0])?.click();
  document.addEventListener("click", ({target, isTrusted}) => {
    const tab = target.closest("[role=tab]");
    const address = tab && "#" + tab.id.replace("-button", "");
    if (isTrusted && tab && location.hash !== address) history.pushState(null, "", address);
  });
  window.addEventListener("popstate", open);

  // Keys move between tabs as ARIA's pattern has it: one tab is in the order of the Tab key, arrows go round.
  document.addEventListener("keydown", (event) => {
    const all = tabs(), at = all.indexOf(event.target);
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1}[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    const next = all.at(to % all.length);
    next.focus();
    next.click();
    history.pushState(null, "", "#" + next.id.replace("-button", ""));
  });

  // The handle of a comparison, by keyboard. Gradio moves it by the mouse alone, so keys are told as such.
  const DIVIDER = "[data-testid=slider].outer";
  const position = (divider) => {
    const after = divider.parentElement.querySelector("img.fixed");
    return Math.round(parseFloat(after?.style.clipPath.split(" ")[3]) || 0);
  };
  document.addEventListener("keydown", (event) => {
    const divider = event.target.closest?.(DIVIDER);
    const now = divider && position(divider);
    const to = {ArrowLeft: now - 2, ArrowDown: now - 2, ArrowRight: now + 2, ArrowUp: now + 2,
      PageDown: now - 20, PageUp: now + 20, Home: 0, End: 100}[event.key];
    if (!divider || to === undefined) return;
    event.preventDefault();
    const shown = divider.parentElement.querySelector("img").getBoundingClientRect();
    const at = (kind, share, on) => on.dispatchEvent(new MouseEvent(kind, {
      clientX: shown.x + shown.width * share / 100, clientY: shown.y + shown.height / 2,
      view: window, bubbles: true, cancelable: true}));
    at("mousedown", now, divider);
    at("mousemove", Math.min(100, Math.max(0, to)), window);
    at("mouseup", Math.min(100, Math.max(0, to)), window);
  });

  // Gradio gives example thumbnails, compared pictures and empty places no names, or none that may be there.
  const label = () => document.querySelectorAll(".gallery-item:not([aria-label])").forEach((item) => {
    const picture = item.querySelector("img, video");
    const title = picture && titles[decodeURIComponent(picture.src.split("/").pop().replace(/\.[^.]*$/, ""))];
    if (title) { item.setAttribute("aria-label", "Example: " + title); item.title = title; }
  });
  const set = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => {
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  });
  const describe = () => {
    document.querySelectorAll("#redraw-result img").forEach((picture, i) => {
      picture.alt = i ? "The photo redrawn" : "The photo as it was";
    });
    document.querySelectorAll(DIVIDER).forEach((divider) => {
      const share = position(divider);
      set(divider, {tabindex: 0, role: "slider", "aria-label": "Divider between before and after",
        "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": share,
        "aria-valuetext": `${share} % before, ${100 - share} % after`});
    });
    document.querySelectorAll("div.empty[aria-label='Empty value']").forEach((place) => {
      set(place, {role: "img", "aria-label": "No picture yet"});
    });
    // Gradio's icon to add files is a button in a button: the outer one is that of the keyboard and of readers.
    document.querySelectorAll("button[aria-label='Upload'] > div > button").forEach((inner) => {
      if (inner.inert) return;
      inner.inert = true;
      inner.closest("[aria-label='Upload']").addEventListener("click", ({target}) => {
        if (target.type !== "file") inner.querySelector("input[type=file]").click();
      });
    });
    tabs().forEach((tab) => set(tab, {tabindex: tab.ariaSelected === "true" ? 0 : -1}));
  };

  // Gradio heads its messages by their kind ("Error", "Warning (2)"). Ours say what happened before a colon, and
  // what is said already is not said again.
  const head = () => document.querySelectorAll(".toast-message-text:not(:has(strong))").forEach((place) => {
    const text = [...place.childNodes].find((node) => node.nodeType === 3);
    const title = /^[^.:。：]{2,40}(?=[:：])/.exec(text?.data.trimStart());
    if (!title) return;
    const heading = document.createElement("strong");
    heading.textContent = title[0];
    text.data = text.data.trimStart().slice(title[0].length + 1).trimStart();
    text.before(heading);
    const said = [...document.querySelectorAll(".toast-message-text")].map((one) => one.textContent);
    if (said.indexOf(place.textContent) < said.lastIndexOf(place.textContent)) {
      place.closest(".toast-message-item").style.display = "none";
    }
  });

  // What is wrong with an upload, the server says in words; the player's "Video not playable" says less, and is
  // wrong of clips that can be redrawn but not played here.
  document.addEventListener("error", (event) => {
    if (event.target.closest?.("#video-input")) event.stopPropagation();
  }, true);
  // Gradio's sliders tell that they were let go only after a pointer; keys move them, too.
  document.addEventListener("keyup", ({target, key}) => {
    const keys = {range: /^(Arrow|Home|End|Page)/, number: /^Enter$/}[target.type];
    if (keys?.test(key)) target.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
  });
  // A comparison that is asked for must come, also where the browser thinks that nobody looks at it yet.
  const load = () => document.querySelectorAll("#video-preview img, #redraw-result img").forEach((picture) => {
    if (picture.loading === "lazy") picture.loading = "eager";
  });
  // Whose login has ended is asked to log in again. What is cancelled before it has begun has no name yet, and
  // the server could only refuse to cancel it.
  const ask = window.fetch;
  window.fetch = async (...what) => {
    const [address, {body} = {}] = what;
    if (/\/gradio_api\/(cancel|reset)$/.test(address) && /"event_id":null/.test(body)) return Response.json({});
    const answer = await ask(...what);
    if (answer.status === 401 && new URL(answer.url).origin === location.origin) location.assign("login");
    return answer;
  };

  const look = () => { label(); describe(); load(); head(); };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true,
    attributeFilter: ["aria-selected", "style"]});
  look();
  if (location.hash) open();
}
