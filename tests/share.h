/* SPDX-License-Identifier: MIT */
/*
 * Tests that repeat one check over profiles, geometries or seeds are run in part where a build takes
 * several times as long: with PGTSIM_TEST_SHARE=N every Nth case, without it all. A prime N meets
 * what cases alternate.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>
#include <stdlib.h>

static inline unsigned test_share(void)
{
	const char *text = getenv("PGTSIM_TEST_SHARE");
	unsigned share = text ? (unsigned)strtoul(text, NULL, 10) : 1;

	return share ? share : 1;
}

/* Whether case number `number` is one that is run. */
static inline bool in_share(unsigned number)
{
	return number % test_share() == 0;
}

#endif
