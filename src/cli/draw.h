/* SPDX-License-Identifier: MIT */
/*
 * draw: pgtsim draw, the tables of a machine as SVG.
 */
#ifndef PGTSIM_CLI_DRAW_H
#define PGTSIM_CLI_DRAW_H

int command_draw(int argc, char **argv);

#endif
