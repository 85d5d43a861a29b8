// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CGROUP "/sys/fs/cgroup"

static int cgroup, listener, client, server, sender, receiver;

static struct sockaddr_in loopback(unsigned short port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static unsigned short port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size))
		return 0;
	return ntohs(address.sin_port);
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		perror("socket");
	return fd;
}

static int bound_socket(int type)
{
	struct sockaddr_in any = loopback(0);
	int fd = open_socket(type);

	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		perror("bind");
	return fd;
}

static void connect_to(int fd, int to)
{
	struct sockaddr_in address = loopback(port_of(to));

	/* It is not waited for, here or anywhere: a program may have dropped it. */
	connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static void raise_device(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = open_socket(SOCK_DGRAM);

	if (ioctl(fd, SIOCSIFFLAGS, &request))
		perror("lo");
	close(fd);
}

void world_begin(void)
{
	raise_device();
	cgroup = open(CGROUP, O_RDONLY | O_DIRECTORY);
	receiver = bound_socket(SOCK_DGRAM);
	sender = open_socket(SOCK_DGRAM);
	connect_to(sender, receiver);
	listener = bound_socket(SOCK_STREAM);
	if (listen(listener, 8))
		perror("listen");
	client = open_socket(SOCK_STREAM);
	connect_to(client, listener);
	server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	if (server < 0)
		perror("accept");
}

int world_device(void)
{
	return if_nametoindex("lo");
}

int world_cgroup(void)
{
	return cgroup;
}

unsigned short world_port(void)
{
	return port_of(listener);
}

void world_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		perror("sched_setaffinity");
}

static void stir_files(void)
{
	struct stat status;
	char byte;
	int fd;

	stat("/", &status);
	fd = open("/init", O_RDONLY);
	if (fd < 0)
		return;
	if (read(fd, &byte, 1) != 1)
		perror("read");
	close(fd);
}

static void stir_memory(void)
{
	char *page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (page == MAP_FAILED)
		return;
	*(volatile char *)page = 1;
	munmap(page, getpagesize());
}

void world_send(void)
{
	char bytes[64] = "send";

	/* What does not arrive is not missed. */
	send(sender, bytes, sizeof(bytes), MSG_NOSIGNAL);
	recv(receiver, bytes, sizeof(bytes), 0);
}

static void stir_network(void)
{
	const struct linger now = { .l_onoff = 1 };
	char bytes[64] = "stir";
	int fd;

	world_send();
	send(client, bytes, sizeof(bytes), MSG_NOSIGNAL);
	recv(server, bytes, sizeof(bytes), 0);

	fd = open_socket(SOCK_STREAM);
	connect_to(fd, listener);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	close(accept(listener, NULL, NULL));
}

static void stir_processes(void)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/init", "stir", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

void world_stir(void)
{
	/* The system call itself: libraries sleep by others. */
	const struct timespec a_bit = { .tv_nsec = 1000000 };

	getpgid(0);
	stir_files();
	stir_memory();
	stir_network();
	stir_processes();
	syscall(__NR_nanosleep, &a_bit, NULL);
}
