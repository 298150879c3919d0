"""What an estimate assumes until a run has the real figures: shares of pairs, lengths of answers, stand-in texts.

Here in one place because each is a guess with a source; `dart estimate` replaces them by what it finds in data/ and in
the cache.
"""

CHARACTERS_PER_TOKEN = 4.0  # English prose; the usual rule of the providers' own documentation
# Shares of the test set. The paper confirms 435 of 1,624 pairs as drift before repair and 119 after it (Table 45,
# Llama-3-8B); the screen's own share is not published, so it is taken a half larger.
DRIFT_SHARE = {"distilled": 0.27, "repaired": 0.07, "control": 0.27}
SCREENED_SHARE = {variant: 1.5 * share for variant, share in DRIFT_SHARE.items()}
ANSWER_TOKENS = {"teacher": 90.0, "judge": 110.0, "guard": 8.0}  # by role
RATIONALE_STAND_IN = "word " * 75  # a rationale of the usual length
OTHER_STAND_IN = "text " * 75  # another one, where equal questions would count once
OPENENDED_STAND_IN = "word " * 250  # an answer to an open-ended question
