"""The registry as the bot reads it: on a real MLflow server, and on servers that fail."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests

from bot.adapters.mlflow import MlflowRegistry
from bot.adapters.mlflow.card import Card, body, read
from bot.core.model import Field, ModelVersion, Signature
from bot.core.names import version_tag
from bot.core.target import Alias, Stage, Tag
from bot.ports import Refused, Registry, Retryable
from bot.sandbox.serving import free_port
from bot.sandbox.tracking import TrackingServer
from bot.sandbox.training import FEATURES, Trained
from tests.conftest import COMMIT

pytestmark = [
    pytest.mark.world,
    pytest.mark.xdist_group("mlflow"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]

NOWHERE = "s3://nowhere/model"
KEY = "deploy to: eu/west.1-é"  # all that MLflow allows in the key of a tag
HOSTILE = [
    "fraud détection",
    "it's",
    'say "hi"',
    """both ' and " of them""",
    "x' AND name = 'y",
    "name@host",
    "back\\slash",
    "ends with \\",
    "`tick`",
    "semi;colon -- comment",
    "two\nlines",
    "tab\there",
    "100% _sure_",
    "日本語 🎉",
    " spaces around ",
]


@pytest.fixture(scope="session")
def client(tracking: TrackingServer) -> Any:
    """MLflow's own client, with which people promote."""
    import mlflow

    return mlflow.MlflowClient(tracking.url)


@pytest.fixture(scope="session")
def registry(tracking: TrackingServer) -> Registry:
    return MlflowRegistry(tracking.url, public_url="https://mlflow.acme.example/base/")


@pytest.fixture
def model() -> str:
    """The name of a model that no other test has."""
    return f"model-{uuid.uuid4().hex[:12]}"


def register(client: Any, model: str, count: int = 1) -> None:
    """Versions without any details."""
    client.create_registered_model(model)
    for _ in range(count):
        client.create_model_version(model, NOWHERE)


@pytest.fixture
def log(client: Any, model: str, tmp_path: Path) -> Callable[..., str]:
    """Registers a version whose model folder has these files, and returns its number."""

    def logged(metrics: Mapping[str, float] = {}, **files: str) -> str:
        run = client.create_run("0")
        for key, value in metrics.items():
            client.log_metric(run.info.run_id, key, value)
        for name, text in files.items():
            path = tmp_path / (name if name == "MLmodel" else f"{name}.json")
            path.write_text(text)
            client.log_artifact(run.info.run_id, str(path), "model")
        if not client.search_registered_models(f"name = '{model}'"):
            client.create_registered_model(model)
        source = f"{run.info.artifact_uri}/model"
        return str(client.create_model_version(model, source, run_id=run.info.run_id).version)

    return logged


def found(version: ModelVersion | None) -> str | None:
    """Which version that is."""
    return None if version is None else version.version


# --- Selectors -------------------------------------------------------------------------------------


def test_an_alias_is_followed_wherever_it_moves_and_until_it_is_gone(
    client: Any, registry: Registry, model: str
) -> None:
    assert registry.wanted(model, Alias("champion")) is None
    register(client, model, 2)
    assert registry.wanted(model, Alias("champion")) is None
    for version in ("1", "2", "1"):
        client.set_registered_model_alias(model, "champion", version)
        assert found(registry.wanted(model, Alias("champion"))) == version
    assert registry.wanted(model, Alias("Champion")) is None
    client.delete_registered_model_alias(model, "champion")
    assert registry.wanted(model, Alias("champion")) is None


def test_a_deleted_version_is_not_wanted_any_more(client: Any, registry: Registry, model: str) -> None:
    register(client, model)
    client.set_registered_model_alias(model, "champion", "1")
    client.delete_model_version(model, "1")
    assert registry.wanted(model, Alias("champion")) is None
    assert registry.version(model, "1") is None
    assert registry.input_example(model, "1") is None


def test_a_renamed_model_is_found_by_its_new_name_only(client: Any, registry: Registry, model: str) -> None:
    register(client, model)
    client.set_registered_model_alias(model, "champion", "1")
    client.rename_registered_model(model, f"{model}-renamed")
    assert registry.wanted(model, Alias("champion")) is None
    assert found(registry.wanted(f"{model}-renamed", Alias("champion"))) == "1"


