"""Batch normalisation that survives a last batch of one picture."""

from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm2d):
    """Normalise each channel over the batch (Ioffe, Szegedy 2015), or one value by experience.

    A small picture ends as one value a channel. A batch of one such picture has no variance, and
    torch refuses it; the running statistics are the best that is known then.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps ``(N, C, H, W)`` with mean 0 and variance 1, scaled and shifted."""
        if self.training and maps.numel() == maps.shape[1]:
            return functional.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        normal: Tensor = super().forward(maps)
        return normal
