/* SPDX-License-Identifier: MIT */
#include "span.h"

void pgtsim_span_spill(struct pgtsim_cached *c)
{
	const struct span s = c->span;
	uint64_t size = pgtsim_entry_size(c->geo, s.level), now = c->now;
	uint8_t by = c->by;

	c->span.count = 0;
	c->by = s.by;
	c->now = s.since;
	for (uint64_t done = 0, n; done < s.count; done += n, c->now++) {
		uint64_t va = s.va + done * size;
		unsigned lo = pgtsim_index(c->geo, s.level, va);
		struct record *r = pgtsim_record_of(c, s.level, va);

		n = pgtsim_entries(c->geo, s.level) - lo;
		if (n > s.count - done)
			n = s.count - done;
		if (r)
			pgtsim_stale_mark(c, r, (struct part){ lo, lo + (unsigned)n },
					  s.desc + done * size, true);
	}
	c->by = by;
	c->now = now;
	if (s.count && s.state != UNSYNCED)
		pgtsim_stale_sync(c);
	if (s.count && s.state == PENDING)
		pgtsim_stale_invalidate_all(c);
}
