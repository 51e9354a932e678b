// The experimenter's page, every five seconds anew.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch("/experimenter");
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    const live = document.getElementById("live");
    if (live.innerHTML === fresh.innerHTML) return;
    const places = [...live.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
    live.replaceChildren(...fresh.childNodes);
    live.querySelectorAll(".scroll").forEach((part, i) => { part.scrollLeft = places[i] || 0; });
  } catch { /* the next time */ }
}, 5000);
