/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org.varlink.service: what this server is and which interfaces it has.
 */
#include <string.h>

#include "daemon/control/methods.h"

static const char ixd_description[] =
#include "io.ixd.varlink.h"
    ;

static const char service_description[] =
    "# The Varlink Service Interface is provided by every varlink service. It\n"
    "# describes the service and the interfaces it implements.\n"
    "interface org.varlink.service\n"
    "\n"
    "# Get a list of all the interfaces a service provides and information\n"
    "# about the implementation.\n"
    "method GetInfo() -> (\n"
    "  vendor: string,\n"
    "  product: string,\n"
    "  version: string,\n"
    "  url: string,\n"
    "  interfaces: []string\n"
    ")\n"
    "\n"
    "# Get the description of an interface that is implemented by this service.\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n"
    "\n"
    "# The requested interface was not found.\n"
    "error InterfaceNotFound (interface: string)\n"
    "\n"
    "# The requested method was not found\n"
    "error MethodNotFound (method: string)\n"
    "\n"
    "# The interface defines the requested method, but the service does not\n"
    "# implement it.\n"
    "error MethodNotImplemented (method: string)\n"
    "\n"
    "# One of the passed parameters is invalid.\n"
    "error InvalidParameter (parameter: string)\n";

json_t *service_get_info(struct server *server, struct connection *c, const json_t *parameters)
{
	(void)server;
	(void)c;
	(void)parameters;
	return json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "The ixd authors", "product", "ixd",
			 "version", IXD_VERSION, "url", "", "interfaces", VARLINK_SERVICE, VARLINK_IXD);
}

json_t *service_get_interface(struct server *server, struct connection *c, const json_t *parameters)
{
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const char *description = strcmp(name, VARLINK_IXD) == 0       ? ixd_description
				  : strcmp(name, VARLINK_SERVICE) == 0 ? service_description
								       : NULL;

	if (!description) {
		connection_error(c, VARLINK_SERVICE ".InterfaceNotFound",
				 json_pack("{s:s}", "interface", name), server->now_ns);
		return NULL;
	}
	return json_pack("{s:s}", "description", description);
}
