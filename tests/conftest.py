"""How properties are looked for: fewer examples than Hypothesis's own, so that the suite stays quick.

`pytest --hypothesis-profile=thorough` takes its time. No deadline, because a busy machine is no fault of the code.
"""

from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")
