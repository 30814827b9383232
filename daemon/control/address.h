/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses as text.
 */
#ifndef DAEMON_CONTROL_ADDRESS_H
#define DAEMON_CONTROL_ADDRESS_H

#include <stdint.h>

#define ADDRESS_TEXT_SIZE 64

/* Writes a 16-byte address as text: IPv4 when it is mapped, "*" when it is all zero. Returns text. */
char *address_text(const uint8_t addr[16], char text[ADDRESS_TEXT_SIZE]);
/* The same with a prefix length (of 128 bits) in the family's own bits: "10.0.0.1/24". */
char *address_prefix_text(const uint8_t addr[16], unsigned prefix_len, char text[ADDRESS_TEXT_SIZE]);

#endif
