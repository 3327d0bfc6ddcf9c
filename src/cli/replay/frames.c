/* SPDX-License-Identifier: MIT */
/* frames: whether two holders in a recording or in the simulator share memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "compare.h"

/* Memory that one holder must have to itself: a table page, or what a run of leaves maps. */
struct frame {
	uint64_t start, end;
	const struct row *row;
	enum region region;
	bool table;
};

static int frame_order(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static size_t list_tables(const struct replay *replay, const struct rows *tables,
			  enum region region, struct frame *frames)
{
	for (size_t i = 0; i < tables->count; i++) {
		uint64_t start = replay_address(replay, &tables->at[i]);

		frames[i] = (struct frame){
			.start = start,
			.end = start + pgtsim_page_size(replay_geometry(replay)),
			.row = &tables->at[i],
			.region = region,
			.table = true,
		};
	}
	return tables->count;
}

/* Lists the vmemmap's leaves, except those in an altmap. */
static size_t list_leaves(const struct replay *replay, const struct rows *leaves,
			  struct frame *frames)
{
	size_t count = 0;

	for (size_t i = 0; i < leaves->count; i++) {
		const struct row *row = &leaves->at[i];
		uint64_t start = replay_address(replay, row);

		if (replay_hot_added(replay, start))
			continue;
		frames[count++] = (struct frame){
			.start = start,
			.end = start +
			       row->count * pgtsim_entry_size(replay_geometry(replay), row->level),
			.row = row,
			.region = VMEMMAP,
		};
	}
	return count;
}

/* Both windows may lie below the same upper table. */
static bool same_holder(const struct frame *a, const struct frame *b)
{
	return a->table && b->table && !rows_order(a->row, b->row);
}

static void differ_frame(struct replay *replay, const struct frame *frame,
			 const struct frame *holder, const char *whose)
{
	replay->region = frame->region;
	replay_differ(
		replay, frame->row,
		"expected memory of its own, found 0x%" PRIx64 ", %s that of %s %s 0x%016" PRIx64,
		frame->start, whose, region_names[holder->region],
		pgtsim_level_name(replay_geometry(replay), holder->row->level), holder->row->va);
}

static void compare_frames(struct replay *replay, struct frame *frames, size_t count,
			   const char *whose)
{
	const struct frame *furthest = frames; /* the one that ends last of those before */

	qsort(frames, count, sizeof(*frames), frame_order);
	for (size_t i = 1; i < count; i++) {
		const struct frame *frame = &frames[i];

		if (frame->start < furthest->end && !same_holder(frame, furthest))
			differ_frame(replay, frame, furthest, whose);
		if (frame->end > furthest->end)
			furthest = frame;
	}
}

int replay_check_frames(struct replay *replay, const struct content *content, const char *whose)
{
	const struct rows *leaves = &content[VMEMMAP].list[LEAVES];
	size_t count = leaves->count + 1;
	struct frame *frames;

	for (enum region region = LINEAR; region < REGIONS; region++)
		count += content[region].list[TABLES].count;
	frames = calloc(count, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	count = list_leaves(replay, leaves, frames);
	for (enum region region = LINEAR; region < REGIONS; region++)
		count += list_tables(replay, &content[region].list[TABLES], region, frames + count);
	compare_frames(replay, frames, count, whose);
	free(frames);
	return 0;
}
