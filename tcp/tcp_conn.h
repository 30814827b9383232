/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of a connection. struct tcp_conn is everything a connection is and survives the process;
 * struct tcp_links is its place in lists and tables, volatile and rebuilt; struct tcp_time_wait is what is
 * left of a connection after its end.
 */
#ifndef TCP_TCP_CONN_H
#define TCP_TCP_CONN_H

#include <stddef.h>

#include "tcp/tcp.h"
#include "tcp/tcp_seq.h"

struct tcp_engine;

#define TCP_MSS_MIN           88u /* payload + options that any path takes; guards against absurd MSS options */
#define TCP_MSS_DEFAULT       536u /* RFC 9293 section 3.7.1: when the peer sends no MSS option */
#define TCP_MSS_DEFAULT_IPV6  1220u
#define TCP_WSCALE_MAX        14 /* RFC 7323 section 2.3 */
#define TCP_NO_WSCALE         0xff
#define TCP_CWND_MAX          (1u << 30)
#define TCP_SSTHRESH_INFINITE TCP_CWND_MAX
#define TCP_OOO_INLINE        2   /* ranges inside the record */
#define TCP_OOO_RANGES_MAX    128 /* per connection: bounds the work per segment */
#define TCP_SACK_BLOCKS       4   /* that fit into a header */
#define TCP_BACKOFF_MAX       15u /* of four bits; from 5 ms that is beyond a minute */
#define TCP_SACK_KEPT         3   /* that we report: what fits beside timestamps (RFC 2018 section 3) */

/* tcp_conn.flags */
enum tcp_conn_flag {
	CONN_PASSIVE = 1 << 0,    /* opened by the peer */
	CONN_ACCEPTED = 1 << 1,   /* taken by the user, off the listener's backlog */
	CONN_FIN_QUEUED = 1 << 2, /* the user will send no more: FIN follows snd_end */
	CONN_CLOSED = 1 << 3,     /* the user has closed: new data is answered by RST */
	CONN_NAGLE = 1 << 4,
	CONN_KEEPALIVE = 1 << 5,
	CONN_NO_DELAYED_ACK = 1 << 6,
	CONN_ACK_NOW = 1 << 7,      /* an ACK goes out with the next tcp_output() */
	CONN_ACK_DELAYED = 1 << 8,  /* an ACK is owed by ack_deadline_ns */
	CONN_SYN_OWED = 1 << 9,     /* SYN or SYN-ACK goes out with the next tcp_output() */
	CONN_SYN_RETRANS = 1 << 10, /* it was sent more than once: no RTT sample (Karn) */
	/* The same bit once an RTT was measured: a tail loss probe was sent, and nothing measured since. */
	CONN_TLP_UNMEASURED = CONN_SYN_RETRANS,
	CONN_ECE_OWED = 1 << 11,     /* echo congestion experienced until CWR (RFC 3168) */
	CONN_CWR_OWED = 1 << 12,     /* next new data carries CWR */
	CONN_REORDERED = 1 << 13,    /* RACK.reordering_seen */
	CONN_PERSIST = 1 << 14,      /* the RTO deadline belongs to the window probe */
	CONN_PROBED = 1 << 15,       /* a byte beyond the window is in flight */
	CONN_PROBE_OWED = 1 << 16,   /* window probe goes out with the next tcp_output() */
	CONN_TLP = 1 << 17,          /* a tail loss probe is in flight up to tlp_end */
	CONN_TLP_RETRANS = 1 << 18,  /* it repeated old data */
	CONN_TLP_OWED = 1 << 19,     /* it goes out with the next tcp_output() */
	CONN_REO_TIMER = 1 << 20,    /* loss_deadline_ns is RACK's reordering timer, else TLP's */
	CONN_CWND_LIMITED = 1 << 21, /* the last output stopped at cwnd or came near it: cwnd may grow */
	CONN_DSACK_OWED = 1 << 22,   /* report dsack_start..dsack_end in the next ACK */
	CONN_UNDO = 1 << 23,         /* undo_* hold the state before the reduction */
	CONN_KEEPALIVE_OWED = 1 << 24,
	CONN_ECN_CE_SEEN = 1 << 25, /* DCTCP receiver: CE state of the last segment */
	CONN_BLACKHOLE = 1 << 26,   /* MSS was lowered because full segments vanish (RFC 4821) */
	CONN_RETRANS_ONE = 1 << 27, /* one lost segment may go out whatever cwnd says */
	CONN_SENT_ANY = 1 << 28,    /* sent_ns is valid */
	CONN_FIN_SEEN = 1 << 29,    /* the peer's FIN has come, perhaps not in order */
	/* Active: the user may send from the start. Passive, in SYN_RCVD: it is announced, and may send. */
	CONN_FAST_OPEN = 1 << 30,
	CONN_CWND_FULL = 1u << 31, /* the last output stopped at cwnd */
};

