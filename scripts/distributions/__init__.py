"""What users install: wheels and source distributions, and whether they keep their promise.

`building` makes them, `contents` says what is wrong with one, `index` serves them to pip, `extras` tells which extras
of Prefect stand for our packages, and `environments` installs one as a user does.
"""
