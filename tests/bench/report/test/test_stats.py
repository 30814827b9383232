# SPDX-License-Identifier: BSD-2-Clause
"""The statistics against values computed by hand."""
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import stats  # noqa: E402 # pylint: disable=wrong-import-position


class RankTest(unittest.TestCase):
    def test_ranks_share_their_mean_when_equal(self):
        self.assertEqual(stats.midranks([10, 30, 20, 20]), [1, 4, 2.5, 2.5])

    def test_separated_fives(self):
        # 2 of the 252 ways to choose 5 of 10 are as extreme: the lowest five and the highest five.
        self.assertAlmostEqual(stats.rank_test([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]), 2 / 252)

    def test_one_swapped_pair(self):
        # Rank sums 15, 16, 39, 40: four ways.
        self.assertAlmostEqual(stats.rank_test([1, 2, 3, 4, 6], [5, 7, 8, 9, 10]), 4 / 252)

    def test_equal_samples(self):
        self.assertEqual(stats.rank_test([3, 3, 3], [3, 3, 3]), 1)

    def test_one_against_one_says_nothing(self):
        self.assertEqual(stats.rank_test([1], [1000]), 1)

    def test_sides_do_not_matter(self):
        ours, theirs = [1, 5, 2, 9], [4, 8, 7, 3, 6]
        self.assertAlmostEqual(stats.rank_test(ours, theirs), stats.rank_test(theirs, ours))


class SignFlipTest(unittest.TestCase):
    def test_all_below_zero(self):
        self.assertAlmostEqual(stats.sign_flip_test([-1.0] * 10), 1 / 1024)

    def test_all_above_zero(self):
        self.assertEqual(stats.sign_flip_test([1.0] * 6), 1)

    def test_size_counts_and_not_only_the_sign(self):
        # {-3, +1}: sums -4, -2 are at most -2 of the four.
        self.assertEqual(stats.sign_flip_test([-3.0, 1.0]), 0.5)


class Compare(unittest.TestCase):
    def test_clear(self):
        result = stats.compare([200, 210, 205, 199, 220], [100, 101, 99, 103, 98])
        self.assertEqual(result["verdict"], "higher")
        self.assertAlmostEqual(result["ratio"], 2.05)
        low, high = result["interval"]
        self.assertLess(low, 2.05)
        self.assertGreater(high, 2.05)
        self.assertGreater(low, 1.9)
        self.assertLess(high, 2.3)

    def test_noise_larger_than_the_difference(self):
        result = stats.compare([100, 140, 90, 120, 95], [105, 98, 130, 92, 110])
        self.assertEqual(result["verdict"], "no verdict")

    def test_same_samples_same_words(self):
        samples = [5, 7, 6, 8, 9, 4, 6], [3, 9, 4, 7, 5, 6, 5]
        self.assertEqual(stats.compare(*samples), stats.compare(*samples))

    def test_three_rounds_are_too_few(self):
        self.assertEqual(stats.compare([10, 11, 12], [1, 2, 3])["verdict"], "no verdict")

    def test_nothing_measured_is_infinitely_better(self):
        self.assertEqual(stats.compare([1, 1], [0, 0])["ratio"], math.inf)


class Interval(unittest.TestCase):
    def test_one_sample_has_no_width(self):
        self.assertEqual(stats.single_interval([7]), [7, 7])

    def test_within_the_samples(self):
        low, high = stats.single_interval([1, 2, 3, 4, 100])
        self.assertTrue(1 <= low <= 3 <= high <= 100)

    def test_bounds_of_a_long_list(self):
        self.assertEqual(stats.interval(range(1000)), [25, 974])


class Regression(unittest.TestCase):
    BASE = [100, 102, 98, 101, 99, 100, 103, 97, 100, 101]

    def judge(self, new, is_more_better=True):
        return stats.paired_regression(self.BASE, new, is_more_better, 0.03, 0.01)

    def test_slower_in_every_pair(self):
        result = self.judge([value * 0.9 for value in self.BASE])
        self.assertEqual(result["verdict"], "regression")
        self.assertAlmostEqual(result["change"], -0.1)

    def test_of_a_latency_more_is_worse(self):
        self.assertEqual(self.judge([value * 1.1 for value in self.BASE], False)["verdict"], "regression")
        self.assertEqual(self.judge([value * 0.9 for value in self.BASE], False)["verdict"], "improvement")

    def test_a_common_drift_is_no_regression(self):
        drift = [1 + 0.05 * pair for pair in range(10)]
        base = [value * by for value, by in zip(self.BASE, drift)]
        new = [value * by * (1.001 if pair % 2 else 0.999) for pair, (value, by) in enumerate(zip(self.BASE, drift))]
        self.assertEqual(stats.paired_regression(base, new, True, 0.03, 0.01)["verdict"], "noise")

    def test_noise(self):
        self.assertEqual(self.judge([80, 120, 90, 112, 85, 118, 99, 101, 93, 110])["verdict"], "noise")

    def test_sure_and_small(self):
        self.assertEqual(self.judge([value * 0.99 for value in self.BASE])["verdict"], "within the tolerance")


if __name__ == "__main__":
    unittest.main()