/* Where F-RTO (RFC 5682) is after a timeout. */
enum tcp_frto {
	TCP_FRTO_OFF,
	TCP_FRTO_RETRANSMIT,  /* step 1: the first segment is to be repeated */
	TCP_FRTO_WAIT_FIRST,  /* step 2: until it is acknowledged */
	TCP_FRTO_SEND_NEW,    /* step 2b: new data is to be sent */
	TCP_FRTO_WAIT_SECOND, /* step 3: the next ACK decides */
};

/* A range of out-of-order bytes: low halves of positions, and its neighbours in a sorted list. */
struct tcp_ooo {
	uint32_t start, end;
	uint32_t next, prev; /* node numbers, TCP_NONE at the ends */
};

struct tcp_range {
	uint32_t start, end;
};

/* HyStart++ (RFC 9406), needed until the first congestion event. */
struct tcp_hystart {
	int64_t round_end;
	uint32_t round_min_us, last_min_us, css_base_us;
	uint16_t round_samples;
	uint8_t css_rounds; /* 0: not in CSS */
};

/* CUBIC (RFC 9438), needed from then on. */
struct tcp_cubic_growth {
	uint64_t epoch_ns;              /* start of the present congestion avoidance stage, 0: none */
	uint32_t w_max, w_est, w_prior; /* bytes */
	uint32_t k;                     /* in 2^20 ns */
	union {
		struct {
			uint32_t update_at; /* when per_mss was computed, 2^20 ns since the epoch */
			uint32_t per_mss;   /* bytes acknowledged for one MSS of growth; 0: to be computed */
			uint32_t credit, est_credit;
		};
		struct { /* between a reduction and the next stage: what it has changed */
			uint64_t undo_epoch_ns;
			uint32_t undo_w_max, undo_w_prior;
		};
	};
};

struct tcp_cubic {
	union {
		struct tcp_hystart hystart;
		struct tcp_cubic_growth growth;
	};
};

struct tcp_dctcp {
	int64_t window_end;
	uint32_t alpha; /* 1024 = 1 */
	uint32_t acked_bytes, marked_bytes;
	uint32_t credit;
};

/* Accurate ECN (RFC 9768); counters of bytes have 24 bits, as on the wire. */
enum tcp_accecn_flag {
	TCP_ACCECN_NO_ECT = 1 << 0,         /* never send ECN-capable packets */
	TCP_ACCECN_NO_OPTION = 1 << 1,      /* the option seems to be dropped on the way */
	TCP_ACCECN_BAD_OPTION = 1 << 2,     /* the peer's option is cleared on the way */
	TCP_ACCECN_PEER_OPTION = 1 << 3,    /* the peer's option arrives */
	TCP_ACCECN_OPTION_OWED = 1 << 4,    /* CE-marked bytes have come since we last told */
	TCP_ACCECN_HANDSHAKE_OWED = 1 << 5, /* the next ACK tells how the SYN-ACK came */
	TCP_ACCECN_FIRST = 1 << 6,          /* the next ACK that comes is the first one */
};
struct tcp_accecn {
	uint32_t rcv_e0b, rcv_e1b, rcv_ceb; /* bytes that came as ECT(0), ECT(1), CE */
	uint32_t snd_ceb;                   /* of ours, as the peer last told */
	uint8_t rcv_cep, rcv_cep_told;      /* packets that came as CE */
	uint8_t snd_cep;                    /* of ours */
	uint8_t flags;                      /* enum tcp_accecn_flag */
};

struct tcp_newreno {
	uint32_t credit;
};

struct tcp_conn {
	/* first line: found by, and checked for, every segment */
	struct tcp_tuple tuple;
	uint8_t state;   /* enum tcp_state */
	uint8_t options; /* enum tcp_info_option, as negotiated */
	uint8_t snd_wscale, rcv_wscale;
	uint32_t flags; /* enum tcp_conn_flag */
	int64_t rcv_nxt;
	int64_t snd_una;

