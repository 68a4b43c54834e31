"""A stored run's model, ready to score and to sample."""

from pathlib import Path

from pixelbench.errors import UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model, get_family
from pixelbench.store.atomic import write_bytes
from pixelbench.store.record import read_record
from pixelbench.training.checkpoint import CheckpointError, module_tensors, pack, restore_module, unpack

WEIGHTS = Path("work") / "weights.safetensors"


def save_weights(folder: Path, model: AutoregressiveModel, run_key: str) -> None:
    """Writes the weights that were evaluated (the average, where there is one)."""
    write_bytes(folder / WEIGHTS, pack(module_tensors("model", model), {"run_key": run_key}))


def load_run(folder: Path) -> AutoregressiveModel:
    """The evaluated model of the run in `folder`, on the CPU and in eval mode.

    Raises:
        UserError: a codec, no weights (they are not committed with a store), or weights that do not fit the record.
    """
    record = read_record(folder)
    task, variant = record["task"], record["variant"]
    name = f"{task['name']}/{variant['name']}"
    if get_family(variant["family"]).kind == "codec":
        raise UserError(f"{name} is a lossless image format, which has no model to draw from.")
    shape = {field: task[field] for field in ("channels", "height", "width", "levels")}
    model = create_model(variant["family"], **shape, **variant["settings"])
    try:
        tensors, header = unpack((folder / WEIGHTS).read_bytes())
        if header.get("run_key") != record["run_key"]:
            raise CheckpointError("they are of another run")
        restore_module("model", model, tensors)
    except FileNotFoundError:
        raise UserError(f"The weights of {name} are not in this results folder; make a run of your own with `pixelbench run`.") from None
    except CheckpointError as fault:
        raise UserError(f"The weights of {name} cannot be used ({fault}); make them anew with `pixelbench run --rerun all`.") from None
    return model.eval()
