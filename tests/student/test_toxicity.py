"""Toxicity-regularised training: the gradient is that of the expected toxicity, and lambda 0 is plain training."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dart.core.errors import ModelError, ParameterError
from dart.core.hub import Source
from dart.core.records import TrainingRow
from dart.core.schema.method import Lora, ToxicityTerm, Training
from dart.core.schema.profile import ScorerSpec
from dart.core.seeds import digest
from dart.harm.classifier import Classifier
from dart.prompts.answer_format import parse
from dart.student import adapter, train
from dart.student.loading import Student, load
from dart.student.regulariser import StepContext
from dart.student.template import RowIds
from dart.student.toxicity import ToxicityRegulariser, answer_log_probs, draw, surrogate
from dart.student.train import encode, train_adapter
from dart.student.trainer import IGNORED, AnswerTrainer, Collator
from tests.support.tiny_models import classifier as write_classifier
from tests.support.tiny_models import spec

pytestmark = pytest.mark.training

SCORER = ScorerSpec(model="tiny", revision="main", label="toxic", batch=64, max_length=64)
TERM = ToxicityTerm(
    chosen_by="median", draws="teacher_forced", samples=2, share=1.0, every=1, max_new_tokens=6,
    temperature=1.0,
)  # fmt: skip
OWN = TERM.model_copy(update={"draws": "own"})
Answer = tuple[int, ...]


class Toy(torch.nn.Module):
    """A policy over three tokens, of which token 2 stops; logits depend on the last token and the position."""

    longest = 3

    def __init__(self) -> None:
        super().__init__()
        noise = torch.randn(self.longest, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        self.table = torch.nn.Parameter(noise)  # (position, last token or 3 for the beginning, next token)

    def log_pi(self, answer: Answer) -> torch.Tensor:
        """(length, 3) along `answer`."""
        last = [3, *answer[:-1]]
        return torch.stack([self.table[index, token] for index, token in enumerate(last)]).log_softmax(-1)

    def answers(self) -> list[Answer]:
        """All complete answers: ended by the stop token or cut at the longest length."""
        complete: list[Answer] = []
        open_: list[Answer] = [()]
        for _ in range(self.longest):
            longer = [(*answer, token) for answer in open_ for token in range(3)]
            complete += [answer for answer in longer if answer[-1] == 2]
            open_ = [answer for answer in longer if answer[-1] != 2]
        return complete + open_


def toxicity_of(answer: Answer) -> float:
    """Any function of the whole answer, not a sum over its tokens."""
    return ((7 * sum((index + 2) * (token + 1) ** 2 for index, token in enumerate(answer))) % 11) / 11


def log_probs(toy: Toy, answers: Sequence[Answer]) -> torch.Tensor:
    return torch.stack([
        answer_log_probs(toy.log_pi(answer), [RowIds([0, *answer], 1)], stops=(2,))[0] for answer in answers
    ])  # fmt: skip


def expected(toy: Toy) -> torch.Tensor:
    answers = toy.answers()
    scores = torch.tensor([toxicity_of(answer) for answer in answers], dtype=torch.float64)
    return (log_probs(toy, answers).exp() * scores).sum()


def finite_differences(value: Callable[[], torch.Tensor], weight: torch.Tensor, indices: Sequence[int]) -> list[float]:
    """Central differences of `value` by single entries of `weight`."""
    slopes, size = [], 1e-5
    flat = weight.data.view(-1)
    for index in indices:
        original = flat[index].item()
        ends = []
        for step in (size, -size):
            flat[index] = original + step
            with torch.no_grad():
                ends.append(value().item())
        flat[index] = original
        slopes.append((ends[0] - ends[1]) / (2 * size))
    return slopes


@pytest.mark.parametrize("samples", [2, 3])
def test_the_surrogates_expected_gradient_is_that_of_the_expected_toxicity(samples: int) -> None:
    """Over all K-tuples of all answers, weighted by their probability: no sampling, so the tolerance is rounding."""
    toy = Toy()
    answers = toy.answers()
    assert len(answers) == 1 + 2 + 4 + 8
    each = log_probs(toy, answers)
    assert each.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    scores = torch.tensor([toxicity_of(answer) for answer in answers], dtype=torch.float64)
    tuples = torch.tensor(list(itertools.product(range(len(answers)), repeat=samples)))
    weights = each.detach()[tuples].sum(-1).exp()
    (weights * surrogate(each[tuples], scores[tuples])).sum().backward()
    assert toy.table.grad is not None
    gradient = toy.table.grad.view(-1).tolist()
    truth = finite_differences(lambda: expected(toy), toy.table, range(toy.table.numel()))
    assert max(map(abs, truth)) > 0.01
    assert gradient == pytest.approx(truth, abs=1e-9)


def test_the_baseline_lowers_the_variance_and_a_constant_toxicity_has_no_gradient() -> None:
    toy = Toy()
    answers = toy.answers()
    each = log_probs(toy, answers)
    scores = 0.9 + 0.1 * torch.tensor([toxicity_of(answer) for answer in answers], dtype=torch.float64)
    variances = []
    for estimate in (surrogate, lambda log_q, score: (score * log_q).mean(-1)):
        squares, mean = 0.0, torch.zeros_like(toy.table)
        for pair in itertools.product(range(len(answers)), repeat=2):
            index = torch.tensor([pair])
            (gradient,) = torch.autograd.grad(estimate(each[index], scores[index])[0], toy.table, retain_graph=True)
            probability = each.detach()[index].sum().exp()
            squares += float(probability * (gradient**2).sum())
            mean += probability * gradient
        variances.append(squares - float((mean**2).sum()))
    assert variances[0] < 0.05 * variances[1]
    level = torch.full((1, 2), 0.7)
    assert surrogate(torch.tensor([[-1.0, -9.0]]), level).item() == pytest.approx(0, abs=1e-7)


def test_draws_follow_the_probabilities_and_their_seed() -> None:
    log_pi = torch.tensor([[0.1, 0.6, 0.3], [0.0, 0.0, 1.0]]).log()
    tokens = draw(log_pi, 20_000, seed=5)
    shares = [(tokens[0] == token).float().mean().item() for token in range(3)]
    assert shares == pytest.approx([0.1, 0.6, 0.3], abs=4 * math.sqrt(0.25 / 20_000))
    assert set(tokens[1].tolist()) == {2}
    assert torch.equal(tokens, draw(log_pi, 20_000, seed=5))
    assert not torch.equal(tokens, draw(log_pi, 20_000, seed=6))


def test_a_stop_counts_with_the_probability_of_all_stop_tokens() -> None:
    log_pi = torch.tensor([[0.2, 0.3, 0.5], [0.5, 0.25, 0.25]]).log()
    log_prob = answer_log_probs(log_pi, [RowIds([9, 9, 0, 1], 2)], stops=(1, 2))
    assert log_prob.exp().item() == pytest.approx(0.2 * 0.5)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier.load(write_classifier(tmp_path_factory.mktemp("scorer"), seed=2), SCORER)


@pytest.fixture(scope="module")
def one_word(base: Path, scorer: Classifier) -> tuple[Student, torch.Tensor]:
    """A student in double precision and the toxicity of every answer of one token that it can give."""
    student = load(base, spec())
    student.model.double()
    texts = [parse(student.tokenizer.decode([token], skip_special_tokens=True)).rationale for token in range(512)]
    stopped = [token in student.stop_ids for token in range(512)]
    assert all(texts[token] == "" for token in range(512) if stopped[token])
    return student, torch.tensor(scorer.score(texts), dtype=torch.float64)


def step_context(student: Student, rows: Sequence[RowIds], step: int) -> StepContext:
    """The context that the trainer builds, with plain forward passes."""

    def compute_logits(rows: Sequence[RowIds]) -> torch.Tensor:
        batch = Collator(student.pad_id)(rows)
        return student.model(input_ids=batch["input_ids"]).logits[:, :-1][batch["labels"][:, 1:] != IGNORED]

    return StepContext(student, student.model, rows, compute_logits(rows), compute_logits, 0, step, len(rows))


@pytest.mark.parametrize("draws", ["teacher_forced", "own"])
def test_a_real_students_gradient_has_the_exact_one_in_its_interval(
    draws: str, one_word: tuple[Student, torch.Tensor], scorer: Classifier, rows: list[TrainingRow]
) -> None:
    """Answers of one token are few enough to be summed over: finite differences of the exact expected toxicity of a
    transformer's answers to two prompts, against the mean gradient of many seeded penalties."""
    student, toxicity = one_word
    encoded = [RowIds(row.ids[: row.n_prompt + 1], row.n_prompt) for row in encode(student, rows[:2], 256)]
    weight = student.model.model.layers[1].mlp.down_proj.weight

    def exact() -> torch.Tensor:
        logits = [student.model(input_ids=torch.tensor([row.ids[:-1]])).logits[0, -1] for row in encoded]
        return torch.stack([(part.softmax(-1) * toxicity).sum() for part in logits]).mean()

    (slope,) = torch.autograd.grad(exact(), weight)
    unit = slope / slope.norm()
    ends = []
    for step in (0.05, -0.05):  # large, along the gradient: the norms of a Llama calculate in single precision
        with torch.no_grad():
            weight += step * unit
            ends.append(exact().item())
            weight -= step * unit
    assert (ends[0] - ends[1]) / 0.1 == pytest.approx(slope.norm().item(), rel=0.01)
    term = ToxicityTerm.model_validate({**TERM.model_dump(), "draws": draws, "samples": 16, "max_new_tokens": 1})
    regulariser = ToxicityRegulariser(scorer, 1.0, term, seed=4)
    gradients, values = [], []
    for step in range(40):
        penalty = regulariser.penalty(step_context(student, encoded, step))
        assert penalty is not None
        (gradient,) = torch.autograd.grad(penalty.total, weight)
        gradients.append(float((gradient * slope).sum() / (slope * slope).sum()))  # 1 along the true gradient
        values.append(penalty.total.item())
    for estimates, expected in ((gradients, 1.0), (values, exact().item())):
        mean = sum(estimates) / len(estimates)
        error = math.sqrt(sum((value - mean) ** 2 for value in estimates) / len(estimates) / (len(estimates) - 1))
        assert error < 0.25 * expected
        assert abs(mean - expected) < 3.5 * error


