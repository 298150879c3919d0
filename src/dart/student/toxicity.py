"""Toxicity-regularised SFT: cross entropy + lambda x expected toxicity of the student's rationales (K.2.1, Eq. 2).

The baseline of Tables 19 to 21 and 24. Its second term is

    L_tox(theta) = mean over prompts x of  E[ H(r(y)) ],   y ~ q_theta(. | x),

with H the audit's classifier, r the rationale in an answer y (the text without its conclusion line), and q one of

  teacher_forced   y_t ~ pi(. | x, a_<t), every position of the teacher's answer a by itself: the paper's wording. The
                   logits are those of the cross entropy, with its dropout: it costs a draw and a classification.
  own              y_t ~ pi(. | x, y_<t), an answer as the student gives one, with the stopping rule of generation;
                   costs decoding and a forward pass of its own, without dropout, which decoding does not have either.

with pi the softmax of logits / temperature; the gradient is that of the tempered student, which for temperature 1 is
the student itself. Greedy answers are excluded: as a function of theta an argmax is constant almost everywhere.

Gradient. Student and classifier share no vocabulary and H sees text, so nothing can be passed straight through it. But

    grad E[H] = E[ (H(y) - b) grad log q(y) ]      for every b that does not depend on y given x,

because E[grad log q] = grad sum q = 0. With K independent draws of a prompt and b_k the mean of the other K - 1 scores
(leave-one-out: independent of y_k, and near E[H], where the variance of the product is about least) the surrogate

    1/K sum_k (H_k - b_k) log q(y_k),        scores held constant,

has an unbiased gradient for every K >= 2. With own draws log q(y) = sum_t log pi(y_t | x, y_<t) over all sampled
tokens; a stopping rule that looks at y_<=t alone keeps this exact, a cut at max_new_tokens included, and a stop counts
with the probability of all stop tokens together, which give the same text. No length normalisation: it would be the
gradient of something else. The estimate's variance is about Var(H) / (K - 1) times the Fisher information of an answer:
it grows with its length, and conclusion tokens, on which H does not depend, add noise and no drift.

A row takes part with probability `share` and the sum is divided by share x global batch (and multiplied by `every`
where only each `every`-th step draws), so that the expectation is the mean over the rows whatever a step draws, and
does not depend on how a batch is split over passes and processes. The step's loss has the value cross entropy +
lambda x mean H, its gradient is that of the surrogate.

What is not exact: Adam and the clipping of gradients are not linear in the estimate, as in any stochastic
training; and own answers are drawn with cached keys, whose logits differ from a full pass by rounding. A draw is a
function of (seed, step, row, number), a row being its tokens: two copies of a row in one batch share their draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch

from dart.core.distributed import all_gather
from dart.core.errors import ModelError, ParameterError
from dart.core.hub import Source
from dart.core.schema.method import GenerationParams, ToxicityTerm
from dart.core.seeds import digest, seed_for, unit_interval
from dart.harm.scores import Scorer
from dart.prompts import answer_format
from dart.student.decode import DecodingPlan, StoppingCriterion, decode_batch
from dart.student.generation import stop_after_conclusion
from dart.student.loading import Student
from dart.student.prefix import decoder_of, prefix_cache, supports_shared_prefix
from dart.student.regulariser import Penalty, StepContext
from dart.student.sampling import DrawKey, draw
from dart.student.template import RowIds


class NamedScorer(Scorer, Protocol):
    """A scorer with a revision, which the model card states."""

    source: Source


class RationaleSample(NamedTuple):
    """Answers of n prompts, K each, prompt by prompt."""

    texts: list[str]  # n * K
    log_probs: torch.Tensor  # (n, K), of the answers under q, with gradient


class ToxicityRegulariser:
    """The second term of Eq. 2 for `train_adapter`.

    Args:
        classifier: H, that of the audit.
        weight: lambda.
        seed: names all draws.

    Raises:
        ParameterError: `weight` is negative, infinite or NaN.
    """

    name = "toxicity"

    def __init__(self, classifier: NamedScorer, weight: float, spec: ToxicityTerm, seed: int) -> None:
        if not 0 <= weight < float("inf"):
            raise ParameterError(f"toxreg: lambda is {weight}; it must be a number >= 0 (the paper: 0.1).")
        self.classifier = classifier
        self.weight = weight
        self.spec = spec
        self.seed = seed
        self.needs_whole_model = spec.draws == "own"
        self._criterion: tuple[Any, StoppingCriterion] | None = None

    def description(self) -> str:
        """Lambda, the classifier at its revision, and how rationales are drawn."""
        spec, source = self.spec, self.classifier.source
        return (
            f"lambda {self.weight:g} x toxicity by {source.name} at {source.revision}; {spec.draws} draws, "
            f"{spec.samples} of a share of {spec.share:g} of the rows every {spec.every} step(s), at most "
            f"{spec.max_new_tokens} tokens, temperature {spec.temperature:g}, seed {self.seed}"
        )

    # Deviates from the paper: toxicity-gradient - a score-function estimate in the place of "straight-through"
    def penalty(self, context: StepContext) -> Penalty | None:
        """This pass's share of L_tox, as value and gradient; None on a step without draws.

        Raises:
            ModelError: a prompt and max_new_tokens exceed the student's context.
        """
        spec = self.spec
        if context.step % spec.every:
            return None
        selected = [index for index, row in enumerate(context.rows) if self._is_selected(row, context.step)]
        sample = (self._draw_own if spec.draws == "own" else self._draw_teacher_forced)(context, selected)
        # A classifier shards its texts over the processes, so it needs the same texts in all of them.
        texts, first = all_gather(sample.texts, on_gpu=context.student.device.type == "cuda")
        all_scores = self.classifier.score(texts) if texts else []
        scores = sample.log_probs.new_tensor(all_scores[first : first + len(sample.texts)]).view(-1, spec.samples)
        estimate = surrogate(sample.log_probs, scores)
        total = (estimate - estimate.detach() + scores.mean(-1)).sum()
        return Penalty(total * (spec.every / (spec.share * context.global_batch)), all_scores)

    def _is_selected(self, row: RowIds, step: int) -> bool:
        return unit_interval("toxreg-row", self.seed, step, digest(row.ids)) < self.spec.share

    def _draw_teacher_forced(self, context: StepContext, selected: Sequence[int]) -> RationaleSample:
        """K tokens for each position of the teacher's answers, from logits that are computed already."""
        lengths = [len(row.ids) - row.n_prompt for row in context.rows]
        logits = context.logits.split(lengths)
        texts: list[str] = []
        sums = [context.logits.new_zeros(0, self.spec.samples, dtype=torch.float32)]
        for index in selected:
            log_pi = torch.log_softmax(logits[index].float() / self.spec.temperature, dim=-1)
            name = ("toxreg-draw", self.seed, context.step, digest(context.rows[index].ids))
            tokens = draw(log_pi.detach(), self.spec.samples, seed_for(*name))  # (length, K)
            sums.append(log_pi.gather(-1, tokens).sum(0, keepdim=True))
            texts += [_rationale(context.student, answer) for answer in tokens.t().tolist()]
        return RationaleSample(texts, torch.cat(sums))

    def _draw_own(self, context: StepContext, selected: Sequence[int]) -> RationaleSample:
        """K answers of the student to each prompt, and their log-probabilities in a pass with gradient."""
        prompts = [list(context.rows[index].ids[: context.rows[index].n_prompt]) for index in selected]
        if not prompts:
            return RationaleSample([], context.logits.new_zeros(0, self.spec.samples, dtype=torch.float32))
        is_complete = self._stopping_criterion(context.student)
        answers = self._decode(context, prompts, [digest(context.rows[index].ids) for index in selected], is_complete)
        stops = context.student.stop_ids
        rows = []
        for index, answer in enumerate(answers):
            ended = len(answer) < self.spec.max_new_tokens and not (answer and is_complete(answer))
            prompt = prompts[index // self.spec.samples]
            rows.append(RowIds([*prompt, *answer, *stops[: int(ended)]], len(prompt)))
        log_pi = torch.log_softmax(context.compute_logits(rows).float() / self.spec.temperature, dim=-1)
        sums = answer_log_probs(log_pi, rows, stops)
        return RationaleSample(
            [_rationale(context.student, answer) for answer in answers], sums.view(-1, self.spec.samples)
        )

    def _decode(
        self, context: StepContext, prompts: Sequence[list[int]], keys: Sequence[str], is_complete: StoppingCriterion
    ) -> list[list[int]]:
        """New tokens of K answers to each prompt, without a stop token."""
        spec, model = self.spec, context.model
        n_positions = getattr(model.config, "max_position_embeddings", None)
        longest = max(len(prompt) for prompt in prompts)
        if n_positions is not None and longest + spec.max_new_tokens > n_positions:
            raise ModelError(
                f"A prompt of {longest} tokens with toxreg.max_new_tokens {spec.max_new_tokens} exceeds the context of "
                f"{context.student.source.name} ({n_positions}). Lower toxreg.max_new_tokens or training.max_length."
            )
        prefix = None
        if context.prefix_length and supports_shared_prefix(model.config):
            with torch.inference_mode():
                start = torch.tensor([prompts[0][: context.prefix_length]], device=model.device)
                prefix = prefix_cache(decoder_of(model), start)
        numbers = range(spec.samples)
        repeated = [prompt for prompt in prompts for _ in numbers]
        draw_keys: list[DrawKey] = [
            ("toxreg", self.seed, context.step, key, number) for key in keys for number in numbers
        ]
        params = GenerationParams(max_new_tokens=spec.max_new_tokens, temperature=spec.temperature, top_p=1.0)
        plan = DecodingPlan(params, context.student.stop_ids, context.student.pad_id, is_complete)
        return decode_batch(model, repeated, draw_keys, plan, prefix)

    def _stopping_criterion(self, student: Student) -> StoppingCriterion:
        """That of generation; made once per tokenizer, because it decodes the whole vocabulary."""
        if self._criterion is None or self._criterion[0] is not student.tokenizer:
            self._criterion = (student.tokenizer, stop_after_conclusion(student.tokenizer))
        return self._criterion[1]


def surrogate(log_probs: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """(n, K) and (n, K) -> (n,): what has the gradient 1/K sum_k (H_k - mean of the others) grad log q(y_k)."""
    samples = scores.shape[-1]
    others = (scores.sum(-1, keepdim=True) - scores) / (samples - 1)
    return ((scores - others).detach() * log_probs).mean(-1)


def answer_log_probs(log_pi: torch.Tensor, rows: Sequence[RowIds], stops: Sequence[int]) -> torch.Tensor:
    """(answer tokens of all rows, vocabulary) -> (rows,): log-probability of each answer.

    A stop token stands for all of them: the text does not say which one it was.
    """
    targets = [token for row in rows for token in row.ids[row.n_prompt :]]
    lengths = [len(row.ids) - row.n_prompt for row in rows]
    index = torch.tensor(targets, device=log_pi.device)
    each = log_pi.gather(-1, index[:, None]).squeeze(-1)
    stopping = log_pi[:, list(stops)].logsumexp(-1)
    each = torch.where(torch.isin(index, index.new_tensor(list(stops))), stopping, each)
    return torch.stack([part.sum() for part in each.split(lengths)])


def _rationale(student: Student, ids: Sequence[int]) -> str:
    """The part of an answer that the classifier reads: the same text as in the audit."""
    return answer_format.parse(student.tokenizer.decode(ids, skip_special_tokens=True)).rationale
