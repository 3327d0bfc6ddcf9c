/* SPDX-License-Identifier: MIT */
/*
 * explore_part: what one shard of a search found, written to a file or a pipe, read again, and put
 * together with the others: the whole is complete only if no shard is missing.
 */
#ifndef PGTSIM_CLI_EXPLORE_PART_H
#define PGTSIM_CLI_EXPLORE_PART_H

#include <stdio.h>

#include <pgtsim/explore.h>

enum { EXPLORE_PARTS_MAX = 4096 };

struct explore_part {
	uint64_t search; /* identifies the search: the same number in all its shards */
	unsigned shard, shards;
	uint64_t schedules, failed, cut, steps, estimate;
	bool complete;
	int result; /* of an actor */
	unsigned result_actor;
	char violation[32], text[256]; /* of the first schedule that failed; empty: none */
	char *schedule;                /* it; NULL: none */
};

/* Makes a part of an exploration's result, which must outlive the part. */
struct explore_part explore_part_of(const struct pgtsim_exploration *found, uint64_t search,
				    unsigned shard, unsigned shards);

/* Writes a part. Returns false if that failed. */
bool explore_part_write(const struct explore_part *part, FILE *file);

/*
 * Reads the next part. Returns 1, 0 at the end of the file, or -EINVAL. The caller frees
 * `schedule`.
 */
int explore_part_read(struct explore_part *part, FILE *file);

/*
 * Adds up the parts of one search in *whole, whose schedule is that of one of them. Returns NULL; or
 * what is wrong, in static memory: parts of different searches, a shard that is missing or twice.
 */
const char *explore_part_merge(const struct explore_part *parts, size_t count,
			       struct explore_part *whole);

#endif
