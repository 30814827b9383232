/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: when each runs, and what its expiry does. */
#include "tcp/tcp_timer.h"

#include "tcp/tcp_engine.h"
#include "tcp/tcp_icmp.h"
#include "tcp/tcp_rack.h"
#include "tcp/tcp_recovery.h"
#include "tcp/tcp_rtt.h"
#include "tcp/tcp_time_wait.h"

#define NS_PER_MS          UINT64_C(1000000)
#define R1_RETRANSMISSIONS 3u /* RFC 9293 section 3.8.3, SHLD-10: at least so many */

static bool has_unsent(const struct tcp_conn *c)
{
	return c->snd_nxt < c->snd_end || ((c->flags & CONN_FIN_QUEUED) && c->snd_nxt == c->snd_end);
}

static bool has_in_flight(const struct tcp_conn *c)
{
	return c->snd_nxt > c->snd_una;
}

/* RFC 9293 section 3.10.8: a user timeout is over when it is, not at a retransmission some time after it.
 * Only where the expiry looks at it: a window that is open and too small is no reason to give up. */
static void clamp_to_user_timeout(const struct tcp_engine *e, struct tcp_conn *c)
{
	uint64_t limit = c->user_timeout_ms * NS_PER_MS, since, end;

	if (!has_in_flight(c) && c->snd_wnd > 0)
		return;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD)
		since = e->now_ns - c->opened_ns;
	else
		since = tcp_since_ns(e, c->progress_tick);
	/* A tick more, which the rounding of the start takes away. */
	end = e->now_ns + (since < limit ? limit - since : 0) + (1u << TCP_TICK_SHIFT);
	if (c->rto_deadline_ns > end)
		c->rto_deadline_ns = end;
}

static void start_rto(struct tcp_engine *e, struct tcp_conn *c)
{
	c->rto_deadline_ns = e->now_ns + tcp_rto_ns(c, &e->config);
	if (c->user_timeout_ms != 0)
		clamp_to_user_timeout(e, c);
}

static void schedule_tail_probe(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint64_t timeout;

	if (c->flags & CONN_REO_TIMER)
		return;
	timeout = tcp_tlp_timeout_ns(e, conn);
	if (timeout == 0 || (c->flags & CONN_PERSIST) || c->cwnd == 0)
		c->loss_deadline_ns = 0;
	else if (e->now_ns + timeout < c->rto_deadline_ns)
		c->loss_deadline_ns = e->now_ns + timeout;
	else /* RFC 8985 section 7.2: a probe first also where the timeout would come earlier */
		c->loss_deadline_ns = c->rto_deadline_ns;
}

static void stop(struct tcp_conn *c)
{
	c->rto_deadline_ns = 0;
	c->loss_deadline_ns = 0;
	/* A probe that the ACK of all leaves in doubt stays (RFC 8985 section 7.4.2). */
	c->flags &= ~(uint32_t)(CONN_PERSIST | CONN_REO_TIMER | CONN_TLP_OWED);
}

/* The window is open. If it is too small to be used, the sender's override (RFC 9293 section 3.8.6.2.1) comes
 * a timeout later, and no later for being changed again meanwhile. A user timeout goes on counting: what
 * waits was given to us to be delivered (section 3.10.2). */
static void wait_for_window(struct tcp_engine *e, struct tcp_conn *c)
{
	uint64_t deadline = c->rto_deadline_ns, end;

	stop(c);
	c->flags |= CONN_PERSIST;
	c->backoff = 0;
	end = e->now_ns + tcp_rto_ns(c, &e->config);
	c->rto_deadline_ns = deadline != 0 && deadline < end ? deadline : end;
	if (c->user_timeout_ms == 0)
		c->progress_tick = tcp_tick(e);
}

void tcp_timer_on_ack(struct tcp_engine *e, uint32_t conn, bool has_progress)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (!has_in_flight(c)) {
		if (!(c->flags & CONN_PERSIST))
			stop(c);
		else if (!has_unsent(c))
			stop(c), c->backoff = 0;
		else if (c->snd_wnd > 0 && c->cwnd > 0)
			wait_for_window(e, c);
		return;
	}
	if (c->flags & CONN_PERSIST) {
		if (c->snd_wnd == 0)
			return;
		c->flags &= ~(uint32_t)CONN_PERSIST; /* the window is open again: an ordinary timeout */
		c->backoff = 0;
		/* While the window was closed the peer's answers counted (RFC 9293 MUST-37); from now on R2
		 * does. A user timeout asks for the data alone. */
		if (c->user_timeout_ms == 0)
			c->progress_tick = tcp_tick(e);
		has_progress = true;
	} else if (c->snd_wnd == 0) {
		c->flags |= CONN_PERSIST;
		c->loss_deadline_ns = 0;
	}
	if (!has_progress)
		return;
	start_rto(e, c);
	schedule_tail_probe(e, conn);
}

