"""Latents and a decoder: what the families with a latent-variable likelihood share, whatever draws the pixels (Gulrajani et al. 2017, 3).

p(x) is the integral of p(x|z) p(z) over z. p(x|z) is a conditional autoregressive model, the `decoder`; an encoder gives q(z|x). The
likelihood is bounded from below, by the ELBO (eq. 2) or by importance weighting; all terms are in nats.

Completion of a partial image is approximate: see `LatentVariableModel.latents_given`.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from pixelbench.models import sampling
from pixelbench.models.base import AutoregressiveModel, ConditionedModel, InputEncoding, Stepper
from pixelbench.models.layers.latent import Gaussian, OneLevel, standard_normals
from pixelbench.models.layers.latent_prior import TwoLevels
from pixelbench.models.scoring import exact_products, largest_batch
from pixelbench.models.settings.pixelvae import LatentSettings

#: Latents proposed for each partial image, half of them from q and half from the prior.
_PROPOSALS = 64
#: A latent is used if its posterior mean varies more than this over images (Burda et al. 2016, section 5.1).
_ACTIVE_VARIANCE = 0.01


class LatentVariableModel(AutoregressiveModel):
    """See the module. As a `condition` goes z, of the first shape of the latents.

    `forward(images, z)` → the decoder's raw outputs. With a `condition` also `conditionals`, `log_prob`, `loss`, `sample` and `stepper` are
    those of the decoder for this z, and exact; without one, `log_prob`, `loss` and `sample` are the model's own.

    Attributes:
        encoding: how the encoder sees values.
        decoder: p(x|z), for z or for maps of it.
        latents: q and the prior.
        upsampling: from z to what the decoder takes for its condition.
    """

    encoding: InputEncoding
    decoder: AutoregressiveModel
    latents: OneLevel | TwoLevels
    upsampling: nn.Module
    latent = True
    completion = "approximate"

    def __init__(self, channels: int, height: int, width: int, levels: int, settings: LatentSettings):
        super().__init__(channels, height, width, levels, settings)
        self.update: int | None = None
        self.updates_an_epoch = 0.0

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.decoder(images, self.decoded(condition))

    def decoded(self, z: Tensor | None) -> Tensor:
        """z → the decoder's own condition: z itself, or maps of image size.

        Raises:
            ValueError: no z, or one of another shape.
        """
        if z is None:
            raise ValueError(f"a {type(self).__name__} has conditionals only for a given z; use bound(z) or condition=z")
        if tuple(z.shape[1:]) != self.latents.shapes[0]:
            raise ValueError(f"expected z of shape (B, {', '.join(map(str, self.latents.shapes[0]))}), got {tuple(z.shape)}")
        return self.upsampling(z.to(self._dtype))

    def stepper(self, batch: int, condition: Tensor | None = None) -> Stepper:
        return self.decoder.stepper(batch, self.decoded(condition))

    def certifiable(self) -> ConditionedModel:
        """Bound to standard normals from a fixed seed, as z or as z1."""
        generator = torch.Generator().manual_seed(0)
        return self.bound(standard_normals(1, self.latents.shapes[:1], generator, self.device)[0])

    def begin_training(self, updates_an_epoch: float) -> None:
        self.updates_an_epoch = updates_an_epoch

    def begin_update(self, update: int) -> None:
        self.update = update

    @property
    def kl_weight(self) -> float:
        """Of the training update that has begun: from 0 up to 1 in `kl_warmup` updates or `kl_warmup_epochs`; 1 when not in training.

        Raises:
            RuntimeError: the epochs of the training are not known.
        """
        if not self.training or self.update is None:
            return 1.0
        if self.settings.kl_warmup:
            return min(1.0, self.update / self.settings.kl_warmup)
        if not self.settings.kl_warmup_epochs:
            return 1.0
        if not self.updates_an_epoch:
            raise RuntimeError("kl_warmup_epochs needs to know how many updates an epoch has; call begin_training first")
        return min(1.0, self.update / (self.settings.kl_warmup_epochs * self.updates_an_epoch))

    def loss(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Mean nats per sub-pixel of the negative ELBO (eq. 2) from one draw of z an image, its KL term analytic and weighted."""
        if condition is not None:
            return super().loss(images, condition)
        posteriors = self._infer(images)
        latents = [q.at(torch.randn_like(q.mean)) for q in posteriors]
        kl = torch.stack([self._cost(level) for level in self.latents.kl(posteriors, latents)]).sum()
        return self._nats(images, latents[0]).mean() + self.kl_weight * kl / math.prod(self.shape)

    def _cost(self, kl: Tensor) -> Tensor:
        """Nats an image for the KL (B, n, …places) of a level's latents, in training without the free ones of each."""
        free = self.settings.free_bits
        if not free or not self.training:
            return kl.flatten(1).sum(1).mean()
        return kl.unflatten(1, (-1, 1)).flatten(2).sum(2).mean(0).clamp(min=free).sum()

    def log_prob(
        self,
        images: Tensor,
        condition: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        importance_samples: int = 1,
    ) -> Tensor:
        """(B,) float64 lower bound of log p(x) in nats, without gradient: log of the mean of so many weights (Burda et al. 2016, eq. 8).

        Its memory does not grow with `importance_samples`. With a `condition` z: log p(x|z) itself.
        """
        if condition is not None:
            return super().log_prob(images, condition)
        total = torch.full((len(images),), -math.inf, dtype=torch.float64, device=self.device)
        for weights in self._log_weights(images, importance_samples, generator):
            total = torch.logaddexp(total, weights.logsumexp(0))
        return total - math.log(importance_samples)

    def pass_over(self, images: int, *, generator: torch.Generator | None = None, importance_samples: int = 1, **estimation: Any) -> None:
        for _ in range(importance_samples):
            standard_normals(images, self.latents.shapes, generator, self.device)

    def log_weights(self, images: Tensor, samples: int, generator: torch.Generator | None = None) -> Tensor:
        """(samples, B) float64: log p(x, z) / q(z|x) in nats for draws z of q, without gradient.

        The draws depend on the generator alone, not on how many are taken at a time.
        """
        return torch.cat(list(self._log_weights(images, samples, generator)))

    def estimator(self, importance_samples: int) -> str:
        return "elbo" if importance_samples == 1 else f"iwae-{importance_samples}"

    @torch.no_grad()
    @exact_products()
    def latent_statistics(self, images: Tensor) -> dict[str, Any]:
        """How much the latents say of integer images (N, C, H, W).

        Returns:
            `kl_per_dimension`: list of nats, mean over images; `kl`: their sum; `active_units`: how many have a posterior mean whose
            variance over images is above 0.01 (Burda et al. 2016); `dimensions`: how many there are. With two levels one such dict for `z1`
            and one for `z2`; a dimension of z1 is a map, its KL summed and its variance averaged over places.
        """
        generator = torch.Generator().manual_seed(0)
        sums: list[Tensor] = []
        for part in images.split(largest_batch(self)):
            posteriors = self._infer(part.to(self.device))
            normals = standard_normals(len(part), self.latents.shapes, generator, self.device)
            latents = _at(posteriors, normals)
            kls, means = self.latents.kl(posteriors, latents), [q.mean.double() for q in posteriors]
            found = [torch.stack([k.double(), m, m.square()]).sum(1) for k, m in zip(kls, means, strict=True)]
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
        levels = [_statistics(level / len(images)) for level in sums]
        return levels[0] if len(levels) == 1 else {f"z{i + 1}": level for i, level in enumerate(levels)}

    @torch.inference_mode()
    def sample(
        self,
        n: int | None = None,
        *,
        condition: Tensor | None = None,
        generator: torch.Generator | None = None,
        method: sampling.Method = "auto",
        given: Tensor | None = None,
        known: Tensor | None = None,
        canvas: Tensor | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """As `pixelbench.models.sampling.sample`: z first, from the prior or by `latents_given`, then the image from the decoder."""
        n = sampling.batch_size(n, given, known)
        sampling.check_images(self, n, given=given, canvas=canvas)
        z = condition
        if z is None and given is not None and known is not None:
            z = self.latents_given(given, known, generator)
        elif z is None:
            z = self.latents.from_prior(standard_normals(n, self.latents.shapes, generator, self.device))[0]
        return sampling.sample(
            self.decoder,
            n,
            condition=self.decoded(z.to(self.device)),
            generator=generator,
            method=method,
            given=given,
            known=known,
            canvas=canvas,
            temperature=temperature,
        )

    @torch.no_grad()
    def latents_given(self, given: Tensor, known: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A latent (n, …) for the known part of each image, by importance resampling.

        Half of 64 proposals come from q of the image with zeros where it is not known, half from the prior; so no weight exceeds twice
        p(known|z), however wrong q is for half an image. One is chosen with probability proportional to p(z) p(known|z) / proposal(z). This
        is approximate: in the number of proposals, and, unless the known sub-pixels come first in raster order, since p(known|z) then
        conditions on the zeros before them.
        """
        known = known.to(self.device).expand(given.shape)
        images, batch = given.to(self.device).where(known, 0), len(given)
        posteriors = self._infer(images)
        weights: list[Tensor] = []
        proposals: list[Tensor] = []
        for source in ("posterior", "prior"):
            for times in self._parts(_PROPOSALS // 2, batch):
                repeated, normals = [q.repeated(times) for q in posteriors], self._normals(times, batch, generator)
                latents = _at(repeated, normals) if source == "posterior" else self.latents.from_prior(normals)
                prior, posterior = self.latents.log_prior(latents), _log_prob(repeated, latents)
                likelihood = self._log_likelihood(images.repeat(times, 1, 1, 1), latents[0], known.repeat(times, 1, 1, 1))
                weights.append((likelihood + prior - torch.logaddexp(prior, posterior)).view(times, batch))
                proposals.append(latents[0].unflatten(0, (times, batch)))
        uniforms = torch.special.ndtr(standard_normals(batch, ((),), generator, self.device)[0])
        chosen = sampling.draw(torch.cat(weights).T, uniforms)
        return torch.cat(proposals)[chosen, torch.arange(batch, device=self.device)]

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.decoder.parameters()).dtype

    def _infer(self, images: Tensor) -> list[Gaussian]:
        return self.latents.infer(self.encoding.images(self._checked(images), self._dtype))

    def _raw(self, images: Tensor, condition: Tensor | None) -> Tensor:
        return self(self._checked(images), condition)

    @torch.no_grad()
    def _log_weights(self, images: Tensor, samples: int, generator: torch.Generator | None) -> Iterator[Tensor]:
        """`log_weights` in parts."""
        posteriors, batch = self._infer(images), len(images)
        for times in self._parts(samples, batch):
            repeated = [q.repeated(times) for q in posteriors]
            latents = _at(repeated, self._normals(times, batch, generator))
            weights = self._log_likelihood(images.repeat(times, 1, 1, 1), latents[0])
            weights += self.latents.log_prior(latents) - _log_prob(repeated, latents)
            yield weights.view(times, batch)

    def _parts(self, samples: int, batch: int) -> Iterator[int]:
        """So many samples of each image of a batch at a time, that the decoder has about `largest_batch` images."""
        at_once = max(1, largest_batch(self) // batch)
        return (min(at_once, samples - first) for first in range(0, samples, at_once))

    def _normals(self, times: int, batch: int, generator: torch.Generator | None) -> list[Tensor]:
        """(times * batch, …) a level; drawn one sample after another, so that they do not depend on how many are taken at a time."""
        draws = [standard_normals(batch, self.latents.shapes, generator, self.device) for _ in range(times)]
        return [torch.cat(level) for level in zip(*draws, strict=True)]

    def _log_likelihood(self, images: Tensor, z: Tensor, known: Tensor | None = None) -> Tensor:
        """(B,) float64 log p(x|z), of the known sub-pixels only; in parts of bounded memory."""
        size, found = largest_batch(self), []
        for first in range(0, len(images), size):
            part = slice(first, first + size)
            nats = self._nats(images[part], z[part])
            nats = nats if known is None else nats.where(known[part], 0)
            found.append(-nats.sum((1, 2, 3), dtype=torch.float64))
        return torch.cat(found)


def _at(posteriors: list[Gaussian], normals: list[Tensor]) -> list[Tensor]:
    return [q.at(eps) for q, eps in zip(posteriors, normals, strict=True)]


def _log_prob(posteriors: list[Gaussian], latents: list[Tensor]) -> Tensor:
    """(B,) of all levels."""
    return torch.stack([q.log_prob(z) for q, z in zip(posteriors, latents, strict=True)]).sum(0)


def _statistics(level: Tensor) -> dict[str, Any]:
    """From the means over images of KL, posterior mean and its square: (3, n, …places)."""
    kl, mean, square = level.flatten(2).unbind(0) if level.dim() > 2 else level[..., None].unbind(0)
    variance = (square - mean.square()).mean(1)
    per_dimension = kl.sum(1)
    return {
        "kl_per_dimension": per_dimension.tolist(),
        "kl": float(per_dimension.sum()),
        "active_units": int((variance > _ACTIVE_VARIANCE).sum()),
        "dimensions": len(per_dimension),
    }
