"""The demo's world with everything slow taken out: versions are registered without training, images hold a tiny server.

MLflow, forge, git, image registry, cluster and the bot's process are the same as in the demo.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import requests

from bot.sandbox.demo.world import MODEL, MODELS, WORKFLOW, DemoWorld
from bot.sandbox.image_layout import Settings, write_layer
from bot.sandbox.registry_client import RegistryClient
from bot.sandbox.template import template
from tests.warm import WarmTracking, spawn

EXAMPLE = {"dataframe_split": {"columns": ["amount"], "data": [[950.0]]}}
MLMODEL = """\
artifact_path: model
flavors: {python_function: {loader_module: none}}
model_uuid: %s
saved_input_example_info: {artifact_path: input_example.json, serving_input_path: serving_input_example.json, type: dataframe, pandas_orient: split}
signature:
  inputs: '[{"type": "double", "name": "amount", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
"""


class LightWorld(DemoWorld):
    """As `DemoWorld`; `register` instead of training, and a CI that pushes a server without a model."""

    broken: frozenset[str] = frozenset({"2"})
    needing: frozenset[str] = frozenset()  # versions that run only as long as the feature store is there
    first_trainings = ()
    mlflow = WarmTracking
    spawn = staticmethod(spawn)

    @property
    def feature_store(self) -> Path:
        """A file that stands for what a model needs and no release brings."""
        return self.folder / "feature-store"

    def _ci(self) -> None:
        source = self.folder / "models"
        workflows = source / ".github" / "workflows"
        workflows.mkdir(parents=True)
        workflows.joinpath(WORKFLOW).write_bytes(
            (template() / ".github" / "workflows" / WORKFLOW).read_bytes()
        )
        self.forge.create_repository(MODELS, source=source)
        self.forge.on_dispatch = self.build

    def build(self, run: Any) -> None:
        """What CI does: push an image of the tiny server."""
        self.forge.begin_run(run.id)
        version = run.inputs["model_version"]
        environment = {"MODEL_NAME": MODEL, "MODEL_VERSION": version}
        if version in self.broken:
            environment["CANNOT_SERVE"] = "1"
        if version in self.needing:
            environment["FEATURE_STORE"] = str(self.feature_store)
        settings = Settings(("python", "serve.py"), "/app", environment, (8000,))
        server = Path(__file__).with_name("tiny_serve.py")
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            layer = write_layer({"/app/serve.py": server}, Path(folder) / "layer.tar.gz")
            client = RegistryClient(self.images.host, ("gitops-bot", self.secrets["REGISTRY_PASSWORD"]))
            client.push(f"acme/{MODEL}", run.inputs["tag"], settings, [layer])
        self.forge.finish_run(run.id, "success", "built")

    def promotions(self, text: str) -> str:
        """Only what a server without a model can prove."""
        return text

    def more_settings(self) -> tuple[str, ...]:
        """Nothing but Argo CD."""
        return ()

    def register(self, *versions: str) -> None:
        """Register these versions in MLflow, with a signature and an input example and no model."""
        self._mlflow("registered-models/create", {"name": MODEL})
        for version in versions:
            experiment = self._mlflow("experiments/create", {"name": f"e{version}"})["experiment_id"]
            run = self._mlflow("runs/create", {"experiment_id": experiment})["run"]["info"]
            self._mlflow(
                "runs/log-metric", {"run_id": run["run_id"], "key": "auc", "value": 0.9, "timestamp": 1}
            )
            place = f"{experiment}/{run['run_id']}/artifacts/model"
            files = {
                "MLmodel": MLMODEL % run["run_id"],
                "input_example.json": json.dumps(EXAMPLE["dataframe_split"]),
                "serving_input_example.json": json.dumps(EXAMPLE),
            }
            for name, text in files.items():
                url = f"{self.tracking.url}/api/2.0/mlflow-artifacts/artifacts/{place}/{name}"
                requests.put(url, data=text.encode(), timeout=30).raise_for_status()
            made = {"name": MODEL, "source": f"mlflow-artifacts:/{place}", "run_id": run["run_id"]}
            assert self._mlflow("model-versions/create", made)["model_version"]["version"] == version

    def alias(self, version: str) -> None:
        """Promote."""
        self._mlflow("registered-models/alias", {"name": MODEL, "alias": "champion", "version": version})

    def _mlflow(self, path: str, body: Any) -> Any:
        answer = requests.post(f"{self.tracking.url}/api/2.0/mlflow/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def _mlflow_get(self, path: str) -> Any:
        answer = requests.get(f"{self.tracking.url}/api/2.0/mlflow/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()
