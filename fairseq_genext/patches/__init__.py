"""What the plugin changes in fairseq's own commands, a file a concern.

Importing the package, as ``--user-dir`` does, applies all of it, once. Each file says what breaks
without it. They hold for every model and task, fairseq's own included.
"""

from fairseq_genext.patches import (  # noqa: F401
    alignments,
    averages,
    batches,
    binarised,
    building,
    checkpoints,
    data_parallel,
    dictionaries,
    diverse_beam,
    embeddings,
    exact_resume,
    finite,
    flags,
    garbage,
    generation_flags,
    gpt2_bpe,
    libraries,
    logs,
    optimizers,
    precision,
    processes,
    prompts,
    python_interface,
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
)