def test_an_own_answers_probability_is_that_of_writing_it(
    one_word: tuple[Student, torch.Tensor], scorer: Classifier, rows: list[TrainingRow]
) -> None:
    """Longer answers, stopped and cut: each by itself, with any stop token for the end of a stopped one."""
    student, _ = one_word
    encoded = encode(student, rows[:6], 256)
    regulariser = ToxicityRegulariser(scorer, 1.0, OWN.model_copy(update={"max_new_tokens": 40, "samples": 4}), seed=4)
    context = step_context(student, encoded, 0)
    sample = regulariser._draw_own(context, range(len(encoded)))
    is_complete = regulariser._stopping_criterion(student)
    prompts = [row.ids[: row.n_prompt] for row in encoded]
    answers = regulariser._decode(context, prompts, [digest(row.ids) for row in encoded], is_complete)
    log_probs = []
    for index, answer in enumerate(answers):
        prompt = prompts[index // 4]
        with torch.no_grad():
            pi = student.model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 :].softmax(-1)
        probabilities = [float(pi[index, token]) for index, token in enumerate(answer)]
        if len(answer) < 40:  # no answer of a random student has a conclusion line
            probabilities.append(sum(float(pi[-1, token]) for token in student.stop_ids))
        log_probs.append(sum(map(math.log, probabilities)))
    assert sample.log_probs.shape == (6, 4)
    assert sample.log_probs.view(-1).tolist() == pytest.approx(log_probs, rel=1e-5)
    assert {len(answer) < 40 for answer in answers} == {True, False}


