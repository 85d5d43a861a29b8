/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens in a guest, so that the programs attached there are run. */
#ifndef WORLD_H
#define WORLD_H

/* Make it; before that there is no network. */
void world_begin(void);

/* Where programs are attached: interface index of lo, a descriptor of the root cgroup. */
int world_device(void);
int world_cgroup(void);

/* Port of the end of the TCP connection that is written to. */
unsigned short world_port(void);

/*
 * Let everything happen once, on behalf of the calling process: system calls,
 * files, sleep, page faults, packets, connections, processes. A probe of user
 * space goes here.
 */
void world_stir(void);

/* Send a packet to a socket of ours. */
void world_send(void);

/* Stay on one CPU. */
void world_pin(int cpu);

#endif
