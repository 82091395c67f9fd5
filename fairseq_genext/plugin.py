"""Registers all that the package adds to fairseq; see the table in the package's own docstring."""

from fairseq_genext import light_fairseq

light_fairseq.import_fairseq()

from fairseq_genext import patches, precision  # noqa: E402, F401  importing applies the patches

precision.apply()

# fairseq itself imports only a user's tasks and models when --user-dir names this folder.
from fairseq_genext import criterions, models, optim, scorers, tasks  # noqa: E402, F401
