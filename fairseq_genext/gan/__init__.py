"""The independent axes of a GAN: generators, discriminators, losses, estimators, schedule.

Each axis is a folder of small files and a table of names; any value goes with any other.
"""
