"""What `audit.toml` checks: a function without arguments for each module, which imports it from its source."""

from torch import Tensor, nn


def rows_net() -> nn.Module:
    from rows_net import RowsNet

    return RowsNet(levels=4)


def rows_net_unshifted() -> nn.Module:
    """As if somebody had forgotten the shift to the right: each pixel sees itself."""
    from rows_net import RowsNet

    class Unshifted(RowsNet):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + images

    return Unshifted(levels=4)


def masked_mlp() -> nn.Module:
    from masked_mlp import MaskedMLP, MaskedMLPSettings

    return MaskedMLP(3, 4, 3, 4, MaskedMLPSettings())
