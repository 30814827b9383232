/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the name of a method to its answer.
 */
#include "daemon/control/methods.h"

#include <errno.h>
#include <string.h>

#define PARAMETERS_MAX 6

struct parameter {
	const char *name;
	json_type type; /* JSON_TRUE stands for a boolean */
	json_int_t max; /* of an integer; the least is 0 */
	bool is_required;
};

struct method {
	const char *name;
	method_make *make; /* NULL: `run` answers */
	void (*run)(struct server *server, struct connection *c, const json_t *parameters);
	struct parameter parameters[PARAMETERS_MAX];
};

static void run_sockets(struct server *server, struct connection *c, const json_t *parameters);
static void run_reconfigure(struct server *server, struct connection *c, const json_t *parameters);

static const struct method methods[] = {
    {.name = VARLINK_SERVICE ".GetInfo", .make = service_get_info},
    {.name = VARLINK_SERVICE ".GetInterfaceDescription",
     .make = service_get_interface,
     .parameters = {{.name = "interface", .type = JSON_STRING, .is_required = true}}},
    {.name = VARLINK_IXD ".Status", .make = status_get},
    {.name = VARLINK_IXD ".Version", .make = version_get},
    {.name = VARLINK_IXD ".Stats", .make = stats_get, .parameters = {{.name = "nonzero", .type = JSON_TRUE}}},
    {.name = VARLINK_IXD ".Sockets",
     .run = run_sockets,
     .parameters = {{.name = "state", .type = JSON_STRING},
		    {.name = "local_port", .type = JSON_INTEGER, .max = UINT16_MAX},
		    {.name = "remote_port", .type = JSON_INTEGER, .max = UINT16_MAX},
		    {.name = "client", .type = JSON_INTEGER, .max = IXD_CLIENTS_MAX - 1},
		    {.name = "core", .type = JSON_INTEGER, .max = IXD_CORES_MAX - 1}}},
    {.name = VARLINK_IXD ".Clients", .make = clients_get},
    {.name = VARLINK_IXD ".Listeners", .make = listeners_get},
    {.name = VARLINK_IXD ".Cores", .make = cores_get},
    {.name = VARLINK_IXD ".Flows", .make = flows_get},
    {.name = VARLINK_IXD ".Reconfigure", .run = run_reconfigure},
};

static void error_with(struct server *server, struct connection *c, const char *name, const char *key,
		       const char *value)
{
	connection_error(c, name, json_pack("{s:o*}", key, varlink_text(value, strlen(value))),
			 server->now_ns);
}

static void invalid_parameter(struct server *server, struct connection *c, const char *name)
{
	error_with(server, c, VARLINK_SERVICE ".InvalidParameter", "parameter", name);
}

static bool fits(const struct parameter *p, const json_t *value)
{
	if (!value || json_is_null(value))
		return !p->is_required;
	if (p->type == JSON_TRUE)
		return json_is_boolean(value);
	if (json_typeof(value) != p->type)
		return false;
	return p->type != JSON_INTEGER ||
	       (json_integer_value(value) >= 0 && json_integer_value(value) <= p->max);
}

/* The name of the first parameter that is unknown, of another type or out of range; NULL when all are right.
 */
