/* SPDX-License-Identifier: MIT */
#include "draw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tell.h"
#include "tree.h"

static const char draw_help[] =
	"pgtsim draw FILE [OPTIONS]       the tables of a scenario's machine as SVG, for slides\n"
	"\n"
	"  --at=N           at moment N, as pgtsim run --step numbers them, instead of the end\n"
	"  --profile=NAME   as this kernel, whatever the scenario says\n"
	"\n"
	"Writes to standard output. A row is a table, or several that are alike. Exit status: 0; 2 the\n"
	"scenario or the command line is wrong, or there is no such moment.\n";

/* All in pixels. */
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

/* Colours are those of Okabe and Ito; each kind has a pattern of its own. */
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
	unsigned rows;
};

static void print_to(void *file, const char *text)
{
	fputs(text, file);
}

static void print_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* Text between tags. */
static void print_escaped(void *file, const char *text)
{
	for (; *text; text++)
		if (*text == '<')
			fputs("&lt;", file);
		else if (*text == '&')
			fputs("&amp;", file);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, file);
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
		      x, d->y + 15, many, tell_level(&d->tree->machine->geo, row->level), row->va,
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

/* The sentence, in lines of about a hundred characters. */
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
	const struct pgtsim_printer escaped = { print_escaped, d->out.ctx };

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
	const struct pgtsim_printer escaped = { print_escaped, d->out.ctx };
	struct wrapping sentence = { .length = 0 };
	const struct pgtsim_printer wrap = { gather, &sentence };

	pgtsim_printf(&d->out, "<text x=\"%d\" y=\"34\" class=\"head\">%s: ", MARGIN,
		      run->machine->policy.profile);
	pgtsim_printf(&escaped, "%.100s", step->command->source);
	pgtsim_printf(&d->out, "</text>\n");
	tell_moment(&wrap, run, step, d->index);
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
	d->pass = tell_pass(run, step, part);
	draw_machine(d, run, step);
	tree_fini(&tree);
}

/* ---- the command ---- */

struct draw_arguments {
	const char *file, *profile;
	bool at_end;
	uint64_t at;
};

static int draw_index(const struct steps_index *index, const struct draw_arguments *arguments)
{
	const struct steps_end *end = &index->end;
	struct drawing d = { .out = { print_to, stdout }, .index = index, .moment = arguments->at };

	if (!end->count)
		return fprintf(stderr, "%s:%u: %s\n", arguments->file, end->error.line,
			       end->error.message),
		       RUN_BAD_SCENARIO;
	if (arguments->at_end)
		d.moment = end->count - 1;
	if (d.moment >= end->count)
		return fprintf(stderr, "pgtsim draw: %s has moments 0 to %" PRIu64 "\n",
			       arguments->file, end->count - 1),
		       RUN_BAD_SCENARIO;
	steps_seek(index, d.moment > LOOK_BACK ? d.moment - LOOK_BACK : 0, d.moment, see, &d);
	return RUN_OK;
}

static int draw_text(const char *text, size_t length, const struct draw_arguments *arguments)
{
	const struct run_options options = {
		.out = { .print = print_nothing },
		.profile = arguments->profile,
		.read_file = file_read_beside,
		.ctx = (void *)(uintptr_t)arguments->file,
	};
	struct scenario_error error;
	struct scenario scenario;
	struct steps_index index;
	int status;

	if (scenario_parse(&scenario, text, length, &error)) {
		fprintf(stderr, "%s:%u: %s\n", arguments->file, error.line, error.message);
		return RUN_BAD_SCENARIO;
	}
	if (steps_index(&index, &scenario, &options)) {
		status = file_complain(arguments->file, ENOMEM);
	} else {
		status = draw_index(&index, arguments);
		steps_index_free(&index);
	}
	scenario_free(&scenario);
	return status;
}

static int parse_draw(int argc, char **argv, struct draw_arguments *arguments)
{
	struct pgtsim_policy policy;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--at=", 5) && scenario_number(argv[i] + 5, &arguments->at))
			arguments->at_end = false;
		else if (!strncmp(argv[i], "--profile=", 10))
			arguments->profile = argv[i] + 10;
		else if ((argv[i][0] == '-' && argv[i][1]) || arguments->file)
			return fprintf(stderr, "pgtsim draw: unexpected '%s'\n", argv[i]), -EINVAL;
		else
			arguments->file = argv[i];
	}
	if (arguments->profile && pgtsim_policy_init(&policy, arguments->profile))
		return fprintf(stderr, "pgtsim draw: there is no profile '%s'\n",
			       arguments->profile),
		       -EINVAL;
	if (!arguments->file)
		return fprintf(stderr, "pgtsim draw: which scenario? see pgtsim draw --help\n"),
		       -EINVAL;
	return 0;
}

int command_draw(int argc, char **argv)
{
	struct draw_arguments arguments = { .at_end = true };
	size_t length;
	char *text;
	int status;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			return fputs(draw_help, stdout), RUN_OK;
	if (parse_draw(argc, argv, &arguments))
		return RUN_BAD_SCENARIO;
	status = file_read(arguments.file, &text, &length);
	if (status)
		return file_complain(arguments.file, -status);
	status = draw_text(text, length, &arguments);
	free(text);
	return status;
}