def test_of_several_tagged_versions_the_one_with_the_highest_number_is_wanted(
    client: Any, registry: Registry, model: str
) -> None:
    register(client, model, 11)
    register(client, f"{model}-other", 12)
    client.set_model_version_tag(f"{model}-other", "12", "deploy", "production")
    for version in ("9", "2", "10"):
        client.set_model_version_tag(model, version, "deploy", "production")
    client.set_model_version_tag(model, "11", "deploy", "staging")
    assert found(registry.wanted(model, Tag("deploy", "production"))) == "10"
    assert found(registry.wanted(model, Tag("deploy", "staging"))) == "11"
    assert registry.wanted(model, Tag("deploy", "nowhere")) is None
    assert registry.wanted(model, Tag("other", "production")) is None
    client.delete_model_version_tag(model, "10", "deploy")
    assert found(registry.wanted(model, Tag("deploy", "production"))) == "9"


def test_a_stage_is_held_by_its_newest_version(client: Any, registry: Registry, model: str) -> None:
    assert registry.wanted(model, Stage("Production")) is None
    register(client, model, 3)
    for version in ("3", "2"):
        client.transition_model_version_stage(model, version, "Production")
    client.transition_model_version_stage(model, "1", "Staging")
    assert found(registry.wanted(model, Stage("Production"))) == "3"
    assert found(registry.wanted(model, Stage("Staging"))) == "1"
    client.transition_model_version_stage(model, "3", "Archived")
    assert found(registry.wanted(model, Stage("Production"))) == "2"


def test_a_stage_that_mlflow_does_not_have_is_refused_with_those_it_has(
    client: Any, registry: Registry, model: str
) -> None:
    register(client, model)
    with pytest.raises(Refused, match="Staging, Production"):
        registry.wanted(model, Stage("Canary"))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_and_tags_are_taken_literally(
    client: Any, registry: Registry, model: str, hostile: str
) -> None:
    name = f"{hostile} {model}" if not hostile.endswith("\\") else f"{model} {hostile}"
    register(client, name, 3)
    client.set_registered_model_alias(name, "champion", "1")
    client.set_model_version_tag(name, "1", KEY, hostile)
    # What a pattern would match, too: none of these is the tag that was asked for.
    client.set_model_version_tag(name, "2", KEY, re.sub(r"\W", "x", hostile) + "x")
    client.set_model_version_tag(name, "3", f"{KEY}x", hostile)
    sibling = re.sub(r"['\"\\`;\n\t]", "x", name)
    if sibling != name:
        register(client, sibling, 2)
        client.set_model_version_tag(sibling, "2", KEY, hostile)
    by_tag = registry.wanted(name, Tag(KEY, hostile))
    assert found(by_tag) == "1"
    assert by_tag == registry.wanted(name, Alias("champion")) == registry.version(name, "1")
    assert by_tag is not None
    assert by_tag.model == name
    assert by_tag.tags == {KEY: hostile}
    assert by_tag.url is not None
    assert by_tag.url.isprintable()
    assert not set(by_tag.url.removeprefix("https://mlflow.acme.example/base/#")) & set(" '\"<>`\\\n")
    assert registry.wanted(f"{name}x", Tag(KEY, hostile)) is None
    assert registry.wanted(name, Tag(hostile, hostile)) is None
    assert registry.wanted(name, Tag(KEY, re.sub(r"\W", "_", hostile) + "%")) is None


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_alias_that_cannot_be_is_held_by_nobody(
    client: Any, registry: Registry, model: str, hostile: str
) -> None:
    register(client, model)
    assert registry.wanted(model, Alias(hostile)) is None


# --- Details ---------------------------------------------------------------------------------------


