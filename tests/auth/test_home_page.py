"""Home, what it leads to, and error pages: on a real hub whose servers are sockets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from .leaving import Site, wait_until


@pytest.fixture
def ida(site: Site) -> Iterator[httpx.Client]:
    browser = site.sign_in("ida", "teams/nlp")
    yield browser
    browser.delete("/hub/api/users/ida/server", headers=site.xsrf(browser))
    wait_until(lambda: not site.running("ida"), "the server is stopped")


def post(browser: httpx.Client, path: str, token: str | None = None) -> httpx.Response:
    xsrf = browser.cookies.get("_xsrf", path="/hub/") if token is None else token
    return browser.post(path, data={"_xsrf": xsrf or ""}, follow_redirects=False)


def test_home_is_where_a_sign_in_ends(site: Site) -> None:
    browser = site.sign_in("ida", "teams/nlp")
    assert browser.get("/hub/").url.path == "/hub/home"


def test_a_server_is_shown_with_its_team_and_opened_and_stopped_from_there(site: Site, ida: httpx.Client) -> None:
    assert "No server of yours runs." in ida.get("/hub/home").text
    assert site.start(ida, "ida", tenant="nlp").status_code == 201
    page = ida.get("/hub/home").text
    assert "<dd>Language</dd>" in page
    assert "1/7 of an H100, 10 GB" in page
    assert 'href="/user/ida/"' in page
    # This hub's spawner can't say what is held: that is unknown, and no cost of 0.
    assert re.search(r"<dt>Cost so far</dt><dd>unknown", page)
    asks = ida.get("/hub/aifactory/stop/ida")
    assert "Stop your server?" in asks.text
    assert site.running("ida")
    assert post(ida, "/hub/aifactory/stop/ida", token="nonsense").status_code == 403
    assert site.running("ida")
    stopped = post(ida, "/hub/aifactory/stop/ida")
    assert (stopped.status_code, stopped.headers["location"]) == (302, "/hub/home")
    wait_until(lambda: not site.running("ida"), "the server is stopped")


def test_a_start_is_shown_and_can_be_called_off(site: Site, ida: httpx.Client) -> None:
    assert site.start(ida, "ida", tenant="nlp", slow="yes").status_code in (201, 202)
    page = ida.get("/hub/home").text
    assert 'class="af-state">starting<' in page
    assert 'href="/hub/spawn-pending/ida"' in page
    assert ida.get("/hub/aifactory/stop/ida").status_code == 409
    assert post(ida, "/hub/aifactory/cancel/ida").status_code == 302
    wait_until(lambda: not site.running("ida"), "the start is called off")


def test_nobody_stops_or_deletes_for_somebody_else(site: Site, ida: httpx.Client) -> None:
    assert site.start(ida, "ida", tenant="nlp").status_code == 201
    other = site.sign_in("oto", "teams/nlp", "teams/nlp/admins")
    for path in ("/hub/aifactory/stop/ida", "/hub/aifactory/delete/ida/x"):
        assert other.get(path).status_code in (403, 404)
        assert post(other, path).status_code in (403, 404)
    assert site.running("ida")


def test_a_server_of_ones_own_name_is_chosen_started_nowhere_and_deleted(site: Site, ida: httpx.Client) -> None:
    answer = ida.get("/hub/aifactory/named-server", params={"name": "My <Training>"}, follow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/hub/spawn/ida/my-training?display_name=")
    assert not site.running("ida")
    bad = ida.get("/hub/aifactory/named-server", params={"name": "//"})
    assert bad.status_code == 400
    assert "write letters or digits" in bad.text
    url = "/hub/api/users/ida/servers/mine"
    body = {"user_options": {"tenant": "nlp"}} if site.newer else {"tenant": "nlp"}
    assert ida.post(url, json=body, headers=site.xsrf(ida)).status_code == 201
    assert ida.get("/hub/aifactory/delete/ida/mine").status_code == 409
    assert post(ida, "/hub/aifactory/delete/ida/mine").status_code == 409
    assert post(ida, "/hub/aifactory/stop/ida/mine").status_code == 302
    wait_until(lambda: not site.running("ida"), "it is stopped")
    wait_until(lambda: "Delete mine" in ida.get("/hub/home").text, "it is shown as stopped")
    assert "Delete the server mine?" in ida.get("/hub/aifactory/delete/ida/mine").text
    assert post(ida, "/hub/aifactory/delete/ida/mine").status_code == 302
    assert "Delete mine" not in ida.get("/hub/home").text
    assert post(ida, "/hub/aifactory/delete/ida/mine").status_code == 404


def test_a_servers_token_does_not_see_home(site: Site, ida: httpx.Client) -> None:
    assert site.start(ida, "ida", tenant="nlp").status_code == 201
    head = {"Authorization": f"token {site.token('ida')}"}
    answer = httpx.get(f"{site.hub.url}/hub/home", headers=head, trust_env=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/hub/login?next=%2Fhub%2Fhome")


def test_error_pages_say_where_to_go_and_whom_to_ask(site: Site, ida: httpx.Client) -> None:
    for path, status, said in (
        ("/hub/nope", 404, "There is no page at this address."),
        ("/hub/aifactory", 404, "There is no page at this address."),
        ("/hub/admin", 403, "Your account does not have the right"),
        ("/hub/aifactory/cluster", 403, "Your account does not have the right"),
        ("/hub/aifactory/sign-ins", 403, "This is for the hub"),
        ("/hub/aifactory/team/ghost", 404, "that you administer"),
        ("/hub/aifactory/stop/ida/ghost", 404, "has no server"),
    ):
        answer = ida.get(path)
        assert (answer.status_code, said in answer.text) == (status, True), path
        assert 'href="/hub/home">Home</a>' in answer.text
        assert 'href="mailto:gpu-help@example.org"' in answer.text
        assert "moons" not in answer.text
        assert "None" not in re.sub(r"<script.*?</script>|<style.*?</style>", "", answer.text, flags=re.S)


def test_all_pages_have_the_products_name_help_and_contact_escaped(site: Site, ida: httpx.Client) -> None:
    signed_out = httpx.get(f"{site.hub.url}/hub/login", trust_env=False)
    for page in (ida.get("/hub/home"), ida.get("/hub/token"), signed_out):
        assert "GPU &lt;Hub&gt;</title>" in page.text
        assert "GPU <Hub>" not in page.text
        assert 'href="https://wiki.example.org/gpu?a=1&amp;b=2"' in page.text
        assert "gpu-help@example.org" in page.text
    logo = ida.get("/hub/logo")
    assert (logo.status_code, logo.headers["content-type"]) == (200, "image/svg+xml")


def test_who_is_in_no_team_reads_so_first_and_the_claims_only_when_they_unfold_them(site: Site) -> None:
    with pytest.raises(AssertionError) as refused:
        site.sign_in("tom")
    text = str(refused.value)
    assert "<h1>You are in no team yet</h1>" in text
    before, _, details = text.partition("<details>")
    assert "Ask your team&#x27;s admin" in before
    assert "did arrive" in details and "did arrive" not in before


def test_a_job_service_that_is_away_is_said_and_does_not_hold_up_home(site: Site, ida: httpx.Client) -> None:
    page = ida.get("/hub/home").text
    assert "This month: <strong>not known now</strong>" in page
    assert "Not known now: the job service does not answer. Jobs go on." in page
    assert 'href="/services/aifactory/team/nlp">Team Language: who holds what' in page
