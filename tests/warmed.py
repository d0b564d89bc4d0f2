"""What warm processes have imported before they begin: everything of a bot that serves, and of an MLflow server."""

import gc
import importlib
import os
import pkgutil
import warnings

# MLflow reads some of its settings when it is imported (see `TrackingServer`, which sets them for its own).
_WHILE_IMPORTING = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_PACKAGES = ("bot.adapters", "bot.cli", "bot.config", "bot.engine", "bot.web", "bot.wiring")
_MODULES = (
    "mlflow.server.fastapi_app",
    "mlflow.sklearn",
    "sklearn.pipeline",
    "uvicorn.main",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
)


def _import() -> None:
    before = dict(os.environ)
    os.environ.update(_WHILE_IMPORTING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _MODULES:
            importlib.import_module(name)
        for name in _PACKAGES:
            package = importlib.import_module(name)
            for found in pkgutil.walk_packages(package.__path__, f"{name}."):
                if ".migrations" not in found.name:  # which only alembic can run
                    importlib.import_module(found.name)
    os.environ.clear()
    os.environ.update(before)
    gc.collect()
    gc.freeze()  # the children share these pages as long as nobody counts what is on them


_import()
