"""Task arithmetic: an adapter that stands on the line through two others, without any training (Ilharco et al. 2023).

Not in the paper. What repair changed, the difference of repaired and distilled, is added to distilled with another
weight; PEFT concatenates the matrices, so that the product is exact and the rank is the sum of both ranks.
"""

from __future__ import annotations

from pathlib import Path

from dart.core.files import replacing
from dart.core.schema.profile import TrainedStudent
from dart.student import adapter
from dart.student.generation import load_adapters
from dart.student.loading import load

_NAME = "default"  # the adapter that `dart.student.adapter.save` writes


def combine_adapters(base_dir: Path, spec: TrainedStudent, start: Path, end: Path, weight: float, out: Path) -> None:
    """Write the adapter start + weight x (end - start) to `out`; 0 gives the function of `start`, 1 that of `end`.

    Raises:
        ModelError: base or adapters cannot be used together.
    """
    student = load(adapter.base_of(start, base_dir), spec)
    model = load_adapters(student, {"start": start, "end": end})
    model.add_weighted_adapter(["start", "end"], [1 - weight, weight], _NAME, combination_type="cat")
    with replacing(out) as folder:
        folder.mkdir()
        adapter.save(model, student, spec.name, folder)
        adapter.carry_origin(start, folder)
