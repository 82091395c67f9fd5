"""Text GANs as named architectures: values of flags, without code of their own.

An architecture fills in the flags of model, criterion and task that the command line leaves out.
Learning rates, batch sizes and clipping are the optimizer's and are listed in ``docs/gan.md``.
"""

from fairseq.models import register_model_architecture

from fairseq_genext.models.presets import preset, preset_options

# Of SeqGAN's discriminator (Yu et al. 2017, appendix), 1,720 filters in all.
SEQGAN_WIDTHS = "1,2,3,4,5,6,7,8,9,10,15,20"
SEQGAN_FILTERS = "100,200,200,200,200,100,100,100,100,100,160,160"


@register_model_architecture("gan", "gan_doc")
def gan_doc(args) -> None:
    """The article's text GAN: RNN generator from 100-dimensional noise, CNN discriminator."""


@register_model_architecture("gan", "gan_doc_tiny")
def gan_doc_tiny(args) -> None:
    """For tests: 16 units, 8 filters."""
    preset(
        args,
        noise_dim=8,
        generator_embed_dim=16,
        generator_hidden_dim=16,
        generator_dropout=0.0,
        discriminator_embed_dim=8,
        discriminator_widths="1,2,3",
        discriminator_filters="4,4,4",
        discriminator_dropout=0.0,
    )


def like_seqgan(args, **estimator) -> None:
    """SeqGAN's players and turns, which MaliGAN's comparison shares; the estimator is its own."""
    preset(
        args,
        generator="rnn",
        rnn_cell="lstm",
        noise_input="none",
        generator_embed_dim=32,
        generator_hidden_dim=32,
        generator_dropout=0.0,
        discriminator="cnn",
        discriminator_embed_dim=64,
        discriminator_widths=SEQGAN_WIDTHS,
        discriminator_filters=SEQGAN_FILTERS,
        discriminator_dropout=0.25,
    )
    preset_options(
        args,
        gan_loss="bce",
        discriminator_steps=15,
        generator_steps=1,
        generator_turns_lr_scale=1.0,
        **estimator,
    )


def rewarded_tokens(args, **own) -> None:
    """ScratchGAN's reward for every token, and turns 1:1; baseline and learning are its own."""
    preset_options(
        args,
        gan_loss="bce",
        gradient_estimator="reinforce",
        reward="signed",
        rollouts=0,
        reward_discount=0.23,
        discriminator_steps=1,
        generator_steps=1,
        **own,
    )


def two_gpts(args) -> None:
    """Both players are decoders of `gpt_doc_mini`, whose checkpoint they can start from."""
    size = {"embed_dim": 256, "hidden_dim": 1024, "layers": 4, "heads": 4, "dropout": 0.1}
    preset(
        args,
        generator="gpt",
        noise_input="none",
        max_target_positions=256,
        discriminator="gpt",
        **{f"generator_{name}": value for name, value in size.items()},
        **{f"discriminator_{name}": value for name, value in size.items()},
    )


@register_model_architecture("gan", "gan_seqgan")
def gan_seqgan(args) -> None:
    """SeqGAN (Yu et al. 2017): REINFORCE with 16 rollouts, no baseline."""
    like_seqgan(
        args,
        gradient_estimator="reinforce",
        reward="probability",
        rollouts=16,
        reward_baseline="none",
    )


@register_model_architecture("gan", "gan_maligan")
def gan_maligan(args) -> None:
    """MaliGAN (Che et al. 2017): samples weighted by the ratio that D has learned."""
    like_seqgan(args, gradient_estimator="mali")


@register_model_architecture("gan", "gan_relgan")
def gan_relgan(args) -> None:
    """RelGAN (Nie et al. 2019): relational memory, soft Gumbel samples, 64 representations."""
    preset(
        args,
        generator="relational",
        noise_input="none",
        generator_embed_dim=32,
        generator_hidden_dim=512,
        generator_heads=2,
        generator_memory_slots=1,
        generator_dropout=0.0,
        discriminator="multi_representation",
        discriminator_embed_dim=64,
        discriminator_representations=64,
        discriminator_widths="2,3,4,5",
        discriminator_filters="300,300,300,300",
        discriminator_dropout=0.25,
    )
    preset_options(
        args,
        gan_loss="rsgan",
        gradient_estimator="gumbel",
        gumbel_samples="soft",
        gumbel_feedback="hard",
        gumbel_temperature=1.0,
        gumbel_final_temperature=0.01,
        gumbel_anneal_updates=30000,  # 5,000 rounds of 5 and 1
        discriminator_warmup_updates=0,
        discriminator_steps=5,
        generator_steps=1,
        generator_turns_lr_scale=0.01,
    )


