"""What a page asks for while its event stream ends is heard of all the same."""

from __future__ import annotations

import asyncio

import pytest
from PIL import Image

from workbench.service import streams

CAPTION = "document.querySelector('#redraw-caption')?.innerText"
# The end of each event stream reaches the page only when the test lets it.
HOLD_ENDS = """(() => { const plain = window.fetch; window.held = [];
  window.fetch = async (input, init) => {
    const answer = await plain(input, init);
    if (!String(input.url ?? input).includes("queue/data")) return answer;
    const late = new TransformStream({async transform(chunk, to) {
      if (new TextDecoder().decode(chunk).includes("close_stream"))
        await new Promise((go) => window.held.push(go));
      to.enqueue(chunk); }});
    return new Response(answer.body.pipeThrough(late), {status: answer.status, headers: answer.headers});
  }; })()"""


async def ends(scope, receive, send):
    """A stream of one event and its end, as Gradio sends them."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for message in ("process_completed", "close_stream"):
        body = f'data: {{"msg":"{message}","event_id":null}}\n\n'.encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def streamed(closes: bool):
    """(what was sent, order of what happened) of a stream that a page closes or not, and an event of it."""
    page, sent, happened = streams.StreamEnds(), [], []
    closed = asyncio.Event()

    async def receive():
        await closed.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    async def event(session):
        await page.known(session)
        happened.append(f"event of {session}")

    stream = asyncio.create_task(page.stream("mine", ends, {"type": "http"}, receive, send))
    while len(sent) < 3:
        await asyncio.sleep(0)
    mine = asyncio.create_task(event("mine"))
    await event("another")
    for _ in range(10):
        await asyncio.sleep(0)
    if closes:
        happened.append("closed")
        closed.set()
    await asyncio.gather(stream, mine)
    await event("mine")  # nothing is left to wait for
    return sent, happened


def test_an_event_waits_until_the_page_has_closed_the_stream_that_ended():
    sent, happened = asyncio.run(streamed(closes=True))
    assert happened == ["event of another", "closed", "event of mine", "event of mine"]
    assert [m.get("more_body") for m in sent[1:3]] == [True, True]


def test_a_page_that_never_closes_its_stream_is_waited_for_no_longer_than_that(monkeypatch):
    monkeypatch.setattr(streams, "PATIENCE", 0.05)
    sent, happened = asyncio.run(streamed(closes=False))
    assert happened == ["event of another", "event of mine", "event of mine"]
    assert [bool(m.get("more_body")) for m in sent[1:]] == [True, True, False]


def test_a_stream_that_breaks_off_holds_nothing():
    async def breaks(scope, receive, send):
        raise OSError("gone")

    async def both():
        page = streams.StreamEnds()
        with pytest.raises(OSError, match="gone"):
            await page.stream("mine", breaks, {"type": "http"}, None, None)
        await page.known("mine")

    asyncio.run(both())


@pytest.mark.browser
@pytest.mark.slow
def test_a_photo_given_just_before_the_page_hears_of_the_end_is_drawn(context, page, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "PATIENCE", 60)
    Image.new("RGB", (96, 64), "teal").save(tmp_path / "mine.png")
    context.add_init_script(HOLD_ENDS)
    tab = context.new_page()
    tab.goto(page.local_url)
    for _ in range(20):  # what the page asks for at its start, one stream after another
        tab.wait_for_function("held.length || document.querySelector('#redraw-tiles img')")
        if tab.evaluate("held.length && !!document.querySelector('#redraw-tiles img')"):
            break
        tab.evaluate("held.splice(0).forEach((go) => go())")
    with tab.expect_request(lambda request: "queue/join" in request.url):
        tab.set_input_files(".picture-input input[type=file] >> nth=0", tmp_path / "mine.png")
    tab.wait_for_timeout(500)  # for an answer that does not wait
    tab.evaluate("() => { held.splice(0).forEach((go) => go()); held.push = (go) => go(); }")
    tab.wait_for_function(f"{CAPTION}?.startsWith('96 × 64 px')")
