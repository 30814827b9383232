/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the unit tests' fixtures use of Criterion, for fuzzers that use the fixtures: an assertion aborts.
 */
#ifndef TESTS_FUZZ_INCLUDE_CRITERION_CRITERION_H
#define TESTS_FUZZ_INCLUDE_CRITERION_CRITERION_H

#include <stdlib.h>

#define cr_assert(condition, ...)        ((condition) ? (void)0 : abort())
#define cr_assert_not(condition, ...)    cr_assert(!(condition))
#define cr_assert_not_null(pointer, ...) cr_assert((pointer) != NULL)
#define cr_assert_eq(left, right, ...)   cr_assert((left) == (right))
#define cr_assert_neq(left, right, ...)  cr_assert((left) != (right))
#define cr_assert_geq(left, right, ...)  cr_assert((left) >= (right))
#define cr_assert_leq(left, right, ...)  cr_assert((left) <= (right))

#endif
