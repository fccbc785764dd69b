"""The login page: static HTML without scripts, and the answer to its form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tiomagic.display.escaping import escape
from tiomagic.ui.web.login import Login, LoginDeniedError, LoginThrottledError

if TYPE_CHECKING:
    from starlette.requests import Request

FORM_BYTES = 4 * 2**10
"""Most bytes of a submitted login."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tiomagic</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; --back: #f6f4ef; --card: #fff; --text: #22282f;
  --line: #bdb7a9; --strong: #0b6b63; --on: #fff; --wrong: #a3261b; }}
@media (prefers-color-scheme: dark) {{ :root {{ --back: #16191c; --card: #1f2428;
  --text: #ece9e2; --line: #4c555d; --strong: #6fd3c3; --on: #0c1f1c; --wrong: #ffb4a9; }} }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--back);
  color: var(--text); font: 1rem/1.5 ui-sans-serif, system-ui, sans-serif; }}
form {{ background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 2rem; width: min(20rem, 80vw); display: grid; gap: .5rem; }}
h1 {{ margin: 0; font-size: 1.4rem; }} p {{ margin: 0; }}
.wrong {{ color: var(--wrong); }}
input, button {{ font: inherit; padding: .6rem; border-radius: 8px;
  border: 1px solid var(--line); background: transparent; color: inherit; }}
button {{ margin-top: .5rem; background: var(--strong); color: var(--on); border: 0;
  cursor: pointer; }}
</style></head><body><main><form method="post" action="login">
<h1>tiomagic</h1>{said}{fields}
<button type="submit">Login</button></form></main></body></html>
"""
_USER_FIELDS = """<p>Who are you?</p>
<label for="username">username</label>
<input id="username" name="username" autocomplete="username" required autofocus>
<label for="password">password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>"""
_KEY_FIELDS = """<p>The page is for the owner of this server.</p>
<label for="password">key of the page (tio-…)</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
  autofocus>"""


def login_page(login: Login, said: str = "", status: int = 200) -> Response:
    """Return the page.

    Args:
        login: Whose form.
        said: The error of the last attempt.
        status: Of the answer.
    """
    line = f'<p class="wrong" role="alert">{escape(said)}</p>' if said else ""
    fields = _KEY_FIELDS if login.credentials.asks_for_key else _USER_FIELDS
    return HTMLResponse(_PAGE.format(said=line, fields=fields), status_code=status)


async def answer_login(request: Request, body: bytes, login: Login, cookie: str) -> Response:
    """Return the response to a login: a cookie and the page, or the form again.

    Args:
        request: A POST from the page above, or from a program.
        body: Its body.
        login: Checks it.
        cookie: Name of the cookie.
    """
    page = login if is_person(request) else None
    try:
        given = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    except ValueError:
        given = {}
    user, password = (given.get(name, [""])[0] for name in ("username", "password"))
    address = request.client.host if request.client else ""
    try:
        token = login.log_in(user.strip(), password, address)
    except LoginThrottledError as error:
        return _refused(page, 429, f"Too many attempts: wait {error.seconds:.0f} s", error.seconds)
    except LoginDeniedError as error:
        return _refused(page, 403, str(error))
    if token is None:
        wrong = "This is no key of this server" if login.credentials.asks_for_key else None
        return _refused(page, 400, wrong or "Incorrect Credentials")
    response = answer_success(request)
    secure = request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(cookie, token, httponly=True, samesite="strict", secure=secure, path="/")
    return response


def is_person(request: Request) -> bool:
    """Return whether a browser asks for a user, and no script or program."""
    return "text/html" in request.headers.get("accept", "")


def answer_success(request: Request) -> Response:
    """Return the page again for a person, and JSON for a program."""
    if is_person(request):
        return RedirectResponse("./", status_code=303)
    return JSONResponse({"success": True})


def _refused(page: Login | None, status: int, said: str, wait_s: float | None = None) -> Response:
    """Return the form of a login again; JSON without one."""
    response = login_page(page, said, status) if page else JSONResponse({"detail": said}, status)
    if wait_s is not None:
        response.headers["retry-after"] = str(max(1, round(wait_s)))
    return response
