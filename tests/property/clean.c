/* SPDX-License-Identifier: MIT */
/*
 * clean: scripts that unmap everything they map and cut no leaf or contiguous group. Under every
 * profile they must run without a violation.
 */
#include <inttypes.h>
#include <string.h>

#include "../fixture.h"
#include "sequence.h"

enum { SLOTS = 4 };

/* What a script has mapped: slots of one size, side by side or with gaps between them. */
struct script {
	struct dice *dice;
	const struct oracle *o;
	struct sequence *s;
	uint64_t start, size, distance;
	bool blocks, cont;
	bool mapped[SLOTS];
};

static struct operation *add(struct script *script, enum operation_kind kind, uint64_t start,
			     uint64_t size)
{
	struct operation *op = &script->s->op[script->s->count++];

	*op = (struct operation){ .kind = kind, .start = start, .size = size, .altmap = -1 };
	return op;
}

static void choose_size(struct script *script)
{
	const struct oracle_level *pte = oracle_level(script->o, ORACLE_PTE), *pmd = pte - 1;
	uint64_t n = 1 + dice_below(script->dice, 3);

	switch (dice_below(script->dice, script->blocks ? 8 : 5)) {
	case 0:
	case 1:
		script->size = (1 + dice_below(script->dice, 40)) << pte->shift;
		break;
	case 2:
	case 3:
		script->size = n << (pte->shift + pte->group);
		break;
	case 4:
		script->size = (UINT64_C(1) << pmd->shift) + (n << pte->shift);
		break;
	case 5:
	case 6:
		script->size = n << pmd->shift;
		break;
	default:
		script->size = UINT64_C(1) << (pmd->shift + pmd->group);
	}
}

static void choose_place(struct script *script)
{
	const struct oracle *o = script->o;
	uint64_t align = UINT64_C(1) << oracle_level(o, ORACLE_PTE - 1)->shift, room;

	if (dice_one_in(script->dice, 3))
		align = UINT64_C(1) << o->geo.page_shift;
	script->distance = script->size;
	if (dice_one_in(script->dice, 3))
		script->distance = (script->size + align - 1) / align * align;
	room = SLOTS * script->distance;
	switch (dice_below(script->dice, 4)) {
	case 0:
		script->start = o->linear;
		break;
	case 1:
		script->start = (o->page_end - room) & -align;
		break;
	case 2:
		script->start = -room & -align;
		break;
	default:
		script->start = o->linear + dice_below(script->dice, 64) * align;
	}
}

static void map_slot(struct script *script, unsigned slot)
{
	uint64_t start = script->start + slot * script->distance;
	struct operation *op = add(script, OP_MAP, start, script->size);

	op->pa = start % (UINT64_C(1) << 35) +
		 (dice_one_in(script->dice, 4) ? UINT64_C(1) << 21 : 0);
	op->blocks = script->blocks;
	op->cont = script->cont;
	script->mapped[slot] = true;
}

/* One slot, or all from the first on, by both passes at once or one by one. */
static void unmap_slots(struct script *script, unsigned slot)
{
	uint64_t start = script->start + slot * script->distance, size = script->size;

	script->mapped[slot] = false;
	if (dice_one_in(script->dice, 4)) {
		start = script->start;
		size = (SLOTS - 1) * script->distance + script->size;
		memset(script->mapped, 0, sizeof(script->mapped));
	}
	if (dice_one_in(script->dice, 3)) {
		add(script, OP_UNMAP_RANGE, start, size);
		add(script, OP_FREE_TABLES, start, size);
	} else {
		add(script, OP_UNMAP, start, size);
	}
}

static void script_by_hand(struct script *script)
{
	choose_size(script);
	choose_place(script);
	for (unsigned i = 0; i < 8; i++) {
		unsigned slot = (unsigned)dice_below(script->dice, SLOTS);

		if (script->mapped[slot])
			unmap_slots(script, slot);
		else
			map_slot(script, slot);
	}
	for (unsigned slot = 0; slot < SLOTS; slot++)
		if (script->mapped[slot])
			unmap_slots(script, slot);
}

