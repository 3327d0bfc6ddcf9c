/* SPDX-License-Identifier: MIT */
#include "expand.h"

/* Pages whose leaf is gone, until an event says where they went. */
#define WAITING KC_BAD_FREE

static void add(struct kc_expander *x, enum kc_what what, uint64_t va)
{
	kc_log_add(&x->log, (struct kc_event){ .what = what, .va = va });
}

static void add_pages(struct kc_expander *x, enum kc_what what, uint64_t pa, uint64_t pages)
{
	kc_log_add(&x->log, (struct kc_event){ .what = what, .a = pa, .b = pages });
}

static void add_store(struct kc_expander *x, const struct pgtsim_event *event, uint64_t i,
		      uint64_t old, uint64_t new)
{
	kc_log_add(&x->log, (struct kc_event){ .what = KC_STORE,
					       .level = event->level,
					       .va = event->va + i * event->size,
					       .a = old ? old + i * event->step : 0,
					       .b = new ? new + i * event->step : 0 });
}

static uint64_t pages_of_entry(const struct kc_expander *x, const struct pgtsim_event *event)
{
	return event->size >> x->page_shift;
}

/* The kernel allocates memory for each leaf just before it maps the leaf: adds that event. */
static void add_allocation(struct kc_expander *x, uint64_t pages)
{
	if (!x->pages)
		return;
	if (pages > x->pages)
		pages = x->pages;
	add_pages(x, x->from, x->pa, pages);
	x->pa += pages << x->page_shift;
	x->pages -= pages;
}

static void add_sync(struct kc_expander *x, const struct pgtsim_event *event)
{
	if (!(event->flags & PGTSIM_EACH_SYNC))
		return;
	add(x, KC_DSB_ISHST, 0);
	add(x, KC_ISB, 0);
}

static void expand_map(struct kc_expander *x, const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++) {
		add_allocation(x, pages_of_entry(x, event));
		add_store(x, event, i, 0, event->new_desc);
		add_sync(x, event);
	}
}

/* Pages of a block that a flush of its own, not one with each leaf, comes before: they wait now. */
static void expand_flushed(struct kc_expander *x)
{
	if (x->flushing)
		add_pages(x, WAITING, x->flushed_pa, x->flushing);
	x->flushing = 0;
}

static void expand_clear(struct kc_expander *x, const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++) {
		add_store(x, event, i, event->old_desc, 0);
		add_sync(x, event);
		if (event->flags & PGTSIM_EACH_FLUSH) {
			add(x, KC_DSB_ISHST, 0);
			add(x, KC_TLBI_LEAF, event->va + i * event->size);
			add(x, KC_DSB_ISH, 0);
			add(x, KC_ISB, 0);
		}
		/* Flushed by an event of its own, it is freed after that. */
		if ((event->flags & PGTSIM_EACH_FREE) && (event->flags & PGTSIM_EACH_FLUSH))
			add_pages(x, WAITING, event->pa + i * event->size,
				  pages_of_entry(x, event));
	}
	if ((event->flags & PGTSIM_EACH_FREE) && !(event->flags & PGTSIM_EACH_FLUSH)) {
		x->flushed_pa = event->pa;
		x->flushing = event->count * pages_of_entry(x, event);
	}
}

/* Says of the pages that wait where they went. What does not wait is a free of its own. */
static void expand_free(struct kc_expander *x, const struct pgtsim_event *event, enum kc_what what)
{
	uint64_t pa = event->pa, end = event->pa + (event->count << x->page_shift);

	for (size_t i = x->unfreed; i < x->log.count && pa < end; i++) {
		struct kc_event *waits = &x->log.event[i];

		if (waits->what != WAITING || waits->a != pa)
			continue;
		waits->what = what;
		waits->a = what == KC_ALTMAP_FREE ? 0 : waits->a;
		pa += waits->b << x->page_shift;
		x->unfreed = i + 1;
	}
	if (pa < end)
		add_pages(x, what, what == KC_ALTMAP_FREE ? 0 : pa, (end - pa) >> x->page_shift);
}