def test_a_trained_model_comes_with_all_that_a_reviewer_wants_to_know(
    registry: Registry, trained: Trained
) -> None:
    version = registry.version(trained.model, trained.version)
    assert version is not None
    assert version.status == "READY"
    assert version.run_id == trained.run_id
    assert version.metrics == trained.metrics
    assert version.metrics["auc"] > 0.9
    assert version.source_commit == COMMIT
    assert version.user
    assert version.created_at is not None
    assert timedelta(0) <= datetime.now(UTC) - version.created_at < timedelta(minutes=10)
    assert version.run_url is not None
    assert version.run_url.startswith("https://mlflow.acme.example/base/#/experiments/")
    assert version.run_url.endswith(f"/runs/{trained.run_id}")
    page = f"https://mlflow.acme.example/base/#/models/{trained.model.replace(' ', '%20')}/versions/1"
    assert version.url == page
    inputs = tuple(Field(name, "double") for name in FEATURES)
    assert version.signature == Signature(inputs, (Field("0", "Tensor('int64', (-1,))"),))
    assert version.has_input_example


def test_the_input_example_is_a_body_that_the_model_server_takes(
    registry: Registry, trained: Trained
) -> None:
    example = registry.input_example(trained.model, trained.version)
    assert example is not None
    assert example["dataframe_split"]["columns"] == list(FEATURES)
    assert len(example["dataframe_split"]["data"]) == 3
    again = registry.input_example(trained.model, trained.version)
    assert again is example, (
        "a release is looked at every few seconds, and what it was logged with does not change"
    )


def test_metrics_of_the_logged_model_stand_in_where_its_run_has_none(
    tracking: TrackingServer, client: Any, registry: Registry, model: str
) -> None:
    logged = client.create_logged_model("0", name="m", tags={"mlflow.source.git.commit": COMMIT})
    run = client.create_run("0").info.run_id
    metric = {
        "run_id": run,
        "model_id": logged.model_id,
        "key": "auc",
        "value": 0.75,
        "timestamp": 1,
        "step": 0,
    }
    client.finalize_logged_model(logged.model_id, "READY")
    client.create_registered_model(model)
    client.create_model_version(model, f"models:/{logged.model_id}", model_id=logged.model_id)
    assert requests.post(f"{tracking.url}/api/2.0/mlflow/runs/log-metric", json=metric, timeout=10).ok
    version = registry.version(model, "1")
    assert version is not None
    assert version.metrics == {"auc": 0.75}
    assert version.source_commit == COMMIT
    assert version.run_url is None


def test_a_version_without_a_run_or_a_model_file_is_still_a_version(
    client: Any, registry: Registry, model: str
) -> None:
    register(client, model)
    version = registry.version(model, "1")
    assert version is not None
    assert version.source == NOWHERE
    assert (version.run_id, version.run_url, version.signature, version.metrics) == (None, None, None, {})
    assert not version.has_input_example
    assert registry.input_example(model, "1") is None


def test_a_model_that_was_deleted_and_made_again_is_read_again(
    client: Any, registry: Registry, model: str, log: Callable[..., str]
) -> None:
    for kind in ("long", "string"):
        log(MLmodel=mlmodel(inputs=[{"type": kind, "name": "a", "required": True}]))
        version = registry.version(model, "1")
        assert version is not None
        assert version.signature == Signature((Field("a", kind),), None)
        client.delete_registered_model(model)


def mlmodel(inputs: Any = None, outputs: Any = None, **more: Any) -> str:
    """An MLmodel file; JSON is YAML."""
    signature = {"inputs": inputs and json.dumps(inputs), "outputs": outputs and json.dumps(outputs)}
    return json.dumps({"signature": signature, **more})


def test_a_model_of_tensors_tells_its_names_types_and_shapes(
    registry: Registry, model: str, log: Callable[..., str]
) -> None:
    import numpy as np
    from mlflow.types.schema import Schema, TensorSpec

    inputs = Schema(
        [TensorSpec(np.dtype("float32"), (-1, 28, 28), "image"), TensorSpec(np.dtype("int64"), (-1,), "id")]
    )
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, 10))])
    example = {"inputs": {"image": [[0.5]], "id": [7]}}
    info = {"serving_input_path": "serving_input_example.json", "type": "ndarray"}
    text = mlmodel(inputs.to_dict(), outputs.to_dict(), saved_input_example_info=info)
    number = log(MLmodel=text, serving_input_example=json.dumps(example))
    version = registry.version(model, number)
    assert version is not None
    assert version.signature == Signature(
        (Field("image", "Tensor('float32', (-1, 28, 28))"), Field("id", "Tensor('int64', (-1,))")),
        (Field("0", "Tensor('float32', (-1, 10))"),),
    )
    assert registry.input_example(model, number) == example


