"""The server's own pages: logging in, changing the password, and the administrator's view."""

from __future__ import annotations

import html
import re

import platform_tasks
import pytest
from browsing import chromium
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from workbench.service import logins
from workbench.service.languages import preferred
from workbench.service.platform import Platform
from workbench.service.web import gate

OLD, NEW = "three blue herons", "seven green frogs"


@pytest.fixture
def platform(tmp_path):
    with Platform(tmp_path / "data", kinds=platform_tasks.KINDS, accounts=True) as made:
        made.accounts.add("ann", OLD)
        made.accounts.add("root.user", OLD, is_administrator=True)
        yield made


def client(platform, name=None):
    """A browser of its own, logged in if a name is given."""
    routes = [Route("/{rest:path}", lambda request: JSONResponse({"owner": request.state.owner}))]
    application = Starlette(routes=routes, middleware=[gate(platform)])
    made = TestClient(application, "http://localhost:7860", follow_redirects=False)
    if name:
        assert made.post("/login", data={"name": name, "password": OLD}).status_code == 303
    return made


def test_a_password_is_changed_by_who_knows_it_and_other_sessions_end(platform):
    ann, elsewhere = client(platform, "ann"), client(platform, "ann")
    assert "New password again" in ann.get("/password").text
    for password, new, again, said in (
        ("wrong", NEW, NEW, "do not belong together"),
        (OLD, NEW, "another one", "the two differ"),
        (OLD, "short", "short", "it has 5 characters"),
    ):
        answer = ann.post("/password", data={"password": password, "new": new, "again": again})
        assert (answer.status_code, said in answer.text) == (401, True)
    changed = ann.post("/password", data={"password": OLD, "new": NEW, "again": NEW})
    assert (changed.status_code, "Your password is changed" in changed.text) == (200, True)
    assert 'href="/#work"' in changed.text
    assert ann.get("/").status_code == 200
    assert elsewhere.get("/gradio_api/info").status_code == 401
    assert elsewhere.get("/").headers["location"] == "/login"
    again = client(platform)
    assert again.post("/login", data={"name": "ann", "password": OLD}).status_code == 401
    assert again.post("/login", data={"name": "ann", "password": NEW}).status_code == 303


def test_without_an_account_there_is_no_password_to_change(platform):
    assert client(platform).get("/password").headers["location"] == "/login"


def test_an_administrator_alone_sees_accounts_jobs_and_disk(platform):
    page = client(platform, "root.user").get("/administration").text
    for words in ("<td>ann</td>", "<td>administrator</td>", "<td>running</td><td>0</td>", "<td>free</td>"):
        assert words in page
    assert "argon2" not in page
    for other in (client(platform, "ann"), client(platform)):
        answer = other.get("/administration")
        assert (answer.status_code, "ann" in answer.text) == (404, False)


CHINESE = {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}


def english(text):
    """Words of a page that are English sentences or labels, without code and what accounts are called."""
    left = re.sub(r"<style>.*?</style>|<code>.*?</code>|<[^>]*>|UTC|MB|ann|root\.user", " ", text, flags=re.S)
    return re.findall(r"[A-Za-z]{2,}[A-Za-z ]*", html.unescape(left))


def test_the_servers_pages_speak_the_language_that_the_browser_asks_for(platform):
    ann, root = client(platform, "ann"), client(platform, "root.user")
    stranger = client(platform)
    wrong = {"password": OLD, "new": "short", "again": "short"}
    answers = [
        stranger.get("/login", headers=CHINESE),
        stranger.post("/login", data={"name": "nobody", "password": "wrong words"}, headers=CHINESE),
        ann.get("/password", headers=CHINESE),
        ann.post("/password", data=wrong | {"again": "another"}, headers=CHINESE),
        *(
            ann.post("/password", data=wrong | {"new": new, "again": new}, headers=CHINESE)
            for new in ("short", "password1234", "aaaaaaaaaaaa", "ann and the herons")
        ),
        root.get("/administration", headers=CHINESE),
    ]
    for _ in range(5):
        last = stranger.post("/login", data={"name": "nobody", "password": "wrong words"}, headers=CHINESE)
    for answer in (*answers, last):
        assert '<html lang="zh-CN">' in answer.text
        assert english(answer.text) == []
    assert "登录失败次数过多，请等待 15 分钟。" in last.text
    assert "密码须为 10 至 256 个字符且不易猜到，但这个密码有 5 个字符。请用几个词组成。" in answers[4].text
    assert stranger.get("/administration", headers=CHINESE).text == "没有这个页面。"
    assert stranger.get("/gradio_api/x", headers=CHINESE | {"accept": "*/json"}).text == "请先登录。"
    assert '<html lang="en">' in stranger.get("/login").text


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("ZH-Hant-TW, en;q=0.5", "zh-CN"),
        ("en-GB,zh;q=0.9", "en"),
        ("en;q=0.1, zh;q=0.2", "zh-CN"),
        ("de, fr;q=0.9, zh;q=0.1", "zh-CN"),
        ("zh;q=0", "en"),
        ("zhx, english", "en"),
        ("\u00e9;q=x,,;;q=9,zh;q=1.0", "zh-CN"),
        ("zh" * 100_000, "en"),
    ],
)
def test_the_language_is_the_first_that_is_there(accept, language):
    assert preferred(accept) == language


def test_a_form_tells_that_too_many_log_in_and_stays_a_form(platform, monkeypatch):
    monkeypatch.setattr(logins, "WAITING", 0)
    answer = client(platform).post("/login", data={"name": "ann", "password": OLD}, headers=CHINESE)
    assert (answer.status_code, "目前登录的人太多" in answer.text) == (429, True)
    assert 'name="password"' in answer.text


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forms_are_easy_to_see_and_to_reach_by_keyboard(platform, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    root = client(platform, "root.user")
    pages = [root.get(path, headers=CHINESE).text for path in ("/login", "/password", "/administration")]
    pages.append(client(platform).post("/login", data={"name": "x"}).text)
    with (
        chromium() as browser,
        browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800}) as context,
    ):
        tab = context.new_page()
        for text in pages:
            tab.set_content(text)
            found = axe.run(tab)
            assert found.violations_count == 0, found.generate_report()
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
            for control in tab.locator("input, button, a, [tabindex]").all():
                control.focus()
                tab.keyboard.press("Shift")  # the focus is one of the keyboard
                assert control.evaluate("e => getComputedStyle(e).outlineWidth") == "3px"