static void expand_pages_free(struct kc_expander *x, const struct pgtsim_event *event)
{
	if (x->to_altmap)
		x->to_altmap = false;
	else
		expand_free(x, event, KC_FREE);
}

static void expand_altmap_free(struct kc_expander *x, const struct pgtsim_event *event)
{
	expand_free(x, event, KC_ALTMAP_FREE);
	x->to_altmap = true;
}

static void expand_alloc(struct kc_expander *x, const struct pgtsim_event *event, enum kc_what from)
{
	x->pa = event->pa;
	x->pages = event->count;
	x->from = from;
}

static void expand_leaf_flush(struct kc_expander *x, const struct pgtsim_event *event)
{
	for (uint64_t i = 0; i < event->count; i++)
		add(x, KC_TLBI_LEAF, event->va + i * event->size);
}

static void expand_link(struct kc_expander *x, const struct pgtsim_event *event)
{
	add_store(x, event, 0, event->old_desc, event->new_desc);
}

static void expand_simple(struct kc_expander *x, const struct pgtsim_event *event)
{
	switch (event->op) {
	case PGTSIM_OP_TABLE_ALLOC:
		add_pages(x, KC_ALLOC, event->pa, 1);
		break;
	case PGTSIM_OP_TABLE_FREE:
		add_pages(x, KC_FREE, event->pa, 1);
		break;
	case PGTSIM_OP_DSB_ISHST:
		add(x, KC_DSB_ISHST, 0);
		break;
	case PGTSIM_OP_DMB_ISHST:
		add(x, KC_DMB_ISHST, 0);
		break;
	case PGTSIM_OP_DSB_ISH:
		add(x, KC_DSB_ISH, 0);
		break;
	case PGTSIM_OP_ISB:
		add(x, KC_ISB, 0);
		expand_flushed(x);
		break;
	case PGTSIM_OP_TLBI_WALK:
		add(x, KC_TLBI_WALK, event->va);
		break;
	case PGTSIM_OP_TLBI_RANGE:
		add(x, KC_TLBI_RANGE, event->va);
		x->log.event[x->log.count - 1].b = event->size;
		break;
	case PGTSIM_OP_TLBI_ALL:
		add(x, KC_TLBI_ALL, 0);
		break;
	default: /* the marks that an operation begins */
		break;
	}
}

static void see(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct kc_expander *x = (struct kc_expander *)(void *)self;

	switch (event->op) {
	case PGTSIM_OP_MAP:
		expand_map(x, event);
		break;
	case PGTSIM_OP_CLEAR:
		expand_clear(x, event);
		break;
	case PGTSIM_OP_LINK:
	case PGTSIM_OP_UNLINK:
	case PGTSIM_OP_POKE:
		expand_link(x, event);
		break;
	case PGTSIM_OP_PAGES_ALLOC:
		expand_alloc(x, event, KC_ALLOC);
		break;
	case PGTSIM_OP_ALTMAP_ALLOC:
		expand_alloc(x, event, KC_ALTMAP_ALLOC);
		break;
	case PGTSIM_OP_PAGES_FREE:
		expand_pages_free(x, event);
		break;
	case PGTSIM_OP_ALTMAP_FREE:
		expand_altmap_free(x, event);
		break;
	case PGTSIM_OP_TLBI_LEAF:
		expand_leaf_flush(x, event);
		break;
	default:
		expand_simple(x, event);
		break;
	}
}

void kc_expand_start(struct kc_expander *x, struct pgtsim_tlb *tlb, unsigned page_shift)
{
	*x = (struct kc_expander){ .observer.event = see, .log = x->log, .page_shift = page_shift };
	pgtsim_observe(tlb, &x->observer);
}

void kc_expand_begin(struct kc_expander *x)
{
	x->log.count = 0;
	x->pages = 0;
	x->unfreed = 0;
	x->flushing = 0;
	x->to_altmap = false;
}

void kc_expand_end(struct kc_expander *x)
{
	/* Allocated and never mapped: the kernel's log has no such thing. */
	add_allocation(x, x->pages);
}