class Counting:
    """A classifier to which letters are toxic and all else is not."""

    source = Source("counting", "0", "counting")

    def __init__(self) -> None:
        self.texts: list[str] = []

    def score(self, texts: Sequence[str]) -> list[float]:
        self.texts += texts
        return [sum(sign.isascii() and sign.isalpha() for sign in text) / max(1, len(text)) for text in texts]


@pytest.fixture(scope="module")
def plain(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("adapters") / "plain"
    train_adapter(base, spec(), rows, lora, training, 1, out)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("term", [TERM, OWN], ids=["teacher_forced", "own"])
def test_lambda_zero_is_plain_training_and_drawing_alone_changes_nothing(
    term: ToxicityTerm, plain: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training,
    tmp_path: Path,
) -> None:  # fmt: skip
    none = ToxicityRegulariser(Counting(), 0.0, term, seed=1)
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "zero", regulariser=none)
    assert files(tmp_path / "zero") == files(plain)
    counting = Counting()
    hardly = ToxicityRegulariser(counting, 1e-30, term, seed=1)  # all is drawn, and is lost in rounding
    train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "hardly", regulariser=hardly)
    assert len(counting.texts) == 2 * 2 * len(rows)  # epochs x samples x rows
    assert files(tmp_path / "hardly")[adapter.WEIGHTS] == files(plain)[adapter.WEIGHTS]


