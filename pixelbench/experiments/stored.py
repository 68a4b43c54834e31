"""A stored run's model, ready to score and to sample."""

from pixelbench.errors import MissingWeights, UserError
from pixelbench.models.base import AutoregressiveModel
from pixelbench.models.families import create_model, get_family
from pixelbench.store.artifacts import WEIGHTS, weights_path
from pixelbench.store.scan import StoredRun
from pixelbench.training.checkpoint import CheckpointError, DamagedCheckpoint, restore_module, unpack


def load_run(run: StoredRun) -> AutoregressiveModel:
    """The evaluated model of a run, on the CPU and in eval mode.

    Raises:
        MissingWeights: there are none; they are not committed with a store where they are large.
        UserError: a codec, or they are damaged, or of another run.
    """
    record = run.record
    name = f"{record.task.name}/{record.variant.name}"
    if get_family(record.variant.family).kind == "codec":
        raise UserError(f"{name} is a lossless image format, which has no model to draw from.")
    if WEIGHTS in run.damaged:
        raise UserError(f"{run.folder / WEIGHTS} {run.damaged[WEIGHTS]}, so nothing is done with it; run it again with --rerun all.")
    task = record.task
    shape = {"channels": task.channels, "height": task.height, "width": task.width, "levels": task.levels}
    model = create_model(record.variant.family, **shape, **record.variant.settings)
    try:
        tensors, header = unpack(weights_path(run.folder).read_bytes(), without_digest=("run_key",))
        if header.get("run_key") != record.run_key:
            raise CheckpointError("they are of another run")
        restore_module("model", model, tensors)
    except FileNotFoundError:
        raise MissingWeights(f"The weights of {name} are not in this results folder.") from None
    except DamagedCheckpoint as fault:
        raise UserError(f"The weights of {name} are damaged ({fault}); run it again with `pixelbench run --rerun all`.") from None
    except CheckpointError as fault:
        raise UserError(f"The weights of {name} cannot be used ({fault}); run it again with `pixelbench run --rerun all`.") from None
    return model.eval()
