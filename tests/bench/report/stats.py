# SPDX-License-Identifier: BSD-2-Clause
"""Medians, spreads, and whether two sets of samples differ by more than their noise.

Few samples and unknown distributions: so nothing here assumes a normal one. All tests are exact, all intervals
come from every possible resample or from a seeded choice of them, so that the same samples give the same words.
"""
import itertools
import math
import random
import statistics

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
RESAMPLES = 4000


def median(values):
    return statistics.median(values)


def summary(values):
    return {"median": median(values), "min": min(values), "max": max(values), "samples": list(values)}


def arrangements(ours, theirs):
    """Absolute differences of rank sums, over all ways to name as many of the samples `ours`."""
    ranks = midranks(list(ours) + list(theirs))
    expected = sum(ranks) * len(ours) / len(ranks)
    for chosen in itertools.combinations(ranks, len(ours)):
        yield abs(sum(chosen) - expected)


def midranks(values):
    """The rank of each value from 1; equal ones share the mean of their ranks."""
    order = sorted(values)
    return [order.index(value) + (order.count(value) + 1) / 2 for value in values]


def rank_test(ours, theirs):
    """Two-sided exact rank-sum test: the probability of so large a difference if there is none."""
    ranks = midranks(list(ours) + list(theirs))
    seen = abs(sum(ranks[: len(ours)]) - sum(ranks) * len(ours) / len(ranks))
    count = hits = 0
    for difference in arrangements(ours, theirs):
        count += 1
        hits += difference >= seen - 1e-9
    return hits / count


def sign_flip_test(differences):
    """One-sided exact permutation test of paired differences: the probability of a mean so far below zero if each
    could as well have had the other sign."""
    seen = sum(differences)
    count = hits = 0
    for signs in itertools.product((1, -1), repeat=len(differences)):
        count += 1
        hits += sum(s * d for s, d in zip(signs, differences)) <= seen + 1e-12
    return hits / count


def resamples(values, generator):
    """All resamples if they are few, else some of them."""
    if len(values) ** len(values) <= RESAMPLES:
        return [list(each) for each in itertools.product(values, repeat=len(values))]
    return [generator.choices(values, k=len(values)) for _ in range(RESAMPLES)]


def interval(values):
    values = sorted(values)
    low = values[int(len(values) * ALPHA / 2)]
    high = values[min(len(values) - 1, int(math.ceil(len(values) * (1 - ALPHA / 2))) - 1)]
    return [low, high]


def combined_interval(ours, theirs, combine):
    """Bootstrap interval of combine(median of ours, median of theirs), each resampled by itself."""
    generator = random.Random(1)
    our_medians = [median(each) for each in resamples(ours, generator)]
    their_medians = [median(each) for each in resamples(theirs, generator)]
    if len(our_medians) > RESAMPLES // 2 or len(their_medians) > RESAMPLES // 2:
        pairs = [(generator.choice(our_medians), generator.choice(their_medians)) for _ in range(RESAMPLES)]
    else:
        pairs = itertools.product(our_medians, their_medians)
    return interval([combine(a, b) for a, b in pairs])


def single_interval(values):
    return interval([median(each) for each in resamples(values, random.Random(1))])


def ratio_of(a, b):
    return a / b if b else math.inf


def compare(ours, theirs):
    """The ratio of the medians, its interval, and a verdict: "higher", "lower", or "no verdict" when the noise is
    larger than the difference."""
    probability = rank_test(ours, theirs)
    is_higher = median(ours) > median(theirs)
    is_clear = probability <= ALPHA and median(ours) != median(theirs)
    return {
        "ratio": ratio_of(median(ours), median(theirs)),
        "interval": combined_interval(ours, theirs, ratio_of),
        "p": probability,
        "verdict": ("higher" if is_higher else "lower") if is_clear else "no verdict",
    }


def paired_regression(base, new, is_more_better, tolerance, alpha):
    """Whether `new` is worse than `base`, pair by pair: by more than `tolerance`, and not by chance."""
    logs = [math.log(n / b) if is_more_better else math.log(b / n) for b, n in zip(base, new)]
    probability = sign_flip_test(logs)
    change = math.exp(median(logs)) - 1
    gain = sign_flip_test([-value for value in logs])
    if probability <= alpha and change < -tolerance:
        verdict = "regression"
    elif gain <= alpha and change > tolerance:
        verdict = "improvement"
    elif probability <= alpha or gain <= alpha:
        verdict = "within the tolerance"
    else:
        verdict = "noise"
    return {"change": change, "p": min(probability, gain), "verdict": verdict}
