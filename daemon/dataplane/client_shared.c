/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of the part of a client that cores share, and the guard around its memory.
 */
#include "daemon/dataplane/client_shared.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The ranges that the guard knows, by client. `base` is written last and cleared first, so that a handler
 * that finds an address inside sees the rest as well. */
static struct guard {
	uintptr_t base;
	size_t bytes;
	uint32_t *has_failed;
} guards[IXD_CLIENTS_MAX];

static struct guard *guard_find(uintptr_t address)
{
	for (unsigned i = 0; i < IXD_CLIENTS_MAX; i++) {
		uintptr_t base = __atomic_load_n(&guards[i].base, __ATOMIC_ACQUIRE);

		if (base && address >= base && address - base < guards[i].bytes)
			return &guards[i];
	}
	return NULL;
}

/* Runs on the thread that touched the page. mmap() is a bare system call here, and nothing else is called. */
static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
	struct guard *guard = guard_find((uintptr_t)info->si_addr);
	void *zero;

	(void)context;
	if (guard) {
		zero = mmap((void *)guard->base, guard->bytes, PROT_READ,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
		if (zero != MAP_FAILED) {
			__atomic_store_n(guard->has_failed, 1, __ATOMIC_RELEASE);
			return;
		}
	}
	/* Not ours: the default action when the instruction is tried again. */
	signal(signal_number, SIG_DFL);
}

void client_guard_install(void)
{
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

static void guard_set(const struct client_mapping *mapping, struct client_shared *shared)
{
	struct guard *guard = &guards[mapping->client];

	guard->bytes = mapping->layout.client_bytes;
	guard->has_failed = &shared->has_failed;
	__atomic_store_n(&guard->base, (uintptr_t)mapping->client_memory, __ATOMIC_RELEASE);
}

static void shared_free(struct client_shared *shared)
{
	if (!shared)
		return;
	free(shared->bitmap);
	free(shared->block);
	free(shared->cell_next);
	free(shared);
}

static struct client_shared *shared_new(const struct client_mapping *mapping, uint32_t cores)
{
	uint32_t blocks = (uint32_t)(mapping->layout.rx_bytes / IXD_RX_BLOCK_BYTES);
	uint32_t words = blocks / 64 + 1;
	struct client_shared *shared = aligned_alloc(64, sizeof(*shared));

	if (!shared)
		return NULL;
	memset(shared, 0, sizeof(*shared));
	shared->users = cores;
	shared->quarantined_cores = mapping->is_restart ? cores : 0;
	shared->blocks = blocks;
	shared->blocks_free = blocks;
	shared->bitmap = calloc(words, sizeof(*shared->bitmap));
	shared->block = calloc(blocks + 1u, sizeof(*shared->block));
	shared->cell_next = aligned_alloc(64, ((size_t)blocks + 1) * RX_CELLS_PER_BLOCK * sizeof(uint32_t));
	if (!shared->bitmap || !shared->block || !shared->cell_next) {
		shared_free(shared);
		return NULL;
	}
	for (uint32_t i = 0; i < blocks; i++)
		shared->bitmap[i / 64] |= (uint64_t)1 << (i % 64);
	return shared;
}

struct client_shared *client_shared_get(struct client_mapping *mapping, uint32_t cores)
{
	struct client_shared *present = __atomic_load_n(&mapping->shared, __ATOMIC_ACQUIRE);
	struct client_shared *fresh;

	if (present)
		return present;
	fresh = shared_new(mapping, cores);
	if (!fresh)
		return NULL;
	/* Release: whoever finds the pointer sees what it points to. The loser takes the winner's. */
	if (!__atomic_compare_exchange_n(&mapping->shared, &present, fresh, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		shared_free(fresh);
		return present;
	}
	guard_set(mapping, fresh);
	return fresh;
}

void client_shared_put(struct client_mapping *mapping)
{
	struct client_shared *shared = mapping->shared;

	/* Acquire and release: what the other cores did with the client is over before the last one frees it.
	 */
	if (__atomic_sub_fetch(&shared->users, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	__atomic_store_n(&guards[mapping->client].base, 0, __ATOMIC_RELEASE);
	mapping->shared = NULL;
	shared_free(shared);
}

void client_shared_uncount(uint32_t *count)
{
	uint32_t seen = __atomic_load_n(count, __ATOMIC_RELAXED);

	while (seen &&
	       !__atomic_compare_exchange_n(count, &seen, seen - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}
