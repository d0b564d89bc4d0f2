"""The port `CI` on GitHub Actions, held to one contract on the sandbox's forge and on a real GitHub where one is named."""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from bot.adapters.github.ci import GitHubActions
from bot.core.model import Build, BuildState
from bot.core.target import Workflow
from bot.ports import Refused, Retryable
from bot.sandbox.forge import Forge
from tests.adapters.between import Between, Coming, Onward, Passing, without

pytestmark = pytest.mark.world

TOKEN = "ghp_token_of_the_bot"
INPUTS = {
    "model_name": "fraud-detector",
    "model_version": "7",
    "image": "registry.example/fraud-detector",
    "tag": "v7",
}
WORKFLOW = """\
name: Build a model image
run-name: Build ${{ inputs.model_name }} v${{ inputs.model_version }} (${{ inputs.correlation_id }})
on:
  workflow_dispatch:
    inputs:
      model_name: {required: true, type: string}
      model_version: {required: true, type: string}
      image: {required: true, type: string}
      tag: {required: true, type: string}
      correlation_id: {required: true, type: string}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: "true"
"""


@dataclass(frozen=True)
class World:
    """A repository with the workflow, and what a person sees of its runs."""

    api: str
    token: str
    workflow: Workflow

    def ci(self, **options: Any) -> GitHubActions:
        return GitHubActions(lambda: self.token, **{"api_url": self.api, **options})

    def runs(self, correlation: str) -> list[dict[str, Any]]:
        found = self.ask("GET", "actions/runs?event=workflow_dispatch&per_page=100")["workflow_runs"]
        return [run for run in found if correlation in run["display_title"]]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(
            method,
            f"{self.api}/repos/{self.workflow.repository}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}", "X-GitHub-Api-Version": "2022-11-28"},
            timeout=15,
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


