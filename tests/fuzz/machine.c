/* SPDX-License-Identifier: MIT */
/*
 * Takes any bytes as the random choices of tests/property: runs operations on a machine and
 * compares with the oracle.
 */
#include "../property/sequence.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sequence s; /* large */
	struct dice dice = { .data = data, .size = size };
	struct failure failure;

	if (size < 8)
		return 0;
	s.count = 0;
	s.whole_machine = dice_one_in(&dice, 2);
	generate_config(&dice, &s.config);
	generate_altmaps(&dice, &s);
	if (sequence_run(&s, &dice, s.whole_machine ? generate_hotplug : generate_page_table,
			 &failure))
		return 0;
	sequence_shrink(&s, sequence_rerun, true, &failure);
	sequence_print(&s, &failure, stderr);
	abort();
}
