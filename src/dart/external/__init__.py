"""Safety suites outside the paper's own benchmarks: BOLD, HolisticBias, RealToxicityPrompts and HateCheck.

`pins` names and finds the pinned files, `loaders` read them, `sample` draws the paper's samples; `analysis` compares
base with repaired over all prompts and by group, `hatecheck` and `rewriting` take HateCheck's failures apart,
`adjudication` asks people about them. Section 3.4, appendices O and P. Texts of these suites are never
logged. Import from the modules.
"""
