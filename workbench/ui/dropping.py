"""Files that are dropped anywhere on the page find their box, also where it is full.

Gradio's box for one picture takes no second one, takes the first of several, and does not take what the
browser has no type for, such as HEIC on most computers; whatever is dropped beside a box replaces the page.
Its upload icon opens nothing.
"""

from __future__ import annotations

from workbench.ui.translations import LATER

_EMPTY = ("Remove Image", "Clear")  # what Gradio calls the button that empties a box
_BUTTONS = ", ".join(f"[aria-label='{LATER.get(name, name)}'], [aria-label='{name}']" for name in _EMPTY)
_SCRIPT = """() => {
  const boxes = ".picture-input, .several-input, .video-input";
  const visible = (box) => box.offsetParent !== null;
  const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const kinds = {heic: "image/heic", heif: "image/heif", avif: "image/avif", jxl: "image/jxl",
    tif: "image/tiff", tiff: "image/tiff", dng: "image/x-adobe-dng"};
  const typed = (file) => {  // what has no type is refused by the box
    const type = file.type || kinds[file.name.split(".").pop().toLowerCase()];
    return type === file.type ? file : new File([file], file.name, {type});
  };
  const put = async (box, chosen) => {
    const full = () => !box.querySelector("input[type=file]");
    const waits = async (time, until) => {
      for (let i = 0; i < time / 50 && !until(); i++) await new Promise((done) => setTimeout(done, 50));
    };
    window.replacing = full();
    if (full()) box.querySelector("button:is(BUTTONS)")?.click();
    await waits(5000, () => !full());
    const input = box.querySelector("input[type=file]");
    if (!input) { window.replacing = false; return; }
    const list = new DataTransfer();
    chosen.map(typed).forEach((file) => list.items.add(file));
    input.files = list.files;
    input.dispatchEvent(new Event("change", {bubbles: true}));
    await waits(60000, () => full() || document.querySelector(".toast-body"));  // the upload, or its failure
    window.replacing = false;
  };
  addEventListener("click", ({target}) => {
    const icon = target.closest?.("[data-testid=source-select] button"), box = icon?.closest(boxes);
    if (!box || icon !== icon.parentElement.querySelector("button")) return;
    const input = document.createElement("input");
    Object.assign(input, {type: "file", accept: "image/*,.heic,.heif,.avif"});
    input.addEventListener("change", () => { if (input.files.length) put(box, [...input.files]); });
    input.click();
  }, true);
  addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    const dropped = [...event.dataTransfer.files];
    const shown = [...document.querySelectorAll(boxes)].filter(visible);
    let box = event.target.closest?.(boxes) ?? shown[0];
    const many = shown.find((one) => one.matches(".several-input"));
    const is_collection = dropped.length > 1 || dropped.some((file) => /\\.zip$/i.test(file.name));
    if (is_collection && many) box = many;
    event.preventDefault();
    event.stopPropagation();
    if (box && dropped.length) put(box, dropped);
  }, true);
  addEventListener("change", (event) => {
    const input = event.target, box = input.type === "file" && input.closest(boxes);
    const chosen = box ? [...input.files] : [];
    if (!chosen.some((file) => typed(file) !== file)) return;
    event.stopPropagation();
    put(box, chosen);
  }, true);
  addEventListener("error", (event) => {
    const words = "This browser cannot show the file; it is read all the same";
    if (!event.target.matches?.(".picture-input img")) return;
    event.target.alt = words;
    event.target.classList.add("not-shown");
  }, true);
  addEventListener("load", ({target}) => target.classList?.remove("not-shown"), true);
}"""
# In the browser, the first input of a function: whether its box is empty only because another file is coming.
IS_REPLACING = "(flag, ...rest) => [Boolean(window.replacing), ...rest]"
SCRIPT = _SCRIPT.replace("BUTTONS", _BUTTONS)