def test_types_are_written_as_mlflow_writes_them() -> None:
    from mlflow.types.schema import AnyType, Array, ColSpec, DataType, Map, Object, Property, Schema

    columns = [ColSpec(kind, kind.name) for kind in DataType]
    columns += [
        ColSpec(Array(DataType.double), "list", required=False),
        ColSpec(Array(Array(DataType.string)), "lists"),
        ColSpec(Map(Array(DataType.long)), "map"),
        ColSpec(
            Object([Property("b", Array(DataType.long), False), Property("a", DataType.string)]), "object"
        ),
        ColSpec(AnyType(), "anything", required=False),
    ]
    signature = read(mlmodel(Schema(columns).to_dict()).encode()).signature
    assert signature is not None
    assert signature.inputs == tuple(Field(c.name, repr(c.type), c.required) for c in columns)


def test_columns_without_names_are_named_by_their_position() -> None:
    specs = [{"type": "double"}, {"type": "string", "optional": True}]
    told = read(mlmodel(specs).encode()).signature
    assert told == Signature((Field("0", "double"), Field("1", "string", required=False)), None)


# --- Hostile model files ---------------------------------------------------------------------------

BOMB = "a: &a {x: 1}\n" + "".join(
    f"b{n}: &b{n} {{<<: [*{p}, *{p}]}}\n" for n, p in enumerate(["a"] + [f"b{i}" for i in range(60)])
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "\x00",
        "[" * 3_000,
        "!!python/object/apply:os.getcwd []",
        BOMB,
        "signature: 7",
        "signature: {inputs: 7, outputs: [1]}",
        "signature: {inputs: '{}'}",
        """signature: {inputs: '[{"name": "no type"}]'}""",
        """signature: {inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "x", "shape": ["y"]}}]'}""",
        "signature: {inputs: '" + '[{"type": "array", "items": ' * 500 + "'}",
        "signature: {inputs: '" + "[" * 20_000 + "'}",
        "saved_input_example_info: {serving_input_path: ../../secret.json}",
        "saved_input_example_info: {serving_input_path: [a]}",
    ],
    ids=lambda text: repr(text[:50]),
)
def test_a_hostile_model_file_tells_nothing_and_harms_nobody(text: str) -> None:
    started = time.monotonic()
    assert read(text.encode()) == Card()
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("content", ["", "[]", "{", "7", '{"messages": []}', "[" * 20_000])
def test_an_input_example_of_another_form_is_none(content: str) -> None:
    assert body(content.encode(), wrapped=True) is None


def test_an_input_example_from_before_there_were_serving_examples_is_wrapped() -> None:
    text = (
        "saved_input_example_info: {artifact_path: input_example.json, type: dataframe, pandas_orient: split}"
    )
    assert read(text.encode()) == Card(example="input_example.json", wrapped=False)
    split = {"columns": ["a"], "data": [[1]]}
    assert body(json.dumps(split).encode(), wrapped=False) == {"dataframe_split": split}
    assert body(b'{"inputs": [1]}', wrapped=False) == {"inputs": [1]}


def test_a_file_that_is_too_long_is_not_read(registry: Registry, model: str, log: Callable[..., str]) -> None:
    info = {"serving_input_path": "serving_input_example.json"}
    text = json.dumps({"inputs": ["x" * (1 << 20)]})
    number = log(MLmodel=mlmodel(saved_input_example_info=info), serving_input_example=text)
    version = registry.version(model, number)
    assert version is not None
    assert version.has_input_example
    assert registry.input_example(model, number) is None


# --- Tags ------------------------------------------------------------------------------------------


def test_tags_are_written_back_and_found_again(client: Any, registry: Registry, model: str) -> None:
    register(client, model)
    key = version_tag("fraud-detector/production", "state")
    tags = {
        key: "proposed",
        version_tag("fraud-detector/production", "pull_request"): "https://forge/7 'é'\n",
    }
    registry.tag(model, "1", tags)
    version = registry.version(model, "1")
    assert version is not None
    assert version.tags == tags
    registry.tag(model, "1", {key: "live"})
    assert client.get_model_version(model, "1").tags == {**tags, key: "live"}
    assert found(registry.wanted(model, Tag(key, "live"))) == "1"