class CIContract:
    """What the engine may rely on."""

    @pytest.fixture
    def ci(self, world: World) -> GitHubActions:
        return world.ci()

    @pytest.fixture
    def correlation(self) -> str:
        return f"gitops-bot-{uuid.uuid4().hex[:16]}"

    def test_a_started_build_runs_and_is_found_again(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        before = datetime.now(UTC) - timedelta(minutes=5)
        build = ci.start(world.workflow, correlation, INPUTS)
        assert (build.state, build.correlation) == (BuildState.RUNNING, correlation)
        assert build.started_at is not None
        assert before < build.started_at < datetime.now(UTC) + timedelta(minutes=5)
        found = ci.find(world.workflow, correlation)
        assert found is not None
        assert found.id == build.id
        assert build.id in found.url

    def test_another_process_finds_it_by_its_title(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        build = ci.start(world.workflow, correlation, INPUTS)
        found = eventually(lambda: world.ci().find(world.workflow, correlation))
        assert found.id == build.id

    def test_starting_twice_is_once_also_from_another_process(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        first = ci.start(world.workflow, correlation, INPUTS)
        again = ci.start(world.workflow, correlation, INPUTS)
        eventually(lambda: world.ci().find(world.workflow, correlation))
        elsewhere = world.ci().start(world.workflow, correlation, INPUTS)
        assert {first.id, again.id, elsewhere.id} == {first.id}
        assert len(world.runs(correlation)) == 1

    def test_two_targets_that_start_the_same_image_at_once_share_the_run(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            builds = list(pool.map(lambda _: ci.start(world.workflow, correlation, INPUTS), range(4)))
        assert len({build.id for build in builds}) == 1
        eventually(lambda: world.runs(correlation) or None)
        assert len(world.runs(correlation)) == 1

    def test_nothing_is_found_before_it_is_started(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        ci.start(world.workflow, correlation, INPUTS)
        assert ci.find(world.workflow, f"{correlation[:-1]}x") is None

    def test_an_input_that_the_workflow_lacks_is_named_with_the_workflow(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        with pytest.raises(Refused, match=r"build\.yml.*surprise"):
            ci.start(world.workflow, correlation, {**INPUTS, "surprise": "1"})
        assert world.runs(correlation) == []

    def test_a_workflow_that_is_not_there_is_named(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        with pytest.raises(Refused, match=r"missing\.yml"):
            ci.start(replace(world.workflow, file="missing.yml"), correlation, INPUTS)

    def test_a_repository_that_is_not_there_is_named(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        repository = f"{world.workflow.repository}-missing"
        with pytest.raises(Refused, match=repository):
            ci.find(replace(world.workflow, repository=repository), correlation)

    def test_a_ref_that_is_not_there_is_named(
        self, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        with pytest.raises(Refused, match="no-such-branch"):
            ci.start(replace(world.workflow, ref="no-such-branch"), correlation, INPUTS)


def eventually(ask: Callable[[], Any]) -> Any:
    """The first answer that is not None: a real GitHub shows a run seconds after it took the dispatch."""
    for _ in range(60):
        found = ask()
        if found is not None:
            return found
        time.sleep(0.5)
    pytest.fail("nothing was found in 30 s")


class TestActionsOfTheSandbox(CIContract):
    """On the sandbox's forge, where runs end as a test says and answers get lost on the way."""

    @pytest.fixture(scope="class")
    @classmethod
    def github(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
        source = tmp_path_factory.mktemp("source")
        (source / ".github" / "workflows").mkdir(parents=True)
        (source / ".github" / "workflows" / "build.yml").write_text(WORKFLOW)
        untitled = WORKFLOW.replace(" (${{ inputs.correlation_id }})", "")
        (source / ".github" / "workflows" / "untitled.yml").write_text(untitled)
        forge = Forge(tmp_path_factory.mktemp("forge"))
        forge.add_user("gitops-bot", TOKEN, bot=True)
        forge.create_repository("acme/models", source=source)
        forge.start()
        yield forge
        forge.stop()

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls, github: Forge) -> World:
        return World(github.api_url, TOKEN, Workflow("acme/models", "build.yml"))

    @pytest.fixture(scope="class")
    @classmethod
    def proxy(cls, github: Forge) -> Iterator[Between]:
        proxy = Between(github.api_url)
        yield proxy
        proxy.stop()

    @pytest.fixture
    def between(self, proxy: Between) -> Between:
        proxy.seen.clear()
        proxy.meddle = lambda request, onward: onward(request)
        return proxy

    @pytest.mark.parametrize(
        ("conclusion", "state"),
        [
            ("success", BuildState.SUCCEEDED),
            ("failure", BuildState.FAILED),
            ("cancelled", BuildState.FAILED),
            ("timed_out", BuildState.FAILED),
            ("skipped", BuildState.FAILED),
        ],
    )
    def test_the_end_of_a_run_is_told_in_the_cis_own_word(
        self,
        github: Forge,
        world: World,
        ci: GitHubActions,
        correlation: str,
        conclusion: str,
        state: BuildState,
    ) -> None:
        build = ci.start(world.workflow, correlation, INPUTS)
        github.begin_run(int(build.id))
        assert found(ci, world, correlation).state is BuildState.RUNNING
        github.finish_run(int(build.id), conclusion)
        ended = found(ci, world, correlation)
        assert (ended.id, ended.state, ended.conclusion) == (build.id, state, conclusion)

    def test_the_inputs_arrive_with_the_correlation_id(
        self, github: Forge, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        run = github.run(int(ci.start(world.workflow, correlation, INPUTS).id))
        assert (run.inputs, run.ref) == ({**INPUTS, "correlation_id": correlation}, "main")

    def test_a_run_that_a_person_runs_again_is_told_in_its_newest_attempt(
        self, github: Forge, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        build = ci.start(world.workflow, correlation, INPUTS)
        github.finish_run(int(build.id), "failure")
        github.rerun(int(build.id))
        again = found(ci, world, correlation)
        assert (again.id, again.state, again.conclusion) == (build.id, BuildState.RUNNING, "")

    def test_the_newest_of_several_runs_counts(
        self, github: Forge, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        first = ci.start(world.workflow, correlation, INPUTS)
        github.finish_run(int(first.id), "failure")
        again = {"ref": "main", "inputs": {**INPUTS, "correlation_id": correlation}}
        world.ask("POST", "actions/workflows/build.yml/dispatches", again)
        newest = found(ci, world, correlation)
        assert int(newest.id) > int(first.id)
        assert newest.state is BuildState.RUNNING

    def test_an_answer_that_is_lost_starts_nothing_twice(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle = lambda request, onward: (
            without(onward(request)) if posts(request) else onward(request)
        )
        build = world.ci(api_url=between.url).start(world.workflow, correlation, INPUTS)
        assert build.state is BuildState.RUNNING
        assert [run["id"] for run in world.runs(correlation)] == [int(build.id)]

    def test_after_an_unclear_answer_nothing_is_dispatched_before_the_list_must_show_it(
        self, world: World, between: Between, correlation: str
    ) -> None:
        def lost_and_lagging(request: Passing, onward: Onward) -> Coming:
            return without(onward(request)) if posts(request) else emptied(request, onward)

        between.meddle, clock = lost_and_lagging, Clock()
        ci = world.ci(api_url=between.url, clock=clock)
        for _ in range(3):
            with pytest.raises(Retryable):
                ci.start(world.workflow, correlation, INPUTS)
        assert between.count("POST", "/dispatches") == 1
        between.meddle = lambda request, onward: onward(request)
        assert ci.start(world.workflow, correlation, INPUTS).id == str(world.runs(correlation)[0]["id"])
        assert between.count("POST", "/dispatches") == 1

    def test_what_never_arrived_is_dispatched_again_later(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle = lambda request, onward: Coming(502) if posts(request) else onward(request)
        clock = Clock()
        ci = world.ci(api_url=between.url, clock=clock)
        with pytest.raises(Retryable):
            ci.start(world.workflow, correlation, INPUTS)
        between.meddle = lambda request, onward: onward(request)
        clock.now += timedelta(minutes=3)
        build = ci.start(world.workflow, correlation, INPUTS)
        assert [run["id"] for run in world.runs(correlation)] == [int(build.id)]

    def test_a_rate_limit_is_no_unclear_answer(
        self, world: World, between: Between, correlation: str
    ) -> None:
        limited = Coming(429, b'{"message": "slow down"}', (("Retry-After", "9"),))
        between.meddle = lambda request, onward: limited if posts(request) else onward(request)
        ci = world.ci(api_url=between.url)
        with pytest.raises(Retryable) as caught:
            ci.start(world.workflow, correlation, INPUTS)
        assert caught.value.after == timedelta(seconds=9)
        between.meddle = lambda request, onward: onward(request)
        assert ci.start(world.workflow, correlation, INPUTS).id

    def test_a_list_that_lags_hides_no_run_that_this_process_started(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle = emptied
        ci = world.ci(api_url=between.url)
        build = ci.start(world.workflow, correlation, INPUTS)
        assert build.id == str(world.runs(correlation)[0]["id"])
        assert ci.start(world.workflow, correlation, INPUTS).id == build.id
        assert between.count("POST", "/dispatches") == 1

    def test_an_old_server_that_names_no_run_is_looked_through(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle = old_server
        build = world.ci(api_url=between.url).start(world.workflow, correlation, INPUTS)
        assert build.id == str(world.runs(correlation)[0]["id"])

    def test_a_dispatch_whose_run_is_not_listed_yet_counts_as_running(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle = lambda request, onward: old_server(request, lambda r: emptied(r, onward))
        ci = world.ci(api_url=between.url)
        for _ in range(2):
            build = ci.start(world.workflow, correlation, INPUTS)
            assert (build.id, build.state) == ("", BuildState.RUNNING)
            assert build.url.endswith("/acme/models/actions/workflows/build.yml")
        assert between.count("POST", "/dispatches") == 2  # the first was refused for asking for the run

    def test_a_workflow_that_hides_the_id_is_named_instead_of_started_again_and_again(
        self, world: World, between: Between, correlation: str
    ) -> None:
        between.meddle, clock = old_server, Clock()
        untitled = replace(world.workflow, file="untitled.yml")
        ci = world.ci(api_url=between.url, clock=clock)
        ci.start(untitled, correlation, INPUTS)
        clock.now += timedelta(minutes=3)
        with pytest.raises(Refused, match=r"untitled\.yml.*run-name"):
            ci.start(untitled, correlation, INPUTS)
        assert between.count("POST", "/dispatches") == 2

    def test_a_workflow_that_hides_the_id_is_followed_where_the_server_names_the_run(
        self, github: Forge, world: World, ci: GitHubActions, correlation: str
    ) -> None:
        untitled = replace(world.workflow, file="untitled.yml")
        build = ci.start(untitled, correlation, INPUTS)
        github.finish_run(int(build.id), "success")
        ended = ci.find(untitled, correlation)
        assert ended is not None
        assert (ended.id, ended.state) == (build.id, BuildState.SUCCEEDED)


class Clock:
    """The time, as a test wants it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def found(ci: GitHubActions, world: World, correlation: str) -> Build:
    build = ci.find(world.workflow, correlation)
    assert build is not None
    return build


def posts(request: Passing) -> bool:
    return request.method == "POST"


def emptied(request: Passing, onward: Onward) -> Coming:
    """A list of runs that lags behind."""
    if request.path.endswith("/runs"):
        return Coming(200, b'{"total_count": 0, "workflow_runs": []}')
    return onward(request)


def old_server(request: Passing, onward: Onward) -> Coming:
    """A server before 2026-02: it refuses the field that asks for the run, and names none."""
    if not posts(request):
        return onward(request)
    if "return_run_details" in json.loads(request.body):
        return Coming(400, b'{"message": "\\"return_run_details\\" is not a permitted key."}')
    coming = onward(request)
    return Coming(204) if coming.status == 200 else coming


class TestActionsOfGitHub(CIContract):
    """On a real GitHub: a repository whose workflow `build.yml` is the one above."""

    @pytest.fixture(scope="class")
    @classmethod
    def world(cls) -> World:
        repository = os.environ.get("GITOPS_BOT_LIVE_MODELS")
        token = os.environ.get("GITOPS_BOT_LIVE_TOKEN")
        if not repository or not token:
            pytest.skip(
                "set GITOPS_BOT_LIVE_MODELS=owner/name and GITOPS_BOT_LIVE_TOKEN to run this on a real GitHub"
            )
        api = os.environ.get("GITOPS_BOT_LIVE_API", "https://api.github.com")
        return World(api, token, Workflow(repository, "build.yml"))
