/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow hash against the vectors that Microsoft publishes for receive-side scaling.
 */
#include "daemon/common/toeplitz.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

static const uint8_t rss_key[IXD_TOEPLITZ_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

static const struct vector {
	const char *remote, *local;
	uint16_t remote_port, local_port;
	uint32_t hash;
} vectors[] = {
    {"66.9.149.187", "161.142.100.80", 2794, 1766, 0x51ccc178},
    {"199.92.111.2", "65.69.140.83", 14230, 4739, 0xc626b0ea},
    {"24.19.198.95", "12.22.207.184", 12898, 38024, 0x5c2b394a},
    {"38.27.205.30", "209.142.163.6", 48228, 2217, 0xafc7327f},
    {"153.39.163.191", "202.188.127.2", 44251, 1303, 0x10e828a2},
    {"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x40207d3d},
    {"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0xdde51bbf},
    {"3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x02d1feef},
};

static void addr_parse(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (strchr(text, ':') != NULL) {
		cr_assert_eq(inet_pton(AF_INET6, text, addr), 1);
		return;
	}
	addr[10] = addr[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, text, addr + 12), 1);
}

Test(toeplitz, agrees_with_the_published_vectors)
{
	static struct ixd_toeplitz table;

	ixd_toeplitz_table(rss_key, &table);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		uint8_t remote[16], local[16];

		addr_parse(v->remote, remote);
		addr_parse(v->local, local);
		cr_expect_eq(ixd_toeplitz_tuple(&table, remote, local, v->remote_port, v->local_port),
			     v->hash, "%s", v->remote);
	}
}

Test(toeplitz, of_a_zero_key_is_zero)
{
	static struct ixd_toeplitz table;
	static const uint8_t key[IXD_TOEPLITZ_KEY_BYTES];
	uint8_t remote[16], local[16];

	ixd_toeplitz_table(key, &table);
	addr_parse("10.0.0.1", remote);
	addr_parse("10.0.0.2", local);
	cr_expect_eq(ixd_toeplitz_tuple(&table, remote, local, 1, 2), 0);
}
