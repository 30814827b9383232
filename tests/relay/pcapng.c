/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures as draft-ietf-opsawg-pcapng describes them: one section, two interfaces, times in nanoseconds. */
#include <string.h>

#include "tests/relay/relay.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	LINKTYPE_ETHERNET = 1,
	OPTION_END = 0, /* with a length of 0 */
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_BYTES_MAX  (FRAME_BYTES_MAX + 256)
#define COMMENT_LEN_MAX  100u

struct block {
	uint32_t len;
	uint8_t bytes[BLOCK_BYTES_MAX];
};

static void put(struct block *block, const void *bytes, uint32_t len)
{
	memcpy(block->bytes + block->len, bytes, len);
	block->len += len;
}

static void put_padded(struct block *block, const void *bytes, uint32_t len)
{
	static const uint8_t zero[4];

	put(block, bytes, len);
	put(block, zero, (4 - len % 4) % 4);
}

static void put_u16(struct block *block, uint16_t value)
{
	put(block, &value, sizeof(value));
}

static void put_u32(struct block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

static void put_option(struct block *block, uint16_t code, const void *bytes, uint32_t len)
{
	put_u16(block, code);
	put_u16(block, (uint16_t)len);
	put_padded(block, bytes, len);
}

static void block_begin(struct block *block, uint32_t type)
{
	block->len = 0;
	put_u32(block, type);
	put_u32(block, 0);
}

static bool block_end(struct block *block, FILE *file)
{
	uint32_t total = block->len + 4;

	put_u32(block, total);
	memcpy(block->bytes + 4, &total, sizeof(total));
	return fwrite(block->bytes, block->len, 1, file) == 1;
}

static bool write_section(FILE *file)
{
	struct block block;

	block_begin(&block, BLOCK_SECTION);
	put_u32(&block, BYTE_ORDER_MAGIC);
	put_u16(&block, 1);
	put_u16(&block, 0);
	put_u32(&block, UINT32_MAX); /* the section's length is not known */
	put_u32(&block, UINT32_MAX);
	return block_end(&block, file);
}

static bool write_interface(FILE *file, const char *name, uint32_t snap_bytes)
{
	const uint8_t nanoseconds = 9;
	struct block block;

	block_begin(&block, BLOCK_INTERFACE);
	put_u16(&block, LINKTYPE_ETHERNET);
	put_u16(&block, 0);
	put_u32(&block, snap_bytes);
	put_option(&block, OPTION_IF_NAME, name, (uint32_t)strnlen(name, COMMENT_LEN_MAX));
	put_option(&block, OPTION_IF_TSRESOL, &nanoseconds, 1);
	put_u32(&block, OPTION_END);
	return block_end(&block, file);
}

FILE *pcapng_open(const char *path, const char *const if_names[2], uint32_t snap_bytes)
{
	FILE *file = fopen(path, "wbe");

	if (file == NULL)
		return NULL;
	if (!write_section(file) || !write_interface(file, if_names[0], snap_bytes) ||
	    !write_interface(file, if_names[1], snap_bytes)) {
		fclose(file);
		return NULL;
	}
	return file;
}

bool pcapng_write(FILE *file, unsigned interface, uint64_t time_ns, const uint8_t *bytes, uint32_t len,
		  uint32_t snap_bytes, const char *comment)
{
	uint32_t kept = len < snap_bytes ? len : snap_bytes;
	struct block block;

	block_begin(&block, BLOCK_PACKET);
	put_u32(&block, interface);
	put_u32(&block, (uint32_t)(time_ns >> 32));
	put_u32(&block, (uint32_t)time_ns);
	put_u32(&block, kept);
	put_u32(&block, len);
	put_padded(&block, bytes, kept);
	if (comment != NULL) {
		put_option(&block, OPTION_COMMENT, comment, (uint32_t)strnlen(comment, COMMENT_LEN_MAX));
		put_u32(&block, OPTION_END);
	}
	return block_end(&block, file);
}
