() => {
  // Chinese for what is written after the page has loaded: results, states, warnings, menus. What stands on the
  // page at first is translated by Gradio, from the same words. A "{}" in them is any text within a sentence,
  // which is translated in its turn, and a "{n}" a number. Names of files and the like say translate="no".
  const words = window.gradio_config?.i18n_translations?.["zh-CN"];
  if (!words || document.documentElement.lang !== "zh-CN") return;

  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const longestFirst = ([one], [other]) => other.length - one.length;
  const templates = Object.entries(words).filter(([english]) => /\{n?\}/.test(english)).sort(longestFirst);
  const patterns = templates.map(([english, to]) => {
    const source = escaped(english).replaceAll("\\{n\\}", "(-?[\\d.,]+)").replaceAll("\\{\\}", "((?:(?![.!?] ).)+?)");
    return [new RegExp(`^${source}$`), to];
  });
  const joined = (parts) => parts.reduce((all, part) => all + (/[。！？；：]$/.test(all) ? "" : " ") + part);
  const known = new Map();
  const counted = (text) => {  // what is counted up within a sentence
    const items = text.split("; "), made = items.map(chinese);
    return made.every((one, i) => one !== items[i]) ? made.join("；") : chinese(text);
  };
  const make = (text) => {
    if (words[text] !== undefined) return words[text];
    for (const [pattern, to] of patterns) {
      const found = pattern.exec(text);
      if (found) return to.replace(/\{(\d)\}/g, (_, number) => counted(found[number]));
    }
    const list = text.split(", ");
    if (list.every((one) => words[one] !== undefined)) return list.map(chinese).join("、");
    if (/(^| )· /.test(text)) return text.split(/ ?· /).map(chinese).join(" · ").trim();
    for (const end of [/(?<=[.!?…]) (?=\S)/, /(?<=:) (?=\S)/]) {
      const parts = text.split(end);
      if (parts.length > 1) return joined(parts.map(chinese));
    }
    return text;
  };
  const chinese = (text) => {
    const whole = text.replace(/\s+/g, " ").trim();
    if (!/[a-z]/i.test(whole)) return text;
    if (!known.has(whole)) known.set(whole, make(whole));
    const made = known.get(whole);
    if (made === whole) return text;
    return text.replace(/^[，。；：、]/.test(made) ? text.trimEnd() : text.trim(), () => made);
  };

  const LEFT = "[translate=no], script, style, pre, code, textarea";
  const ATTRIBUTES = ["aria-label", "aria-valuetext", "alt", "title", "placeholder"];
  const inWords = (node) => {
    const made = chinese(node.data);
    if (made !== node.data) node.data = made;
  };
  const label = (element, name) => {
    const text = element.getAttribute(name), made = text && chinese(text);
    if (made !== text) element.setAttribute(name, made);
  };
  const all = (root) => {
    const isLeft = (node) => node.nodeType === 1 && node.matches(LEFT);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT,
      (node) => isLeft(node) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    for (let node = isLeft(root) ? null : root; node; node = walker.nextNode()) {
      if (node.nodeType === 3) inWords(node);
      else if (node.nodeType === 1) ATTRIBUTES.forEach((name) => label(node, name));
    }
  };
  const menus = () => document.querySelectorAll("input[role=combobox][readonly]").forEach((input) => {
    const made = chinese(input.value);
    if (made !== input.value) input.value = made;
  });
  new MutationObserver((changes) => {
    for (const {type, target, addedNodes, attributeName} of changes) {
      if ((target.nodeType === 1 ? target : target.parentElement)?.closest(LEFT)) continue;
      if (type === "childList") addedNodes.forEach(all);
      else if (type === "characterData") inWords(target);
      else label(target, attributeName);
    }
    menus();
  }).observe(document.body, {childList: true, subtree: true, characterData: true, attributes: true,
    attributeFilter: ATTRIBUTES});
  all(document.body);
  menus();
}