@pytest.mark.parametrize("term", [TERM, OWN], ids=["teacher_forced", "own"])
def test_training_lowers_the_toxicity_it_is_told_about(
    term: ToxicityTerm, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    term = term.model_copy(update={"samples": 48, "max_new_tokens": 4})
    added = ToxicityRegulariser(Counting(), 1000.0, term, seed=1)
    train_adapter(base, spec(learning_rate=0.05), rows, lora, training, 1, tmp_path / "a", steps=16, regulariser=added)
    curve = json.loads((tmp_path / "a" / "log.json").read_text())
    assert set(curve[0]) == {"step", "epoch", "loss", "learning_rate", "toxicity"}
    toxicity = [point["toxicity"] for point in curve]
    assert sum(toxicity[-4:]) < 0.85 * sum(toxicity[:4])  # without the term it stays as it is


def test_equal_runs_give_equal_bytes_and_the_card_names_lambda_and_classifier(
    plain: Path, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, scorer: Classifier,
    tmp_path: Path,
) -> None:  # fmt: skip
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        added = ToxicityRegulariser(scorer, 0.5, OWN, seed)
        torch.manual_seed(99)
        train_adapter(base, spec(), rows, lora, training, 1, tmp_path / name, regulariser=added)
    assert files(tmp_path / "one") == files(tmp_path / "again")
    weights = [files(folder)[adapter.WEIGHTS] for folder in (tmp_path / "one", tmp_path / "other", plain)]
    assert len(set(weights)) == 3
    card = (tmp_path / "one" / "README.md").read_text()
    assert f"| regulariser | lambda 0.5 x toxicity by {scorer.source.name} at {scorer.source.revision}; own" in card
    assert "regulariser" not in (plain / "README.md").read_text()


@pytest.mark.parametrize("term", [TERM, OWN], ids=["teacher_forced", "own"])
def test_passes_of_a_batch_add_up_to_the_batch(
    term: ToxicityTerm, base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    """Accumulation changes neither what is drawn nor what it weighs; the value is lambda x mean H beside the loss."""
    once = training.model_copy(update={"global_batch": 16, "epochs": 1})
    dry = lora.model_copy(update={"dropout": 0.0})
    points = []
    for per_device in (16, 4):
        counting = Counting()
        added = ToxicityRegulariser(counting, 3.0, term, seed=1)
        out = tmp_path / str(per_device)
        train_adapter(base, spec(batch_per_device=per_device), rows, dry, once, 1, out, regulariser=added)
        points.append((json.loads((out / "log.json").read_text())[0], sorted(counting.texts)))
    assert points[0][1] == points[1][1]
    assert points[0][0]["loss"] == pytest.approx(points[1][0]["loss"], rel=1e-5)
    train_adapter(base, spec(batch_per_device=16), rows, dry, once, 1, tmp_path / "plain")
    bare = json.loads((tmp_path / "plain" / "log.json").read_text())[0]["loss"]
    toxicity = points[0][0]["toxicity"]
    assert toxicity > 0
    assert points[0][0]["loss"] == pytest.approx(bare + 3.0 * toxicity * len(rows) / 16, rel=1e-5)


def test_a_share_of_the_rows_on_some_steps_weighs_as_much_in_expectation(
    one_word: tuple[Student, torch.Tensor], rows: list[TrainingRow]
) -> None:
    student, _ = one_word
    encoded = encode(student, rows, 256)
    term = TERM.model_copy(update={"share": 0.3, "every": 3})
    added = ToxicityRegulariser(Counting(), 1.0, term, seed=1)
    whole = ToxicityRegulariser(Counting(), 1.0, TERM, seed=1)
    context = step_context(student, encoded, 0)
    some, all_ = [], []
    for step in range(90):
        part, full = (regulariser.penalty(context._replace(step=step)) for regulariser in (added, whole))
        assert (part is None) == (step % 3 != 0)
        assert full is not None
        some.append(part.total.item() if part else 0.0)
        all_.append(full.total.item())
    mean = sum(some) / len(some)
    on = some[::3]
    error = math.sqrt(sum((value - 3 * mean) ** 2 for value in on) / len(on) / (len(on) - 1)) / 3
    assert abs(mean - sum(all_) / len(all_)) < 3.5 * error


def test_a_killed_regularised_training_ends_with_the_same_bytes(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go(name: str) -> None:
        added = ToxicityRegulariser(Counting(), 0.5, OWN, seed=1)
        train_adapter(base, spec(), rows, lora, training, 1, tmp_path / name, regulariser=added)

    go("whole")
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(train, "is_small", lambda _model: False)
    whole_step, done = AnswerTrainer.training_step, []

    def step(self: AnswerTrainer, *arguments: Any, **options: Any) -> torch.Tensor:
        done.append(self.state.global_step)
        if len(done) == 6:
            raise KeyboardInterrupt
        return whole_step(self, *arguments, **options)

    monkeypatch.setattr(AnswerTrainer, "training_step", step)
    with pytest.raises(KeyboardInterrupt):
        go("out")
    go("out")
    assert done[6:] == [5, 6, 7]
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@pytest.mark.parametrize("term", [TERM, OWN], ids=["teacher_forced", "own"])
@pytest.mark.parametrize("family", ["qwen2", "gemma2"])
def test_every_family_can_be_regularised(
    term: ToxicityTerm, family: str, bases: dict[str, Path], rows: list[TrainingRow], lora: Lora, training: Training,
    scorer: Classifier, tmp_path: Path,
) -> None:  # fmt: skip
    lower = spec(precision="bf16" if family == "qwen2" else "fp32")
    added = ToxicityRegulariser(scorer, 0.5, term, seed=1)
    train_adapter(bases[family], lower, rows[:4], lora, training, 1, tmp_path / "a", steps=2, regulariser=added)
    assert all(weight.isfinite().all() for weight in load_file(tmp_path / "a" / adapter.WEIGHTS).values())


def test_a_shared_prefix_changes_no_own_draw(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tiny rows share fewer tokens than pays off; with a common instruction in front they share more."""
    long = "Write a brief analysis. Finish with a single line exactly in the form. " * 12
    longer = [
        row.model_copy(update={"messages": ({"role": "system", "content": long}, *row.messages[1:])}) for row in rows
    ]
    prefix_lengths, texts = [], []
    for minimum in (32, 10_000):
        monkeypatch.setattr("dart.student.prefix.MIN_PREFIX_TOKENS", minimum)
        counting = Counting()
        added = ToxicityRegulariser(counting, 0.5, OWN, seed=1)
        original = added.penalty

        def penalty(context: StepContext, original: Any = original) -> Any:
            prefix_lengths.append(context.prefix_length)
            return original(context)

        monkeypatch.setattr(added, "penalty", penalty)
        settings = training.model_copy(update={"max_length": 1024})
        train_adapter(base, spec(), longer, lora, settings, 1, tmp_path / str(minimum), steps=2, regulariser=added)
        texts.append(counting.texts)
    assert prefix_lengths[0] > 32
    assert prefix_lengths[-1] == 0
    assert texts[0] == texts[1]


def test_what_cannot_be_done_is_said(
    base: Path, rows: list[TrainingRow], lora: Lora, training: Training, tmp_path: Path
) -> None:
    for weight in (-0.1, math.nan, math.inf):
        with pytest.raises(ParameterError, match="lambda"):
            ToxicityRegulariser(Counting(), weight, TERM, seed=1)
    endless = OWN.model_copy(update={"max_new_tokens": 4096})
    added = ToxicityRegulariser(Counting(), 0.1, endless, seed=1)
    with pytest.raises(ModelError, match=r"Lower toxreg\.max_new_tokens"):
        train_adapter(base, spec(), rows, lora, training, 1, tmp_path / "a", regulariser=added)
    assert list(tmp_path.iterdir()) == []


def test_one_sample_has_no_baseline_and_greedy_no_gradient() -> None:
    for change in ({"samples": 1}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=next(iter(change))):
            ToxicityTerm.model_validate({**TERM.model_dump(), **change})