static const char *wrong_parameter(const struct method *method, json_t *given)
{
	unsigned known = 0;
	const char *name;
	json_t *value;

	for (; known < PARAMETERS_MAX && method->parameters[known].name; known++)
		if (!fits(&method->parameters[known], json_object_get(given, method->parameters[known].name)))
			return method->parameters[known].name;
	json_object_foreach(given, name, value)
	{
		unsigned i = 0;
		while (i < known && strcmp(method->parameters[i].name, name) != 0)
			i++;
		if (i == known)
			return name;
	}
	return NULL;
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* A name is unknown as a whole interface or within one of ours. */
static void unknown_method(struct server *server, struct connection *c, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : strlen(name);
	const bool is_ours = (len == strlen(VARLINK_IXD) && strncmp(name, VARLINK_IXD, len) == 0) ||
			     (len == strlen(VARLINK_SERVICE) && strncmp(name, VARLINK_SERVICE, len) == 0);

	if (is_ours) {
		error_with(server, c, VARLINK_SERVICE ".MethodNotFound", "method", name);
		return;
	}
	connection_error(c, VARLINK_SERVICE ".InterfaceNotFound",
			 json_pack("{s:o*}", "interface", varlink_text(name, len)), server->now_ns);
}

void method_run(struct server *server, struct connection *c, const struct varlink_call *call)
{
	const struct method *method = find_method(call->method);
	const char *wrong;
	json_t *reply;

	c->is_answered = false;
	if (!method) {
		unknown_method(server, c, call->method);
		return;
	}
	wrong = wrong_parameter(method, call->parameters);
	if (wrong) {
		invalid_parameter(server, c, wrong);
		return;
	}
	if (method->run) {
		method->run(server, c, call->parameters);
		return;
	}
	reply = method->make(server, c, call->parameters);
	if (reply || !c->is_answered)
		connection_reply(c, reply, false, server->now_ns);
}

static void run_sockets(struct server *server, struct connection *c, const json_t *parameters)
{
	struct sockets_filter filter;

	if (sockets_filter_parse(&filter, parameters)) {
		invalid_parameter(server, c, "state");
		return;
	}
	/* Nobody would hear it, and a walk over all records for nobody is only work. */
	if (c->is_oneway)
		return;
	if (sockets_query_init(&c->sockets, &filter, c->wants_more ? SOCKETS_PIECE : SOCKETS_SINGLE_MAX)) {
		c->is_closing = true;
		return;
	}
	c->state = CONNECTION_STREAMING;
	method_continue(server, c);
}

static void send_piece(struct server *server, struct connection *c, bool is_finished, bool is_last)
{
	json_t *reply =
	    json_pack("{s:o, s:b}", "sockets", sockets_query_take(&c->sockets), "is_complete", is_finished);

	connection_reply(c, reply, !is_last, server->now_ns);
	if (is_last || c->is_closing) {
		sockets_query_fini(&c->sockets);
		c->state = CONNECTION_IDLE;
	}
}

void method_continue(struct server *server, struct connection *c)
{
	int progress;

	if (sources_copy_view(server->sources, &server->view)) {
		sockets_query_fini(&c->sockets);
		c->state = CONNECTION_IDLE;
		error_with(server, c, VARLINK_IXD ".Busy", "what", "the supervisor's view");
		return;
	}
	progress = sockets_query_step(&c->sockets, server->sources, &server->view, server->now_ns);
	if (progress == SOCKETS_FINISHED)
		send_piece(server, c, true, true);
	else if (progress == SOCKETS_FULL)
		send_piece(server, c, false, !c->wants_more);
	else if (progress < 0)
		c->is_closing = true;
	if (c->is_closing && c->state == CONNECTION_STREAMING)
		c->state = CONNECTION_IDLE;
}

static void run_reconfigure(struct server *server, struct connection *c, const json_t *parameters)
{
	int err = server_ask_supervisor(server, c, REQUEST_RECONFIGURE);

	(void)parameters;
	if (err)
		error_with(server, c, VARLINK_IXD ".Busy", "what", "the supervisor");
}

void method_finish_request(struct server *server, struct connection *c, int outcome)
{
	const char *report = c->report_len ? c->report : "";

	if (outcome == 0)
		connection_reply(c, json_pack("{s:o*}", "report", varlink_text(report, c->report_len)), false,
				 server->now_ns);
	else if (outcome == -EPERM || outcome == -EACCES)
		error_with(server, c, VARLINK_IXD ".PermissionDenied", "reason",
			   *report ? report : "only root and the administrators' group may change things");
	else
		error_with(server, c, VARLINK_IXD ".ReconfigureFailed", "reason",
			   *report ? report : strerror(-outcome));
}