	/* second line: needed to move data */
	int64_t snd_nxt;   /* highest position ever sent */
	int64_t snd_end;   /* after the last byte that the user has queued */
	int64_t rcv_adv;   /* highest right edge ever advertised */
	int64_t rcv_limit; /* right edge that the user allows */
	uint32_t iss, irs;
	uint32_t ts_recent, ts_offset;
	uint32_t snd_wnd;  /* bytes, already scaled */
	uint32_t cwnd;     /* bytes */
	uint16_t mss;      /* payload of a full segment with the usual options */
	uint16_t mss_max;  /* the same without any option */
	uint32_t ack_sent; /* low half of the last position acknowledged */

	/* sender */
	uint32_t snd_wl1, snd_wl2; /* low halves of positions */
	int64_t recovery_point;    /* recovery ends when all before it is acknowledged */
	uint32_t flight_bytes;     /* sent and not acknowledged, SACKed or lost: RFC 6675 pipe */
	uint32_t sacked_bytes;
	uint32_t lost_bytes; /* marked lost, not yet sent again */
	uint32_t ssthresh;
	uint32_t snd_wnd_max; /* what is taken for the peer's buffer; the sender's override lowers it */
	uint32_t prr_delivered, prr_out; /* RFC 9937 */
	union {
		uint32_t prr_flight; /* RecoverFS, in TCP_PHASE_RECOVERY */
		uint32_t frto_end;   /* in TCP_PHASE_LOSS: low half of where the repetition ended */
	};
	uint8_t phase;            /* enum tcp_phase */
	uint8_t cc;               /* enum tcp_cc, never DEFAULT */
	uint8_t backoff : 4;      /* RTO doublings, TCP_BACKOFF_MAX at most */
	uint8_t backoff_kept : 4; /* those of before, until an RTT is measured (Karn) */
	uint8_t dup_acks;
	uint8_t reo_wnd_mult, reo_wnd_persist; /* RFC 8985 */
	uint8_t keepalive_sent;
	uint8_t sacked_segments; /* saturating */

	/* RTT and RACK, nanoseconds */
	uint64_t srtt_ns, rttvar_ns, min_rtt_ns;
	uint64_t rack_sent_ns, rack_rtt_ns;
	int64_t rack_end, rack_fack;
	union {
		uint32_t tlp_end; /* with CONN_TLP: low half of a position */
		uint32_t
		    undo_start; /* in TCP_PHASE_RECOVERY and LOSS: low half of snd_una at its beginning */
	};
	uint32_t min_rtt_at_s;     /* seconds */
	uint32_t ts_recent_s;      /* when ts_recent was taken, seconds */
	uint32_t rack_dsack_round; /* low half of a position, 0: none */
	uint64_t sent_ns;          /* last time data or the SYN was sent */

	/* deadlines; 0 is none */
	uint64_t rto_deadline_ns;  /* retransmission or window probe */
	uint64_t loss_deadline_ns; /* TLP or RACK reordering */
	uint64_t ack_deadline_ns;
	uint64_t idle_deadline_ns; /* keepalive, FIN_WAIT_2 */
	uint32_t progress_tick;    /* when the peer last made progress while something was owed to us */
	uint32_t heard_tick;       /* when the last acceptable segment came; both tcp_tick()s */
	uint32_t user_timeout_ms;  /* 0: the default */
	uint32_t blackhole_s;      /* when the MSS was lowered */

	/* undo of a wrong reduction */
	uint32_t undo_cwnd, undo_ssthresh;
	uint32_t undo_bytes; /* retransmitted bytes not yet reported by DSACK */
	uint32_t undo_ts;    /* TSval of the first retransmission */

	/* totals */
	uint64_t delivered_ns;
	uint32_t rate_bytes, rate_us; /* last delivery rate sample */
	uint32_t retransmits, lost_segments;
	uint64_t opened_ns;

	/* receiver */
	struct tcp_range sacks[TCP_SACK_KEPT]; /* most recent first (RFC 2018 section 4) */
	struct tcp_ooo ooo[TCP_OOO_INLINE];
	uint32_t rcv_fin; /* low half of where the peer's FIN is, valid with CONN_FIN_SEEN */
	uint32_t dsack_start, dsack_end;
	uint32_t ooo_bytes;
	uint32_t rcv_buf; /* largest window ever allowed */
	uint32_t listener;
	struct tcp_accecn accecn;
	uint32_t generation; /* odd while in use; tells a reader that the record changed hands */
	uint16_t
	    mss_limit; /* what our SYN announces; once open, the largest mss_max that path and peer allow */
	uint16_t rcv_mss; /* largest segment seen, for the ACK of every second one */
	uint8_t sack_count;
	uint8_t frto : 3;         /* enum tcp_frto */
	uint8_t owes_cookie : 1;  /* the SYN-ACK brings a Fast Open cookie */
	uint8_t syn_ecn : 2;      /* Accurate ECN: the IP-ECN field of the peer's SYN */
	uint8_t hystart_done : 1; /* CUBIC: ccd.cubic is tcp_cubic_growth now */
	uint8_t is_held : 1;      /* CLOSED, and kept for the user until tcp_release() */
	uint16_t snd_wnd_seen; /* the largest ever, RFC 5961's MAX.SND.WND, as on the wire: before scaling */

