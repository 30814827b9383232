/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls and answers of the Varlink protocol.
 */
#include "daemon/control/varlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A flag may be left out, null, or a boolean. */
static int get_flag(const json_t *root, const char *name, bool *flag)
{
	const json_t *value = json_object_get(root, name);

	*flag = json_is_true(value);
	return !value || json_is_null(value) || json_is_boolean(value) ? 0 : -EBADMSG;
}

int varlink_call_parse(struct varlink_call *call, const char *text, size_t len)
{
	struct varlink_call parsed = {0};
	json_t *method, *parameters;
	bool wants_upgrade;

	/* The parser bounds its own depth; the length is bounded by the connection's buffer. */
	parsed.root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(parsed.root))
		goto malformed;
	method = json_object_get(parsed.root, "method");
	parameters = json_object_get(parsed.root, "parameters");
	if (!json_is_string(method) ||
	    (parameters && !json_is_object(parameters) && !json_is_null(parameters)))
		goto malformed;
	if (get_flag(parsed.root, "more", &parsed.wants_more) ||
	    get_flag(parsed.root, "oneway", &parsed.is_oneway) ||
	    get_flag(parsed.root, "upgrade", &wants_upgrade))
		goto malformed;
	parsed.method = json_string_value(method);
	parsed.parameters = json_is_object(parameters) ? parameters : NULL;
	*call = parsed;
	return 0;

malformed:
	json_decref(parsed.root);
	return -EBADMSG;
}

void varlink_call_fini(struct varlink_call *call)
{
	json_decref(call->root);
	*call = (struct varlink_call){0};
}

json_t *varlink_reply(json_t *parameters, bool continues)
{
	json_t *reply = json_pack("{s:o*}", "parameters", parameters);

	if (reply && continues && json_object_set_new(reply, "continues", json_true())) {
		json_decref(reply);
		return NULL;
	}
	return reply;
}

json_t *varlink_error(const char *name, json_t *parameters)
{
	return json_pack("{s:s, s:o*}", "error", name, "parameters", parameters);
}

json_t *varlink_text(const char *text, size_t len)
{
	json_t *string = json_stringn(text, len);
	char *ascii;

	if (string)
		return string;
	ascii = malloc(len + 1);
	if (!ascii)
		return NULL;
	for (size_t i = 0; i < len; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	string = json_stringn(ascii, len);
	free(ascii);
	return string;
}
