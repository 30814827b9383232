# SPDX-License-Identifier: BSD-2-Clause
"""What follows from samples: keys, targets, reasons, tables."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import keys  # noqa: E402 # pylint: disable=wrong-import-position
import summary  # noqa: E402 # pylint: disable=wrong-import-position
import table  # noqa: E402 # pylint: disable=wrong-import-position

WANTED = """rtt_dedicated_p50 rtt_dedicated_p99 rtt_dedicated_over_raw_us rtt_shared_spin rtt_shared_sleep msgs_64
msgs_1024 msgs_vs_limit p999_1024 msgs_64_both_ends conn_rate goodput_vs_cubic goodput_vs_limit conns_250k_of_peak
bytes_per_idle_connection kv_usr_sla idle_core_share batch_64_vs_1""".split()


def lines(figure, contender, values, x=None):
    return [
        {"part": "any", "figure": figure, "contender": contender, "x": x, "round": index + 1, "value": value}
        for index, value in enumerate(values)
    ]


def judged(*groups, reasons=None):
    return keys.judge(keys.Samples([line for group in groups for line in group]), reasons or {})


class Keys(unittest.TestCase):
    def test_exactly_these_keys_whatever_was_measured(self):
        ratios, evidence = judged()
        self.assertEqual(list(ratios), WANTED)
        self.assertEqual(list(evidence), WANTED)
        self.assertTrue(all(value is None for value in ratios.values()))
        self.assertTrue(all(row["missing"] for row in evidence.values()))

    def test_each_belongs_to_a_part(self):
        self.assertCountEqual(sum(summary.PART_OF_KEY.values(), ()), WANTED)

    def test_the_best_kernel_counts(self):
        ratios, evidence = judged(
            lines("msgs_64", "ixd_spin", [400, 410, 420, 430, 440]),
            lines("msgs_64", "kernel_spin", [100, 101, 102, 103, 104]),
            lines("msgs_64", "uring_spin", [200, 201, 202, 203, 204]),
        )
        self.assertAlmostEqual(ratios["msgs_64"], 420 / 202)
        row = evidence["msgs_64"]
        self.assertEqual((row["against"], row["verdict"], row["is_met"]), ("uring_spin", "higher", True))
        self.assertEqual(row["samples"]["uring_spin"], [200, 201, 202, 203, 204])

    def test_of_latencies_the_least_is_the_best(self):
        ratios, evidence = judged(
            lines("rtt_shared_p50_us", "ixd_spin", [8, 8, 8, 8, 8]),
            lines("rtt_shared_p50_us", "kernel_spin", [10, 10, 10, 10, 10]),
            lines("rtt_shared_p50_us", "uring_spin", [5, 5, 5, 5, 5]),
            lines("rtt_shared_p50_us", "kernel_block", [1, 1, 1, 1, 1]),
        )
        self.assertAlmostEqual(ratios["rtt_shared_spin"], 1.6)
        self.assertFalse(evidence["rtt_shared_spin"]["is_met"])

    def test_the_worse_direction_counts(self):
        ratios, evidence = judged(
            lines("goodput_to_gbps", "ixd_spin", [9]), lines("goodput_to_gbps", "kernel_block", [6]),
            lines("goodput_from_gbps", "ixd_spin", [3]), lines("goodput_from_gbps", "kernel_block", [6]),
            lines("goodput_to_gbps", "raw", [10]),
        )  # fmt: skip
        self.assertAlmostEqual(ratios["goodput_vs_cubic"], 0.5)
        self.assertAlmostEqual(ratios["goodput_vs_limit"], 0.3)
        self.assertEqual(len(evidence["goodput_vs_cubic"]["parts"]), 2)

    def test_goodput_is_against_the_best_kernel_server(self):
        ratios, evidence = judged(
            lines("goodput_to_gbps", "ixd_spin", [9, 9]), lines("goodput_from_gbps", "ixd_spin", [9, 9]),
            lines("goodput_to_gbps", "kernel_block", [9, 9]), lines("goodput_to_gbps", "uring_spin", [12, 12]),
            lines("goodput_from_gbps", "kernel_block", [9, 9]), lines("goodput_from_gbps", "uring_spin", [6, 6]),
            lines("goodput_to_gbps", "kernel_tso", [90, 90]), lines("goodput_from_gbps", "kernel_tso", [90, 90]),
        )  # fmt: skip
        self.assertAlmostEqual(ratios["goodput_vs_cubic"], 0.75)
        self.assertEqual(
            [part["against"] for part in evidence["goodput_vs_cubic"]["parts"]], ["uring_spin", "kernel_block"]
        )

    def test_no_ratio_to_nothing(self):
        ratios, evidence = judged(
            lines("kv_usr_sla", "ixd_spin", [5, 5, 5]), lines("kv_usr_sla", "kernel_spin", [0, 0, 0])
        )
        self.assertIsNone(ratios["kv_usr_sla"])
        self.assertIn("there is no ratio", evidence["kv_usr_sla"]["missing"])

    def test_infinity_is_null(self):
        self.assertEqual(summary.finite({"a": [1.0, float("inf")], "b": "x"}), {"a": [1.0, None], "b": "x"})

    def test_above_raw_is_a_difference(self):
        ratios, _ = judged(
            lines("rtt_dedicated_p50_us", "ixd_dedicated", [2.5]), lines("rtt_dedicated_p50_us", "raw", [1.75])
        )
        self.assertAlmostEqual(ratios["rtt_dedicated_over_raw_us"], 0.75)

    def test_peak_is_over_all_counts(self):
        ratios, _ = judged(
            lines("many_msgs", "ixd_spin", [100, 110], 10), lines("many_msgs", "ixd_spin", [200, 200], 1000),
            lines("many_msgs", "ixd_spin", [150, 150], 250000),
        )  # fmt: skip
        self.assertAlmostEqual(ratios["conns_250k_of_peak"], 0.75)

    def test_memory_is_growth_and_tables(self):
        ratios, _ = judged(
            lines("bytes_per_idle_connection", "ixd_spin", [100, 110, 120]),
            lines("table_bytes_per_connection", "ixd_spin", [600, 600, 600]),
        )
        self.assertAlmostEqual(ratios["bytes_per_idle_connection"], 710)

    def test_not_sure_when_the_target_lies_in_the_interval(self):
        _, evidence = judged(
            lines("conn_rate", "ixd_spin", [190, 195, 205, 210, 215]),
            lines("conn_rate", "kernel_spin", [100, 100, 100, 100, 100]),
        )
        self.assertTrue(evidence["conn_rate"]["is_met"])
        self.assertFalse(evidence["conn_rate"]["is_sure"])

    def test_noise_on_both_sides_of_the_target_is_not_judged(self):
        _, evidence = judged(
            lines("conn_rate", "ixd_spin", [90, 400, 230, 95, 210]),
            lines("conn_rate", "kernel_spin", [100, 300, 100, 80, 105]),
        )
        row = evidence["conn_rate"]
        self.assertEqual((row["verdict"], row["is_sure"], row["is_met"]), ("no verdict", False, None))
        self.assertFalse(row["is_beyond"])
        self.assertEqual(table.met_of(row), "no verdict")

    def test_two_cores_against_one(self):
        group = [lines("msgs_1_cores", "ixd_client", [100, 110]), lines("msgs_2_cores", "ixd_client", [180, 210])]
        group.append(lines("msgs_2_cores", "kernel_client", [50]))
        found = keys.scaling(keys.Samples([line for each in group for line in each]))
        self.assertEqual(list(found), ["ixd_client"])
        self.assertAlmostEqual(found["ixd_client"]["ratio"], 195 / 105)


class Reasons(unittest.TestCase):
    def test_a_part_that_nobody_asked_for(self):
        reasons = summary.reasons_of([], ["rtt"])
        self.assertIn("not asked for", reasons["conn_rate"][0])
        self.assertNotIn("rtt_shared_spin", {key for key, texts in reasons.items() if texts})

    def test_a_note_about_the_key_before_faults_of_its_part(self):
        notes = [
            {"kind": "fault", "key": "kv", "text": "round 1 failed"},
            {"kind": "missing", "key": "kv_usr_sla", "text": "ix-kv is not built"},
        ]
        self.assertEqual(summary.reasons_of(notes, ["kv"])["kv_usr_sla"], ["ix-kv is not built"])


class Table(unittest.TestCase):
    def test_words(self):
        _, evidence = judged(
            lines("msgs_64", "ixd_spin", [1, 2, 3, 4, 5]), lines("msgs_64", "kernel_spin", [1, 2, 3, 4, 5])
        )
        text = "\n".join(table.targets({"evidence": evidence}))
        self.assertIn("no verdict: the noise is larger than the difference", text)
        self.assertIn("≥ 2×", text)
        self.assertEqual(text.count("not measured"), len(WANTED) - 1)

    def test_numbers(self):
        self.assertEqual([table.number(value) for value in (0, 1234.5, 12.345, 0.01234)], ["0", "1234", "12.3", "0.0123"])

    def test_every_contender_that_is_drawn_has_a_colour(self):
        source = os.path.join(os.path.dirname(__file__), "..", "plots.py")
        with open(source, encoding="utf-8") as file:
            text = file.read()
        colours = text[text.index("COLOURS") : text.index("MARKERS")]
        self.assertEqual([name for name in table.NAMES if f'"{name}":' not in colours], [])

    def test_connections_have_a_row_for_each_number(self):
        samples = keys.Samples(
            lines("many_msgs", "ixd_spin", [400e3], 10) + lines("many_msgs", "ixd_spin", [300e3], 250000)
            + lines("many_msgs", "kernel_many", [50e3], 250000)
        )  # fmt: skip
        text = table.connections({"figures": summary.figures_of(samples)})
        self.assertEqual(text[2:], [
            "| 10 | – | 400 (400–400) |",
            "| 250,000 | 50 (50–50) | 300 (300–300) |",
        ])  # fmt: skip
        self.assertEqual(table.connections({"figures": {}}), [])


if __name__ == "__main__":
    unittest.main()
