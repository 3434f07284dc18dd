"""What may be done to a scikit-learn estimator without changing a bit of what it predicts.

Three questions, each answered from the classes found in the fitted object and "no" for any class not listed: may it be
given a plain array instead of a frame; may rows of several requests be predicted together; may at least its transforms.
Summing in a different order changes last digits (BLAS does, over several rows), so only estimators that work cell
by cell or tree by tree are predicted together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

TREES = {
    "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
    "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
    "GradientBoostingClassifier", "GradientBoostingRegressor",
    "HistGradientBoostingClassifier", "HistGradientBoostingRegressor",
    "DummyClassifier", "DummyRegressor",
}  # fmt: skip
CELLWISE = {
    "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "SimpleImputer", "MissingIndicator",
    "OneHotEncoder", "OrdinalEncoder", "KBinsDiscretizer", "PolynomialFeatures", "Binarizer",
    "VarianceThreshold", "SelectKBest", "SelectPercentile",
}  # fmt: skip
LINEAR = {
    "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LassoLars",
    "OrthogonalMatchingPursuit", "HuberRegressor",
}  # fmt: skip
METHODS = {"predict", "predict_proba", "predict_log_proba", "decision_function"}


def is_stock(estimator: Any) -> bool:
    """Say whether the object's class, not only its parent, is scikit-learn's own."""
    return type(estimator).__module__.startswith("sklearn.")


def takes_arrays(estimator: Any, names: list[str]) -> bool:
    """Say whether an array in the order of `names` means the same to it as a frame with those columns."""
    fitted_names = getattr(estimator, "feature_names_in_", None)
    if fitted_names is not None and list(fitted_names) != names:
        return False
    return all(is_stock(part) and type(part).__name__ not in _NEED_NAMES for part in _parts(estimator))


_NEED_NAMES = {"ColumnTransformer", "FunctionTransformer", "TransformedTargetRegressor"}


def _parts(estimator: Any) -> list[Any]:
    """Every estimator inside, itself included."""
    found, todo = [], [estimator]
    while todo:
        part = todo.pop()
        if part is None or isinstance(part, str):
            continue
        found.append(part)
        if _gives_frames(part):
            return [object()]  # somebody asked for frames in between: not ours to judge
        todo.extend(step for _, step in getattr(part, "steps", None) or [])
        todo.extend(entry[1] for entry in getattr(part, "transformers_", None) or [])
        todo.extend(entry[1] for entry in getattr(part, "transformer_list", None) or [])
        inner = getattr(part, "estimator", None)
        if inner is not None and hasattr(inner, "fit"):
            todo.append(inner)
        todo.extend(entry[1] for entry in (getattr(part, "estimators", None) or []) if isinstance(entry, tuple))
    return found


def _gives_frames(part: Any) -> bool:
    """Whether somebody asked the transformer for frames instead of arrays."""
    return (getattr(part, "_sklearn_output_config", None) or {}).get("transform", "default") != "default"


def is_cellwise(transformer: Any) -> bool:
    """Say whether each output cell depends on its own row only, by arithmetic that does not sum."""
    if transformer is None or isinstance(transformer, str):
        return transformer in (None, "passthrough", "drop")
    if not is_stock(transformer) or _gives_frames(transformer):
        return False
    name = type(transformer).__name__
    if name == "Pipeline":
        return all(is_cellwise(step) for _, step in transformer.steps)
    if name == "ColumnTransformer":
        return all(is_cellwise(entry[1]) for entry in transformer.transformers_)
    if name == "FeatureUnion":
        return all(is_cellwise(entry[1]) for entry in transformer.transformer_list)
    if name == "FunctionTransformer":
        return transformer.func is None
    return name in CELLWISE


def split(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transforms in front of a pipeline's last step and that step; no transforms for anything else."""
    if is_stock(estimator) and type(estimator).__name__ == "Pipeline":
        return [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")], estimator.steps[-1][1]
    return [], estimator


def batching(estimator: Any, method: str) -> str:
    """Return "whole", "transforms" or "none": how much of a prediction several requests may share."""
    transforms, last = split(estimator)
    if method not in METHODS or not all(is_cellwise(step) for step in transforms):
        return "none"
    if is_stock(last) and type(last).__name__ in TREES and getattr(last, "n_jobs", None) in (None, 1):
        return "whole"
    return "transforms" if transforms and is_stock(last) and hasattr(last, method) else "none"


def linear_terms(estimator: Any, method: str) -> tuple[np.ndarray, Any] | None:
    """Return (coefficients, intercept) when the prediction is `rows @ coefficients + intercept` and nothing else."""
    if method != "predict" or not is_stock(estimator) or type(estimator).__name__ not in LINEAR:
        return None
    coefficients = estimator.coef_
    if not isinstance(coefficients, np.ndarray) or coefficients.dtype != np.float64:
        return None
    return (coefficients if coefficients.ndim == 1 else coefficients.T), estimator.intercept_
