/* SPDX-License-Identifier: MIT */
#include "svg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"
#include "tree.h"

/* Sizes in pixels. */
enum {
	WIDTH = 1280,
	MARGIN = 24,
	INDENT = 26,
	HEAD = 92,
	ROW = 50,
	STRIP = 24,
	LEGEND = 44,
	LOOK_BACK = 24, /* moments: how long ago an event had an address */
	ROWS = 24,
};

/*
 * Okabe and Ito's colours for colour-blind readers; patterns tell the kinds apart without colour.
 */
static const char definitions[] =
	"<style>text{font:15px sans-serif;fill:#1b1d21}.soft{fill:#565b63}.mono{font-family:monospace}"
	".head{font-size:20px}</style>\n"
	"<defs>\n"
	"<pattern id=\"table\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\">"
	"<rect width=\"7\" height=\"7\" fill=\"#0072b2\"/>"
	"<rect x=\"5\" width=\"2\" height=\"7\" fill=\"#8cc3e2\"/></pattern>\n"
	"<pattern id=\"page\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
	"<rect width=\"8\" height=\"8\" fill=\"#009e73\"/></pattern>\n"
	"<pattern id=\"block\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
	"<rect width=\"6\" height=\"6\" fill=\"#56b4e9\"/>"
	"<rect y=\"4\" width=\"6\" height=\"2\" fill=\"#b7dff6\"/></pattern>\n"
	"<pattern id=\"cont\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">"
	"<circle cx=\"4\" cy=\"4\" r=\"1.7\" fill=\"#ffffff\"/></pattern>\n"
	"<pattern id=\"invalid\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
	"<path d=\"M0 0L6 6M6 0L0 6\" stroke=\"#8a8f96\" stroke-width=\"1.5\"/></pattern>\n"
	"<pattern id=\"stale\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
	"patternTransform=\"rotate(-45)\"><rect width=\"6\" height=\"6\" fill=\"#ffffff\"/>"
	"<rect width=\"3\" height=\"6\" fill=\"#d55e00\"/></pattern>\n"
	"</defs>\n";

struct drawing {
	struct pgtsim_printer out;
	const struct steps_index *index;
	uint64_t moment;
	bool has_va;
	uint64_t va; /* of the last event that had one */
	struct tree_pass pass;
	const struct tree *tree;
	int y;
	bool drawn; /* false as long as the host has no memory to look at the tables */
};

/* Prints text with the characters escaped that XML needs. */
static void print_escaped(void *ctx, const char *text)
{
	const struct pgtsim_printer *out = ctx;

	for (; *text; text++) {
		const char character[] = { *text, '\0' };

		if (*text == '<')
			out->print(out->ctx, "&lt;");
		else if (*text == '&')
			out->print(out->ctx, "&amp;");
		else if ((unsigned char)*text >= ' ')
			out->print(out->ctx, character);
	}
}

/* ---- a row ---- */

struct box {
	double x, y, width, height;
};

static void draw_box(const struct drawing *d, struct box box, const char *pattern)
{
	pgtsim_printf(&d->out,
		      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		      "fill=\"url(#%s)\"/>\n",
		      box.x, box.y, box.width < 2 ? 2 : box.width, box.height, pattern);
}

static struct box box_of(const struct box *strip, const struct tree_row *row,
			 const struct tree_part *part)
{
	struct box box = *strip;

	box.x += strip->width * part->index / row->entries;
	box.width = strip->width * part->count / row->entries;
	return box;
}

static void draw_parts(const struct drawing *d, const struct tree_row *row, const struct box *strip)
{
	struct tree_part part = tree_part(d->tree, row, 0);
	struct box box;

	for (; part.count; part = tree_part(d->tree, row, part.index + part.count)) {
		if (part.kind == PGTSIM_NONE)
			continue;
		box = box_of(strip, row, &part);
		draw_box(d, box, pgtsim_kind_name(part.kind));
		if (part.kind != PGTSIM_TABLE && part.desc & PGTSIM_DESC_CONT)
			draw_box(d, box, "cont");
	}
	for (part = tree_stale(d->tree, row, 0); part.kind != PGTSIM_NONE;
	     part = tree_stale(d->tree, row, part.index + part.count)) {
		box = box_of(strip, row, &part);
		box.height /= 2;
		draw_box(d, box, "stale");
	}
}

static void draw_wall(const struct drawing *d, const struct tree_row *row, const struct box *strip,
		      uint64_t va)
{
	double share = (double)(va - row->va) / (double)row->span;

	if (va > row->va && va - row->va < row->span)
		pgtsim_printf(&d->out,
			      "<rect x=\"%.1f\" y=\"%.1f\" width=\"5\" height=\"%.1f\" "
			      "fill=\"#a8467c\"/>\n",
			      strip->x + share * strip->width - 2, strip->y - 4, strip->height + 8);
}

static void draw_words(const struct drawing *d, const struct tree_row *row, double x)
{
	char many[32] = "";
	int kept = tree_kept(row, &d->pass);

	if (row->tables > 1)
		snprintf(many, sizeof(many), "%" PRIu64 " × ", row->tables);
	pgtsim_printf(&d->out,
		      "<text x=\"%.1f\" y=\"%d\"><tspan font-weight=\"bold\">%s%s</tspan>"
		      "<tspan dx=\"10\" class=\"mono soft\">0x%016" PRIx64 "</tspan>"
		      "<tspan dx=\"10\">%u of %u entries in use%s</tspan></text>\n",
		      x, d->y + 15, many, words_level(&d->tree->machine->geo, row->level), row->va,
		      row->table->live, row->entries,
		      kept ? kept < 0 ? ", kept: begins below the floor" :
					", kept: reaches above the ceiling" :
			     "");
}

