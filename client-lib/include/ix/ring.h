/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One-producer one-consumer rings of 64-byte slots with free-running 32-bit indices. The indices live in
 * different memories: each side writes only its own, so that the other can be read-only to it. Each side
 * works from a private copy of its own index and never trusts the shared word for it.
 */
#ifndef IX_RING_H
#define IX_RING_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Slots in use given both indices; more than `slots` means that the peer's index is a lie. */
static inline uint32_t ix_ring_used(uint32_t prod, uint32_t cons)
{
	return prod - cons;
}

/* Reads the peer's index. Acquire: slot contents written before the peer's release are visible after it. */
static inline uint32_t ix_ring_load(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* Publishes the own index. Release: all slot writes (producer) or reads (consumer) happen before it. */
static inline void ix_ring_store(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* The side about to sleep sets its flag, passes the full barrier, looks at the ring again, and only then
 * waits; the other side publishes, passes the same barrier, and rings only if the flag is set. With both
 * barriers one of the two must see the other's store, so no wakeup is lost. */
static inline void ix_ring_sleep_announce(uint32_t *is_sleeping)
{
	__atomic_store_n(is_sleeping, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void ix_ring_sleep_end(uint32_t *is_sleeping)
{
	__atomic_store_n(is_sleeping, 0, __ATOMIC_RELAXED);
}

static inline bool ix_ring_peer_sleeps(const uint32_t *is_sleeping)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(is_sleeping, __ATOMIC_RELAXED) != 0;
}

#ifdef __cplusplus
}
#endif
#endif