def test_a_long_tag_is_cut_and_stays_as_it_is_when_it_is_set_again(
    client: Any, registry: Registry, model: str
) -> None:
    register(client, model)
    for _ in range(2):
        registry.tag(model, "1", {"gitops-bot.long": "é" * 200_000})
        assert client.get_model_version(model, "1").tags == {"gitops-bot.long": "é" * 5000}


def test_nothing_happens_when_a_version_that_is_gone_is_tagged(registry: Registry, model: str) -> None:
    registry.tag(model, "1", {"gitops-bot.x": "y"})
    assert registry.version(model, "1") is None


# --- Requests: counted, authorised, failing ---------------------------------------------------------


class Quiet(WSGIRequestHandler):
    """Serves without a word."""

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(app: Callable[..., Any]) -> Iterator[str]:
    """The URL of the application, which closes every connection after its answer."""
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Relay:
    """Passes everything on to the real server, and remembers paths and credentials."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.paths: Counter[str] = Counter()
        self.credentials: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.paths[environ["PATH_INFO"].rpartition("/mlflow/")[2]] += 1
        self.credentials.append(environ.get("HTTP_AUTHORIZATION", ""))
        answer = requests.request(
            environ["REQUEST_METHOD"],
            f"{self.url}{environ['PATH_INFO']}?{environ['QUERY_STRING']}",
            data=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
            headers={"Content-Type": "application/json"},
            timeout=20,
        )
        start_response(
            f"{answer.status_code} x",
            [("Content-Type", answer.headers["Content-Type"])],
        )
        return [answer.content]


@pytest.fixture
def relay(tracking: TrackingServer) -> Iterator[tuple[Relay, str]]:
    app = Relay(tracking.url)
    with serving(app) as url:
        yield app, url


def test_model_files_are_read_once_and_aliases_every_time(
    client: Any, model: str, log: Callable[..., str], relay: tuple[Relay, str]
) -> None:
    app, url = relay
    registry = MlflowRegistry(url)
    log(MLmodel=mlmodel([{"type": "long", "name": "a"}]))
    client.set_registered_model_alias(model, "champion", "1")
    for _ in range(3):
        version = registry.wanted(model, Alias("champion"))
        assert version is not None
        assert version.signature is not None
    assert app.paths["registered-models/alias"] == 3
    assert app.paths["/model-versions/get-artifact"] == 1


def test_only_tags_that_differ_are_set(client: Any, model: str, relay: tuple[Relay, str]) -> None:
    app, url = relay
    registry = MlflowRegistry(url)
    register(client, model)
    long = "x" * 10_000
    for tags in ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "1", "b": "3"}, {"c": long}, {"c": long}):
        registry.tag(model, "1", tags)
    assert app.paths["model-versions/set-tag"] == 4


def test_credentials_are_asked_for_with_every_request_and_not_shown(relay: tuple[Relay, str]) -> None:
    app, url = relay
    tokens = iter(["old-token", "new-token"])
    registry = MlflowRegistry(url, token=lambda: next(tokens))
    assert registry.version("none", "1") is None
    assert registry.version("none", "1") is None
    basic = MlflowRegistry(url, username=lambda: "bot", password=lambda: "pässword")
    assert basic.version("none", "1") is None
    assert app.credentials == ["Bearer old-token", "Bearer new-token", "Basic Ym90OnDDpHNzd29yZA=="]
    assert "ssword" not in f"{basic!r} {vars(basic)!r}"


def answering(status: str, text: str = "", kind: str = "text/plain") -> Callable[..., list[bytes]]:
    """A server that always says this."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(status, [("Content-Type", kind), ("Retry-After", "3600")])
        return [text.encode()]

    return app


