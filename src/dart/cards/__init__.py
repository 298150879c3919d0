"""Cards of what a run leaves, and its publication: adapters, answers and numbers on the Hugging Face hub."""
