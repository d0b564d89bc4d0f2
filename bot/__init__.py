"""A GitOps commit bot: promotions in the MLflow Model Registry become reviewed, verified, revertible pull requests."""
