"""What the plugin changes in fairseq's own commands, a file a concern.

Importing the package, as ``--user-dir`` does, applies all of it, once. Each file says what breaks
without it. They hold for every model and task, fairseq's own included.
"""

from fairseq_genext.patches import (  # noqa: F401
    averages,
    batches,
    binarised,
    checkpoints,
    criterion_state,
    data_parallel,
    dictionaries,
    diverse_beam,
    embeddings,
    exact_resume,
    finite,
    flags,
    garbage,
    gpt2_bpe,
    libraries,
    logs,
    optimizers,
    precision,
    processes,
    prompts,
    python_interface,
    residual,
    resuming,
    saving,
    schedules,
    scoring,
    sharding,
    shards,
    stopping,
    text,
    trained_task,
    training_figures,
    weights,
    words,
)
