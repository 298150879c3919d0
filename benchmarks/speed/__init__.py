"""Contenders of `student_speed.py`: this project, the authors' own code, TRL and stock transformers."""
