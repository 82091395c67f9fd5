"""The parts of a text GAN: generators, discriminators, losses, gradient estimators, schedule.

Each kind of part is a folder of small files with a table of names. Parts combine freely, except
for the few combinations that ``combinations.py`` refuses.
"""
