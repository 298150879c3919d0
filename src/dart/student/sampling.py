"""Draw tokens from logits by inverse transform sampling, without sorting a large vocabulary (Section 2.4).

A sort in double precision of 64 rows of 128,256 tokens costs more than the forward pass before it. Nearly every draw is
decided by the few most probable tokens (nucleus) or by one block of the vocabulary (whole distribution), so these are
computed first, in single precision with a bound on its error; a row whose draw comes closer to an edge than this bound
is computed again in full. The tokens are therefore those of the full computation, whatever the batch and the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dart.core.schema.method import GenerationParams
from dart.core.seeds import unit_interval

DrawKey = tuple[object, ...]  # what seeds the draws of a row; read only if the temperature is above 0
_N_LARGEST = 256  # candidates of a nucleus sample
_BLOCK = 128  # tokens whose probabilities are added before anything is compared with a draw
_LARGE_VOCABULARY = 16 * _N_LARGEST  # below, the full computation is as fast
# Of a probability mass in single precision: exp is good to 2e-7, a sum of 128 terms to 1e-6; and some room.
_TOLERANCE = 1e-5
_CPU_ROWS = 2  # whose probabilities stay in a processor's cache
_MIN_EXPONENT = -60.0  # a million such terms have less than 1e-19 of the mass


def choose_tokens(logits: torch.Tensor, draw_keys: Sequence[DrawKey], params: GenerationParams) -> torch.Tensor:
    """The next token of each row, (rows, vocabulary) -> (rows,): argmax at temperature 0, else a nucleus sample.

    Args:
        draw_keys: name the draw of each row, its number included; not read at temperature 0.
    """
    if params.temperature == 0:
        return logits.argmax(-1)
    draws = torch.tensor([unit_interval("decode", *key) for key in draw_keys], dtype=torch.float64)
    if logits.shape[-1] < _LARGE_VOCABULARY:
        return _nucleus_sample(logits, draws, params).to(logits.device)
    tokens, decided = _sample_from_largest(logits, draws, params)
    if not decided.all():
        tokens[~decided] = _nucleus_sample(logits[~decided.to(logits.device)], draws[~decided], params)
    return tokens.to(logits.device)


def _nucleus_sample(logits: torch.Tensor, draws: torch.Tensor, params: GenerationParams) -> torch.Tensor:
    """Tokens on the CPU by the definition: all probabilities sorted, those that start below top_p kept."""
    # In double precision on the CPU: the draw must not depend on where the model runs more than its logits do.
    probabilities = torch.softmax(logits.double().cpu() / params.temperature, dim=-1)
    ordered, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    mass_before = ordered.cumsum(-1) - ordered  # the nucleus keeps the tokens that start below top_p
    ordered = ordered.masked_fill(mass_before >= params.top_p, 0.0)
    cumulative = ordered.cumsum(-1)
    index = torch.searchsorted(cumulative, draws[:, None] * cumulative[:, -1:], right=True)
    return tokens.gather(-1, index.clamp(max=ordered.shape[-1] - 1)).squeeze(-1)


def _sample_from_largest(
    logits: torch.Tensor, draws: torch.Tensor, params: GenerationParams
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of the rows that their largest logits decide, and which rows these are; both (rows,), on the CPU."""
    # By value, equal values by token: the order of a stable sort of the whole row.
    values, candidates = (tensor.cpu() for tensor in logits.topk(_N_LARGEST, dim=-1, sorted=False))
    candidates, by_token = candidates.sort(dim=-1)
    values, by_value = values.gather(-1, by_token).sort(dim=-1, descending=True, stable=True)
    candidates = candidates.gather(-1, by_value)
    total = _exponential_sum(logits, params.temperature).cpu()
    exponents = (values.double() - values[:, :1].double()) / params.temperature
    probabilities = exponents.exp() / total[:, None]
    cumulative = probabilities.cumsum(-1)
    mass_before = cumulative - probabilities
    # Tokens as large as the smallest candidate may have been left out; the others are complete.
    complete = values > values[:, -1:]
    in_nucleus = mass_before < params.top_p
    nucleus_ends = (complete & ~in_nucleus).any(-1)
    near_end = (complete & ((mass_before - params.top_p).abs() < _TOLERANCE)).any(-1)
    mass = torch.where(nucleus_ends, (probabilities * in_nucleus).sum(-1), min(params.top_p, 1.0))
    targets = (draws * mass)[:, None]
    index = torch.searchsorted(cumulative, targets, right=True).clamp(max=_N_LARGEST - 1)
    near_edge = ((cumulative - targets).abs() < _TOLERANCE).any(-1)
    known_mass = nucleus_ends | (params.top_p >= 1.0)  # a nucleus wider than the candidates has an unknown mass
    decided = known_mass & ~near_end & ~near_edge & complete.gather(-1, index).squeeze(-1)
    return candidates.gather(-1, index).squeeze(-1), decided


