"""Stage III: safe rationales for the drift cases, and the training set that weights them by severity (Section 2.5).

`targets` asks and filters; `mix` joins the accepted targets with the distillation rows. Import from the modules.
"""