void tcp_timer_on_output(struct tcp_engine *e, uint32_t conn, bool has_sent_new)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (!has_in_flight(c)) {
		/* Nothing will come back by itself, and something waits for the window: probe for it. */
		if (has_unsent(c) && c->rto_deadline_ns == 0) {
			c->flags |= CONN_PERSIST;
			c->progress_tick = tcp_tick(e); /* before, nothing was owed to us, window or not */
			start_rto(e, c);
		}
		return;
	}
	if ((c->flags & CONN_PERSIST) && c->snd_wnd > 0) {
		c->flags &= ~(uint32_t)CONN_PERSIST;
		c->rto_deadline_ns = 0;
	}
	if (c->rto_deadline_ns == 0)
		start_rto(e, c);
	if (has_sent_new)
		schedule_tail_probe(e, conn);
}

void tcp_timer_on_user_timeout(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (c->user_timeout_ms != 0 && c->rto_deadline_ns != 0)
		clamp_to_user_timeout(e, c);
	tcp_timer_arm(e, conn);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	if (a == 0 || (b != 0 && b < a))
		return b;
	return a;
}

void tcp_timer_arm(struct tcp_engine *e, uint32_t conn)
{
	const struct tcp_conn *c = tcp_conn_at(e, conn);

	tcp_wheel_arm(e, conn,
		      earlier(earlier(c->rto_deadline_ns, c->loss_deadline_ns),
			      earlier(c->ack_deadline_ns, c->idle_deadline_ns)));
}

static void time_out(struct tcp_engine *e, uint32_t conn)
{
	e->stats->timeouts++;
	tcp_conn_end(e, conn, TCP_REASON_TIMEOUT);
}

/* Another timeout after R1 retransmissions (RFC 9293 section 3.8.3). */
static void tell_in_vain(struct tcp_engine *e, uint32_t conn)
{
	if (tcp_conn_at(e, conn)->backoff == R1_RETRANSMISSIONS)
		tcp_conn_soft_error(e, conn, TCP_SOFT_UNANSWERED);
}

static void expire_syn(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint64_t limit = c->user_timeout_ms != 0 ? c->user_timeout_ms * NS_PER_MS : e->config.syn_give_up_ns;

	if (c->state == TCP_SYN_SENT && !(c->flags & CONN_SENT_ANY)) {
		c->flags |= CONN_SYN_OWED; /* Fast Open: no data came to go with it */
		tcp_output_list(e, conn);
		return;
	}
	e->stats->rto_expiries++;
	if (e->now_ns - c->opened_ns >= limit) {
		time_out(e, conn);
		return;
	}
	tell_in_vain(e, conn);
	tcp_fast_open_on_timeout(e, conn);
	tcp_conn_back_off(c);
	c->flags |= CONN_SYN_OWED | CONN_SYN_RETRANS;
	start_rto(e, c);
	tcp_output_list(e, conn);
}

static uint64_t give_up_ns(const struct tcp_engine *e, const struct tcp_conn *c)
{
	return c->user_timeout_ms != 0 ? c->user_timeout_ms * NS_PER_MS : e->config.give_up_ns;
}

/* RFC 9293 section 3.8.6.1: goes on for as long as the peer answers. */
static void expire_probe(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	if (c->snd_wnd == 0) {
		uint64_t silent = tcp_since_ns(e, c->heard_tick), stuck = tcp_since_ns(e, c->progress_tick);

		/* A user timeout (RFC 5482) counts from progress, whatever the peer says. */
		if ((c->user_timeout_ms != 0 || stuck < silent ? stuck : silent) >= give_up_ns(e, c)) {
			time_out(e, conn);
			return;
		}
		c->flags |= CONN_PROBE_OWED;
	} else if (c->cwnd == 0) {
		c->cwnd = c->mss; /* one segment for each expiry (RFC 3168 section 6.1.2) */
	} else if (!has_in_flight(c)) {
		c->snd_wnd_max = c->snd_wnd; /* sender's override: what fits goes, however little it is */
	}
	tcp_conn_back_off(c);
	start_rto(e, c);
	tcp_output_list(e, conn);
}