def _exponential_sum(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Sum of exp((logit - largest) / temperature) of each row, (rows, vocabulary) -> (rows,) in double precision."""
    sums = []
    for part in logits.split(_rows_at_once(logits)):
        exponents = (part.float() - part.amax(-1, keepdim=True).float()).mul_(1 / temperature)
        sums.append(_block_sums(_exp(exponents)).sum(-1))
    return torch.cat(sums)


def _rows_at_once(logits: torch.Tensor) -> int:
    return _CPU_ROWS if logits.device.type == "cpu" else max(len(logits), 1)


def _exp(exponents: torch.Tensor) -> torch.Tensor:
    """In place, but for terms without weight: a processor takes ten times as long for numbers below 1e-38."""
    return exponents.clamp_(min=_MIN_EXPONENT).exp_()


def _block_sums(terms: torch.Tensor) -> torch.Tensor:
    """Sums of consecutive blocks, the last one shorter: (rows, vocabulary) -> (rows, blocks) in double precision."""
    n_whole = terms.shape[-1] // _BLOCK * _BLOCK
    sums = terms[:, :n_whole].unflatten(-1, (-1, _BLOCK)).sum(-1)
    if n_whole < terms.shape[-1]:
        sums = torch.cat([sums, terms[:, n_whole:].sum(-1, keepdim=True)], -1)
    return sums.double()


def draw(log_pi: torch.Tensor, samples: int, seed: int) -> torch.Tensor:
    """(length, vocabulary) log-probabilities -> (length, samples): independent tokens, a function of the seed."""
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that the device does not decide the draw
    uniform = torch.rand(log_pi.shape[0], samples, generator=generator, dtype=torch.float64)
    if log_pi.shape[-1] < _LARGE_VOCABULARY:
        return _inverse_transform(log_pi, uniform).to(log_pi.device)
    rows = _rows_at_once(log_pi)
    parts = zip(log_pi.split(rows), uniform.split(rows), strict=True)
    results = [_inverse_transform_by_block(*part) for part in parts]
    tokens, decided = (torch.cat(result) for result in zip(*results, strict=True))
    again = ~decided.all(-1)
    if again.any():
        tokens[again] = _inverse_transform(log_pi[again.to(log_pi.device)], uniform[again])
    return tokens.to(log_pi.device)


def _inverse_transform(log_pi: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    below = log_pi.double().cpu().exp_().cumsum_(-1)
    tokens = torch.searchsorted(below, uniform * below[:, -1:], right=True)
    return tokens.clamp_(max=log_pi.shape[-1] - 1)


def _inverse_transform_by_block(log_pi: torch.Tensor, uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and whether they are decided, both (length, samples): first the block of each draw, then its token."""
    vocabulary = log_pi.shape[-1]
    probabilities = _exp(log_pi.float().clone())  # `float` of single precision is no copy
    below = _block_sums(probabilities).cpu().cumsum(-1)
    targets = uniform * below[:, -1:]
    block = torch.searchsorted(below, targets, right=True).clamp_(max=below.shape[-1] - 1)
    start = torch.where(block > 0, below.gather(-1, (block - 1).clamp(min=0)), 0.0)
    positions = block[..., None] * _BLOCK + torch.arange(_BLOCK)  # (length, samples, block)
    inside = positions < vocabulary
    columns = positions.clamp(max=vocabulary - 1).flatten(1)
    terms = probabilities.gather(-1, columns.to(log_pi.device)).cpu().double().view(positions.shape) * inside
    edges = start[..., None] + terms.cumsum(-1)
    index = torch.searchsorted(edges, targets[..., None], right=True).clamp_(max=_BLOCK - 1)
    # A draw near the first edge may belong to the block before, so that edge counts as well.
    distance = torch.cat([edges, start[..., None]], -1).sub_(targets[..., None]).abs_().amin(-1)
    return positions.gather(-1, index).squeeze(-1), distance >= _TOLERANCE
