/* SPDX-License-Identifier: MIT */
/* notifiers: the chain that is told when memory blocks go online and offline. */
#include "online.h"

#include <errno.h>
#include <inttypes.h>

#include "memory_ranges.h"

int pgtsim_notifier_add(struct pgtsim_hotplug *hotplug, struct pgtsim_notifier *notifier)
{
	struct pgtsim_notifier **end;

	if (!hotplug || !notifier)
		return -EINVAL;
	if (!notifier->notify)
		return pgtsim_hotplug_fail(hotplug, -EINVAL, "the notifier has nothing to call");
	if (hotplug->notifying)
		return pgtsim_hotplug_not_notifying(hotplug);
	for (end = &hotplug->notifiers; *end; end = &(*end)->next)
		if (*end == notifier)
			return pgtsim_hotplug_fail(hotplug, -EEXIST,
						   "the notifier is in the chain already");
	notifier->next = NULL;
	*end = notifier;
	return 0;
}

int pgtsim_notifier_remove(struct pgtsim_hotplug *hotplug, struct pgtsim_notifier *notifier)
{
	struct pgtsim_notifier **link;

	if (!hotplug || !notifier)
		return -EINVAL;
	if (hotplug->notifying)
		return pgtsim_hotplug_not_notifying(hotplug);
	link = &hotplug->notifiers;
	while (*link && *link != notifier)
		link = &(*link)->next;
	if (*link)
		*link = notifier->next;
	return 0;
}

int pgtsim_notify_block(struct pgtsim_hotplug *hotplug, const struct memory_block *block,
			enum pgtsim_memory_action action)
{
	const struct pgtsim_memory_notify message = {
		.action = action,
		.start_pfn = pgtsim_pages_of(hotplug, block->start) + block->memmap_pages,
		.pages = pgtsim_pages_of(hotplug, hotplug->config.block_size) - block->memmap_pages,
		.node = block->node,
	};
	bool going = action == PGTSIM_GOING_ONLINE || action == PGTSIM_GOING_OFFLINE;
	int ret = 0;

	/* Until all are told, nothing may change what the operation works on. */
	hotplug->notifying = true;
	for (struct pgtsim_notifier *n = hotplug->notifiers; n && ret >= 0; n = n->next) {
		ret = n->notify(n, &message);
		if (!going)
			ret = 0;
	}
	hotplug->notifying = false;
	return ret < 0 ? ret : 0;
}

void pgtsim_notify_cancel(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			  enum pgtsim_memory_action cancel)
{
	pgtsim_for_each_block (hotplug, pa, start, size)
		if (pgtsim_block_at(hotplug, pa))
			pgtsim_notify_block(hotplug, pgtsim_block_at(hotplug, pa), cancel);
}

int pgtsim_notify_going(struct pgtsim_hotplug *hotplug, uint64_t start, uint64_t size,
			enum pgtsim_memory_action going, enum pgtsim_memory_action cancel)
{
	pgtsim_for_each_block (hotplug, pa, start, size) {
		const struct memory_block *block = pgtsim_block_at(hotplug, pa);
		int ret = block ? pgtsim_notify_block(hotplug, block, going) : 0;

		if (!ret)
			continue;
		pgtsim_hotplug_fail(hotplug, ret,
				    "a notifier vetoed it for the block at 0x%" PRIx64, pa);
		pgtsim_notify_cancel(hotplug, start, pa + 1 - start, cancel);
		return ret;
	}
	return 0;
}
