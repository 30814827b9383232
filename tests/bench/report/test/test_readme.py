# SPDX-License-Identifier: BSD-2-Clause
"""What stands in README.md besides the tables."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import readme  # noqa: E402 # pylint: disable=wrong-import-position


def row(value):
    return [{"x": None, "median": value, "min": value, "max": value}]


class Elsewhere(unittest.TestCase):
    def test_each_server_by_its_better_way(self):
        figures = {
            "calibration_msgs_plain": {"kernel_spin": row(200e3), "uring_spin": row(150e3)},
            "calibration_msgs_gro": {"kernel_spin": row(100e3), "uring_spin": row(160e3)},
            "msgs_64": {"ixd_spin": row(320e3)},
        }
        text = readme.elsewhere({"figures": figures})[0]
        self.assertIn("made 160 to 200 thousand messages/s", text)
        self.assertIn("is 1.6 to 2 times these", text)

    def test_nothing_without_a_measurement(self):
        self.assertEqual(readme.elsewhere({"figures": {}}), [])
        self.assertEqual(readme.elsewhere({"figures": {"msgs_64": {"ixd_spin": row(1)}}}), [])


if __name__ == "__main__":
    unittest.main()
