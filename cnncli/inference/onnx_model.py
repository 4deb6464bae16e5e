"""A network that ``cnncli export`` wrote as ONNX, read back and run by onnxruntime."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.config import Preprocessing
from cnncli.errors import CheckpointError, DeviceError

NEEDED = "ONNX needs packages that are missing; pip install 'cnncli[export]'"


class OnnxModel:
    """An exported network: uint8 pictures in, calibrated probabilities out.

    Parameters
    ----------
    data
        The file's bytes.

    Attributes
    ----------
    classes
        Names of the outputs, in order.
    preprocessing
        What the pictures have to be; scaling and normalising are inside.
    card
        How the weights came to be.

    Raises
    ------
    DeviceError
        If onnxruntime is missing.
    ValueError
        If the bytes are no ONNX model, or not one of ``cnncli export``.
    """

    def __init__(self, data: bytes) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise DeviceError(NEEDED) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised, too
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises many kinds of its own
            raise ValueError("it is no ONNX model") from error
        facts = self._session.get_modelmeta().custom_metadata_map
        try:
            self.classes = tuple(map(str, json.loads(facts["classes"])))
            self.preprocessing = Preprocessing.from_dict(json.loads(facts["preprocessing"]))
            self.card: dict[str, Any] = dict(json.loads(facts["card"]))
            self._input = self._session.get_inputs()[0].name
            self._require_answer()
        except Exception as error:  # onnxruntime's again, or a text that is not what it should be
            raise ValueError("it is an ONNX model, but none that cnncli export wrote") from error

    def _require_answer(self) -> None:
        """Refuse a model that does not take the pictures, or name the classes, that it says."""
        wanted = self.preprocessing
        black = np.zeros((1, wanted.height, wanted.width, wanted.channels), np.uint8)
        if self.probabilities(black).shape != (1, len(self.classes)):
            raise ValueError("it has another number of classes than names")

    name = "onnx"

    def read(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], None]:
        """Return probabilities, and that it does not know what is unlike its training."""
        return self.probabilities(pixels), None

    def probabilities(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return ``(N, K)`` of uint8 pictures ``(N, H, W, C)``."""
        answer: NDArray[np.float32] = self._session.run(None, {self._input: pictures})[0]
        return answer


def read_onnx(path: Path) -> OnnxModel:
    """Read an exported network.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or is not one that ``cnncli export`` wrote.
    """
    try:
        return OnnxModel(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise CheckpointError(
            f"{path} cannot be used: {error}; write one with cnncli export -o {path.name}"
        ) from error
