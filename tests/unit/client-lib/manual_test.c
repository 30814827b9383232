/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The headers, the symbol map, the manual and the examples say the same: every public function is exported
 * and has a page with its real prototype, every option of an example is in its page, the programs in the
 * manual compile, and the headers are good C++ as well. Runs from the project's root.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 256

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text;
	long size;

	cr_assert_not_null(file, "cannot open %s", path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	cr_assert_eq(fread(text, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	return text;
}

/* All pages of section 3, one after the other. */
static char *read_pages(void)
{
	glob_t found;
	char *all = calloc(1, 1);

	cr_assert_eq(glob("client-lib/man/*.3", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *page = read_file(found.gl_pathv[i]);

		all = realloc(all, strlen(all) + strlen(page) + 1);
		strcat(all, page);
		free(page);
	}
	globfree(&found);
	return all;
}

/* The names in the map's global part. */
static unsigned map_names(char names[NAMES_MAX][48])
{
	char *map = read_file("client-lib/libixclient.map"), *at = strstr(map, "global:");
	unsigned count = 0;

	for (char *line = strtok(at, "\n"); line && !strstr(line, "local:"); line = strtok(NULL, "\n"))
		if (sscanf(line, " %47[a-z_0-9];", names[count]) == 1 && !strncmp(names[count], "ix", 2))
			count++;
	free(map);
	return count;
}

/* Whether `name(` occurs as a declaration: at the start of a word. */
static const char *find_call(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = text; (at = strstr(at, name)); at += len)
		if (at[len] == '(' && at > text && (at[-1] == ' ' || at[-1] == '*'))
			return at;
	return NULL;
}

static char *read_headers(void)
{
	char *low = read_file("client-lib/include/ix/ix.h"),
	     *high = read_file("client-lib/include/ix/ixev.h");

	low = realloc(low, strlen(low) + strlen(high) + 1);
	strcat(low, high);
	free(high);
	return low;
}

Test(manual, every_exported_function_is_declared_and_has_one_page)
{
	static char names[NAMES_MAX][48];
	unsigned count = map_names(names);
	char *headers = read_headers(), *pages = read_pages();

	cr_assert_gt(count, 80);
	for (unsigned i = 0; i < count; i++) {
		char entry[64], more[64];
		const char *at, *again;

		cr_assert_not_null(find_call(headers, names[i]), "%s is in no header", names[i]);
		snprintf(entry, sizeof(entry), "\n.Nm %s\n", names[i]);
		snprintf(more, sizeof(more), "\n.Nm %s ,\n", names[i]);
		at = strstr(pages, entry);
		again = strstr(pages, more);
		cr_assert((at != NULL) != (again != NULL), "%s is not the name of one page", names[i]);
	}
	free(headers);
	free(pages);
}

/* Appends text without white space. */
static void squeeze(char *to, const char *from, size_t len)
{
	to += strlen(to);
	for (size_t i = 0; i < len; i++)
		if (!isspace((unsigned char)from[i]))
			*to++ = from[i];
	*to = 0;
}

Test(manual, pages_have_the_headers_prototypes)
{
	char *headers = read_headers(), *pages = read_pages();
	char *dense = calloc(1, strlen(headers) + 1);
	unsigned checked = 0;

	squeeze(dense, headers, strlen(headers));
	for (char *line = strtok(pages, "\n"); line; line = strtok(NULL, "\n")) {
		char prototype[512] = "", *arg = strchr(line, '"');

		if (strncmp(line, ".Fn ix", 6) != 0 || !arg)
			continue;
		squeeze(prototype, line + 4, (size_t)(arg - line - 4));
		strcat(prototype, "(");
		while (arg) {
			char *end = strchr(arg + 1, '"');

			cr_assert_not_null(end);
			squeeze(prototype, arg + 1, (size_t)(end - arg - 1));
			arg = strchr(end + 1, '"');
			strcat(prototype, arg ? "," : ");");
		}
		cr_assert_not_null(strstr(dense, prototype), "%s is not what the header has", prototype);
		checked++;
	}
	cr_assert_gt(checked, 80);
	free(dense);
	free(headers);
	free(pages);
}

static void check_options(const char *program)
{
	char path[128], name[64], *source, *page;
	unsigned checked = 0;

	snprintf(path, sizeof(path), "client-lib/examples/%s.c", program);
	source = read_file(path);
	snprintf(path, sizeof(path), "client-lib/man/%s.1", program);
	page = read_file(path);
	for (char *line = strtok(source, "\n"); line; line = strtok(NULL, "\n")) {
		char entry[80], letter = 0;

		if (sscanf(line, " {'%c', \"%63[a-z0-9-]\"", &letter, name) != 2 &&
		    sscanf(line, " {0, \"%63[a-z0-9-]\"", name) != 1)
			continue;
		snprintf(entry, sizeof(entry), "Fl -%s", name);
		cr_assert_not_null(strstr(page, entry), "%s does not tell of --%s", path, name);
		snprintf(entry, sizeof(entry), ".It Fl %c", letter);
		cr_assert(!letter || strstr(page, entry), "%s does not tell of -%c", path, letter);
		checked++;
	}
	cr_assert_gt(checked, 3);
	free(source);
	free(page);
}

Test(manual, pages_have_the_options_of_the_examples)
{
	check_options("ix-echo");
	check_options("ix-httpd");
	check_options("ix-cat");
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* Writes the literal block of a page into a file, with roff's \e as the backslash it stands for. */
static void extract_program(const char *page, const char *path)
{
	char *text = read_file(page), *begin = strstr(text, ".Bd -literal\n"), *end;
	FILE *file = fopen(path, "we");

	cr_assert(begin && file);
	begin += strlen(".Bd -literal\n");
	end = strstr(begin, "\n.Ed");
	cr_assert_not_null(end);
	for (const char *at = begin; at <= end; at++) {
		fputc(*at, file);
		if (at[0] == '\\' && at[1] == 'e')
			at++;
	}
	fclose(file);
	free(text);
}

static void check_program(const char *page)
{
	char source[] = "/tmp/ix-manual-XXXXXX.c", command[256];
	int fd = mkstemps(source, 2);

	cr_assert_geq(fd, 0);
	close(fd);
	extract_program(page, source);
	snprintf(command, sizeof(command),
		 "cc -std=c11 -Wall -Wextra -Werror -Iclient-lib/include -fsyntax-only %s", source);
	run(command);
	unlink(source);
}

Test(manual, programs_compile)
{
	check_program("client-lib/man/ix.7");
	check_program("client-lib/man/ixev.7");
}

Test(manual, headers_are_cplusplus)
{
	char source[] = "/tmp/ix-cplusplus-XXXXXX.cc", command[256];
	int fd = mkstemps(source, 3);
	FILE *file = fdopen(fd, "w");

	if (system("command -v c++ >/dev/null") != 0)
		cr_skip_test("no C++ compiler");
	cr_assert_not_null(file);
	fputs("#include <ix/ixev.h>\n"
	      "#include <ix/ring.h>\n"
	      "struct server { ix_client *client; ixev_loop *loop; };\n"
	      "int open_server(server *s)\n"
	      "{\n"
	      "	ix_open_params params{};\n"
	      "	params.spin_us = 50;\n"
	      "	if (ix_open(nullptr, &params, &s->client) != 0)\n"
	      "		return -1;\n"
	      "	struct ix_channel *channel = ix_channel(s->client, 0);\n"
	      "	ix_event events[4];\n"
	      "	return ix_poll(channel, events, 4) + ixev_loop_new(s->client, 0, 0, &s->loop);\n"
	      "}\n",
	      file);
	fclose(file);
	snprintf(command, sizeof(command),
		 "c++ -std=c++17 -Wall -Wextra -Werror -Iclient-lib/include -fsyntax-only %s", source);
	run(command);
	unlink(source);
}