static void draw_row(void *ctx, const struct tree_row *row)
{
	struct drawing *d = ctx;
	double x = MARGIN + (double)row->depth * INDENT;
	struct box strip = { x, d->y + 20, WIDTH - MARGIN - x, STRIP };

	if (!row->table) {
		pgtsim_printf(&d->out,
			      "<text x=\"%.1f\" y=\"%d\" class=\"soft\">… and %" PRIu64
			      " more tables</text>\n",
			      x, d->y + 15, row->tables);
		return;
	}
	draw_words(d, row, x);
	for (int i = row->tables > 1 ? 2 : 0; i >= 0; i--)
		pgtsim_printf(&d->out,
			      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
			      "fill=\"#eceef0\" stroke=\"#8a8f96\"/>\n",
			      strip.x + 3 * i, strip.y + 3 * i, strip.width - 6, STRIP);
	strip.width -= 6;
	draw_parts(d, row, &strip);
	if (d->pass.floor)
		draw_wall(d, row, &strip, d->pass.floor);
	if (d->pass.ceiling)
		draw_wall(d, row, &strip, d->pass.ceiling);
	d->y += ROW + (row->tables > 1 ? 6 : 0);
}

/* ---- the whole ---- */

static void draw_legend(const struct drawing *d)
{
	static const char *const kinds[][2] = {
		{ "table", "table" },
		{ "page", "page" },
		{ "block", "block" },
		{ "invalid", "invalid" },
		{ "stale", "gone, but a TLB or a walk cache may still hold it" },
	};
	double x = MARGIN;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		draw_box(d, (struct box){ x, d->y + 10, 26, 14 }, kinds[i][0]);
		pgtsim_printf(&d->out, "<text x=\"%.1f\" y=\"%d\" class=\"soft\">%s</text>\n",
			      x + 34, d->y + 22, kinds[i][1]);
		x += 120;
	}
	if (d->pass.under_way)
		pgtsim_printf(
			&d->out,
			"<rect x=\"%.1f\" y=\"%d\" width=\"5\" height=\"22\" fill=\"#a8467c\"/>"
			"<text x=\"%.1f\" y=\"%d\" class=\"soft\">floor, ceiling</text>\n",
			x + 260, d->y + 6, x + 272, d->y + 22);
}

/* Breaks the sentence into lines of about a hundred characters. */
struct wrapping {
	char text[600];
	size_t length;
};

static void gather(void *ctx, const char *text)
{
	struct wrapping *w = ctx;
	size_t length = strlen(text), left = sizeof(w->text) - 1 - w->length;

	if (length > left)
		length = left;
	memcpy(w->text + w->length, text, length);
	w->length += length;
}

static void draw_sentence(const struct drawing *d, char *text)
{
	const struct pgtsim_printer escaped = { print_escaped, (void *)(uintptr_t)&d->out };

	for (int line = 0; line < 2 && *text; line++) {
		size_t length = strlen(text), end = length;

		if (length > 125)
			for (end = 125; end && text[end] != ' '; end--)
				;
		if (!end)
			end = length;
		pgtsim_printf(&d->out, "<text x=\"%d\" y=\"%d\">", MARGIN, 58 + 20 * line);
		pgtsim_printf(&escaped, "%.*s", (int)end, text);
		pgtsim_printf(&d->out, "</text>\n");
		text += end + (text[end] == ' ');
	}
}

static void draw_head(const struct drawing *d, const struct run *run, const struct step *step)
{
	const struct pgtsim_printer escaped = { print_escaped, (void *)(uintptr_t)&d->out };
	struct wrapping sentence = { .length = 0 };
	const struct pgtsim_printer wrap = { gather, &sentence };

	pgtsim_printf(&d->out, "<text x=\"%d\" y=\"34\" class=\"head\">%s: ", MARGIN,
		      run->machine->policy.profile);
	pgtsim_printf(&escaped, "%.100s", step->command->source);
	pgtsim_printf(&d->out, "</text>\n");
	words_moment(&wrap, run, step, d->index);
	draw_sentence(d, sentence.text);
}

static void count_row(void *ctx, const struct tree_row *row)
{
	struct drawing *d = ctx;

	d->y += row->table ? ROW + (row->tables > 1 ? 6 : 0) : ROW / 2;
}

static void draw_machine(struct drawing *d, const struct run *run, const struct step *step)
{
	d->y = HEAD;
	tree_rows(d->tree, count_row, d);
	pgtsim_printf(
		&d->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\">\n%s<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		WIDTH, d->y + LEGEND, WIDTH, d->y + LEGEND, "");
	d->out.print(d->out.ctx, definitions);
	draw_head(d, run, step);
	d->y = HEAD;
	tree_rows(d->tree, draw_row, d);
	draw_legend(d);
	pgtsim_printf(&d->out, "</svg>\n");
}

static void see(void *ctx, struct run *run, const struct step *step)
{
	struct drawing *d = ctx;
	const struct steps_place *part = steps_place_of(d->index, step->number, true);
	struct tree tree;

	if (step->event && step->event->va) {
		d->va = step->event->va;
		d->has_va = true;
	}
	if (step->number < d->moment || tree_init(&tree, run->machine))
		return;
	tree.rows_max = ROWS;
	if (d->has_va)
		tree.focus[tree.focus_count++] = d->va;
	d->tree = &tree;
	d->pass = words_pass(run, step, part);
	draw_machine(d, run, step);
	tree_fini(&tree);
	d->drawn = true;
}

bool svg_draw(const struct steps_index *index, uint64_t moment, const struct pgtsim_printer *out)
{
	struct drawing d = { .out = *out, .index = index, .moment = moment };

	steps_seek(index, moment > LOOK_BACK ? moment - LOOK_BACK : 0, moment, see, &d);
	return d.drawn;
}
