"""One loaded model version, and the answer to a request in any of MLflow's scoring formats."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import fast, frames

JSON = "application/json"
MAX_MESSAGE_CHARS = 10_000


class Answer(NamedTuple):
    """A status, the body's type, and the body."""

    status: int
    content_type: str
    body: bytes


class Model:
    """A model version as MLflow loads it, with a shorter way to the same predictions where one is proven."""

    def __init__(self, folder: Path) -> None:
        # the guest is the place where a member's pickle may run
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
        warnings.filterwarnings("ignore", message=".*valid feature names.*")
        import mlflow.pyfunc
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import BAD_REQUEST
        from mlflow.pyfunc import scoring_server

        self._bad_request = BAD_REQUEST
        self._scoring_server = scoring_server
        self._mlflow_exception = MlflowException
        self.pyfunc = mlflow.pyfunc.load_model(str(folder))
        self.schema = self.pyfunc.metadata.get_input_schema()
        os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
        self.example = self._read_example(folder)
        self.fast = fast.find_plan(self)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what the other side may want to know: versions, flavor, and which way requests take."""
        import mlflow

        metadata = self.pyfunc.metadata
        return {
            "mlflow_version": mlflow.__version__,
            "python_version": ".".join(map(str, sys.version_info[:3])),
            "loader": metadata.flavors.get("python_function", {}).get("loader_module", ""),
            "path": self.fast.name if self.fast else "mlflow",
            "batching": self.fast.batching if self.fast else "none",
            "formats": sorted(self.fast.formats) if self.fast else [],
        }

    @staticmethod
    def _read_example(folder: Path) -> bytes | None:
        path = folder / "serving_input_example.json"
        return path.read_bytes() if path.is_file() else None

    def answer(self, content_type: str, body: bytes) -> Answer:
        """Return the answer to one request."""
        return self.answer_all([(content_type, body)])[0]

    def answer_all(self, requests: list[tuple[str, bytes]]) -> list[Answer]:
        """Return the answers to requests that wait together, in their order."""
        answers: list[Answer | None] = [None] * len(requests)
        if self.fast is not None:
            places = [place for place, (kind, _) in enumerate(requests) if kind == JSON]
            bodies = self.fast.answer_all([requests[place][1] for place in places])
            for place, found in zip(places, bodies, strict=True):
                answers[place] = None if found is None else Answer(200, JSON, found)
        return [answer or self.answer_by_mlflow(*requests[place]) for place, answer in enumerate(answers)]

    def answer_by_mlflow(self, content_type: str, body: bytes) -> Answer:
        """Return the answer that `mlflow models serve` gives, made by its own code."""
        try:
            if content_type.partition(";")[0].strip() == frames.ARROW_STREAM:
                return Answer(200, frames.ARROW_STREAM, self._answer_arrow(body))
            response = self._scoring_server.invocations(body, content_type, self.pyfunc, self.schema)
            return Answer(response.status, response.mimetype, response.response.encode())
        except self._mlflow_exception as error:
            stack = error.json_kwargs.get("stack_trace") if hasattr(error, "json_kwargs") else None
            if stack:
                print(stack, file=sys.stderr, flush=True)
            return _refusal(error.get_http_status_code(), error.error_code, self._message(error, stack))
        except RecursionError:
            return _refusal(400, "BAD_REQUEST", "The input is nested too deeply.")
        except (Exception, SystemExit) as error:
            traceback.print_exc()
            return _refusal(500, "INTERNAL_ERROR", f"The model could not answer: {type(error).__name__}: {error}")

    @staticmethod
    def _message(error: Any, stack: str | None) -> str:
        """MLflow keeps why the model failed in a stack trace; its last line is for the caller, the rest for the log."""
        reason = stack.strip().splitlines()[-1] if stack else ""
        return f"{error.message} ({reason})" if reason and reason not in error.message else error.message

    def _answer_arrow(self, body: bytes) -> bytes:
        import pyarrow as pa

        try:
            with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
                table = stream.read_all()
        except (pa.ArrowException, OSError) as error:
            raise self._mlflow_exception(
                f"The body is not an Arrow stream: {error}", error_code=self._bad_request
            ) from error
        try:
            raw = self.pyfunc.predict(table.to_pandas())
        except self._mlflow_exception:
            raise
        except Exception as error:
            raise self._mlflow_exception(
                "Encountered an unexpected error while evaluating the model.",
                error_code=self._bad_request,
                stack_trace=traceback.format_exc(),
            ) from error
        result = _as_table(raw, pa)
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, result.schema) as writer:
            writer.write_table(result)
        return sink.getvalue()


def _refusal(status: int, code: str, message: str) -> Answer:
    if len(message) > MAX_MESSAGE_CHARS:
        message = message[: MAX_MESSAGE_CHARS // 2] + " ... " + message[-MAX_MESSAGE_CHARS // 2 :]
    return Answer(status, JSON, json.dumps({"error_code": code, "message": message}).encode())


def _as_table(raw: Any, pa: Any) -> Any:
    """Predictions as an Arrow table: a frame's own columns, or one column called `prediction`."""
    if hasattr(raw, "to_frame") and hasattr(raw, "dtype"):  # a series
        return pa.table({"prediction": pa.Array.from_pandas(raw)})
    if hasattr(raw, "columns"):
        return pa.Table.from_pandas(raw, preserve_index=False)
    values = raw.tolist() if isinstance(raw, np.ndarray) and raw.ndim != 1 else raw
    if not isinstance(values, (np.ndarray, list)):
        values = [values]
    return pa.table({"prediction": pa.array(values)})
