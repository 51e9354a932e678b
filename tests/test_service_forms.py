"""The server's own pages: logging in, changing the password, and the administrator's view."""

from __future__ import annotations

import platform_tasks
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

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
    assert ann.post("/password", data={"password": OLD, "new": NEW, "again": NEW}).status_code == 303
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
