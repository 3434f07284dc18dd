"""Names for runs that came without one: adjective-animal-number."""

from __future__ import annotations

import random

_source = random.SystemRandom()
_ADJECTIVES = (
    "able amber ample bold brave breezy bright brisk calm candid clean clever cosy crisp curious daring deft eager early fair fleet "
    "fond frank fresh gentle glad golden grand hardy honest humble jolly keen kind lively loyal lucky merry mild modest neat nimble "
    "noble patient placid polite proud quick quiet rapid ready rosy salty serene sharp shy silent silver sincere sleek smooth snug "
    "solid spry steady stout sunny swift tidy trusty upbeat valiant vivid warm wise witty zesty"
).split()
_ANIMALS = (
    "albatross auk avocet badger beaver bittern bream carp char cod coot cormorant crab crane curlew dabchick dipper dolphin duck eel "
    "egret eider fulmar gannet goose grebe gull hake heron herring ibis kingfisher lapwing loon mackerel manatee marlin marten mink "
    "minnow moorhen mussel newt osprey otter oyster pelican perch petrel pike pintail plover puffin rail ray roach salmon sandpiper "
    "seal shark shrimp skua smelt snipe sole spoonbill sprat squid stork sturgeon swan tench tern toad trout tuna turbot turtle walrus "
    "whale whelk wigeon"
).split()


def invent_name() -> str:
    """A name for a run, such as `brisk-otter-412`."""
    return f"{_source.choice(_ADJECTIVES)}-{_source.choice(_ANIMALS)}-{_source.randrange(1000)}"
