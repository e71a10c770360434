"""A decoder with the shape of a Llama and random weights, for benchmarks of what goes on around a model.

It computes what a Llama computes for one new token a row, with keys and values in a cache of fixed size, all
rows at the same position, and a step is one CUDA graph where there is CUDA: so the host is as free while the
device computes as in an inference engine. The output matrix is not the embedding: with random weights, tied
ones would say each token again for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama; these are those of Llama-3.2-1B."""

    vocabulary: int
    hidden: int = 2048
    layers: int = 16
    heads: int = 32
    key_heads: int = 8
    inner: int = 8192

    @property
    def head(self) -> int:
        """The width of a head."""
        return self.hidden // self.heads


@dataclass(frozen=True)
class Layer:
    """The weights of a layer."""

    queries_keys_values: torch.Tensor
    output: torch.Tensor
    gate_and_up: torch.Tensor
    down: torch.Tensor
    norms: tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """The weights of a model."""

    shape: Shape
    embedding: torch.Tensor
    layers: list[Layer]
    norm: torch.Tensor
    head: torch.Tensor

    @classmethod
    def random(cls, shape: Shape, device: torch.device, dtype: torch.dtype) -> Weights:
        """Normally distributed weights, made on the device."""

        def matrix(rows: int, columns: int) -> torch.Tensor:
            return torch.empty(rows, columns, device=device, dtype=dtype).normal_(0, 0.02)

        def norm() -> torch.Tensor:
            return torch.ones(shape.hidden, device=device, dtype=dtype)

        attended = shape.heads * shape.head
        layers = [
            Layer(
                matrix(attended + 2 * shape.key_heads * shape.head, shape.hidden),
                matrix(shape.hidden, attended),
                matrix(2 * shape.inner, shape.hidden),
                matrix(shape.hidden, shape.inner),
                (norm(), norm()),
            )
            for _ in range(shape.layers)
        ]
        embedding, head = (matrix(shape.vocabulary, shape.hidden) for _ in range(2))
        return cls(shape, embedding, layers, norm(), head)


class Decoder:
    """A batch in the middle of being written.

    `forward` and `sample` queue work and do not wait. `tokens` waits for the last `sample` alone, so a
    `forward` may be queued before it is asked for.

    Args:
        weights: The model.
        batch: The number of rows.
        context: How many positions are there already; they have random keys and values.
        steps: How many tokens a row can take after them.
    """

    def __init__(self, weights: Weights, batch: int, context: int, steps: int) -> None:
        shape, like = weights.shape, weights.embedding
        self.weights, self.batch, self.context = weights, batch, context
        self.device = like.device
        self.on_cuda = self.device.type == "cuda"
        slots = (batch, shape.key_heads, context + steps, shape.head)
        self.cache = [
            (
                torch.randn(slots, device=self.device, dtype=like.dtype),
                torch.randn(slots, device=self.device, dtype=like.dtype),
            )
            for _ in range(shape.layers)
        ]
        self.columns = torch.arange(context + steps, device=self.device)
        powers = torch.arange(0, shape.head, 2, device=self.device) / shape.head
        angles = self.columns[:, None] / 500_000.0**powers
        self.cosines = torch.cat([angles.cos()] * 2, dim=-1).to(like.dtype)
        self.sines = torch.cat([angles.sin()] * 2, dim=-1).to(like.dtype)
        self.position = torch.full((1,), context, device=self.device)
        self.ids = torch.zeros(batch, dtype=torch.int64, device=self.device)
        self.host = torch.zeros(batch, dtype=torch.int64, pin_memory=self.on_cuda)
        self.read = torch.cuda.Event() if self.on_cuda else None
        self.generator = torch.Generator(self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        if self.on_cuda:
            self._capture()

    def start(self, seed: int) -> None:
        """Back to the end of the context, with other first tokens for each row."""
        self.position.fill_(self.context)
        self.generator.manual_seed(seed)
        self.ids.copy_(torch.arange(self.batch) + 1)

    def forward(self) -> None:
        """Queues a step: `logits`, of one more token a row."""
        if self.graph is None:
            self.logits = self._compute()
        else:
            self.graph.replay()

    def sample(self) -> None:
        """Queues the choice of the next tokens by their probabilities, and their way to the host."""
        # Exponential races: the winner has its probability, and unlike `multinomial` nothing waits here.
        chances = self.logits.float().softmax(-1)
        races = torch.empty_like(chances).exponential_(generator=self.generator)
        self.ids.copy_(chances.div_(races).argmax(-1))
        self.host.copy_(self.ids, non_blocking=True)
        if self.read is not None:
            self.read.record()

    def tokens(self) -> list[int]:
        """The tokens that `sample` chose last."""
        if self.read is not None:
            self.read.synchronize()
        return self.host.tolist()

    def wait(self) -> None:
        """Until everything queued is done."""
        if self.on_cuda:
            torch.cuda.synchronize(self.device)

    def _capture(self) -> None:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.position.fill_(self.context)
                self._compute()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.logits = self._compute()

    def _compute(self) -> torch.Tensor:
        shape, width = self.weights.shape, self.weights.shape.hidden
        x = functional.embedding(self.ids, self.weights.embedding)
        for layer, cache in zip(self.weights.layers, self.cache, strict=True):
            y = functional.rms_norm(x, (width,), layer.norms[0], 1e-5)
            x = x + functional.linear(self._attend(layer, y, cache), layer.output)
            y = functional.rms_norm(x, (width,), layer.norms[1], 1e-5)
            gate, up = functional.linear(y, layer.gate_and_up).chunk(2, dim=-1)
            x = x + functional.linear(functional.silu(gate) * up, layer.down)
        self.position.add_(1)
        x = functional.rms_norm(x, (shape.hidden,), self.weights.norm, 1e-5)
        return functional.linear(x, self.weights.head)

    def _attend(
        self, layer: Layer, y: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        shape = self.weights.shape
        sizes = [shape.heads * shape.head, shape.key_heads * shape.head, shape.key_heads * shape.head]
        queries, keys, values = (
            part.view(self.batch, shape.key_heads, -1, shape.head)
            for part in functional.linear(y, layer.queries_keys_values).split(sizes, dim=-1)
        )
        cache[0].index_copy_(2, self.position, self._rotate(keys))
        cache[1].index_copy_(2, self.position, values)
        # The queries that share a key head are the rows of one product.
        scores = self._rotate(queries) @ cache[0].transpose(-1, -2) * shape.head**-0.5
        scores = scores.masked_fill(self.columns > self.position, -torch.inf)
        mixed: torch.Tensor = scores.float().softmax(-1).to(y.dtype) @ cache[1]
        return mixed.reshape(self.batch, -1)

    def _rotate(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return x * self.cosines[self.position] + turned * self.sines[self.position]
