/* SPDX-License-Identifier: MIT */
/*
 * svg: draws the tables of a machine at one moment of a scenario.
 */
#ifndef PGTSIM_CLI_VIEW_SVG_H
#define PGTSIM_CLI_VIEW_SVG_H

#include "steps.h"

/* Draws a moment, which must be below index->end.count. Returns false if there is no memory. */
bool svg_draw(const struct steps_index *index, uint64_t moment, const struct pgtsim_printer *out);

#endif
