/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "explore_part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct explore_part explore_part_of(const struct pgtsim_exploration *found, uint64_t search,
				    unsigned shard, unsigned shards)
{
	struct explore_part part = {
		.search = search,
		.shard = shard,
		.shards = shards,
		.schedules = found->schedules,
		.failed = found->failed,
		.cut = found->cut,
		.steps = found->steps,
		.estimate = found->estimate,
		.complete = found->complete,
		.result = found->result,
		.result_actor = found->result_actor,
		.schedule = found->schedule,
	};

	if (!found->failed)
		return part;
	snprintf(part.violation, sizeof(part.violation), "%s",
		 pgtsim_violation_kind(found->violation.name)->name);
	snprintf(part.text, sizeof(part.text), "%s", found->violation.text);
	return part;
}

bool explore_part_write(const struct explore_part *part, FILE *file)
{
	fprintf(file, "explored search=%016" PRIx64 " shard=%u/%u\n", part->search,
		part->shard + 1, part->shards);
	fprintf(file,
		"schedules=%" PRIu64 " failed=%" PRIu64 " cut=%" PRIu64 " steps=%" PRIu64
		" estimate=%" PRIu64 " complete=%d result=%d actor=%u\n",
		part->schedules, part->failed, part->cut, part->steps, part->estimate,
		part->complete, part->result, part->result_actor);
	if (part->schedule)
		fprintf(file, "violation=%s %s\nschedule=%s\n", part->violation, part->text,
			part->schedule);
	fprintf(file, "end\n");
	return !fflush(file) && !ferror(file);
}

/* ---- reading ---- */

/* A line of any length without its end, in memory that grows; NULL at the end of the file. */
static char *read_line(FILE *file, char **line, size_t *room)
{
	size_t length = 0;
	int c;

	while ((c = getc(file)) != EOF && c != '\n') {
		if (length + 1 >= *room) {
			size_t more = *room ? 2 * *room : 256;
			char *grown = realloc(*line, more);

			if (!grown)
				return NULL;
			*line = grown;
			*room = more;
		}
		(*line)[length++] = (char)c;
	}
	if (c == EOF || !*line)
		return NULL;
	(*line)[length] = '\0';
	return *line;
}

static bool read_numbers(struct explore_part *part, const char *line)
{
	int complete;

	if (sscanf(line,
		   "schedules=%" SCNu64 " failed=%" SCNu64 " cut=%" SCNu64 " steps=%" SCNu64
		   " estimate=%" SCNu64 " complete=%d result=%d actor=%u",
		   &part->schedules, &part->failed, &part->cut, &part->steps, &part->estimate,
		   &complete, &part->result, &part->result_actor) != 8)
		return false;
	part->complete = complete;
	return true;
}

static bool read_rest(struct explore_part *part, FILE *file, char **line, size_t *room)
{
	if (!read_line(file, line, room) || !read_numbers(part, *line))
		return false;
	while (read_line(file, line, room) && strcmp(*line, "end") != 0) {
		if (sscanf(*line, "violation=%31s %255[^\n]", part->violation, part->text) >= 1)
			continue;
		if (strncmp(*line, "schedule=", 9) != 0 || part->schedule)
			return false;
		part->schedule = strdup(*line + 9);
		if (!part->schedule)
			return false;
	}
	return *line && !strcmp(*line, "end") && !part->failed == !part->schedule;
}

int explore_part_read(struct explore_part *part, FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	*part = (struct explore_part){ 0 };
	if (read_line(file, &line, &room)) {
		ret = -EINVAL;
		if (sscanf(line, "explored search=%" SCNx64 " shard=%u/%u", &part->search,
			   &part->shard, &part->shards) == 3 &&
		    part->shard-- && part->shard < part->shards &&
		    part->shards <= EXPLORE_PARTS_MAX && read_rest(part, file, &line, &room))
			ret = 1;
	}
	if (ret < 0) {
		free(part->schedule);
		part->schedule = NULL;
	}
	free(line);
	return ret;
}

/* ---- putting together ---- */

static void add(struct explore_part *whole, const struct explore_part *part)
{
	whole->schedules += part->schedules;
	whole->failed += part->failed;
	whole->cut += part->cut;
	whole->estimate += part->estimate;
	whole->steps = part->steps > whole->steps ? part->steps : whole->steps;
	whole->complete &= part->complete;
	if (!whole->result) {
		whole->result = part->result;
		whole->result_actor = part->result_actor;
	}
	if (whole->schedule || !part->schedule)
		return;
	whole->schedule = part->schedule;
	memcpy(whole->violation, part->violation, sizeof(whole->violation));
	memcpy(whole->text, part->text, sizeof(whole->text));
}

const char *explore_part_merge(const struct explore_part *parts, size_t count,
			       struct explore_part *whole)
{
	static char problem[96];

	if (!count)
		return "no shards";
	*whole = (struct explore_part){ .search = parts->search,
					.shards = parts->shards,
					.complete = true };
	for (size_t i = 0; i < count; i++)
		if (parts[i].search != whole->search || parts[i].shards != whole->shards)
			return "these are shards of different searches";
	for (unsigned shard = 0; shard < whole->shards; shard++) {
		unsigned times = 0;

		for (size_t i = 0; i < count; i++) {
			if (parts[i].shard != shard)
				continue;
			if (!times++)
				add(whole, &parts[i]);
		}
		if (times == 1)
			continue;
		snprintf(problem, sizeof(problem), "shard %u/%u is %s", shard + 1, whole->shards,
			 times ? "there twice" : "missing");
		return problem;
	}
	return NULL;
}
