/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames in the order in which they are due: a binary heap of pointers into memory that is allocated once. */
#include <stdlib.h>
#include <string.h>

#include "tests/relay/relay.h"

void queue_init(struct queue *queue, uint32_t size)
{
	struct frame *frames = calloc(size, sizeof(*frames));

	*queue = (struct queue){.size = size, .spare_len = size};
	queue->heap = calloc(size, sizeof(*queue->heap));
	queue->spare = calloc(size, sizeof(*queue->spare));
	if (frames == NULL || queue->heap == NULL || queue->spare == NULL) {
		fprintf(stderr, "no memory for %u frames\n", size);
		exit(1);
	}
	queue->frames = frames;
	/* The top of the stack is taken first, so a short queue keeps to the first few pages. */
	for (uint32_t i = 0; i < size; i++)
		queue->spare[i] = &frames[size - 1 - i];
}

void queue_fini(struct queue *queue)
{
	free(queue->frames);
	free(queue->heap);
	free(queue->spare);
}

static bool is_before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void sift_up(struct frame **heap, uint32_t at)
{
	struct frame *frame = heap[at];

	while (at > 0 && is_before(frame, heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = frame;
}

static void sift_down(struct frame **heap, uint32_t len, uint32_t at)
{
	struct frame *frame = heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= len)
			break;
		if (child + 1 < len && is_before(heap[child + 1], heap[child]))
			child++;
		if (!is_before(heap[child], frame))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = frame;
}

struct frame *queue_push(struct queue *queue, const uint8_t *bytes, uint32_t len, uint64_t due_ns)
{
	struct frame *frame;

	if (queue->spare_len == 0)
		return NULL;
	frame = queue->spare[--queue->spare_len];
	frame->due_ns = due_ns;
	frame->number = queue->number++;
	frame->len = len;
	memcpy(frame->bytes, bytes, len);
	queue->heap[queue->len] = frame;
	sift_up(queue->heap, queue->len++);
	return frame;
}

struct frame *queue_first(const struct queue *queue)
{
	return queue->len > 0 ? queue->heap[0] : NULL;
}

void queue_pop(struct queue *queue)
{
	queue->spare[queue->spare_len++] = queue->heap[0];
	queue->heap[0] = queue->heap[--queue->len];
	if (queue->len > 0)
		sift_down(queue->heap, queue->len, 0);
}
