/* SPDX-License-Identifier: MIT */
/* scenario: a sequence as text for `pgtsim run`. */
#include <errno.h>
#include <inttypes.h>

#include "sequence.h"

static const char *error_name(int error)
{
	switch (-error) {
	case ENOMEM:
		return "ENOMEM";
	case EEXIST:
		return "EEXIST";
	case E2BIG:
		return "E2BIG";
	case EBUSY:
		return "EBUSY";
	case EPERM:
		return "EPERM";
	default:
		return "EINVAL";
	}
}

static void print_machine(const struct sequence *s, bool checker, FILE *out)
{
	const struct oracle_config *c = &s->config;

	fprintf(out, "machine profile=%s granule=%uK va=%u va-actual=%u pa=%u",
		release_names[c->release], 1u << (c->page_shift - 10), c->va, c->va_actual, c->pa);
	fprintf(out, " ram=0x%" PRIx64 "+0x%" PRIx64 " blocks=%s cont=%s memmap-on-memory=%s",
		c->ram, c->ram_size, c->blocks ? "on" : "off", c->cont ? "on" : "off",
		c->memmap_on_memory ? "on" : "off");
	/*
	 * The cache checker is off: the scenario expects the oracle's number of violations, which
	 * does not include its findings.
	 */
	if (!checker)
		fputs(" checker=off", out);
	fprintf(out, " map-failure=%s populate-failure=%s free-tables=%s\n",
		c->keep_map ? "keep" : "rollback", c->keep_populate ? "keep" : "rollback",
		c->never_free_tables ? "never" : "floor-ceiling");
	for (unsigned i = 0; i < ORACLE_ALTMAPS; i++)
		fprintf(out,
			"altmap a%u base=0x%" PRIx64 " reserve=%" PRIu64 " free=%" PRIu64
			" align=%" PRIu64 "\n",
			i, s->altmap[i].base, s->altmap[i].reserve, s->altmap[i].free,
			s->altmap[i].align);
}

static void print_altmap(const struct operation *op, FILE *out)
{
	if (op->altmap >= 0)
		fprintf(out, " altmap=a%d", op->altmap);
}

static void print_map(const struct operation *op, FILE *out)
{
	static const char *const prots[] = { "tagged", "kernel", "ro", "rx", "device" };

	fprintf(out, "map 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " blocks=%s cont=%s prot=%s",
		op->start, op->pa, op->size, op->blocks ? "on" : "off", op->cont ? "on" : "off",
		prots[op->prot]);
}

static void print_virtual(const struct operation *op, FILE *out)
{
	static const char *const names[] = { "", "unmap", "unmap-range", "free-tables" };

	if (op->kind <= OP_FREE_TABLES) {
		fprintf(out, "%s 0x%" PRIx64 " 0x%" PRIx64, names[op->kind], op->start, op->size);
		if (op->free)
			fputs(" free", out);
	} else {
		fprintf(out, "%s 0x%" PRIx64 " 0x%" PRIx64,
			op->kind == OP_POPULATE ? "vmemmap-populate" : "vmemmap-free", op->start,
			op->start + op->size);
		if (op->pages)
			fputs(" pages", out);
	}
	print_altmap(op, out);
}

static void print_physical(const struct operation *op, FILE *out)
{
	static const char *const names[] = { "add", "online", "offline", "remove" };

	fprintf(out, "%s 0x%" PRIx64 "+0x%" PRIx64, names[op->kind - OP_ADD], op->start, op->size);
	if (op->kind == OP_ONLINE)
		fputs(" zone=movable", out);
	if (op->memmap_on_memory)
		fputs(" memmap-on-memory", out);
	if (op->device)
		fputs(" device", out);
	print_altmap(op, out);
}

static void print_operation(const struct operation *op, int expected, FILE *out)
{
	if (op->bounds)
		fprintf(out, "bounds 0x%" PRIx64 " 0x%" PRIx64 "\n", op->floor, op->ceiling);
	if (op->fail_nth)
		fprintf(out, "fail alloc nth=%" PRIu64 "%s\n", op->fail_nth,
			op->fail_every ? " every" : "");
	if (expected)
		fprintf(out, "expect-error %s ", error_name(expected));
	if (op->kind == OP_MAP)
		print_map(op, out);
	else if (op->kind <= OP_VMEMMAP_FREE)
		print_virtual(op, out);
	else
		print_physical(op, out);
	fputc('\n', out);
	if (op->fail_nth)
		fputs("fail alloc nth=1000000000\n", out); /* never */
	if (op->bounds)
		fputs("bounds default\n", out);
}

/* What the scenario expects at its end. */
static void print_expectations(const struct oracle *o, FILE *out)
{
	static const char *const names[] = { "p4d", "pud", "pmd", "pte" };

	for (int level = 0; level <= ORACLE_PTE; level++)
		if (level != o->geo.root)
			fprintf(out, "expect tables.%s == %" PRIu64 "\n", names[level],
				oracle_tables(o, level));
}

void sequence_print(const struct sequence *s, const struct failure *failure, FILE *out)
{
	static struct oracle o; /* large */
	bool violates = false;

	if (failure)
		fprintf(out, "# After the last operation: %s\n", failure->text);
	print_machine(s, s->checker || (failure && failure->checker), out);
	sequence_oracle(s, &o);
	for (size_t i = 0; i < s->count; i++) {
		int expected = oracle_apply(&o, &s->op[i]);

		print_operation(&s->op[i], expected, out);
		violates |= o.violates;
	}
	print_expectations(&o, out);
	if (failure && failure->va >= o.linear)
		fprintf(out, "walk 0x%" PRIx64 "\n", failure->va);
	if (!violates && s->whole_machine && !oracle_has_hole(&o) && !oracle_shares_frames(&o) &&
	    !oracle_has_empty_table(&o))
		fputs("check\n", out);
	fprintf(out, "expect violations %s 0\n", violates ? ">" : "==");
}
