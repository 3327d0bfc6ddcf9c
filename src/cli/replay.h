/* SPDX-License-Identifier: MIT */
/* replay: the command `pgtsim replay`. */
#ifndef PGTSIM_CLI_REPLAY_H
#define PGTSIM_CLI_REPLAY_H

/* `pgtsim replay FILE...`; argv[0] is "replay". Returns the exit status: the worst of the files. */
int command_replay(int argc, char **argv);

#endif