@pytest.mark.parametrize(
    ("status", "text", "kind", "failure", "sentence"),
    [
        ("503 Service Unavailable", "", "text/plain", Retryable, "answers 503"),
        ("500 Internal Server Error", "<h1>oops", "text/html", Retryable, "answers 500"),
        ("429 Too Many Requests", "", "text/plain", Retryable, "answers 429"),
        (
            "401 Unauthorized",
            "You are not authenticated.",
            "text/plain",
            Refused,
            "check the bot's credentials",
        ),
        ("403 Forbidden", "Permission denied", "text/plain", Refused, "check the bot's credentials"),
        (
            "403 Forbidden",
            "Invalid Host header - possible DNS rebinding attack detected",
            "text/plain",
            Refused,
            r"--allowed-hosts 127.0.0.1:\d+ ",
        ),
        (
            "403 Forbidden",
            '{"error_code": "PERMISSION_DENIED", "message": "no"}',
            "application/json",
            Refused,
            "check the bot's credentials",
        ),
        ("404 Not Found", "<h1>nginx</h1>", "text/html", Refused, "refused the request"),
        ("200 OK", "<h1>Please log in</h1>", "text/html", Refused, "login page"),
        (
            "400 Bad Request",
            '{"error_code": "INVALID_PARAMETER_VALUE"}',
            "application/json",
            Refused,
            "INVALID",
        ),
    ],
)
def test_a_failing_server_is_told_by_what_a_person_can_do(
    status: str, text: str, kind: str, failure: type[Exception], sentence: str
) -> None:
    with serving(answering(status, text, kind)) as url:
        registry = MlflowRegistry(url, token=lambda: "hunter2")
        started = time.monotonic()
        asks: list[Callable[[], object]] = [
            lambda: registry.version("churn", "1"),
            lambda: registry.wanted("churn", Alias("champion")),
            lambda: registry.wanted("churn", Tag("a", "b")),
            lambda: registry.wanted("churn", Stage("Production")),
            lambda: registry.input_example("churn", "1"),
            lambda: registry.tag("churn", "1", {"a": "b"}),
        ]
        for ask in asks:
            with pytest.raises(failure, match=sentence) as caught:
                ask()
            assert "hunter2" not in str(caught.value)
        assert time.monotonic() - started < 5


def test_an_unreachable_server_is_told_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(Retryable, match="cannot be reached"):
        MlflowRegistry(f"http://127.0.0.1:{free_port()}").version("churn", "1")
    assert time.monotonic() - started < 10


def test_a_server_that_never_answers_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = MlflowRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        started = time.monotonic()
        with pytest.raises(Retryable, match="does not answer in time"):
            registry.version("churn", "1")
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("url", ["http://bot:hunter2@127.0.0.1:5000", "sqlite:///mlflow.db", "http://", ""])
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as caught:
        MlflowRegistry(url)
    assert "hunter2" not in str(caught.value)


REPORTS_NOTHING = ("PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")
WITHOUT_HEAVY_LIBRARIES = """
import sys
from importlib.machinery import PathFinder
HEAVY = ("numpy", "pandas", "sqlalchemy", "flask", "pyarrow", "sklearn", "scipy")
class Light:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in HEAVY else PathFinder.find_spec(name, path, target)
sys.meta_path[:] = [*(finder for finder in sys.meta_path if finder is not PathFinder), Light()]
from bot.adapters.mlflow import MlflowRegistry
assert "mlflow" not in sys.modules
from bot.core.target import Alias
registry = MlflowRegistry(sys.argv[1])
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None
print(registry.wanted(sys.argv[2], Alias("champion")).signature.inputs[0].name)
print(registry.input_example(sys.argv[2], "1")["dataframe_split"]["columns"][0])
"""


def test_mlflow_skinny_alone_is_enough_and_reports_nothing_to_its_makers(
    tracking: TrackingServer, client: Any, trained: Trained
) -> None:
    client.set_registered_model_alias(trained.model, "champion", trained.version)
    words = [sys.executable, "-c", WITHOUT_HEAVY_LIBRARIES, tracking.url, trained.model]
    # Where tests or CI run, MLflow reports nothing in any case.
    quiet = {name: value for name, value in os.environ.items() if name not in REPORTS_NOTHING}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=quiet)
    assert done.stdout.split() == ["amount", "amount"], done.stderr
