"""Trains and saves what the tests serve: `python train_models.py FOLDER` leaves FOLDER/good and FOLDER/stubborn."""

import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LogisticRegression

folder = Path(sys.argv[1])
inputs = pd.DataFrame(np.random.default_rng(1).random((200, 3)), columns=["a", "b", "c"])
labels = (inputs.a > inputs.b).astype(int)
good = LogisticRegression(C=1000).fit(inputs, labels)
mlflow.sklearn.save_model(
    good,
    str(folder / "good"),
    input_example=inputs.head(2),
    signature=infer_signature(inputs, good.predict(inputs)),
    pip_requirements=["mlflow", "scikit-learn"],
)
mlflow.pyfunc.save_model(
    str(folder / "stubborn"),
    python_model=str(Path(__file__).with_name("stubborn_model.py")),
    input_example=(pd.DataFrame({"do": ["answer"], "seconds": [2.0]}), {"factor": 3.0}),
    signature=ModelSignature(
        inputs=Schema([ColSpec("string", "do"), ColSpec("double", "seconds")]),
        outputs=Schema([ColSpec("double")]),
        params=ParamSchema([ParamSpec("factor", "double", 1.0)]),
    ),
    pip_requirements=["mlflow", "pandas"],
)