	union {
		struct tcp_cubic cubic;
		struct tcp_dctcp dctcp;
		struct tcp_newreno newreno;
	} ccd;
};

_Static_assert(sizeof(struct tcp_conn) <= 512, "a connection is half a kilobyte at most");

/* After snd_wnd has risen. A SYN's window is not scaled, hence rounded up. */
static inline void tcp_conn_note_window(struct tcp_conn *c)
{
	uint32_t field = (c->snd_wnd + (1u << c->snd_wscale) - 1) >> c->snd_wscale;

	if (field > c->snd_wnd_seen)
		c->snd_wnd_seen = (uint16_t)(field < UINT16_MAX ? field : UINT16_MAX);
}

/* Volatile half of a connection record, same index. */
struct tcp_links {
	uint32_t hash;
	uint32_t output_next;
	uint32_t ack_next;
	uint32_t wheel_next, wheel_prev;
	uint16_t wheel_slot; /* level * 64 + slot, TCP_WHEEL_NONE when not armed */
	uint8_t is_listed, is_ack_listed;
	uint64_t wheel_tick;
	uint32_t sent_head, sent_tail;     /* by position */
	uint32_t flight_head, flight_tail; /* by time of sending */
	uint32_t lost_head, lost_tail;     /* by position, to be sent again */
	uint32_t sack_hint;                /* where the last SACK block ended */
	uint32_t ooo_head, ooo_tail;
	uint32_t sent_count;
	uint16_t ooo_count;
	uint16_t ooo_inline_used; /* bit per inline node */
	uint32_t challenge_tick;  /* since when challenge ACKs are counted, a tcp_tick() */
	uint32_t challenge_count;
};

struct tcp_time_wait {
	struct tcp_tuple tuple;    /* tuple.reserved != 0: in use */
	uint32_t snd_nxt, rcv_nxt; /* wire values */
	uint32_t ts_recent, ts_offset;
	uint32_t deadline_ms;
	uint16_t window;
	uint16_t has_ts;
};

_Static_assert(sizeof(struct tcp_time_wait) == 64, "TIME_WAIT is one cache line");
_Static_assert(offsetof(struct tcp_conn, snd_nxt) == 64, "first line");
_Static_assert(offsetof(struct tcp_conn, snd_wl1) == 128, "the hot part is two lines");

/* Where the FIN sits, or would sit. */
static inline int64_t tcp_conn_fin_pos(const struct tcp_conn *c)
{
	return c->snd_end;
}

/* RFC 6298 (5.5): the RTO doubles. */
static inline void tcp_conn_back_off(struct tcp_conn *c)
{
	c->backoff = (c->backoff < TCP_BACKOFF_MAX ? c->backoff + 1u : TCP_BACKOFF_MAX) & TCP_BACKOFF_MAX;
}

/* Our FIN has been sent (at least once). */
static inline bool tcp_conn_fin_sent(const struct tcp_conn *c)
{
	return (c->flags & CONN_FIN_QUEUED) && c->snd_nxt > c->snd_end;
}

/* Takes a free record, clears it and enters it under `tuple`. TCP_NONE when there is none. */
uint32_t tcp_conn_alloc(struct tcp_engine *e, const struct tcp_tuple *tuple);

/* The one place where a state changes. */
void tcp_set_state(struct tcp_engine *e, uint32_t conn, enum tcp_state state);

/* Tells the user of what may pass. */
void tcp_conn_soft_error(struct tcp_engine *e, uint32_t conn, enum tcp_soft_error what);

/* Ends a connection: frees all that it holds, tells the user. The record is free afterwards. */
void tcp_conn_end(struct tcp_engine *e, uint32_t conn, enum tcp_reason reason);

/* Sets mss_max and mss after a change of what path and peer allow. */
void tcp_conn_set_mss(struct tcp_conn *c, uint32_t mss_max);

/* The user's switches and congestion control. */
void tcp_conn_set_params(struct tcp_engine *e, uint32_t conn, const struct tcp_params *params);

#endif
