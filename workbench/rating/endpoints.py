"""The HTTP endpoints of a study: consent, trials, answers, and the experimenter's page."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from workbench.core.errors import WorkbenchError
from workbench.core.runs import csv_text
from workbench.rating import manikins
from workbench.rating.collection import TABLES, Collection, Rater
from workbench.service.errors import LimitError
from workbench.service.limits import Rate, network

_DAYS = 60  # for which a browser remembers its rater
_WRONG_CODES = 10  # per address and minute
_BEGINNINGS = 60  # new raters per address and minute: a class starts together
_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Pages:
    """The endpoints of :func:`workbench.rating.server.app`."""

    def __init__(self, collection: Collection):
        self._collection, self._study = collection, collection.study
        name = hmac.digest(collection.key.encode(), b"cookie", "sha256").hex()[:12]
        self._cookie, self._key_cookie = f"rater-{name}", f"experimenter-{name}"
        self._tries, self._beginnings = Rate(_WRONG_CODES), Rate(_BEGINNINGS)

    # raters

    async def start(self, request: Request) -> Response:
        """The consent form, and the form to resume."""
        return self._start(await self._rater(request))

    def _start(self, rater: Rater | None = None, message: str = "", status: int = 200) -> Response:
        return self._page(
            "start.html", status, ticket=secrets.token_hex(16), known=rater is not None, message=message
        )

    async def home(self, request: Request) -> Response:
        """Redirect to the page with the forms."""
        return RedirectResponse("/", 303)

    async def begin(self, request: Request) -> Response:
        """Register a new rater."""
        form = await _form(request)
        ticket = form.get("ticket", "")[:64]
        if form.get("agree") != "yes" or len(ticket) < 32:
            return self._start(message=self._study.spoken.agree, status=422)
        try:
            self._beginnings.take(_address(request))
            code = await run_in_threadpool(self._collection.begin, ticket)
        except LimitError:
            return self._start(message=self._study.spoken.busy, status=429)
        except WorkbenchError as error:
            return self._start(message=str(error), status=403)
        return self._enter(request, code)

    async def resume(self, request: Request) -> Response:
        """Let a rater resume with a code."""
        code = (await _form(request)).get("code", "")
        rater = await run_in_threadpool(self._collection.rater, code)
        if rater is None:
            try:
                self._tries.take(_address(request))
            except LimitError:
                return self._start(message=self._study.spoken.busy, status=429)
            return self._start(message=self._study.spoken.wrong_code, status=404)
        return self._enter(request, rater.code)

    async def leave(self, request: Request) -> Response:
        """Forget the rater on this computer; the code still works."""
        response = RedirectResponse("/", 303)
        response.delete_cookie(self._cookie)
        return response

    def _enter(self, request: Request, code: str) -> Response:
        response = RedirectResponse("/study", 303)
        self._set_cookie(response, request, self._cookie, code)
        return response

    def _set_cookie(self, response: Response, request: Request, name: str, value: str) -> None:
        secure = request.url.scheme == "https"
        response.set_cookie(name, value, _DAYS * 86400, httponly=True, samesite="lax", secure=secure)

    async def study(self, request: Request) -> Response:
        """The page of the trials, or the closing page."""
        rater = await self._rater(request)
        if rater is None:
            return RedirectResponse("/", 303)
        return self._page("done.html" if rater.is_done else "study.html")

    async def trials(self, request: Request) -> Response:
        """The rater's remaining trials as JSON."""
        rater = await self._known(request)
        study, collection = self._study, self._collection
        left = list(enumerate(rater.trials))[rater.answered :]
        return JSONResponse(
            {
                "rater": rater.number,
                "code": rater.code,
                "instructions": _paragraphs(study.instructions),
                "is_new": rater.answered == 0,
                "total": len(rater.trials),
                "words": vars(study.spoken),
                "scales": {scale.name: self._scale(scale) for scale in study.scales},
                "trials": [
                    {
                        "index": index,
                        "phase": trial.phase,
                        "pause": trial.has_break,
                        "pictures": [
                            {"src": f"/pictures/{i}", "width": s.size[0], "height": s.size[1]}
                            for i in trial.stimuli
                            if (s := collection.stimuli[i])
                        ],
                        "scales": [scale.name for scale in collection.scales_of(trial)],
                        "target": self._target(trial),
                    }
                    for index, trial in left
                ],
            }
        )

    def _scale(self, scale: Any) -> dict[str, Any]:
        return {
            "kind": scale.kind, "question": scale.question, "low": scale.low, "high": scale.high,
            "values": scale.values, "labels": scale.shown(self._study.language), "figure": scale.figure,
        }  # fmt: skip

    def _target(self, trial: Any) -> str:
        """Text of the answer that an attention check asks for."""
        if trial.answer is None:
            return ""
        scale = self._collection.scales_of(trial)[0]
        return scale.shown(self._study.language)[scale.values.index(trial.answer)]

    async def answer(self, request: Request) -> Response:
        """Store the answers to a trial before the next one is shown."""
        rater = await self._known(request)
        try:
            body = await request.json()
            trial, values = body["trial"], body["values"]
            times = body["seconds"], body["seconds_of"], body["hidden"]
            fits = type(trial) is int and isinstance(values, dict) and isinstance(times[1], dict)
        except (ValueError, LookupError, TypeError, RecursionError):
            fits = False
        if not fits:
            raise HTTPException(422, "Expected trial, values, seconds, seconds_of and hidden as JSON.")
        try:
            answered = await run_in_threadpool(self._collection.answer, rater, trial, values, *times)
        except IndexError:
            raise HTTPException(409, "This is not the next trial. Reload the page.") from None
        return JSONResponse({"answered": answered})

    async def picture(self, request: Request) -> Response:
        """A picture of the study, to its raters and the experimenter."""
        stimulus = self._collection.stimuli.get(request.path_params["id"])
        if stimulus is None or not (self._is_experimenter(request) or await self._rater(request)):
            raise HTTPException(404, "There is no such picture.")
        return FileResponse(
            stimulus.file, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"}
        )

    async def manikin(self, request: Request) -> Response:
        """A self-assessment manikin as SVG."""
        try:
            drawn = manikins.figure(request.path_params["dimension"], request.path_params["level"])
        except KeyError:
            raise HTTPException(404, "There is no such figure.") from None
        return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=3600"})

    async def _rater(self, request: Request) -> Rater | None:
        code = request.cookies.get(self._cookie)
        return await run_in_threadpool(self._collection.rater, code) if code else None

    async def _known(self, request: Request) -> Rater:
        rater = await self._rater(request)
        if rater is None:
            raise HTTPException(401, "Start at the first page.")
        return rater

    # the experimenter

    async def experimenter(self, request: Request) -> Response:
        """Progress of the raters, and their agreement so far."""
        key = request.query_params.get("key")
        if key is not None:
            if not hmac.compare_digest(key.encode(), self._collection.key.encode()):
                self._tries.take(_address(request))
                raise HTTPException(404, "There is no such page.")
            response = RedirectResponse("/experimenter", 303)  # takes the key out of the address bar
            self._set_cookie(response, request, self._key_cookie, key)
            return response
        self._require_key(request)
        progress, agreement = await run_in_threadpool(self._overview)
        return self._page(
            "experimenter.html", progress=progress, agreement=agreement, skipped=self._collection.skipped
        )

    def _overview(self) -> tuple[list, list]:
        return self._collection.progress(), self._collection.agreement()

    async def table(self, request: Request) -> Response:
        """A table as CSV."""
        self._require_key(request)
        name = request.path_params["table"]
        if name not in TABLES:
            raise HTTPException(404, "There is no such table.")
        text = csv_text(await run_in_threadpool(self._collection.table, name))
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(text, media_type="text/csv", headers=headers)

    def _is_experimenter(self, request: Request) -> bool:
        given = request.cookies.get(self._key_cookie, "")
        return hmac.compare_digest(given.encode(), self._collection.key.encode())

    def _require_key(self, request: Request) -> None:
        if not self._is_experimenter(request):
            raise HTTPException(404, "There is no such page.")

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        study = self._study
        text = _pages.get_template(name).render(
            study=study,
            words=study.spoken,
            consent=_paragraphs(study.consent),
            thanks=_paragraphs(study.thanks),
            **values,
        )
        return HTMLResponse(text, status)


async def _form(request: Request) -> dict[str, str]:
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _address(request: Request) -> str:
    return network(request.client.host) if request.client else ""
