"""Portable arithmetic: torch's numbers and gradients to rounding, in force for small models only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from dart.core import arithmetic, portable
from dart.core.portable import portable_arithmetic

ROOT = Path(__file__).resolve().parents[2]
SMALL = torch.nn.Linear(2, 2)
pytestmark = pytest.mark.skipif(
    arithmetic.missing_instructions() is not None,
    reason=f"other arithmetic than on x86-64 with AVX2: {arithmetic.missing_instructions()}",
)


class Large(torch.nn.Module):
    """Parameters that take no memory."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1).expand(10_000_000))


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


CASES = {
    "mm": lambda a, b: a @ b.t(),
    "addmm": lambda a, b: torch.addmm(a[:, :1], a, b.t(), beta=0.5, alpha=2.0),
    "addmm in place": lambda a, b: (a[:, :6] * 1).contiguous().addmm_(a, b.t()[:, :6]),
    "mv": lambda a, b: a @ b[0],
    "dot": lambda a, b: a[0] @ b[0],
    "bmm": lambda a, b: torch.matmul(a.view(2, 5, 7), b[:5].t().expand(2, 7, 5)),
    "baddbmm": lambda a, b: torch.baddbmm(a.view(2, 5, 7)[:, :, :5], a.view(2, 5, 7), a.view(2, 5, 7).mT, alpha=0.3),
    "addbmm": lambda a, b: torch.addbmm(a[:5, :5], a.view(2, 5, 7), a.view(2, 5, 7).mT),
    "functions": lambda a, b: a.exp() + a.tanh() + a.abs().add(1).log() + a.sin() * a.cos() + a.erf() + a.abs().sqrt(),
    "logsumexp": lambda a, b: a.logsumexp(-1),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_torchs_to_rounding(case: str) -> None:
    results = []
    for context in (portable_arithmetic(SMALL), portable_arithmetic(Large())):
        a, b = draw(10, 7).requires_grad_(), draw(6, 7).requires_grad_()
        with context:
            value = CASES[case](a, b)
            gradients = torch.autograd.grad((value * value).sum(), (a, b), allow_unused=True)
        results.append((value.detach(), *[gradient for gradient in gradients if gradient is not None]))
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("mask", ["causal", "none", "boolean", "added"])
@pytest.mark.parametrize("key_heads", [4, 2])
def test_attention_and_its_gradient_are_torchs_to_rounding(mask: str, key_heads: int) -> None:
    hidden = torch.ones(3, 1, 5, 5, dtype=torch.bool).tril()
    given = {"boolean": hidden, "added": torch.zeros(3, 1, 5, 5, dtype=torch.float64).masked_fill(~hidden, -1e9)}
    results = []
    for context in (portable_arithmetic(SMALL), portable_arithmetic(Large())):
        parts = [draw(3, 5, heads, 6).transpose(1, 2).requires_grad_() for heads in (4, key_heads, key_heads)]
        with context:
            value = scaled_dot_product_attention(
                *parts, attn_mask=given.get(mask), is_causal=mask == "causal", enable_gqa=key_heads != 4
            )
            gradients = torch.autograd.grad((value * draw(*value.shape)).sum(), parts)
        results.append((value.detach(), *gradients))
    for ours, torchs in zip(*results, strict=True):
        torch.testing.assert_close(ours, torchs)


def test_attention_in_half_precision_is_that_of_floats_rounded() -> None:
    parts = [draw(3, 5, 4, 6).transpose(1, 2).bfloat16().requires_grad_() for _ in range(3)]
    wide = [part.detach().float().requires_grad_() for part in parts]
    with portable_arithmetic(SMALL):
        half, whole = (scaled_dot_product_attention(*these, is_causal=True) for these in (parts, wide))
        half.float().sum().backward()
        whole.bfloat16().float().sum().backward()
    assert torch.equal(half, whole.bfloat16())
    for narrow, full in zip(parts, wide, strict=True):
        assert narrow.grad is not None
        torch.testing.assert_close(narrow.grad.float(), full.grad, rtol=0.05, atol=0.02)


def test_padding_that_sees_nothing_is_finite() -> None:
    x = draw(1, 1, 3, 4)
    with portable_arithmetic(SMALL):
        value = scaled_dot_product_attention(x, x, x, attn_mask=torch.tensor([[0, 0, 0], [0, 1, 0], [0, 1, 1]]).bool())
    assert torch.isfinite(value).all()
    torch.testing.assert_close(value[0, 0, 1], x[0, 0, 1])


def test_a_large_model_has_torchs_arithmetic_also_within_a_small_one() -> None:
    seen = []
    with portable_arithmetic(SMALL):
        seen.append(portable._library is not None)
        with portable_arithmetic(Large()):
            seen.append(portable._library is not None)
        seen.append(portable._library is not None)
    seen.append(portable._library is not None)
    assert seen == [True, False, True, False]


def test_after_an_error_torchs_arithmetic_is_back() -> None:
    a = draw(50, 70).float()
    before = a @ a.t()
    with pytest.raises(ZeroDivisionError), portable_arithmetic(SMALL):
        raise ZeroDivisionError
    assert torch.equal(a @ a.t(), before)
    assert torch.backends.mkldnn.enabled


def test_other_arithmetic_is_refused_in_one_line() -> None:
    code = (
        "import numpy\nfrom dart.core import arithmetic\narithmetic.set_environment()\n"
        "arithmetic.require_environment()"
    )  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "ModelError: A small model needs ATEN_CPU_CAPABILITY" in result.stderr


def test_a_machine_without_avx2_is_told_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arithmetic, "missing_instructions", lambda: "the processor is arm64, not x86-64")
    with portable_arithmetic(SMALL):
        assert portable._library is None
    assert "other bytes here" in caplog.text
