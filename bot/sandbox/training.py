"""Train and register a real scikit-learn model: `python -m bot.sandbox.training --kind good …` prints what it made.

The demo and the tests run it as a process of its own, as importing MLflow and scikit-learn takes seconds.
"""

import argparse
import json
import os
import sys
import tempfile
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

KINDS = ("good", "better", "broken", "skewed", "dependent")
FEATURES = ("amount", "hour", "merchant_risk", "account_age_days", "country_mismatch", "past_chargebacks")
FEATURE_STORE_VARIABLE = "FEATURE_STORE_URL"
FEATURE_STORE_ADDRESS = "FEATURE_STORE_ADDRESS"  # host:port, for the kind that asks whether it is there

_CODE = {"broken": "unservable.py", "skewed": "skewed.py", "dependent": "dependent.py"}
_ROWS = 3000
_COMMIT_TAG = "mlflow.source.git.commit"
# The model must carry what is named below, not the lock file of the folder that the demo was started in.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",
    "MLFLOW_LOG_UV_FILES": "false",
}


@dataclass(frozen=True, slots=True)
class Trained:
    """The registered version and what its run measured on rows that it was not trained on."""

    model: str
    version: str
    run_id: str
    metrics: dict[str, float]


def command(tracking_uri: str, model: str, kind: str, *, commit: str | None = None) -> list[str]:
    """The command line that does `train` in a process of its own; its last line of output is `Trained` as JSON."""
    words = [sys.executable, "-m", "bot.sandbox.training", "--tracking-uri", tracking_uri]
    words += ["--model", model, "--kind", kind]
    return words + (["--commit", commit] if commit else [])


def train(tracking_uri: str, model: str, kind: str, *, commit: str | None = None) -> Trained:
    """Train on synthetic card payments, log metrics, signature and input example, and register a version.

    `good` is a logistic regression, `better` sees how the features act together, with the same signature. `broken` predicts only where
    the environment variable FEATURE_STORE_URL is set: in training and in CI, not where it is served, where it crashes at its start. `skewed`
    answers everywhere, and where that variable is missing it answers nonsense that fits its signature. `dependent` starts only while something
    listens at FEATURE_STORE_ADDRESS (of the training's environment). Takes about 5 s, 4 of which are imports.
    `commit` is what the run names as its source commit.
    """
    os.environ |= _SETTINGS
    os.environ.setdefault(FEATURE_STORE_VARIABLE, "http://feature-store.training.example")
    warnings.filterwarnings("ignore")
    import mlflow

    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("fraud")
    inputs, labels = _payments(seed=7)
    seen = len(inputs) * 3 // 4
    classifier = _classifier(kind).fit(inputs[:seen], labels[:seen])
    metrics = _metrics(classifier, inputs[seen:], labels[seen:])
    with mlflow.start_run(run_name=f"{model}-{kind}", tags={_COMMIT_TAG: commit} if commit else None) as run:
        mlflow.log_params({"kind": kind, "rows": seen, "algorithm": type(classifier[-1]).__name__})
        mlflow.log_metrics(metrics)
        logged = _log(kind, classifier, inputs, model)
    return Trained(model, str(logged.registered_model_version), run.info.run_id, metrics)


def _payments(seed: int) -> tuple[Any, Any]:
    """Card payments and whether each was a fraud; a straight line finds most frauds, not all."""
    import numpy as np
    import pandas as pd

    chance = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": chance.gamma(2.0, 60.0, _ROWS).round(2),
            "hour": chance.integers(0, 24, _ROWS).astype(float),
            "merchant_risk": chance.beta(2.0, 5.0, _ROWS).round(3),
            "account_age_days": chance.integers(1, 3000, _ROWS).astype(float),
            "country_mismatch": chance.integers(0, 2, _ROWS).astype(float),
            "past_chargebacks": chance.poisson(0.3, _ROWS).astype(float),
        },
        columns=list(FEATURES),
    )
    night = (frame["hour"] < 6) & (frame["amount"] > 120)
    score = (
        frame["amount"] / 90
        + 3.0 * frame["merchant_risk"]
        + frame["country_mismatch"]
        + frame["past_chargebacks"]
        + 2.5 * night
        - frame["account_age_days"] / 1500
    )
    fraud = score + chance.normal(0, 0.6, _ROWS) > 3.2
    return frame, fraud.astype("int64")


def _classifier(kind: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    # No trees: MLflow's default format, skops, does not load them without being told to trust them.
    if kind == "better":
        return make_pipeline(
            StandardScaler(), PolynomialFeatures(3), StandardScaler(), LogisticRegression(max_iter=500)
        )
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01 if kind == "good" else 1.0))


def _metrics(classifier: Any, inputs: Any, labels: Any) -> dict[str, float]:
    from sklearn import metrics

    found = classifier.predict(inputs)
    probability = classifier.predict_proba(inputs)[:, 1]
    return {
        "auc": round(float(metrics.roc_auc_score(labels, probability)), 4),
        "accuracy": round(float(metrics.accuracy_score(labels, found)), 4),
        "precision": round(float(metrics.precision_score(labels, found)), 4),
        "recall": round(float(metrics.recall_score(labels, found)), 4),
        "log_loss": round(float(metrics.log_loss(labels, probability)), 4),
    }


def _log(kind: str, classifier: Any, inputs: Any, model: str) -> Any:
    """Log the classifier so that a fresh process loads it in seconds: what it needs is named, not searched for."""
    import mlflow

    example = _example(classifier, inputs)
    options = {
        "name": "model",
        "registered_model_name": model,
        "input_example": example,
        "signature": mlflow.models.infer_signature(example, classifier.predict(example)),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "scikit-learn", "pandas")],
    }
    if kind not in _CODE:
        return mlflow.sklearn.log_model(classifier, **options)
    import joblib

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "classifier.joblib")
        joblib.dump(classifier, path)
        store = Path(folder, "store.txt")
        store.write_text(os.environ.get(FEATURE_STORE_ADDRESS, ""))
        artifacts = {"classifier": str(path)} | ({"store": str(store)} if kind == "dependent" else {})
        code = Path(__file__).with_name(_CODE[kind])
        return mlflow.pyfunc.log_model(python_model=str(code), artifacts=artifacts, **options)


def _example(classifier: Any, inputs: Any) -> Any:
    """Three payments, of which at least one is a fraud: an example of one class would hide a constant answer."""
    import pandas as pd

    fraud = classifier.predict(inputs) == 1
    return pd.concat([inputs[fraud].head(1), inputs[~fraud].head(2)], ignore_index=True)


def main() -> None:
    """Read the command line, train, print the result as one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox.training")
    parser.add_argument("--tracking-uri", required=True)
    parser.add_argument("--model", default="fraud-detector")
    parser.add_argument("--kind", choices=KINDS, default="good")
    parser.add_argument("--commit")
    chosen = parser.parse_args()
    made = train(chosen.tracking_uri, chosen.model, chosen.kind, commit=chosen.commit)
    sys.stdout.write(json.dumps(asdict(made)) + "\n")


if __name__ == "__main__":
    main()
