"""Every text that is sent to a model: prompts and policy verbatim from Appendices E and F, the judges' from D, I.

All functions return chat messages and read nothing but their arguments. `quoted` and the constants of the modules
are for the simulated endpoints and for tests, which parse requests.
"""