static void script_of_vmemmap(struct script *script)
{
	const struct oracle *o = script->o;
	uint64_t size = (o->section >> o->geo.page_shift) * 64;
	uint64_t at = dice_one_in(script->dice, 2) ? o->vmemmap : o->vmemmap_end - 4 * size;
	uint64_t sections = 1 + dice_below(script->dice, 2);
	struct operation *op;

	/* A block of 5.7 holds all struct pages of a section: only whole ones are never cut. */
	at += dice_below(script->dice, 2) * size;
	if (!dice_one_in(script->dice, 3) || o->geo.page_shift == 12) {
		op = add(script, OP_POPULATE, at, sections * size);
	} else {
		sections = 1;
		size = (1 + dice_below(script->dice, 8)) << o->geo.page_shift;
		op = add(script, OP_POPULATE, at, size);
	}
	op->pages = dice_one_in(script->dice, 4);
	add(script, OP_VMEMMAP_FREE, at, sections * size);
}

static void script_of_hotplug(struct script *script)
{
	const struct oracle *o = script->o;
	uint64_t start = UINT64_C(0x80000000) + dice_below(script->dice, 4) * o->section;
	uint64_t size = (1 + dice_below(script->dice, 2)) * o->section;

	add(script, OP_ADD, start, size)->device = dice_one_in(script->dice, 4);
	if (!script->s->op[script->s->count - 1].device && dice_one_in(script->dice, 2)) {
		add(script, OP_ONLINE, start, size);
		add(script, OP_OFFLINE, start, size);
	}
	add(script, OP_REMOVE, start, size);
}

void clean_generate(struct dice *dice, const struct oracle *o, struct sequence *s)
{
	struct script script = { .dice = dice, .o = o, .s = s };
	struct operation *op;

	s->count = 0;
	/* Where each leaf is flushed by itself, a contiguous group is always cut on the way. */
	script.cont = o->config.release >= LINUX_6_1 && !dice_one_in(dice, 3);
	script.blocks = !dice_one_in(dice, 3);
	switch (dice_below(dice, 8)) {
	case 0:
		script_of_hotplug(&script);
		break;
	case 1:
		script_of_vmemmap(&script);
		break;
	default:
		script_by_hand(&script);
	}
	/* The number of tables that floor and ceiling have kept. */
	op = add(&script, OP_FREE_TABLES, o->linear, -o->linear);
	op->bounds = true;
}

/* True if the machine is as it was when it was new. */
static bool is_new(struct subject *subject, struct failure *failure)
{
	struct pgtsim_machine *m = subject->machine;
	const struct pgtsim_counts *c = &m->tlb.counts;
	uint64_t used = pgtsim_memory_ram_count(m->memory) - pgtsim_memory_free_count(m->memory);

	pgtsim_check_machine(m);
	if (c->violations)
		return complain(failure, UINT64_MAX, "%s: %s",
				pgtsim_violation_kind(m->tlb.violations[0].name)->name,
				m->tlb.violations[0].text);
	if (used != 1 || c->leaves_mapped != c->leaves_cleared || m->pgt.root->live ||
	    c->tables_allocated != c->tables_freed + 1)
		return complain(failure, UINT64_MAX, "%" PRIu64 " pages are in use", used);
	return true;
}

bool clean_apply(struct subject *subject, const struct sequence *s, struct failure *failure)
{
	for (failure->op = 0; failure->op < s->count; failure->op++) {
		int ret = subject_apply(subject, &s->op[failure->op]);

		if (ret)
			return complain(failure, s->op[failure->op].start, "returned %d", ret);
		if (subject->machine->tlb.counts.violations)
			break;
	}
	return is_new(subject, failure);
}

/*
 * A script that was made smaller need not be clean any more; then the oracle expects violations,
 * too.
 */
static bool is_clean(const struct sequence *s)
{
	static struct oracle o; /* large */

	sequence_oracle(s, &o);
	for (size_t i = 0; i < s->count; i++)
		if (oracle_apply(&o, &s->op[i]) || o.violates || o.foreign)
			return false;
	return true;
}

bool clean_run(struct sequence *s, struct failure *failure)
{
	struct subject subject;
	bool good;

	if (!is_clean(s))
		return true;
	subject_init(&subject, s, true);
	good = clean_apply(&subject, s, failure);
	/* Like the above, but something may still be mapped: only a violation fails. */
	if (!good && !subject.machine->tlb.counts.violations)
		good = true;
	subject_fini(&subject);
	if (!good && failure->op == s->count)
		failure->op--;
	return good;
}
