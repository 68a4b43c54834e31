"""Everything that a run will do, once in miniature before its training, for a family that somebody else wrote."""

from pixelbench.errors import UserError, first_line
from pixelbench.experiments import stages
from pixelbench.experiments.verify.miniature import batches_of_two, is_redrawn, miniature, sheltered, tiny_images
from pixelbench.store.spec import RunSpec


def rehearse(spec: RunSpec) -> None:
    """Build, train, score, draw and show in miniature, in float32 as the run itself.

    Raises:
        UserError: something of that cannot be done; the sentence names the error.
    """
    small = miniature(spec)
    data, redrawn = stages.limited(tiny_images(small), small), is_redrawn(spec)
    with sheltered(), batches_of_two():
        try:
            model = stages.build(small)
            if spec.recipe:
                trainer = stages.trainer(model, data, small, redrawn=redrawn)
                for _ in trainer.run():
                    pass
                model = trainer.evaluated
            else:
                stages.fit(model, data, small, redrawn=redrawn)
            stages.evaluate(model, data, small, leaky=False)
            stages.latent_use(model, data)
            samples = stages.draw(model, data.test.images, small, leaky=False)
            if samples is not None:
                stages.picture(samples, model, data.test, leaky=False)
        except Exception as error:  # whatever somebody else's network does
            size = "x".join(str(small.task[name]) for name in ("channels", "height", "width"))
            raise UserError(
                f"{spec.family} cannot do what a run asks, tried before training on images of {size}: {type(error).__name__}: "
                f"{first_line(error)}. Where those are too small for it, register it with a larger `small`."
            ) from error