static void expire_rto(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->rto_deadline_ns = 0;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD) {
		expire_syn(e, conn);
		return;
	}
	if (c->flags & CONN_PERSIST) {
		expire_probe(e, conn);
		return;
	}
	if (!has_in_flight(c))
		return;
	if (tcp_since_ns(e, c->progress_tick) >= give_up_ns(e, c)) {
		time_out(e, conn);
		return;
	}
	e->stats->rto_expiries++;
	tell_in_vain(e, conn);
	tcp_icmp_suspect_blackhole(e, conn);
	tcp_recovery_on_rto(e, conn);
	c->loss_deadline_ns = 0;
	c->flags &= ~(uint32_t)CONN_REO_TIMER;
	start_rto(e, c);
}

static void expire_loss(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	bool is_reo = c->flags & CONN_REO_TIMER;

	c->loss_deadline_ns = 0;
	c->flags &= ~(uint32_t)CONN_REO_TIMER;
	if (!is_reo) {
		tcp_tlp_on_timer(e, conn);
		start_rto(e, c); /* RFC 8985 section 7.3: the probe gets its time before the RTO */
	} else if (tcp_rack_detect(e, conn) > 0) {
		tcp_recovery_on_reo_timer(e, conn);
	}
}

static void expire_ack(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);

	c->ack_deadline_ns = 0;
	if (!(c->flags & CONN_ACK_DELAYED))
		return;
	e->stats->delayed_acks++;
	tcp_ack_now(e, conn);
}

static void expire_idle(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint64_t due = e->now_ns - tcp_since_ns(e, c->heard_tick) + e->config.keepalive_idle_ns;

	c->idle_deadline_ns = 0;
	if (c->state == TCP_FIN_WAIT_2 && (c->flags & CONN_CLOSED)) {
		time_out(e, conn); /* nobody waits for this peer's FIN any more */
		return;
	}
	if (!(c->flags & CONN_KEEPALIVE))
		return;
	if (has_in_flight(c) || (c->keepalive_sent == 0 && due > e->now_ns)) {
		/* In flight: the retransmission timer watches the peer. */
		c->idle_deadline_ns =
		    due > e->now_ns ? due + (1u << TCP_TICK_SHIFT) : e->now_ns + e->config.keepalive_idle_ns;
		return;
	}
	if (c->keepalive_sent >= e->config.keepalive_probes) {
		time_out(e, conn);
		return;
	}
	c->keepalive_sent++;
	c->flags |= CONN_KEEPALIVE_OWED;
	c->idle_deadline_ns = e->now_ns + e->config.keepalive_intvl_ns;
	tcp_output_list(e, conn);
}

/* One wheel entry: whatever is due; most often nothing, since deadlines move on without the wheel. */
static void expire(struct tcp_engine *e, uint32_t conn)
{
	struct tcp_conn *c = tcp_conn_at(e, conn);
	uint64_t now = e->now_ns;

	if (c->ack_deadline_ns != 0 && c->ack_deadline_ns <= now)
		expire_ack(e, conn);
	if (c->loss_deadline_ns != 0 && c->loss_deadline_ns <= now)
		expire_loss(e, conn);
	if (c->rto_deadline_ns != 0 && c->rto_deadline_ns <= now)
		expire_rto(e, conn);
	if (c->state != TCP_CLOSED && c->idle_deadline_ns != 0 && c->idle_deadline_ns <= now)
		expire_idle(e, conn);
	if (c->state != TCP_CLOSED)
		tcp_timer_arm(e, conn);
}

uint32_t tcp_timer_run(struct tcp_engine *e, tcp_time now, uint32_t budget)
{
	uint32_t done = 0;

	e->now_ns = now.ns;
	while (done < budget) {
		uint32_t conn = tcp_wheel_pop(e);

		if (conn == TCP_NONE)
			break;
		done++;
		if (e->conns[conn].state != TCP_CLOSED)
			expire(e, conn);
	}
	while (done < budget && tcp_time_wait_expire(e))
		done++;
	return done;
}

tcp_time tcp_timer_next(const struct tcp_engine *e)
{
	return (tcp_time){earlier(tcp_wheel_next_ns(e), tcp_time_wait_next_ns(e))};
}