@register_model_architecture("gan", "gan_scratchgan")
def gan_scratchgan(args) -> None:
    """ScratchGAN (de Masson d'Autume et al. 2019): no pretraining, a reward for every token."""
    preset(
        args,
        generator="rnn",
        rnn_cell="lstm",
        noise_input="none",
        generator_embed_dim=512,
        generator_hidden_dim=512,
        generator_layers=2,
        generator_tie_embeddings=True,
        generator_dropout=0.0,
        discriminator="rnn",
        discriminator_cell="lstm",
        discriminator_embed_dim=512,
        discriminator_hidden_dim=512,
        discriminator_layers=1,
        discriminator_dropout=0.1,
    )
    rewarded_tokens(
        args,
        reward_baseline="ema",
        baseline_decay=0.92,
        generator_pretrain_updates=0,
        discriminator_warmup_updates=0,
        generator_turns_lr_scale=1.0,
    )


@register_model_architecture("gan", "gan_textgail")
def gan_textgail(args) -> None:
    """TextGAIL (Wu et al. 2021): PPO, pairs, human texts in the buffer; two trained players."""
    two_gpts(args)
    preset_options(
        args,
        gan_loss="rsgan",
        gradient_estimator="ppo",
        reward="share",
        reward_baseline="leave-one-out",
        advantage_scale="deviation",
        ppo_clip=0.2,
        ppo_buffer=128,
        human_share=0.3,
        human_share_updates=32000,  # 1,000 buffers, for each 16 updates of both players
        human_reward=2.0,
        generator_pretrain_updates=0,
        discriminator_warmup_updates=100,
        discriminator_steps=1,
        generator_steps=1,
        generator_turns_lr_scale=1.0,
    )


@register_model_architecture("gan", "gan_gpt")
def gan_gpt(args) -> None:
    """A GPT trained adversarially; ``--generator-checkpoint`` makes a trained one its start.

    No published system: ScratchGAN's reward for every token, with a leave-one-out baseline,
    because one reward for a whole text says little about its words.
    """
    preset(
        args,
        generator="gpt",
        noise_input="none",
        max_target_positions=256,
        generator_embed_dim=256,
        generator_hidden_dim=1024,
        generator_layers=4,
        generator_heads=4,
        generator_dropout=0.1,
        discriminator="rnn",
        discriminator_cell="lstm",
        discriminator_embed_dim=256,
        discriminator_hidden_dim=256,
        discriminator_dropout=0.1,
    )
    rewarded_tokens(args, reward_baseline="leave-one-out", generator_turns_lr_scale=0.03)


@register_model_architecture("gan", "gan_residual")
def gan_residual(args) -> None:
    """Residual energy-based model (Deng et al. 2020): a GPT and a GPT that scores its samples.

    Only the discriminator learns; what it says counts at sampling (``--resample``).
    """
    two_gpts(args)
    preset_options(
        args,
        gan_loss="bce",
        generator_pretrain_updates=0,
        discriminator_warmup_updates=10**8,  # which never ends
    )


@register_model_architecture("gan", "gan_residual_tiny")
def gan_residual_tiny(args) -> None:
    """For tests: two decoders of `gpt_doc_tiny`."""
    preset(
        args,
        discriminator_embed_dim=32,
        discriminator_hidden_dim=128,
        discriminator_layers=2,
        discriminator_heads=2,
        noise_input="none",
    )
    gan_gpt_tiny(args)
    gan_residual(args)


@register_model_architecture("gan", "gan_gpt_tiny")
def gan_gpt_tiny(args) -> None:
    """For tests: the decoder of `gpt_doc_tiny`, 8 filters."""
    preset(
        args,
        generator="gpt",
        noise_input="prefix",
        generator_layers=2,
        generator_embed_dim=32,
        generator_hidden_dim=128,
        generator_heads=2,
        max_target_positions=64,
    )
    gan_doc_tiny(args)
