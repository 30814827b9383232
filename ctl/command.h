/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command of ixctl: one row gives its name, help, options, the method it calls, and how the answer looks as
 * text. As JSON every answer is printed as it came.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "ctl/options.h"
#include "ctl/text.h"

/* Where an answer goes; made for one run of a command. */
struct output {
	const struct command *command;
	const struct options *options;
	FILE *out;
	struct text_table table;
	const struct output_ops *ops;
	size_t pieces, rows; /* so far */
	unsigned interval_s; /* the command is repeated this often; 0: runs once */
	json_t *before;      /* the answer of the last time; NULL the first time */
};

/* An answer may come in pieces; each is the parameters object of one reply. */
struct output_ops {
	void (*piece)(struct output *o, const json_t *parameters);
	void (*end)(struct output *o);
};
extern const struct output_ops output_json, output_text;

void output_init(struct output *o, const struct output_ops *ops, const struct command *command,
		 const struct options *options, FILE *out);
void output_fini(struct output *o);
/* Before the answer to a repeated call. */
void output_restart(struct output *o);

struct command {
	const char *name;
	const char *summary;               /* one line, for the list of commands */
	const char *description;           /* more lines for --help; NULL: none */
	const char *method;                /* of io.ixd */
	const struct option_row *options;  /* own ones and the common ones, see COMMAND_OPTIONS */
	bool wants_more;                   /* the answer comes in pieces; `list` names the array in them */
	const char *list;                  /* NULL: the answer is no list */
	const struct text_column *columns; /* text form of a list */
	const char *empty;                 /* what is said instead of an empty table */
	void (*print)(struct output *o, const json_t *parameters); /* text form of anything else */
};

/* Ends every command's options. */
#define COMMAND_OPTIONS                                                                                      \
	{.letter = 'j', .name = "json", .help = "print the answer as JSON"},                                 \
	    {.letter = 'h', .name = "help", .help = "print this help"},                                      \
	{                                                                                                    \
		.name = NULL                                                                                 \
	}

/* All commands; a row without a name ends the table. */
extern const struct command commands[];
/* NULL when there is none of this name. */
const struct command *command_find(const char *name);

/* Text forms, each in the file of its subject. */
void print_status(struct output *o, const json_t *parameters); /* print_status.c */
void print_stats(struct output *o, const json_t *parameters);  /* print_stats.c */
extern const struct text_column columns_sockets[];             /* print_sockets.c */

#endif
